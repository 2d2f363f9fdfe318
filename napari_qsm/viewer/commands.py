"""What keys and buttons do, as plain functions of the workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_qsm.colormaps import Colouring

if TYPE_CHECKING:
    from napari_qsm.viewer.services import Services
    from napari_qsm.viewer.workspace import Workspace

_COLOURINGS: tuple[Colouring, ...] = ("grey", "inverted", "colour", "both sides")


def step(workspace: Workspace, steps: int) -> None:
    """Step slices in the view the mouse was last in."""
    controller, view = workspace.controller, workspace.keys.last_view
    # The mouse may last have been in a view that the layout has since hidden.
    if view not in controller.views or not view.qt.isVisible():
        view = controller.main
    controller.step(view.plane, steps)


def next_map(workspace: Workspace) -> None:
    """Choose the next map and show it."""
    maps = [entry for entry in workspace.session.case.maps if entry.editable is None]
    if not maps:
        return
    keys = [entry.id for entry in maps]
    at = keys.index(workspace.session.selected) if workspace.session.selected in keys else -1
    entry = maps[(at + 1) % len(maps)]
    if not entry.display.visible:
        workspace.session.set_display(entry, visible=True)
    for other in maps:
        hides = other is not entry and maps.index(other) > maps.index(entry)
        if hides and other.display.visible:
            workspace.session.set_display(other, visible=False)
    workspace.session.selected = entry.id


def next_case(workspace: Workspace) -> None:
    """Show the next patient or visit."""
    workspace.session.step_case()


def flicker(services: Services) -> None:
    """Show the other one of two maps at the same place."""
    session = services.session
    if session.layout == "compare" and len(session.compared) > 1:
        if session.mix == "side by side":
            session.compared = (*session.compared[1:], session.compared[0])
        return
    keys = session.compared[:2]
    pair = [entry for entry in map(session.entry, keys) if entry is not None]
    if len(pair) < 2:
        own = session.case.of_role("map")
        pair = own[-2:] if len(own) > 1 else session.of_role("map")[-2:]
    if len(pair) < 2:
        services.message("Flicker needs two maps; open another one.")
        return
    first, second = pair
    show = second if first.id == session.selected and first.display.visible else first
    for entry in pair:
        session.set_display(entry, visible=entry is show)
    session.selected = show.id


def flip_result(workspace: Workspace) -> None:
    """The result of a reconstruction's stage before this one, or this one."""
    workspace.panels.reconstruct.flip()


def next_colouring(workspace: Workspace) -> None:
    """Go round grey, inverted, colour and both sides."""
    entry = workspace.session.selected_entry
    if entry is not None and entry.editable is None:
        at = _COLOURINGS.index(entry.display.colouring)
        workspace.session.set_display(entry, colouring=_COLOURINGS[(at + 1) % len(_COLOURINGS)])


def toggle_unit(workspace: Workspace) -> None:
    """Write susceptibilities in the other unit, everywhere."""
    workspace.session.unit = "ppb" if workspace.session.unit == "ppm" else "ppm"


def toggle_crosshair(workspace: Workspace) -> None:
    """Show or hide the crosshair."""
    workspace.session.crosshair_visible = not workspace.session.crosshair_visible


def swap_planes(workspace: Workspace) -> None:
    """Make the next plane the large one."""
    workspace.controller.swap()


def toggle_alone(workspace: Workspace) -> None:
    """The large view alone, or with the others."""
    workspace.session.layout = "three" if workspace.session.layout == "one" else "one"


def centre(workspace: Workspace) -> None:
    """Bring the crosshair into the middle of every view."""
    workspace.controller.centre()
