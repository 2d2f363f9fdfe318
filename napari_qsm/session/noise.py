"""The noise map of a susceptibility map in the session: made in a thread, found again for the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from napari_qsm.errors import QsmError
from napari_qsm.io.formats import stem
from napari_qsm.recon.uncertainty import REPEATS, Uncertainty
from napari_qsm.rois.noise import NoiseMap, noise_map, read_noise
from napari_qsm.session import Case, MapDisplay, MapEntry, Session
from napari_qsm.session.stage_results import RESULT_KEY, put_result, result_entry
from napari_qsm.study.reconstruction import Reconstruction
from napari_qsm.volume import Volume

NAME = "noise of χ"
#: Under :data:`RESULT_KEY`, beside the names of stages.
RESULT = "noise"
_WINDOW_PPM = (0.0, 0.02)


def noise_finder(
    recon: Reconstruction,
) -> Callable[[Callable[[float, str], None], Callable[[], bool]], Uncertainty | None]:
    """What finds the noise of a finished reconstruction's map, for a thread.

    Raises
    ------
    QsmError
        If a step has not run or is out of date.
    """
    if recon.running or recon.stale_stages():
        raise QsmError("The noise of a map is found once every step has run.")
    recipe, have = recon.recipe(), recon.arrays()

    def work(
        progress: Callable[[float, str], None], cancelled: Callable[[], bool]
    ) -> Uncertainty | None:
        from napari_qsm.recon.pipeline import noise_of

        def report(stage: str, fraction: float) -> None:
            progress(fraction, "Making maps of a field with more noise")

        return noise_of(recipe, have, REPEATS, progress=report, cancelled=cancelled)

    return work


def take(recon: Reconstruction, number: int, found: Uncertainty) -> bool:
    """Keep the noise of a map with its reconstruction, unless another map was made meanwhile.

    Parameters
    ----------
    recon : Reconstruction
    number : int
        Its ``number("reference")`` when the work began.
    found : Uncertainty

    Returns
    -------
    bool
        Whether it was kept.
    """
    if number != recon.number("reference") or recon.running:
        return False
    recon.found_noise = number, found
    recon.changed.emit()
    return True


def put(session: Session, case: Case, grid: Volume, found: Uncertainty) -> MapEntry | None:
    """Show the noise map, hidden, beside the map that it belongs to; replaces an earlier one.

    Parameters
    ----------
    session : Session
    case : Case
        That of the map.
    grid : Volume
        Stands for the grid of the results.
    found : Uncertainty
        From :func:`noise_finder`.

    Returns
    -------
    MapEntry or None
        None where the map is not there any more.
    """
    chi = result_entry(case, "reference")
    if chi is None:
        return None
    volume = grid.with_data(found.noise_ppm, unit="ppm", name="chi noise")
    # Made like the map, to the same run: by that it is known again.
    made = {**chi.provenance, "uncertainty": found.record}
    display = MapDisplay(window=_WINDOW_PPM, visible=False)
    return put_result(session, case, RESULT, volume, made, name=NAME, display=display)


class NoiseMaps:
    """Finds the noise maps of maps, and keeps what their files say of means."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Volume, NoiseMap | None]] = {}

    def of(self, session: Session, entry: MapEntry) -> tuple[MapEntry, NoiseMap] | None:
        """The noise map of a susceptibility map, as an entry and as what it says; None without one.

        One made here belongs to the run of stages that both remember; one from a file to the map
        that lies beside it under the name that ``reconstruct`` gives.
        """
        if not entry.is_susceptibility:
            return None
        for other in session.case_of(entry).maps:
            if other is not entry and _belongs(other, entry):
                known = self._of_means(other)
                if known is not None:
                    return other, known
        return None

    def _of_means(self, entry: MapEntry) -> NoiseMap | None:
        known = self._known.get(entry.id)
        if known is None or known[0] is not entry.volume:
            known = self._known[entry.id] = entry.volume, _read(entry)
        return known[1]


def _read(entry: MapEntry) -> NoiseMap | None:
    """What is known of a noise map; None where its file does not say."""
    said: Any = entry.provenance.get("uncertainty")
    try:
        if isinstance(said, Mapping):
            return noise_map(entry.volume, said, f"'{entry.name}'")
        origin = entry.volume.origin
        if origin is None:
            return None
        read = read_noise(origin)
    except QsmError:
        return None  # the column stays empty, as without a noise map
    return NoiseMap(entry.volume, read.volumes_mm3, read.parts)


def _belongs(noise: MapEntry, chi: MapEntry) -> bool:
    if noise.provenance.get(RESULT_KEY) == RESULT:
        made, stages = chi.provenance, noise.provenance.get("stages")
        return made.get(RESULT_KEY) == "reference" and made.get("stages") == stages
    there, beside = chi.volume.origin, noise.volume.origin
    if there is None or beside is None or there.parent != beside.parent:
        return False
    name = stem(there)
    entities, divider, suffix = name.rpartition("_")
    return stem(beside) in (f"{name}_noise", f"{entities}{divider}desc-noise_{suffix}")
