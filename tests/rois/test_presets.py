"""Lists of regions as files."""

import pytest

from napari_qsm.errors import FileError
from napari_qsm.io.label_table import Region, write_label_table
from napari_qsm.rois.guided import guided_presets, load_guided
from napari_qsm.rois.presets import (
    built_in_presets,
    parse_preset,
    presets_in,
    read_preset,
    write_preset,
)


def test_built_in_lists():
    lentiform, deep = built_in_presets()
    assert [r.name for r in lentiform.regions] == [
        "Putamen L",
        "Putamen R",
        "Globus pallidus L",
        "Globus pallidus R",
    ]
    assert [r.index for r in deep.regions] == list(range(1, 27))
    assert len({r.name[:-2] for r in deep.regions}) == 13
    assert len({r.color for r in deep.regions}) == 26
    assert all(r.side == {"L": "left", "R": "right"}[r.name[-1]] for r in deep.regions)
    assert "not a published protocol" in deep.note


def test_one_title_never_names_two_lists():
    drawn = {preset.name: {r.name for r in preset.regions} for preset in built_in_presets()}
    for key, title in guided_presets().items():
        placed = {step.region_name for step in load_guided(key).steps}
        assert drawn.get(title, placed) == placed


def test_a_list_written_comes_back(tmp_path):
    regions = (
        Region(2, 'Füße "α"', "", "#102030", "F"),
        Region(3, "Putamen L", "left", "#a0b0c0"),
        Region(700, "Caudate R", "right", "#ffffff"),
    )
    write_preset(tmp_path / "mine.yaml", "Mine: a list", regions, "note, with: colon")
    found = read_preset(tmp_path / "mine.yaml")
    assert (found.name, found.note, found.regions) == ("Mine: a list", "note, with: colon", regions)
    (tmp_path / "bad.yaml").write_text("regions: [", encoding="utf-8")
    lists, problems = presets_in(tmp_path)
    assert [each.name for each in lists] == ["Mine: a list"]
    assert len(problems) == 1 and "'bad.yaml'" in problems[0]
    assert presets_in(tmp_path / "none") == ([], [])


def test_label_tables_are_lists_too(tmp_path):
    regions = (Region(4, "Putamen L", "left", "#a0b0c0"),)
    write_label_table(tmp_path / "labels.txt", regions)
    assert read_preset(tmp_path / "labels.txt").regions == regions


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1, 2]", "no list of regions"),
        ("regions: []", "names no region"),
        ("regions: [{color: red}]", "region 1: a name is needed"),
        ("regions: [A, {name: B, sides: [up]}]", "region 2: sides"),
        ("regions: [{name: B, colors: [red]}]", "rrggbb"),
        ("regions: [{name: B, label: 0}]", "whole number"),
        ("regions: [{name: B, label: 2}, {name: C, label: 2}]", "twice"),
        ("regions: [{name: B, shape: round}]", "'shape' is not known"),
        ("names: x\nregions: [A]", "'names' is not known"),
    ],
)
def test_damaged_lists_say_where(text, words):
    with pytest.raises(FileError, match=words):
        parse_preset(text, "'list.yaml'")
