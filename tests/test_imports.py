"""Imports point one way, and only the viewer knows napari and Qt."""

import ast
import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "napari_qsm"
WINDOW_LIBRARIES = {
    "PyQt5",
    "PyQt6",
    "PySide2",
    "PySide6",
    "magicgui",
    "napari",
    "qtpy",
    "superqt",
    "vispy",
}
HEAVY_LIBRARIES = {"matplotlib", "nibabel", "numpy", "pandas", "scipy"}

# A room may import from rooms of its own rank and below.
RANKS = (
    ("_version",),
    (
        *(
            "volume",
            "scan",
            "errors",
            "typed",
            "anatomy",
            "arrays",
            "colormaps",
            "clusters",
            "compositing",
        ),
        *("units", "quantities"),
    ),
    ("recon", "rois", "figures", "io", "phantom", "registration", "outlines", "samples"),
    ("study", "session", "outputs", "qc", "hospital", "inspect", "demo", "scripting"),
    ("viewer", "cli", "batch"),
)
RANK = {room: rank for rank, rooms in enumerate(RANKS) for room in rooms}


def module_name(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module):
    """Return the room of a module: its name below the package; '' for the package itself."""
    return module.partition(".")[2].partition(".")[0]


MODULES = {
    module_name(path): path for path in sorted(PACKAGE.rglob("*.py")) if path.name != "__main__.py"
}
OUTSIDE_VIEWER = [name for name in MODULES if room_of(name) != "viewer"]


@cache
def imports_of(name):
    """Return the modules that one module imports, each with whether it does so lazily."""
    path = MODULES[name]
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    lazy_nodes = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for inner in ast.walk(node)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join(base + ([node.module] if node.module else []))
            # "from napari_qsm import volume" imports a module, not a name in one.
            targets = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        found += [(target, node in lazy_nodes) for target in targets]
    return tuple(found)


def fresh(code, *args):
    """Run code in an interpreter of its own and return what it printed, from JSON."""
    done = subprocess.run(
        [sys.executable, "-c", code, *args], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_every_room_has_a_place_in_the_order():
    unknown = {room_of(name) for name in MODULES} - set(RANK) - {""}
    assert not unknown, f"give these rooms a place in RANKS: {sorted(unknown)}"


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_one_way(name):
    room = room_of(name)
    wrong = []
    for target, lazy in imports_of(name):
        other = room_of(target) if target.split(".")[0] == "napari_qsm" else ""
        # A name the package itself offers, such as __version__, is no room.
        if other not in RANK or other == room:
            continue
        if room == "":
            allowed = other == "_version" or lazy or is_type_only(name, target)
        elif other == "viewer":
            allowed = room == "cli" and lazy
        else:
            allowed = RANK[other] <= RANK[room]
        if not allowed:
            wrong.append(target)
    assert not wrong, f"{name} must not import {wrong}"


def test_no_module_imports_itself_by_way_of_others():
    """Lazy imports count: what needs a detour to be imported has its parts in the wrong place."""
    ahead = {name: modules_imported_by(name) for name in MODULES}
    for name in MODULES:  # whoever imports nothing that is left is in no circle
        left = {name: {other for other in found if other in ahead} for name, found in ahead.items()}
        free = [name for name, found in left.items() if not found]
        if not free:
            break
        ahead = {name: found for name, found in left.items() if name not in free}
    assert not ahead, f"circles among {sorted(ahead)}"


def modules_imported_by(name):
    """Modules of the package that one imports, other than for types alone."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    for_types = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If)
        and isinstance(block.test, ast.Name)
        and block.test.id == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in for_types or not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        base = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
        for alias in node.names:
            whole = f"{base}{alias.name}"
            found.add(whole if whole in MODULES else base.rstrip("."))
    return found & set(MODULES) - {name}


def is_type_only(name, target):
    """Say whether a module imports the target under ``if TYPE_CHECKING:`` only."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    blocks = [node for node in tree.body if isinstance(node, ast.If)]
    return any(
        isinstance(block.test, ast.Name)
        and block.test.id == "TYPE_CHECKING"
        and any(
            isinstance(node, ast.ImportFrom) and target.startswith(f"{node.module}.")
            for node in block.body
        )
        for block in blocks
    )


@pytest.mark.parametrize("name", OUTSIDE_VIEWER)
def test_no_module_outside_the_viewer_names_a_window_library(name):
    named = {target.split(".")[0] for target, _ in imports_of(name)}
    assert not named & WINDOW_LIBRARIES


def test_no_module_outside_the_viewer_loads_a_window_library():
    """Through other libraries neither; all in one fresh interpreter, for speed."""
    loaded = fresh(
        """
import importlib, json, sys
names, libraries = json.loads(sys.argv[1])
loaded = {}
for name in names:
    importlib.import_module(name)
    new = [library for library in libraries if library in sys.modules]
    if new:
        loaded[name] = new
        break
print(json.dumps(loaded))
""",
        json.dumps([OUTSIDE_VIEWER, sorted(WINDOW_LIBRARIES)]),
    )
    assert loaded == {}


def test_the_command_line_starts_without_heavy_libraries():
    if "napari_qsm.cli" not in MODULES:
        pytest.skip("there is no command line yet")
    loaded = fresh(
        """
import json, sys
import napari_qsm.cli
print(json.dumps([name for name in json.loads(sys.argv[1]) if name in sys.modules]))
""",
        json.dumps(sorted(HEAVY_LIBRARIES | WINDOW_LIBRARIES)),
    )
    assert loaded == []
