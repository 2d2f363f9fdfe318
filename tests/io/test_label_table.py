import csv

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_qsm.errors import FileError
from napari_qsm.io.label_table import (
    Region,
    default_color,
    is_label_table,
    read_label_table,
    side_of,
    write_label_table,
)
from napari_qsm.phantom import regions


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("Putamen R", "right"),
        ("L Putamen", "left"),
        ("Left-Putamen", "left"),
        ("putamen_right", "right"),
        ("Putamen (L)", "left"),
        ("ctx-lh-insula", "left"),
        ("rh.putamen", "right"),
        ("LeftPutamen", "left"),
        ("putamenRight", "right"),
        ("RIGHT PUTAMEN", "right"),
        ("Red nucleus", ""),
        ("Lateral ventricle", ""),
        ("Leftover", ""),
        ("Bright spot", ""),
        ("Left to right", ""),
        ("", ""),
    ],
)
def test_side_of(name, side):
    assert side_of(name) == side


def itksnap_rows(text):
    """As ITK-SNAP reads: seven fields, then what stands between the first two quotes."""
    rows = []
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            head, name, *_ = line.split('"')
            rows.append((*head.split(), name))
    return rows


def test_itksnap_file_is_what_itksnap_reads(tmp_path):
    write_label_table(tmp_path / "t.txt", regions(bleed=True))
    lines = (tmp_path / "t.txt").read_text().splitlines()
    assert lines[0] == "#" * 48
    assert lines[1] == "# ITK-SnAP Label Description File"
    rows = itksnap_rows("\n".join(lines))
    assert rows[0] == ("0", "0", "0", "0", "0", "0", "0", "Clear Label")
    region = regions()[2]
    red, green, blue = (str(int(region.color[i : i + 2], 16)) for i in (1, 3, 5))
    assert rows[3] == (str(region.index), red, green, blue, "1", "1", "1", region.name)
    assert all(len(row) == 8 for row in rows)


def test_there_and_back(tmp_path):
    known = regions()
    write_label_table(tmp_path / "t.txt", known)
    write_label_table(tmp_path / "t.tsv", known)
    back = read_label_table(tmp_path / "t.txt")
    assert [(r.index, r.name, r.side, r.color) for r in back] == [
        (r.index, r.name, r.side, r.color) for r in known
    ]
    assert read_label_table(tmp_path / "t.tsv") == known


@settings(deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(st.integers(1, 65535), st.text(min_size=1), st.integers(0, 0xFFFFFF)),
        unique_by=lambda row: row[0],
        min_size=1,
        max_size=8,
    )
)
def test_any_name_comes_back(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("t")
    rows = [(i, " ".join(n.split()) or "x", c) for i, n, c in rows if "\0" not in n]
    rows = [r for r in rows if r[1].isprintable()] or [(1, "x", 0)]
    table = [Region(i, name, side_of(name), f"#{color:06x}") for i, name, color in rows]
    write_label_table(folder / "t.tsv", table)
    assert read_label_table(folder / "t.tsv") == tuple(sorted(table, key=lambda r: r.index))
    write_label_table(folder / "t.txt", table)
    write_label_table(folder / "t.lut", table)
    assert [(r.index, r.name) for r in read_label_table(folder / "t.lut")] == sorted(
        (r.index, r.name) for r in table
    )
    write_label_table(folder / "t.ctbl", table)
    assert [r.index for r in read_label_table(folder / "t.ctbl")] == sorted(r.index for r in table)
    names = {r.index: r.name for r in read_label_table(folder / "t.txt")}
    assert names == {r.index: r.name.replace('"', "'").strip() or names[r.index] for r in table}


def test_dseg_columns(tmp_path):
    write_label_table(tmp_path / "t.tsv", [Region(3, "Putamen L", "left", "#FF00aa", "")])
    with (tmp_path / "t.tsv").open(newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    assert rows == [{"index": "3", "name": "Putamen L", "abbreviation": "n/a", "color": "#ff00aa"}]


def test_a_table_written_elsewhere(tmp_path):
    (tmp_path / "t.tsv").write_text("name\tindex\tmapping\nBackground\t0\t0\nLeft-Putamen\t12\t4\n")
    (region,) = read_label_table(tmp_path / "t.tsv")
    assert (region.index, region.name, region.side) == (12, "Left-Putamen", "left")
    assert region.color == default_color(12)


def test_slicer_and_fsleyes(tmp_path):
    (tmp_path / "t.ctbl").write_text("# Slicer\n0 Background 0 0 0 0\n7 Putamen_R 255 0 16 255\n")
    (tmp_path / "t.lut").write_text("7 1.0 0.0 0.0625 Putamen R\n")
    for name in ("t.ctbl", "t.lut"):
        assert read_label_table(tmp_path / name) == (Region(7, "Putamen R", "right", "#ff0010"),)


@pytest.mark.parametrize("ending", [".txt", ".label", ".tsv", ".lut", ".ctbl"])
def test_every_kind_keeps_index_name_side_and_colour(tmp_path, ending):
    path = tmp_path / f"t{ending}"
    table = [Region(700, "Globus pallidus R", "right", "#0180fe"), *regions()]
    write_label_table(path, table)
    assert [(r.index, r.name, r.side, r.color) for r in read_label_table(path)] == [
        (r.index, r.name, r.side, r.color) for r in sorted(table, key=lambda r: r.index)
    ]
    assert is_label_table(path)


def test_unknown_ending_is_refused(tmp_path):
    with pytest.raises(FileError, match=r"t\.doc"):
        write_label_table(tmp_path / "t.doc", regions())


def test_names_that_would_break_a_table(tmp_path):
    table = [
        Region(1, 'say "Putamen"\tR\n', "", "#010203"),
        Region(2, " \t", "", "#010203"),
        Region(3, "Ncl. ruber à gauche 赤核", "", "#010203"),
    ]
    plain = ['say "Putamen" R', "Label 2", "Ncl. ruber à gauche 赤核"]
    for ending in (".tsv", ".lut"):
        write_label_table(tmp_path / f"t{ending}", table)
        assert [r.name for r in read_label_table(tmp_path / f"t{ending}")] == plain
    for ending in (".txt", ".ctbl"):
        write_label_table(tmp_path / f"t{ending}", table)
        quoted = ["say 'Putamen' R", *plain[1:]]
        assert [r.name for r in read_label_table(tmp_path / f"t{ending}")] == quoted


def test_what_fsleyes_and_slicer_read(tmp_path):
    table = [Region(7, "Putamen R", "right", "#ff0010")]
    write_label_table(tmp_path / "t.lut", table)
    assert (tmp_path / "t.lut").read_text() == "7 1.00000 0.00000 0.06275 Putamen R\n"
    write_label_table(tmp_path / "t.ctbl", table)
    rows = [
        line for line in (tmp_path / "t.ctbl").read_text().splitlines() if not line.startswith("#")
    ]
    assert rows == ["0 Background 0 0 0 0", "7 Putamen_R 255 0 16 255"]


def test_a_hidden_label_of_itksnap_stays_hidden(tmp_path):
    write_label_table(tmp_path / "t.txt", [Region(1, "A", "", "#010203", visible=False)])
    assert not read_label_table(tmp_path / "t.txt")[0].visible
    assert itksnap_rows((tmp_path / "t.txt").read_text())[1][5:7] == ("0", "0")


def test_atlas_names(shared_data):
    table = read_label_table(shared_data / "cit168" / "CIT168.json")
    assert len(table) == 32
    # In this atlas odd labels lie on the left, even ones on the right.
    assert all(r.side == ("left" if r.index % 2 else "right") for r in table)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("t.txt", '1 255 0 0 1 1 1 "A"\n1 0 255 0 1 1 1 "B"\n', "two rows for label 1"),
        ("t.txt", '1 256 0 0 1 1 1 "A"\n', "line 1"),
        ("t.txt", '1 255 0 0 1 1 "A"\n', "line 1"),
        ("t.txt", "# only\n1 255 0 0 1 1 1 A\n", "line 2"),
        ("t.txt", '-1 255 0 0 1 1 1 "A"\n', "outside"),
        ("t.txt", '70000 255 0 0 1 1 1 "A"\n', "outside"),
        ("t.txt", "", "no labels"),
        ("t.txt", "\0\1", "not a text file"),
        ("t.tsv", "size\tname\n1\tA\n", "index and name"),
        ("t.tsv", "index\tname\n1.5\tA\n", "line 2"),
        ("t.tsv", "index\tname\tcolor\n1\tA\tred\n", "colour 'red'"),
        ("t.lut", "1 0.5 0.5\n", "line 1"),
        ("t.json", '{"labels": ["a"]}', "no label table"),
    ],
)
def test_broken_tables_are_refused_with_their_place(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(FileError, match=said) as caught:
        read_label_table(tmp_path / name)
    assert name in str(caught.value)
    assert not is_label_table(tmp_path / name)


def test_missing_file(tmp_path):
    for name in ("t.txt", "t.json"):
        with pytest.raises(FileError, match="no file"):
            read_label_table(tmp_path / name)


@pytest.mark.parametrize("ending", [".txt", ".tsv", ".lut", ".ctbl"])
@pytest.mark.parametrize(
    "table",
    [
        [Region(1, "A", "", "#000000"), Region(1, "B", "", "#000000")],
        [Region(0, "A", "", "#000000")],
        [Region(1, "A", "", "red")],
    ],
)
def test_impossible_tables_are_not_written(tmp_path, ending, table):
    with pytest.raises(FileError):
        write_label_table(tmp_path / f"t{ending}", table)
    assert list(tmp_path.iterdir()) == []


def test_default_colors_differ():
    colors = [default_color(i) for i in range(1, 65)]
    assert len(set(colors)) == 64


@pytest.mark.parametrize("name", ["=1+1", "+x", "@SUM(A1)", "'=1", "''-2", "'plain'", "-"])
def test_no_name_is_a_formula_to_a_spreadsheet_and_all_come_back(tmp_path, name):
    path = tmp_path / "a_dseg.tsv"
    write_label_table(path, [Region(1, name, "none", "#ff0000", name)])
    with path.open(encoding="utf-8", newline="") as handle:
        row = list(csv.reader(handle, delimiter="\t"))[1]
    assert not [cell for cell in row if cell.startswith(("=", "+", "-", "@"))]
    assert [(r.name, r.abbreviation) for r in read_label_table(path)] == [(name, name)]
