"""``napari-qsm figure`` and the figures of the demo, on small heads in files."""

import json

import numpy as np
import pytest
from PIL import Image

from napari_qsm.cli import main
from napari_qsm.demo import write_figures
from napari_qsm.io.label_table import write_label_table
from napari_qsm.io.nifti import write_volume
from napari_qsm.units import rounded
from tests.figures.makers import REGIONS, chi, labels, magnitude, volume


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    out = tmp_path_factory.mktemp("study")
    for name, putamen in (("control", 0.04), ("patient", 0.07)):
        folder = out / name
        (folder / "scan").mkdir(parents=True)
        write_volume(volume(chi(putamen), unit="ppm"), folder / "chi.nii.gz")
        write_volume(volume(labels()), folder / "labels.nii.gz")
        write_label_table(folder / "labels.txt", REGIONS.values())
        write_volume(volume(magnitude()), folder / "scan/magnitude.nii.gz")
    return out


def from_template(folders, name, *more):
    return main(
        ["figure", "--template", name, "--control", str(folders / "control")]
        + ["--patient", str(folders / "patient"), *map(str, more)]
    )


def test_a_template_and_its_saved_spec_give_one_picture(folders, tmp_path):
    out, spec = tmp_path / "f.png", tmp_path / "s.json"
    assert from_template(folders, "case-report-1", "--out", out, "--save-spec", spec) == 0
    assert main(["figure", str(spec), "--out", str(tmp_path / "g.png")]) == 0
    assert out.read_bytes() == (tmp_path / "g.png").read_bytes()
    said = json.loads(spec.read_text(encoding="utf-8"))
    assert not said["sources"]["control"]["path"].startswith("/")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == sorted(f"{a}.{b}" for a in "fg" for b in ("png", "json", "txt", "csv")) + [
        "s.json"
    ]


def test_width_dots_and_formats(folders, tmp_path):
    more = ("--width-mm", 85, "--dpi", 200)
    for ending in ("tiff", "pdf", "svg"):
        assert (
            from_template(folders, "case-report-2", "--out", tmp_path / f"f.{ending}", *more) == 0
        )
    with Image.open(tmp_path / "f.tiff") as picture:
        assert picture.width == int(85 / 25.4 * 200)


def test_arrows_point_at_the_putamen_and_circles_hold_the_pallidum(folders, tmp_path):
    spec = tmp_path / "s.json"
    assert from_template(folders, "case-report-2", "--save-spec", spec) == 0
    panels = json.loads(spec.read_text(encoding="utf-8"))["panels"]
    marked = [panel for panel in panels if panel.get("annotations")]
    assert len(marked) == 4
    found = labels()
    to_voxel = np.linalg.inv(volume(found).affine)
    for panel in marked:
        for mark in panel["annotations"]:
            i, j, k = np.rint(to_voxel[:3, :3] @ mark["at_mm"] + to_voxel[:3, 3]).astype(int)
            right = mark["at_mm"][0] > 0
            if mark["kind"] == "arrow":
                inwards = -1 if right else 1
                assert found[i + 2 * inwards, j, k] == (2 if right else 1)
                assert abs(mark["to_mm"][0]) > abs(mark["at_mm"][0])  # it comes from outside
            else:
                assert found[i, j, k] == (4 if right else 3)


BAD = [
    ([], "Give either a figure's JSON file or --template"),
    (["--template", "case-report-1"], "--control FOLDER"),
    (["--template", "case-report-9", "--control", "{control}"], "no template 'case-report-9'"),
    (["--template", "qc-montage", "--control", "{out}/none"], "no folder"),
    (["--template", "qc-montage", "--control", "{out}"], "no susceptibility map|holds 2 files"),
    (["{out}/none.json"], "no file"),
]


@pytest.mark.parametrize(("arguments", "says"), BAD)
def test_bad_lines_are_one_sentence_and_leave_nothing(folders, tmp_path, capsys, arguments, says):
    import re

    line = [a.format(out=folders, control=folders / "control") for a in arguments]
    assert main(["figure", *line, "--out", str(tmp_path / "f.png")]) == 1
    error = capsys.readouterr().err
    assert re.search(says, error) and len(error.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_endings_widths_and_missing_output(folders, tmp_path, capsys):
    assert from_template(folders, "case-report-1", "--out", tmp_path / "f.jpg") == 1
    assert "must end in .png" in capsys.readouterr().err
    assert from_template(folders, "case-report-1", "--out", tmp_path / "f.png", "--dpi", 2) == 1
    assert "'dpi' is too small" in capsys.readouterr().err
    assert from_template(folders, "case-report-1") == 1
    assert "--out" in capsys.readouterr().err


def test_regions_without_names_are_asked_for(folders, tmp_path, capsys):
    folder = tmp_path / "bare"
    folder.mkdir()
    write_volume(volume(chi(), unit="ppm"), folder / "chi.nii.gz")
    line = ["figure", "--template", "case-report-1", "--control", str(folder), "--out"]
    assert main([*line, str(tmp_path / "f.png")]) == 1
    assert "has no regions" in capsys.readouterr().err
    write_volume(volume(labels()), tmp_path / "mine.nii.gz")
    more = ["--labels", str(tmp_path / "mine.nii.gz")]
    assert main([*line, str(tmp_path / "f.png"), *more]) == 1
    assert "hold no putamen" in capsys.readouterr().err
    write_label_table(tmp_path / "mine.txt", REGIONS.values())
    assert main([*line, str(tmp_path / "f.png"), *more]) == 0


def test_the_demo_ends_with_both_figures(folders, tmp_path):
    import shutil

    for name in ("control", "patient"):
        shutil.copytree(folders / name, tmp_path / name)
    written = write_figures(tmp_path, progress=lambda what, fraction: None)
    names = {path.name for path in written}
    assert {"figure-1.png", "figure-1.pdf", "figure-2.png", "figure-2.pdf"} <= names
    assert {"figure-1.csv", "figure-1.json", "figure-2.txt"} <= names
    lines = (tmp_path / "figure-1.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 5 and lines[1].startswith("Control,1,Putamen L,left,")
    text = json.loads((tmp_path / "figure-2.json").read_text(encoding="utf-8"))["panels"][-1]
    largest = chi(0.07)[labels() == 3].max()
    assert f"patient, left {rounded(float(largest), 3)}" in text["text"]
