"""Maps beside χ in the session: asked for, made in a thread, and shown in the list of maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from napari_qsm.errors import QsmError
from napari_qsm.figures.other_maps import OTHER_MAPS, display_of_values
from napari_qsm.recon.stage_run import Contrasts, run_contrasts
from napari_qsm.recon.stages import CONTRASTS, methods
from napari_qsm.session import Case, MapDisplay, MapEntry, Session
from napari_qsm.session.stage_results import put_result
from napari_qsm.study.reconstruction import Reconstruction
from napari_qsm.volume import Volume

Work = Callable[[Callable[[float, str], None], Callable[[], bool]], Contrasts]


@dataclass(frozen=True)
class ContrastText:
    """A map beside χ in the user's words.

    Attributes
    ----------
    title : str
        Of the box to tick.
    purpose : str
        One sentence.
    shows : dict
        Name of the map in the list, by each quantity that is shown.
    """

    title: str
    purpose: str
    shows: Mapping[str, str]


CONTRAST_TEXTS: Mapping[str, ContrastText] = {
    "r2star": ContrastText(
        "R2*", "How fast the magnitude decays: iron and myelin raise it.", {"r2star_per_s": "R2*"}
    ),
    "swi": ContrastText(
        "SWI", "Magnitude darkened by the phase of veins and iron.", {"swi": "SWI"}
    ),
    "tswi": ContrastText("tSWI", "Magnitude darkened by χ itself.", {"tswi": "tSWI"}),
    "mip": ContrastText(
        "Projection of SWI (mIP)",
        "The darkest value of a slab around each slice, so that veins read as lines.",
        {"mip": "SWI projection"},
    ),
    "chi-separation": ContrastText(
        "χ+ and χ−",
        "How much of χ comes from paramagnetic and how much from diamagnetic sources.",
        {"chi_positive_ppm": "χ+", "chi_negative_ppm": "χ−"},
    ),
}


def display_of(quantity: str, volume: Volume) -> MapDisplay:
    """How a map beside χ is shown before anybody chose, as in figures; hidden."""
    name = quantity.removesuffix("_ppm").removesuffix("_per_s")
    shown = display_of_values(next(key for key in OTHER_MAPS if key == name), volume)
    return MapDisplay(window=shown.window, colouring=shown.colouring, visible=False)


def maker(recon: Reconstruction, grid: Volume, names: Sequence[str]) -> Work:
    """What makes maps beside a finished χ map, for a thread.

    Parameters
    ----------
    recon : Reconstruction
        Its ``contrast_settings`` count.
    grid : Volume
        Stands for the grid of its results.
    names : sequence of str
        Keys of :data:`CONTRAST_TEXTS`; what they are made of is made too.

    Raises
    ------
    QsmError
        If a step has not run, or something is missing that a map needs.
    """
    from napari_qsm.recon.inputs import rate_on
    from napari_qsm.recon.recipe import contrast_choices

    if recon.running or recon.stale_stages():
        raise QsmError("Other maps are made once every step has run.")
    have = recon.arrays()
    if (given := recon.given.get("r2_per_s")) is not None:
        have["r2_per_s"] = rate_on(given, grid)
    asked = contrast_choices(names)
    lines = [
        f"{choice.method.name}.{key}={value}"
        for choice in asked
        for key, value in recon.contrast_settings.get(choice.method.name, {}).items()
    ]
    asked = contrast_choices(names, lines)
    for choice in asked:
        choice.method.ready(have, choice.settings)

    def work(progress: Callable[[float, str], None], cancelled: Callable[[], bool]) -> Contrasts:
        def report(stage: str, fraction: float) -> None:
            progress(fraction, "Making other maps of the scan")

        return run_contrasts(asked, have, progress=report, cancelled=cancelled)

    return work


def take(recon: Reconstruction, number: int, made: Contrasts) -> bool:
    """Keep maps with the reconstruction they were made of, unless χ was made anew meanwhile.

    Parameters
    ----------
    recon : Reconstruction
    number : int
        Its ``number("reference")`` when the work began.
    made : Contrasts
        Added to those that are there.

    Returns
    -------
    bool
        Whether they were kept.
    """
    if number != recon.number("reference") or recon.running:
        return False
    before = recon.contrasts
    recon.found_contrasts = number, made if before is None else before.joined(made)
    recon.changed.emit()
    return True


def put(
    session: Session, case: Case, recon: Reconstruction, grid: Volume, made: Contrasts
) -> list[MapEntry]:
    """Show maps that were made, hidden, in place of earlier ones of their kind.

    Parameters
    ----------
    session : Session
    case : Case
        Whose scan they are made of.
    recon : Reconstruction
        That has taken them.
    grid : Volume
        Stands for the grid of the results.
    made : Contrasts
        The ones to show.

    Returns
    -------
    list of MapEntry
        In the order in which they were made.
    """
    from napari_qsm.recon.result import UNITS

    shown = []
    for record in made.records:
        for quantity, name in CONTRAST_TEXTS[record["method"]].shows.items():
            key = "r2star" if quantity == "r2star_per_s" else quantity
            volume = grid.with_data(made.quantities[quantity], unit=UNITS[quantity], name=name)
            own = _provenance(recon, record, made)
            display = display_of(quantity, volume)
            shown.append(put_result(session, case, key, volume, own, name=name, display=display))
    return shown


def _provenance(recon: Reconstruction, record: dict[str, Any], made: Contrasts) -> dict[str, Any]:
    """How a map beside χ was made: the stages, then its own method."""
    last = recon.provenance(recon.active()[-1], [record])
    own = [s for s in made.warnings if s.startswith(f"{record['method']}:")]
    return {**last, "warnings": [*last["warnings"], *own]}


def said_of(recon: Reconstruction) -> str:
    """What is made of the χ map that there is now, what is not any more, in a sentence."""
    number, found = recon.found_contrasts
    if found is None:
        return ""
    there = {record["method"] for record in found.records}
    titles = ", ".join(CONTRAST_TEXTS[name].title for name in methods(CONTRASTS) if name in there)
    if number != recon.number("reference"):
        return f"Out of date, because χ was changed: {titles}. Make them again."
    return f"Made: {titles}. They lie in the list of maps, and the table can measure them."
