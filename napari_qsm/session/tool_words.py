"""What the next click of a drawing tool does, in a sentence. Knows no Qt."""

from __future__ import annotations

from napari_qsm.anatomy import DEPTH_AXIS, DisplayFrame, Plane
from napari_qsm.errors import QsmError
from napari_qsm.session import MapEntry, Session
from napari_qsm.session.growth import Growth
from napari_qsm.session.painting import (
    PaintOptions,
    Target,
    find_edges,
    find_limit,
    find_target,
)


def next_click(
    session: Session,
    frame: DisplayFrame | None,
    options: PaintOptions,
    plane: Plane,
    shown: MapEntry | None,
    *,
    growth: Growth | None = None,
) -> tuple[str, bool]:
    """What the next click does, in a sentence, and whether it does anything.

    Parameters
    ----------
    session : Session
    frame : DisplayFrame or None
        None while nothing is open.
    options : PaintOptions
    plane : {"axial", "coronal", "sagittal"}
    shown : MapEntry or None
        The map that the view under the pointer is about.
    growth : Growth or None
        What has grown from a seed and waits to be painted.
    """
    if options.kind == "":
        return "Click a tool to draw; without one, a click moves the crosshair.", False
    if options.kind == "pick":
        return "Chooses the region that is clicked.", True
    try:
        target = find_target(session, frame)
        edges = find_edges(session, shown, target) if options.kind == "adaptive" else None
        limit = None
        if (options.limited or options.kind == "grow") and options.kind != "move":
            limit = find_limit(session, shown, target, options.window_ppm)
    except QsmError as error:
        return str(error), False
    if growth is not None:
        return _what_has_grown(growth), growth.at.size > 0
    text = _what_it_does(options, target, plane)
    if edges is not None:
        text = text.replace(target.name, f"{target.name} up to the edges of '{edges.name}'", 1)
    if limit is not None and options.kind == "grow":
        text += f" where '{limit.entry.name}' is within the limits"
    elif limit is not None:
        text += f", where '{limit.entry.name}' is within the limits"
    return text + ".", True


def _what_it_does(options: PaintOptions, target: Target, plane: Plane) -> str:
    name = target.name
    if options.kind == "fill":
        how = "in three dimensions" if options.in_3d else "in this slice"
        return f"Fills {name} from the clicked voxel, {how}"
    if options.kind == "lasso":
        return (
            f"Drag round {name}: the inside is painted in this slice, with the right button erased"
        )
    if options.kind == "polygon":
        return (
            f"Click corners round {name}, drag them, click a line for one more, right-click one to "
            "take it out; double click or Enter paints the inside"
        )
    if options.kind == "grow":
        how = "in three dimensions" if options.in_3d else "in this slice"
        return f"Click a seed: {name} grows {how}, up to {options.radius_mm:g} mm from it,"
    if options.kind == "move":
        what = name if options.in_3d else f"the outline of {name} in this slice"
        return f"Arrows move {what} by a voxel; a drag carries it"
    if options.kind == "push":
        return f"Drag from inside {name} to push its outline out, from outside to push it in"
    return _what_a_tip_does(options, target, plane)


def _what_a_tip_does(options: PaintOptions, target: Target, plane: Plane) -> str:
    name = target.name
    reached = slices_reached(plane, options.diameter_mm, target.scale, in_3d=options.in_3d)
    where = f"in {reached} slice{'s' if reached > 1 else ''}" if options.in_3d else "in this slice"
    if options.kind == "eraser" and not options.protect and target.entry.role == "labels":
        name = "any region"
    verb = "Erases" if options.kind == "eraser" else "Paints"
    also = "" if options.kind == "eraser" else "; the right button erases"
    return f"{verb} {name}, {options.diameter_mm:g} mm {options.tip}, {where}{also}"


def _what_has_grown(growth: Growth) -> str:
    if growth.problem:
        return f"{growth.problem} Change the limits, or click another seed."
    count = growth.at.size
    return (
        f"{count} voxel{'s' if count > 1 else ''}, {growth.volume_mm3:.0f} mm³: Enter paints them "
        f"as {growth.target.name}, Escape drops them."
    )


def slices_reached(
    plane: Plane, diameter_mm: float, scale: tuple[float, float, float], *, in_3d: bool
) -> int:
    """On how many slices of a plane a dab on the middle of a voxel leaves paint."""
    return 2 * int(in_3d * diameter_mm / 2 / scale[DEPTH_AXIS[plane]] + 1e-6) + 1
