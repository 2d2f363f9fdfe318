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
