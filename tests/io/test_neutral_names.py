"""Names of people in names of files do not reach what is shared."""

import json
import os

import nibabel as nib
import numpy as np
import openpyxl
import pytest

from napari_qsm.cli import main
from napari_qsm.io.neutral_names import neutral_name, shared_name, told_apart

AFFINE = np.diag([-1.0, 1, 2, 1])
PERSON = "Mueller_Hans_19510203"


@pytest.mark.parametrize(
    ("name", "neutral"),
    [
        (f"{PERSON}_chi.nii.gz", "susceptibility map"),
        (f"QSM {PERSON}.nii", "susceptibility map"),
        (f"{PERSON}.nii.gz", "map"),
        ("chi.nii.gz", "chi"),
        ("sub-01_ses-t0_Chimap.nii.gz", "sub-01_ses-t0_Chimap"),
        ("sub-Mueller Hans_Chimap.nii.gz", "susceptibility map"),
        (f"{PERSON}.seg.nrrd", "map"),
    ],
)
def test_neutral_names(name, neutral):
    assert neutral_name(name) == neutral


def test_a_name_that_somebody_gave_is_kept(tmp_path):
    assert shared_name("Before treatment", tmp_path / f"{PERSON}.nii") == "Before treatment"
    assert shared_name(PERSON, tmp_path / f"{PERSON}.nii") == "map"
    assert told_apart(["map", "chi", "map"]) == ["map 1", "chi", "map 2"]


@pytest.fixture
def scan(tmp_path):
    """A map and labels in a folder and in files that name a patient."""
    folder = tmp_path / PERSON
    folder.mkdir()
    labels = np.zeros((20, 22, 12), np.uint8)
    labels[3:8, 4:9, 2:6] = 1
    chi = (0.05 * labels + 0.001 * (np.arange(labels.size).reshape(labels.shape) % 7)).astype("f4")
    for name, data in ((f"{PERSON}_chi", chi), (f"{PERSON}_labels", labels)):
        image = nib.Nifti1Image(data, AFFINE)
        image.header["descrip"] = PERSON.encode()
        nib.save(image, folder / f"{name}.nii.gz")
    (folder / f"{PERSON}_chi.json").write_text('{"Units": "ppm"}')
    (folder / f"{PERSON}_labels.txt").write_text('1 9 9 9 1 1 1 "Putamen L"\n')
    return folder


def everything_in(folder):
    """Names of files and all that they hold, unpacked."""
    out = b""
    for path in sorted(folder.rglob("*")):
        out += path.name.encode()
        if path.name.endswith(".nii.gz"):
            out += nib.load(path).to_bytes()
        elif path.suffix == ".xlsx":
            book = openpyxl.load_workbook(path)
            out += str([list(sheet.values) for sheet in book]).encode()
        elif path.is_file():
            out += path.read_bytes()
    return out


@pytest.mark.parametrize("ending", ["csv", "tsv", "json", "xlsx"])
def test_tables(scan, tmp_path, ending):
    out = tmp_path / "out"
    out.mkdir()
    pair = [str(scan / f"{PERSON}_chi.nii.gz"), str(scan / f"{PERSON}_labels.nii.gz")]
    assert main(["stats", *pair, "--out", str(out / f"t.{ending}")]) == 0
    content = everything_in(out)
    assert b"Putamen L" in content
    for word in (b"Mueller", b"Hans", b"1951"):
        assert word not in content


def test_a_shared_figure_is_drawn_again_and_names_nobody(scan, tmp_path):
    said = {
        "sources": {
            "a": {"path": f"{PERSON}_chi.nii.gz", "name": "Control"},
            "b": {"path": f"{PERSON}_labels.nii.gz", "role": "labels"},
        },
        "panels": [
            {"kind": "image", "map": "a", "display": "grey", "plane": "axial", "slice_index": 5},
            {"kind": "table", "measured": [{"map": "a", "labels": "b"}]},
        ],
    }
    spec = scan / "s.json"
    spec.write_text(json.dumps(said))
    shared = tmp_path / "shared"
    assert (
        main(["figure", str(spec), "--out", str(tmp_path / "f.png"), "--share", str(shared)]) == 0
    )
    assert b"Mueller" not in everything_in(shared) and b"1951" not in everything_in(shared)
    scan.rename(tmp_path / "gone")
    moved = tmp_path / "elsewhere"
    os.rename(shared, moved)  # noqa: PTH104
    assert main(["figure", str(moved / "figure.json"), "--out", str(tmp_path / "g.png")]) == 0
    assert (tmp_path / "f.png").read_bytes() == (tmp_path / "g.png").read_bytes()
