"""The house keeps its measures: no circles, no module or class too long, no Qt-free code in viewer/.

``python -m tests.test_house`` prints the figures. The lists of exceptions may only get shorter: an
entry that is no longer needed fails too.
"""

import ast
import typing
from collections import Counter
from functools import cache

import pytest
from pydantic import BaseModel

from napari_qsm.session import Session
from napari_qsm.study import Case, MapDisplay, MapEntry, Study
from tests.test_imports import MODULES, PACKAGE, WINDOW_LIBRARIES, imports_of, room_of

LONGEST_MODULE, LONGEST_CLASS = 400, 300
#: Modules that are longer, to be divided.
LONG_MODULES = set()
#: Classes that are longer, to be divided.
LONG_CLASSES = {
    "napari_qsm.viewer.canvas.controller.Controller",
    "napari_qsm.viewer.regions.table.RegionTable",
}
#: Modules of viewer/ that know nothing of a window, to be moved where scripts can use them.
WITHOUT_QT_IN_VIEWER: set[str] = set()
#: Groups of modules that import each other.
CIRCLES = set()


def tree_of(name):
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


def lines_of(name):
    return len(MODULES[name].read_text(encoding="utf-8").splitlines())


def class_lengths():
    return {
        f"{name}.{node.name}": node.end_lineno - node.lineno + 1
        for name in MODULES
        for node in ast.walk(tree_of(name))
        if isinstance(node, ast.ClassDef)
    }


@cache
def type_only_imports(name):
    """Return what a module imports under ``if TYPE_CHECKING:``, which is not run."""
    found = set()
    for block in ast.walk(tree_of(name)):
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test):
            for node in ast.walk(block):
                if isinstance(node, ast.ImportFrom) and not node.level:
                    found.update(f"{node.module}.{alias.name}" for alias in node.names)
                elif isinstance(node, ast.Import):
                    found.update(alias.name for alias in node.names)
    return found


def import_graph():
    """Return the modules of the package that each module imports, lazily too."""
    graph = {}
    for name in MODULES:
        targets = {target for target, _ in imports_of(name)} - type_only_imports(name)
        # "from a.b import c" imports a.b.c where that is a module, and a.b where c is a name in it.
        found = {t if t in MODULES else t.rpartition(".")[0] for t in targets}
        graph[name] = {each for each in found if each in MODULES} - {name}
    return graph


def circles(graph):
    """Return the groups of modules that can reach each other (Tarjan 1972), larger than one."""
    number, low, stack, found = {}, {}, [], []

    def visit(name):
        number[name] = low[name] = len(number)
        stack.append(name)
        for other in graph[name]:
            if other not in number:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], number[other])
        if low[name] == number[name]:
            at = stack.index(name)
            group = stack[at:]
            del stack[at:]
            if len(group) > 1:
                found.append(" ".join(sorted(group)))

    for name in graph:
        if name not in number:
            visit(name)
    return set(found)


def without_qt_in_viewer():
    """Return the modules of viewer/ that know nothing of a window, not even through others.

    Those could lie where scripts can use them.
    """
    graph = {
        name: {target if target in MODULES else target.rpartition(".")[0] for target in targets}
        for name in MODULES
        for targets in [{target for target, _ in imports_of(name)}]
    }
    knows = {
        name
        for name in MODULES
        if {target.split(".")[0] for target, _ in imports_of(name)} & WINDOW_LIBRARIES
    }
    while more := {name for name in graph if name not in knows and graph[name] & knows}:
        knows |= more
    in_viewer = {name for name in MODULES if room_of(name) == "viewer"}
    return {name for name in in_viewer - knows if MODULES[name].name != "__init__.py"}


def compared(there, allowed):
    """Return what is new, and what stands in the list in vain."""
    return sorted(there - allowed), sorted(allowed - there)


def test_the_search_finds_a_circle():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == {"a b c"}
    assert circles({"a": {"b"}, "b": set()}) == set()


def test_no_import_circle_even_through_lazy_imports():
    assert compared(circles(import_graph()), CIRCLES) == ([], [])


def test_no_module_is_too_long():
    there = {name for name in MODULES if lines_of(name) > LONGEST_MODULE}
    assert compared(there, LONG_MODULES) == ([], [])


def test_no_class_is_too_long():
    there = {name for name, lines in class_lengths().items() if lines > LONGEST_CLASS}
    assert compared(there, LONG_CLASSES) == ([], [])


def test_viewer_holds_only_what_needs_qt():
    assert compared(without_qt_in_viewer(), WITHOUT_QT_IN_VIEWER) == ([], [])


#: Folders of tabs and pages: what lies in them gets services, never the window.
TABS = "data", "reconstruct", "display", "regions", "figure", "study", "reading"


def test_no_panel_sees_the_whole_window():
    """What a panel asks of another is a signal that the workspace connects."""
    names = {f"napari_qsm.viewer.{tab}" for tab in TABS}
    parts = [name for name in MODULES if ".".join(name.split(".")[:3]) in names]
    assert len(parts) > 60
    seen = {name for name in parts for node in ast.walk(tree_of(name)) if names_window(node)}
    assert not seen


def names_window(node):
    """Say whether a node is the workspace by name, import or attribute, for types too."""
    if isinstance(node, ast.ImportFrom):
        return node.module == "napari_qsm.viewer.workspace"
    name = getattr(node, "id", "") or getattr(node, "attr", "")
    return isinstance(node, ast.Name | ast.Attribute) and name in ("Workspace", "workspace")


def test_no_panel_is_found_by_its_title():
    """Panels are attributes; a title is for the eyes and may change."""
    found = {
        f"{name}:{node.lineno}"
        for name in MODULES
        if room_of(name) == "viewer"
        for node in ast.walk(tree_of(name))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "tabText"
    }
    assert not found


@pytest.mark.parametrize("model", [Session, Study, Case, MapEntry, MapDisplay])
def test_fields_of_the_state_have_types(model: type[BaseModel]):
    """No ``Any``; provenance is a JSON document that nobody but its writer knows."""
    untyped = [name for name, field in model.model_fields.items() if has_any(field.annotation)]
    assert untyped == (["provenance"] if model is MapEntry else [])


def has_any(kind):
    return kind is typing.Any or any(has_any(each) for each in typing.get_args(kind))


def report():
    """Return lines and files of the package and its rooms, as text."""
    lines, files = Counter(), Counter()
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).parts[0]
        room = room if "." not in room else "(top)"
        files[room] += 1
        lines[room] += len(path.read_text(encoding="utf-8").splitlines())
    rows = [f"{room:12} {files[room]:4} files {lines[room]:6} lines" for room in sorted(files)]
    rows.append(f"{'all':12} {files.total():4} files {lines.total():6} lines")
    rows.append(f"import circles: {len(circles(import_graph()))}")
    rows.append(f"without Qt in viewer/: {len(without_qt_in_viewer())} files")
    long = [name for name in MODULES if lines_of(name) > LONGEST_MODULE]
    rows.append(f"modules over {LONGEST_MODULE} lines: {len(long)}")
    long = [name for name, length in class_lengths().items() if length > LONGEST_CLASS]
    rows.append(f"classes over {LONGEST_CLASS} lines: {len(long)}")
    return "\n".join(rows)


if __name__ == "__main__":
    print(report())
