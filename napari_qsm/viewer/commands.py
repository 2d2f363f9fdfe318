"""What can be done by key, menu and palette: one register, and the plain functions behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari_qsm.colormaps import Colouring
from napari_qsm.session.region_looks import (
    change_opacity,
    region_maps,
    shown_regions,
    toggle_outline,
    toggle_shown,
)
from napari_qsm.viewer.command import Command
from napari_qsm.viewer.frame.commands import HELP, PROGRAM
from napari_qsm.viewer.pictures import ask_picture_folder, take_picture

if TYPE_CHECKING:
    from napari_qsm.viewer.services import Services
    from napari_qsm.viewer.workspace import Workspace

_COLOURINGS: tuple[Colouring, ...] = ("grey", "inverted", "colour", "both sides")


def state_of(workspace: Workspace) -> dict[str, Any]:
    """What the needs of commands are judged by."""
    session, paint = workspace.session, workspace.panels.regions.paint
    selected = session.selected_entry
    return {
        "cases": len(session.cases),
        "study": workspace.studies.root is not None,
        "empty": session.case.is_empty,
        "figure": session.figure is not None,
        "maps": sum(entry.editable is None for entry in session),
        "regions": len(session.of_role("labels")),
        "coloured": selected is not None and selected.editable is None,
        "undo": bool(session.history.undo_text),
        "redo": bool(session.history.redo_text),
        "rows": len(workspace.table_panel.rows()),
        "drawn": len(region_maps(session)),
        "hand": workspace.controller.tool is not None,
        "outline": paint.painter.has_outline,
        "pending": paint.painter.can_be_taken,
        "tool": bool(paint.options.kind),
    }


def step(workspace: Workspace, steps: int) -> None:
    """Step slices in the view the mouse was last in."""
    view = workspace.keys.view
    workspace.controller.step(view.plane, steps, view)


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


def next_colouring(workspace: Workspace) -> None:
    """Go round grey, inverted, colour and both sides."""
    entry = workspace.session.selected_entry
    if entry is not None and entry.editable is None:
        at = _COLOURINGS.index(entry.display.colouring)
        workspace.session.set_display(entry, colouring=_COLOURINGS[(at + 1) % len(_COLOURINGS)])


def _toggle(name: str, one: Any, other: Any) -> Callable[[Workspace], None]:
    """Switch a field of the session between two values."""

    def toggle(workspace: Workspace) -> None:
        session = workspace.session
        setattr(session, name, other if getattr(session, name) == one else one)

    return toggle


def _region(number: int) -> Callable[[Workspace], None]:
    """Choose a region by its place in the list, from 1."""

    def choose(workspace: Workspace) -> None:
        workspace.panels.regions.list.choose_row(number - 1)

    return choose


def _tool(kind: str) -> Callable[[Workspace], None]:
    """Take up a drawing tool, or put it away; its settings come to the front."""

    def use(workspace: Workspace) -> None:
        if kind and workspace.owns_viewer:
            workspace.tabs.setCurrentWidget(workspace.panels.regions)
        workspace.panels.regions.paint.painter.use(kind)

    return use


def _eraser(workspace: Workspace) -> None:
    if workspace.owns_viewer:
        workspace.tabs.setCurrentWidget(workspace.panels.regions)
    workspace.panels.regions.paint.toggle_eraser()


def _reshape_outline(workspace: Workspace) -> None:
    """The outline under the mouse, or else the one on the slice of the large view."""
    if workspace.owns_viewer:
        workspace.tabs.setCurrentWidget(workspace.panels.regions)
    workspace.panels.regions.paint.painter.open_outline()


def _copy_slice(steps: int) -> Callable[[Workspace], None]:
    """Copy what the region has on a slice to the next one, in the view last used."""

    def copy(workspace: Workspace) -> None:
        workspace.panels.regions.change.copy(steps, workspace.keys.view.plane)

    return copy


def _next_region(steps: int) -> Callable[[Workspace], None]:
    """Choose a region by its place in the list, seen from the one that is chosen."""

    def choose(workspace: Workspace) -> None:
        workspace.panels.regions.list.step(steps)

    return choose


def _tab(name: str) -> Callable[[Workspace], None]:
    """Bring a tab to the front."""

    def show(workspace: Workspace) -> None:
        workspace.tabs.setCurrentWidget(getattr(workspace.panels, name))

    return show


_VIEWS = (
    Command(
        "qsm.slice_up", "next slice up in the view last used", lambda w: step(w, 1), "PageUp",
        needs="maps > 0",
    ),
    Command(
        "qsm.slice_down", "next slice down", lambda w: step(w, -1), "PageDown", needs="maps > 0"
    ),
    Command("qsm.next_map", "next map", next_map, "N", needs="maps > 0"),
    Command(
        "qsm.flicker", "flicker between two maps", lambda w: flicker(w.services), "K",
        needs="maps > 0",
    ),
    Command(
        "qsm.flip_result", "old or new result of the reconstruction",
        lambda w: w.panels.reconstruct.flip(), "J",
    ),
    Command(
        "qsm.colouring", "grey, inverted, colour, both sides", next_colouring, "G",
        needs="coloured",
    ),
    Command(
        "qsm.unit", "ppm or ppb", _toggle("unit", "ppm", "ppb"), "U",
        says=lambda w: "numbers in ppb", is_on=lambda w: w.session.unit == "ppb",
    ),
    Command(
        "qsm.crosshair", "crosshair shown or hidden", _toggle("crosshair_visible", True, False),
        "H", itksnap="X", says=lambda w: "crosshair", is_on=lambda w: w.session.crosshair_visible,
    ),
    Command(
        "qsm.swap", "another plane becomes the large one", lambda w: w.controller.swap(), "W"
    ),
    Command(
        "qsm.alone", "large view alone or all three", _toggle("layout", "one", "three"), "Q"
    ),
    Command(
        "qsm.sides", "radiological or neurological", _toggle("radiological", True, False),
        says=lambda w: "radiological sides", is_on=lambda w: w.session.radiological,
    ),
    Command(
        "qsm.link", "views zoom together or apart", _toggle("views_linked", True, False),
        says=lambda w: "views zoom together", is_on=lambda w: w.session.views_linked,
    ),
    Command(
        "qsm.centre", "views centred on the crosshair", lambda w: w.controller.centre(), "Home",
        needs="maps > 0", itksnap="C",
    ),
    Command(
        "qsm.undo_window", "window of the map on top as before it was dragged",
        lambda w: w.controller.windowing.undo(w.keys.view), needs="maps > 0",
    ),
    Command(
        "qsm.picture", "picture of the view last used, as file and on the clipboard",
        take_picture, "F12", needs="maps > 0",
    ),
    Command("qsm.picture_folder", "folder for pictures of views …", ask_picture_folder),
)  # fmt: skip
_TABS = tuple(
    Command(f"qsm.tab_{name}", f"tab {name.capitalize()}", _tab(name), group="Tabs", submenu="Tab")
    for name in ("data", "reconstruct", "display", "regions", "figure")
)
_DRAWING = (
    *(
        Command(
            f"qsm.region_{n}", f"choose region {n} of the list",
            _region(n), str(n), "Drawing", submenu="Choose region", itksnap="", napari="",
        )
        for n in range(1, 10)
    ),
    Command(
        "qsm.last_region", "the region before", _next_region(-1), ",", "Drawing",
        needs="regions > 0", submenu="Choose region", napari="-",
    ),
    Command(
        "qsm.next_region", "the region after", _next_region(1), ".", "Drawing",
        needs="regions > 0", submenu="Choose region", napari="=",
    ),
    Command("qsm.brush", "brush", _tool("brush"), "B", "Drawing", itksnap="4", napari="2"),
    Command("qsm.adaptive", "adaptive brush", _tool("adaptive"), "Shift+B", "Drawing"),
    Command(
        "qsm.eraser", "eraser, and back to the brush", _eraser, "X", "Drawing", itksnap="E",
        napari="1",
    ),
    Command("qsm.polygon", "polygon", _tool("polygon"), "P", "Drawing", itksnap="3", napari="3"),
    Command("qsm.lasso", "lasso", _tool("lasso"), "L", "Drawing"),
    Command("qsm.fill", "fill", _tool("fill"), "F", "Drawing", napari="4"),
    Command("qsm.grow", "grow from a seed", _tool("grow"), "Shift+F", "Drawing"),
    Command("qsm.push", "push an outline", _tool("push"), "Shift+X", "Drawing"),
    Command("qsm.move", "move a region by voxels", _tool("move"), "M", "Drawing"),
    Command(
        "qsm.open_outline", "outline of the region as a polygon",
        _reshape_outline, "Shift+P", "Drawing", needs="drawn > 0",
    ),
    Command(
        "qsm.copy_up", "copy the outline to the next slice", _copy_slice(1), "Shift+PageUp",
        "Drawing", needs="drawn > 0",
    ),
    Command(
        "qsm.copy_down", "copy the outline to the slice before", _copy_slice(-1),
        "Shift+PageDown", "Drawing", needs="drawn > 0",
    ),
    Command(
        "qsm.interpolate", "fill the slices between drawn ones",
        lambda w: w.panels.regions.change.interpolate(), "", "Drawing", needs="drawn > 0",
    ),
    Command("qsm.pick", "pick a region", _tool("pick"), "I", "Drawing", napari="5"),
    Command(
        "qsm.no_tool", "no tool: a click moves the crosshair", _tool(""), "", "Drawing",
        itksnap="1", napari="6",
    ),
    Command(
        "qsm.aim", "held down: the crosshair instead of the tool", lambda w: w.controller.aim(True),
        "Space", "Drawing", needs="hand", release=lambda w: w.controller.aim(False),
    ),
    Command(
        "qsm.narrower", "narrower brush", lambda w: w.panels.regions.paint.options.wider(-1), "[",
        "Drawing", itksnap="-",
    ),
    Command(
        "qsm.wider", "wider brush", lambda w: w.panels.regions.paint.options.wider(1), "]",
        "Drawing", itksnap="=",
    ),
    Command(
        "qsm.regions_shown", "regions shown or hidden", lambda w: toggle_shown(w.session), "S",
        "Drawing", needs="drawn > 0", says=lambda w: "regions shown",
        is_on=lambda w: bool(shown_regions(w.session)),
    ),
    Command(
        "qsm.regions_outline", "regions as outlines or filled", lambda w: toggle_outline(w.session),
        "O", "Drawing", needs="drawn > 0", says=lambda w: "regions as outlines",
        is_on=lambda w: any(each.display.outline for each in shown_regions(w.session)),
    ),
    Command(
        "qsm.regions_fainter", "regions fainter", lambda w: change_opacity(w.session, -1), "A",
        "Drawing", needs="drawn > 0",
    ),
    Command(
        "qsm.regions_stronger", "regions stronger", lambda w: change_opacity(w.session, 1), "D",
        "Drawing", needs="drawn > 0",
    ),
    # Text fields need these three themselves, so they are taken only when they have a meaning.
    Command(
        "qsm.close_outline", "close a polygon, paint what has grown",
        lambda w: w.panels.regions.paint.painter.take(), "Enter", "Drawing", needs="pending",
    ),
    Command(
        "qsm.drop_corner", "take a polygon's corner back",
        lambda w: w.panels.regions.paint.painter.drop_corner(), "Backspace", "Drawing",
        needs="outline",
    ),
    Command(
        "qsm.escape", "give up an outline, put the tool away",
        lambda w: w.panels.regions.paint.escape(), "Escape", "Drawing", needs="tool",
    ),
)  # fmt: skip

#: In the order of menus and help page. A new command is one more entry.
COMMANDS: tuple[Command, ...] = (*PROGRAM, *_VIEWS, *_TABS, *_DRAWING, *HELP)
