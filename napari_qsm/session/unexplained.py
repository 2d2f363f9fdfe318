"""The part of the field that the map does not explain, as an image of the session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_qsm.errors import QsmError
from napari_qsm.qc.field import residual_field
from napari_qsm.recon.pipeline import Result
from napari_qsm.session import Case, MapDisplay, MapEntry, Session, same_case
from napari_qsm.session.stage_results import RESULT_KEY
from napari_qsm.volume import Volume, same_grid

NAME = "unexplained field"
#: Under :data:`RESULT_KEY`, beside the names of stages.
RESULT = "unexplained"
#: Noise of the field is below 0.01 ppm; a structure that is left over stands out at twice that.
_WINDOW_PPM = (-0.02, 0.02)


def unexplained_field(result: Result) -> Volume:
    """``f − D·χ`` of a result, ppm; see :func:`napari_qsm.qc.field.residual_field`.

    Raises
    ------
    QsmError
        If the result started from a map, so that there is no field to compare it with.
    """
    have: Mapping[str, Any] = result.arrays
    local, mask = have.get("local_field_ppm"), have.get("local_mask")
    if local is None or mask is None:
        raise QsmError("This map was not made from a field here, so nothing can be left over.")
    grid = result.grid
    rest = residual_field(
        local,
        have["chi_ppm"],
        mask,
        grid.voxel_size_mm,
        grid.b0_direction,
        reference_ppm=float(have.get("reference_ppm") or 0),
    )
    return grid.with_data(rest, unit="ppm", name=NAME)


def entry_of(case: Case) -> MapEntry | None:
    """The image that a case has already."""
    return next((e for e in case.maps if e.provenance.get(RESULT_KEY) == RESULT), None)


def put(session: Session, volume: Volume, case: Case, made_of: Mapping[str, Any]) -> MapEntry:
    """Show the field left over, in the place of an earlier one.

    Parameters
    ----------
    session : Session
    volume : Volume
        From :func:`unexplained_field`.
    case : Case
        That of the map.
    made_of : mapping
        Provenance of the map.
    """
    entry = entry_of(case)
    if entry is not None and not same_grid(entry.volume, volume):
        session.remove(entry)
        entry = None
    if entry is None:
        entry = session.add(
            volume,
            role="other",
            name=NAME,
            case=case,
            display=MapDisplay(window=_WINDOW_PPM, visible=False),
            linked=False,
        )
    else:
        entry.volume = volume
    entry.provenance = {**made_of, RESULT_KEY: RESULT}
    return entry


def look(session: Session, entry: MapEntry) -> None:
    """Show it, and hide the results of the stages meanwhile."""
    for other in list(session):
        if RESULT_KEY in other.provenance and same_case(other, entry):
            visible = other is entry
            if other.display.visible != visible:
                session.set_display(other, visible=visible)
    session.selected = entry.id
