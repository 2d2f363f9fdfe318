"""Region tables as files: plain tables stay plain, and what belongs to them stands beside."""

import json

import numpy as np
import openpyxl
import pandas as pd
import pytest

from napari_qsm._version import __version__
from napari_qsm.errors import FileError
from napari_qsm.rois.exports import Exported, about_table, map_reference, write_export
from napari_qsm.rois.files import region_table, write_table
from napari_qsm.rois.statistics import columns, region_statistics
from napari_qsm.volume import Volume


@pytest.fixture
def chi():
    rng = np.random.default_rng(3)
    return Volume(rng.normal(0.05, 0.02, (6, 5, 4)), np.diag([0.7, 0.8, 2, 1]), "ppm", "χ one")


@pytest.fixture
def table(chi):
    labels = chi.with_data(np.repeat([0, 1, 2], 40).reshape(chi.shape))
    names = {1: "=2+3", 2: "Globus pallidus, L", 3: "Not drawn"}
    frame = region_statistics(chi, labels, names)
    about = about_table(
        chi, unit="ppm", map_name="χ one", regions_name="regions", reference="whole brain"
    )
    return Exported(frame, "ppm", about)


@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_plain_tables_come_back_whole_with_a_file_about_them(table, tmp_path, ending):
    files = write_export([table], tmp_path / f"t.{ending}")
    assert [file.name for file in files] == [f"t.{ending}", "t.about.json"]
    back = pd.read_csv(files[0], sep="\t" if ending == "tsv" else ",", keep_default_na=True)
    assert list(back.columns) == columns()
    np.testing.assert_array_equal(back["mean_ppm"], table.frame["mean_ppm"])
    # What Excel would run as a formula is text behind an apostrophe.
    assert list(back["name"]) == ["'=2+3", *table.frame["name"][1:]]
    about = json.loads(files[1].read_text(encoding="utf-8"))["about"][0]
    assert about["Map"] == "χ one"
    assert about["Unit"] == "ppm"
    assert about["Reference"] == "whole brain"
    assert about["Program"] == f"napari-qsm {__version__}"
    assert about["Exported"][:2] == "20"
    assert "n - 1" in about["SD"]


def test_excel_gets_numbers_names_and_a_second_sheet(table, tmp_path):
    write_export([table], tmp_path / "t.xlsx")
    book = openpyxl.load_workbook(tmp_path / "t.xlsx")
    assert book.sheetnames == ["Regions", "About"]
    rows = list(book["Regions"].iter_rows(values_only=True))
    assert list(rows[0]) == columns()
    assert rows[1][1] == "'=2+3"
    assert book["Regions"]["B2"].data_type == "s"  # a name, not a sum
    assert rows[1][5] == pytest.approx(table.frame["mean_ppm"][0], rel=1e-14)
    assert rows[3][3] == 0
    assert rows[3][5] is None
    about = dict(row[:2] for row in book["About"].iter_rows(values_only=True) if row[0])
    assert about["Map"] == "χ one"


def test_json_holds_both(table, tmp_path):
    write_export([table], tmp_path / "t.json")
    content = json.loads((tmp_path / "t.json").read_text(encoding="utf-8"))
    assert content["about"][0]["Map"] == "χ one"
    assert content["rows"][0]["mean_ppm"] == table.frame["mean_ppm"][0]
    assert content["rows"][2]["mean_ppm"] is None


def test_several_maps_stand_below_each_other(table, tmp_path):
    rate = table.frame.rename(columns=dict(zip(columns("ppm"), columns("1/s"), strict=True)))
    assert "mean_per_s" in rate
    other = Exported(rate, "1/s", {"Map": "R2*"})
    write_export([table, other], tmp_path / "t.csv")
    back = pd.read_csv(tmp_path / "t.csv")
    assert list(back.columns) == ["map", "unit", *columns("")]
    assert list(back["map"]) == ["χ one"] * 3 + ["R2*"] * 3
    assert list(back["unit"]) == ["ppm"] * 3 + ["1/s"] * 3
    assert len(json.loads((tmp_path / "t.about.json").read_text())["about"]) == 2


def test_other_endings_are_refused(table, tmp_path):
    with pytest.raises(FileError, match="xlsx"):
        write_export([table], tmp_path / "t.docx")
    assert list(tmp_path.iterdir()) == []


def test_what_counts_as_zero_is_looked_up_beside_the_map(tmp_path, chi):
    path = tmp_path / "chi.nii.gz"
    assert map_reference(None) == map_reference(path) == ""
    steps = [{"stage": "reference", "method": "whole-brain", "settings": {}}]
    record = {"stages": steps, "reference_ppm": 0.0123}
    (tmp_path / "provenance.json").write_text(json.dumps(record))
    assert map_reference(path) == "whole-brain (0.0123 ppm subtracted)"
    (tmp_path / "chi.json").write_text('{"Reference": "CSF", "ReferencePpm": 0.02}')
    assert map_reference(path) == "CSF (0.02 ppm subtracted)"
    (tmp_path / "chi.json").write_text("broken")
    (tmp_path / "provenance.json").write_text("[]")
    about = about_table(chi, unit="ppm", map_name="a", regions_name="b")
    assert about["Reference"] == "not recorded"
    rate = chi.with_data(chi.data, unit="1/s")
    assert "Reference" not in about_table(rate, unit="1/s", map_name="a", regions_name="b")


def test_the_command_line_writes_excel_and_reads_what_slicer_saves(tmp_path, chi, capsys):
    from napari_qsm.cli import main
    from napari_qsm.io.label_table import Region
    from napari_qsm.io.nifti import write_volume
    from napari_qsm.io.segmentation import write_labels

    data = np.zeros(chi.shape, np.uint8)
    data[1:4, 1:4, 1:3] = 5
    regions = [Region(5, "Putamen R", "right", "#ff0000")]
    part = np.array(chi.affine)
    part[:3, 3] = chi.voxel_to_world((1, 1, 1))
    write_volume(chi, tmp_path / "chi.nii.gz")
    write_labels(chi.with_data(data), regions, tmp_path / "labels.nii.gz")
    write_labels(Volume(data[1:, 1:, 1:], part), regions, tmp_path / "part.seg.nrrd")
    frames = []
    for name in ("labels.nii.gz", "part.seg.nrrd"):
        out = tmp_path / f"{name}.xlsx"
        arguments = ["stats", str(tmp_path / "chi.nii.gz"), str(tmp_path / name), "--out", str(out)]
        assert main(arguments) == 0
        frames.append(pd.read_excel(out))
    pd.testing.assert_frame_equal(*frames)
    assert list(frames[0]["name"]) == ["Putamen R"]
    inside = chi.data[data == 5]
    assert frames[0]["mean_ppm"][0] == pytest.approx(inside.mean(), rel=1e-6)
    about = pd.read_excel(tmp_path / "labels.nii.gz.xlsx", sheet_name="About", header=None)
    assert "ppm" in set(about[1])
    capsys.readouterr()


def test_labels_that_no_table_names_are_said(tmp_path, chi):
    from napari_qsm.io.nifti import write_volume

    write_volume(chi, tmp_path / "chi.nii.gz")
    (tmp_path / "chi.json").write_text('{"Units": "ppm"}')
    write_volume(
        chi.with_data(np.repeat([0, 1, 9], 40).reshape(chi.shape).astype(np.uint8)),
        tmp_path / "labels.nii.gz",
    )
    (tmp_path / "names.tsv").write_text("index\tname\n1\tA\n")
    said = []
    table = region_table(
        tmp_path / "chi.nii.gz",
        tmp_path / "labels.nii.gz",
        names_path=tmp_path / "names.tsv",
        warn=said.append,
    )
    assert list(table["name"]) == ["A", "region 9"]
    assert said == ["Label 9 has no name in the label table."]
    write_table(table, tmp_path / "t.json")
    assert list(pd.read_json(tmp_path / "t.json")["name"]) == ["A", "region 9"]
