"""Stages of a reconstruction run away from the session, for example in a thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_qsm.errors import QsmError
from napari_qsm.recon.inputs import Inputs
from napari_qsm.recon.pipeline import StageProgress, makes_local_mask, run_stage, start
from napari_qsm.recon.provenance import input_record
from napari_qsm.volume import Volume

if TYPE_CHECKING:
    from napari_qsm.recon.recipe import Choice


@dataclass(frozen=True, eq=False)
class StageResult:
    """The result of one stage.

    Attributes
    ----------
    stage : str
        Which.
    number : int
        Of its making; see :class:`~napari_qsm.study.reconstruction.Reconstruction`.
    quantities : dict
        Name to value, canonical arrays (x, y, z), echoes first.
    record : dict
        Stage, method, settings, seconds, warnings.
    grid : Volume
        Stands for the grid of the arrays.
    """

    stage: str
    number: int
    quantities: Mapping[str, Any]
    record: dict[str, Any]
    grid: Volume


@dataclass(frozen=True, eq=False)
class PreparedInputs:
    """Inputs as arrays.

    Attributes
    ----------
    key : tuple
        Equal as long as the inputs are.
    inputs : Inputs
        The volumes.
    grid : Volume
        Canonical.
    have : dict
        Quantities by name.
    warnings : list of str
        What the user should know of the inputs.
    records : list of dict
        Role, shape and checksum of each volume.
    """

    key: tuple[Any, ...]
    inputs: Inputs
    grid: Volume
    have: dict[str, Any]
    warnings: list[str]
    records: list[dict[str, Any]]


class StageFailed(QsmError):
    """A stage could not be run; :attr:`stage` says which (empty for the inputs)."""

    def __init__(self, stage: str, error: QsmError) -> None:
        super().__init__(str(error))
        self.stage = stage
        self.error = error


@dataclass
class Task:
    """Some stages to run.

    Attributes
    ----------
    key : tuple
        Of the inputs.
    make_inputs : callable
        Makes the inputs; may read files.
    steps : sequence of (stage, choice, number)
        In order.
    have : dict
        What earlier stages have made.
    prepared : PreparedInputs or None
        The inputs, if they are at hand from an earlier run.
    """

    key: tuple[Any, ...]
    make_inputs: Callable[[], Inputs]
    steps: Sequence[tuple[str, Choice, int]]
    have: dict[str, Any]
    prepared: PreparedInputs | None

    def run(
        self,
        took: Callable[[PreparedInputs | StageResult], None],
        *,
        progress: StageProgress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        """Run the stages.

        Parameters
        ----------
        took : callable
            Called with the inputs and then with each stage's result as soon as it is there;
            in a thread it must hand them over to the session's own.
        progress, cancelled : callables
            As for :func:`napari_qsm.recon.pipeline.run`.

        Raises
        ------
        StageFailed
            Naming the stage.
        Cancelled
            If ``cancelled`` said so; what was handed over before stays.
        """
        from napari_qsm.errors import Cancelled

        stage = ""
        try:
            prepared = self.prepared or self._prepare()
            took(prepared)
            have = {**prepared.have, **self.have}
            for stage, choice, number in self.steps:
                outcome = run_stage(stage, choice, have, progress=progress, cancelled=cancelled)
                made = dict(outcome.quantities)
                if stage == "mask" and makes_local_mask(prepared.inputs):
                    made["local_mask"] = made["mask"]
                have.update(made)
                took(StageResult(stage, number, made, outcome.record, prepared.grid))
        except Cancelled:
            raise
        except QsmError as error:
            raise StageFailed(stage, error) from error
        except MemoryError as error:
            raise StageFailed(
                stage,
                QsmError(
                    "This computer's memory is too small for this scan; close other programs, or "
                    "crop the scan to the head."
                ),
            ) from error

    def _prepare(self) -> PreparedInputs:
        inputs = self.make_inputs()
        grid = inputs.grid().to_canonical()
        have, warnings = start(inputs, grid)
        records = [input_record(role, volume) for role, volume in inputs.named()]
        return PreparedInputs(self.key, inputs, grid, have, warnings, records)
