"""Pages made from the program are true to it; links and pictures exist."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
#: Not part of the source package.
PICTURES = ROOT / "docs/images"
PAGES = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")})


def test_the_table_of_methods_is_the_registers():
    spec = importlib.util.spec_from_file_location("make_methods", ROOT / "docs/make_methods.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (ROOT / "docs/methods.md").read_text(encoding="utf-8")
    assert written == module.page(), "run: python docs/make_methods.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_exist(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if "://" not in target and not ("images/" in target and not PICTURES.is_dir()):
            assert (page.parent / target).exists(), f"{page.name} points to {target}"


def rooms_in_the_picture():
    """Return the modules and folders at the top of the package that ARCHITECTURE.md shows."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    (tree,) = re.findall(r"```\nnapari_qsm/\n(.*?)```", text, flags=re.DOTALL)
    return {line.split()[0] for line in tree.splitlines() if re.match(r"  \S", line)}


def test_the_tree_of_the_architecture_is_the_tree_on_disk():
    there = {
        path.name + ("/" if path.is_dir() else "")
        for path in (ROOT / "napari_qsm").iterdir()
        if (path.is_dir() and (path / "__init__.py").exists())
        or (path.suffix == ".py" and not path.name.startswith("__"))
    }
    assert rooms_in_the_picture() == there


def test_the_folders_of_stages_and_tabs_are_named_in_the_architecture():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    for room in ("recon", "viewer", "session"):
        folders = [f.name for f in (ROOT / "napari_qsm" / room).iterdir() if any(f.glob("*.py"))]
        missing = [name for name in folders if not re.search(rf"\b{name}\b", text)]
        assert missing == [], f"{room}/ has folders that ARCHITECTURE.md does not name"


def test_every_module_of_a_room_is_named_in_the_architecture():
    """Those of folders within rooms are covered by their folders, which have to be named."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rooms = text[text.index("## Rooms") : text.index("Imports point one way")]
    named = set(re.findall(r"\w+", rooms))
    package = ROOT / "napari_qsm"
    files = {path for path in package.rglob("*.py") if not path.name.startswith("__")}
    places = {path.relative_to(package) for path in files}
    missing = {p.as_posix() for p in places if len(p.parts) <= 2 and p.stem not in named}
    assert missing == set()
    folders = {part for place in places for part in place.parts[:-1]}
    assert folders - named == set()
    # What the table names must be there: files, or what stands in the picture as a word.
    table = rooms[rooms.index("| room | also |") :]
    known = {path.stem for path in files} | folders
    for word in re.findall(r"\b[a-z]+(?:_[a-z0-9]+)+\b", table):
        assert word in known, word


def test_the_glossary_has_ten_lines():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").partition("## Glossary")[2]
    assert len(re.findall(r"^\| \*\*", text, flags=re.MULTILINE)) == 10


def test_every_page_of_the_guide_stands_in_the_sites_list():
    listed = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = [path.name for path in (ROOT / "docs" / "user-guide").glob("*.md")]
    assert [name for name in pages if f"user-guide/{name}" not in listed] == []
