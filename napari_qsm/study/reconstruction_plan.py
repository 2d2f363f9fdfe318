"""What is to be reconstructed and how: a scan or intermediates, facts, and a recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_qsm.errors import MetadataError
from napari_qsm.study.scan_source import Facts, ScanSource

if TYPE_CHECKING:
    from napari_qsm.recon.inputs import Inputs
    from napari_qsm.recon.recipe import Choice, Recipe
    from napari_qsm.volume import Volume

#: Intermediates that can be given instead of computed, and the stage that else makes them.
GIVEN_AT: Mapping[str, str] = {
    "mask": "mask",
    "unwrapped": "unwrap",
    "total_field_ppm": "echoes",
    "local_field_ppm": "background",
    "chi_ppm": "inversion",
    "reference_roi": "reference",
}
#: Those of which one at most is used: the reconstruction starts there.
ENTRY_POINTS = ("unwrapped", "total_field_ppm", "local_field_ppm", "chi_ppm")
#: Images of the scan, and what their sidecars say of them.
_IMAGES = frozenset({"raw_phase", "metadata", "magnitude"})


class ReconstructionPlan:
    """Inputs and recipe, and what follows from them for the stages.

    Attributes
    ----------
    changed : Signal
        Something that is shown has changed.
    source : ScanSource or None
        The scan to reconstruct.
    facts : Facts
        What is known of it now, typed in or recorded.
    given : dict of str to Volume
        Intermediates to start from, a mask, a reference region; see :data:`GIVEN_AT`.
    origin : Recipe
        The preset or file that the choices came from.
    choices : dict of str to Choice
        Method and settings of each stage now.
    """

    changed = Signal()

    def __init__(self, recipe: str = "case-report") -> None:
        from napari_qsm.recon.recipe import load_recipe

        self.source: ScanSource | None = None
        self.facts = Facts()
        self.given: dict[str, Volume] = {}
        self.origin: Recipe = load_recipe(recipe)
        self.choices: dict[str, Choice] = dict(self.origin.choices)
        #: What stages used before a given mask or region asked for another method.
        self._replaced: dict[str, Choice] = {}

    # -- what goes in ---------------------------------------------------------------------

    def set_facts(self, **facts: Any) -> None:
        """Type in echo times, field strength, or whether the phase is a difference."""
        new = replace(self.facts, **facts)
        if new != self.facts:
            self.facts = new
            self.changed.emit()

    def set_input(self, role: str, volume: Volume) -> None:
        """Start from an intermediate, or use a mask or reference region of one's own.

        Raises
        ------
        GeometryError
            If it lies on another grid than the scan.
        MetadataError
            If its unit is another, or contradicts its values.
        FileError
            If a mask or region holds more than inside and outside.
        """
        from napari_qsm.io.whole_numbers import as_mask

        if self.source is not None:
            volume = volume.like(self.source.phase[0])
        else:
            for other in self.given.values():
                volume.like(other)
        if role in ("mask", "reference_roi"):
            as_mask(volume, role.replace("_roi", " region"))
        if role in ENTRY_POINTS:
            for other_role in ENTRY_POINTS:
                self.given.pop(other_role, None)
        self.given[role] = volume
        self._suit_given()
        self.changed.emit()

    def clear_input(self, role: str) -> None:
        """Compute again what was given."""
        if self.given.pop(role, None) is None:
            return
        self._suit_given()
        self.changed.emit()

    def _suit_given(self) -> None:
        """A given mask and reference region need methods that use them."""
        from napari_qsm.recon.recipe import default_choice

        for role, method in (("mask", "given"), ("reference_roi", "roi")):
            stage = GIVEN_AT[role]
            uses = self.choices[stage].method.name == method
            if role in self.given and not uses:
                self._replaced[stage] = self.choices[stage]
                self.choices[stage] = default_choice(stage, method)
            elif role not in self.given and stage in self._replaced:
                self.choices[stage] = self._replaced.pop(stage)

    def grid(self) -> Volume | None:
        """A volume that stands for the grid of the inputs; None without any."""
        if self.source is not None:
            return self.source.phase[0]
        return next((self.given[r] for r in ENTRY_POINTS if r in self.given), None)

    def missing(self) -> list[str]:
        """Sentences on what must be known before anything can run; empty if nothing is."""
        from napari_qsm.study.scan_source import check_facts

        if self.source is None:
            if not any(role in self.given for role in ENTRY_POINTS):
                return ["Open a scan first: its phase images are needed."]
            if "unwrapped" in self.given:
                volume = self.given["unwrapped"]
                count = volume.data.shape[3] if volume.data.ndim == 4 else 1
                return _problem(check_facts, replace(self.facts, phase_difference=False), count)
            return []
        return _problem(check_facts, self.facts, self.source.echoes)

    def inputs(self) -> Inputs:
        """What :func:`napari_qsm.recon.pipeline.run` takes; reads files.

        Raises
        ------
        QsmError
            If something is missing or does not fit.
        """
        return _inputs(self.source, self.facts, self.given)

    def inputs_maker(self) -> Callable[[], Inputs]:
        """What makes the inputs as they are chosen now, whatever is changed later."""
        return partial(_inputs, self.source, self.facts, dict(self.given))

    def inputs_key(self) -> tuple[Any, ...]:
        """Equal as long as the inputs are."""
        key = self.source.key if self.source is not None else None
        given = tuple(sorted(self.given.items(), key=lambda item: item[0]))
        return (key, self.facts, given)

    # -- recipe ---------------------------------------------------------------------------

    def use_recipe(self, recipe: Recipe | str | Path) -> None:
        """Take over a preset, a recipe file or a recipe.

        Raises
        ------
        RecipeError
            If there is no such recipe or it is not valid.
        """
        from napari_qsm.recon.recipe import Recipe, load_recipe

        self.origin = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
        self.choices = dict(self.origin.choices)
        self._replaced.clear()
        self._suit_given()
        self.changed.emit()

    def recipe(self) -> Recipe:
        """The recipe as it stands, with every setting."""
        return replace(self.origin, choices=dict(self.choices))

    @property
    def is_changed(self) -> bool:
        """Whether a method or setting differs from the preset or file it came from."""
        return bool(self.recipe().to_dict() != self.origin.to_dict())

    def choose(self, stage: str, method: str) -> None:
        """Use another method at a stage, with the settings of the recipe or else of a preset.

        Raises
        ------
        RecipeError
            If the stage has no such method.
        """
        from napari_qsm.recon.recipe import first_choice

        if self.choices[stage].method.name != method:
            own = self.origin.choices[stage]
            known = own if own.method.name == method else first_choice(stage, method)
            self.choices[stage] = known
            self.changed.emit()

    def set(self, stage: str, **settings: Any) -> None:
        """Change settings of a stage.

        Raises
        ------
        RecipeError
            Naming the setting and what is allowed.
        """
        choice = self.choices[stage]
        checked = {
            name: choice.method.settings[name].check(value, f"{stage}.{name}")
            for name, value in settings.items()
        }
        if {**choice.settings, **checked} != dict(choice.settings):
            self.choices[stage] = replace(choice, settings={**choice.settings, **checked})
            self.changed.emit()

    def reset(self, stage: str) -> None:
        """Put a stage back to what its recipe says."""
        if self.choices[stage] != self.origin.choices[stage]:
            self.choices[stage] = self.origin.choices[stage]
            self.changed.emit()

    # -- stages ---------------------------------------------------------------------------

    def active(self) -> list[str]:
        """The stages that take part, in order."""
        from napari_qsm.recon.pipeline import left_out
        from napari_qsm.recon.stages import STAGES

        try:
            skip = left_out(self._roles())
        except MetadataError:
            skip = set()
        return [stage for stage in STAGES if stage not in skip]

    def _roles(self) -> Any:
        """Which inputs there are; :func:`left_out` does not look into them."""
        from napari_qsm.recon.inputs import Inputs

        given: dict[str, Any] = dict(self.given)
        scan: Any = self.source
        return Inputs(scan=scan, **given)

    def sources(self, stage: str) -> dict[str, Any]:
        """What each input of a stage comes from: a stage's name, or what was given."""
        from napari_qsm.recon.stages import STAGES

        method = self.choices[stage].method
        wanted = [*method.inputs]
        if stage == "echoes":  # R2* is fitted there as well
            wanted += ["magnitude", "magnitude_echo_times_s", "mask"]
        active = self.active()
        before = list(STAGES)[: list(STAGES).index(stage)]
        found: dict[str, Any] = {}
        for name in wanted:
            makers = [s for s in before if name in STAGES[s] and s in active]
            if name == "given_mask" or (stage == "mask" and "phase" not in active):
                found["given_mask"] = self.given.get("mask")
            if name in self.given and name != "mask":
                found[name] = self.given[name]
            elif makers:
                found[name] = makers[-1]
            elif name == "local_mask":
                field = self.given.get("chi_ppm") or self.given.get("local_field_ppm")
                found[name] = "mask" if "mask" in active else field
            elif name == "field_strength_t":
                found[name] = (self.facts.field_strength_t,)
            elif name in ("echo_times_s", "magnitude_echo_times_s"):
                found[name] = (self.facts.echo_times_s, self.facts.phase_difference)
            elif name in _IMAGES and self.source is not None:
                # A scan sorts its images by echo time, so times typed in may reorder them.
                times = self.facts.echo_times_s
                order = tuple(sorted(range(len(times)), key=times.__getitem__))
                found[name] = (self.source.key, order)
        return found


def _inputs(source: ScanSource | None, facts: Facts, given: Mapping[str, Volume]) -> Inputs:
    from napari_qsm.recon.inputs import Inputs

    known: dict[str, Any] = dict(given)
    if source is not None:
        return Inputs(scan=source.make(facts), **known)
    return Inputs(
        **known,
        echo_times_s=facts.echo_times_s if "unwrapped" in given else (),
        field_strength_t=facts.field_strength_t if "unwrapped" in given else None,
    )


def _problem(check: Callable[[Facts, int], None], facts: Facts, echoes: int) -> list[str]:
    try:
        check(facts, echoes)
    except MetadataError as error:
        return [str(error)]
    return []
