"""Specs of figures that nobody can mean."""

import json

import pytest

from napari_qsm.cli import main
from napari_qsm.errors import QsmError
from napari_qsm.figures.draw import render
from napari_qsm.figures.spec import parse_spec

TEXT = {"kind": "text", "text": "A"}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"panels": [TEXT] * 100_000}, "at most"),
        ({"panels": [{**TEXT, "title": "x" * 100_000}]}, "letters"),
        ({"column_titles": ["x" * 5_000]}, "letters"),
        ({"row_titles": ["x"] * 100_000}, "entries"),
        ({"caption": "x" * 1_000_000}, "letters"),
        ({"caption": "a\x1b[31m"}, "control"),
        ({"panels": [{**TEXT, "text": "a\x00b"}]}, "control"),
        ({"style": {"width_mm": float("nan")}}, "width_mm"),
        ({"displays": {"d": {"window": [0, float("inf")]}}}, "window"),
        ({"columns": 10**18}, "columns"),
        ({"columns": float("inf")}, "columns"),
        ({"sources": {"a": {"path": "p" * 100_000}}}, "letters"),
    ],
)
def test_one_sentence(said, words):
    with pytest.raises(QsmError, match=words) as caught:
        parse_spec(json.dumps(said))
    assert len(str(caught.value)) < 400 and "\x1b" not in str(caught.value)


def test_a_page_of_more_dots_than_memory_has():
    said = {"panels": [TEXT], "style": {"width_mm": 1200, "height_mm": 1200, "dpi": 1200}}
    with pytest.raises(QsmError, match="million dots"):
        render(parse_spec(json.dumps(said)))


def test_text_that_looks_like_a_formula_is_drawn_as_it_is(tmp_path):
    spec = tmp_path / "s.json"
    said = {"panels": [{**TEXT, "text": r"$\frac{ $ \sqrt", "title": "$x^"}]}
    spec.write_text(json.dumps(said))
    assert main(["figure", str(spec), "--out", str(tmp_path / "f.png")]) == 0
