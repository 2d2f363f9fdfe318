"""Fixed shapes measured without burning: as many rows as shapes, the numbers of burnt labels."""

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from napari_qsm.cli import main
from napari_qsm.rois.exports import map_reference
from napari_qsm.rois.guided import load_guided
from napari_qsm.rois.shape_files import write_shapes

SIZE, SHAPE = (1.0, 1.25, 2.0), (80, 60, 24)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with a map stored left to right, 26 spheres in it, and the same as labels."""
    folder = tmp_path_factory.mktemp("shapes")
    affine = np.diag((-SIZE[0], SIZE[1], SIZE[2], 1.0))
    affine[:3, 3] = (40.0, -36.0, -20.0)
    chi = np.random.default_rng(3).normal(0.05, 0.02, SHAPE).astype(np.float32)
    image = nib.Nifti1Image(chi, affine)
    nib.save(image, folder / "chi.nii.gz")
    (folder / "chi.json").write_text(json.dumps({"Units": "ppm"}))
    voxels = np.stack(np.indices(SHAPE), axis=-1)
    world = voxels @ affine[:3, :3].T + affine[:3, 3]
    labels = np.zeros(SHAPE, np.uint8)
    shapes, rows = [], []
    for label, step in enumerate(load_guided("deep-grey-13").steps, 1):
        place = np.array([(8 + 11 * (label % 6)), 8 + 10 * (label // 6), 12])
        centre = world[tuple(place)]
        shapes.append(
            step.shape.model_copy(
                update={"kind": "sphere", "size_mm": (6.0,), "slices": 1, "rotation_deg": 0.0}
            ).but(centre_mm=tuple(centre.tolist()))
        )
        labels[np.linalg.norm(world - centre, axis=-1) <= 3.0 + 1e-9] = label
        rows.append(f"{label}\t{step.region_name}")
    nib.save(nib.Nifti1Image(labels, affine), folder / "burnt.nii.gz")
    (folder / "burnt.tsv").write_text("index\tname\n" + "\n".join(rows) + "\n")
    write_shapes(folder / "shapes.json", shapes)
    return folder


def table(folder, regions, capsys):
    out = folder / f"{regions}.tsv"
    line = ["stats", folder / "chi.nii.gz", folder / regions, "--unit", "ppb", "--out", out]
    assert main([str(word) for word in line]) == 0
    return pd.read_csv(out, sep="\t"), capsys.readouterr().err


def test_shapes_give_the_numbers_of_burnt_labels(folder, capsys):
    live, said = table(folder, "shapes.json", capsys)
    burnt, _ = table(folder, "burnt.nii.gz", capsys)
    assert said == ""
    assert list(live["region"][:2]) == ["Caudate", "Caudate"]
    assert list(live["side"][:2]) == ["left", "right"]
    assert len(live) == 26
    pd.testing.assert_frame_equal(live.drop(columns="region"), burnt, rtol=0, atol=1e-9)
    chi = np.asarray(nib.load(folder / "chi.nii.gz").dataobj, dtype=float)
    inside = chi[np.asarray(nib.load(folder / "burnt.nii.gz").dataobj) == 7]
    assert live["mean_ppb"][6] == pytest.approx(1e3 * inside.mean(), abs=1e-9)
    assert live["voxels"][6] == inside.size


def test_what_is_odd_about_shapes_is_said(folder, capsys):
    said = json.loads((folder / "shapes.json").read_text())
    first, second = said["shapes"][:2]
    second["centre_mm"] = [first["centre_mm"][0] + 3, *first["centre_mm"][1:]]
    said["shapes"][2]["centre_mm"] = [200, 0, 0]
    (folder / "odd.json").write_text(json.dumps(said))
    odd, notes = table(folder, "odd.json", capsys)
    assert "Caudate L: shares" in notes
    assert "outside the map" in notes
    whole, _ = table(folder, "shapes.json", capsys)
    assert odd["voxels"][0] == whole["voxels"][0]  # both shapes in full
    assert odd["voxels"][2] == 0
    assert main(["stats", str(folder / "chi.nii.gz"), str(folder / "chi.json")]) == 1
    assert "holds no fixed shapes" in capsys.readouterr().err
    line = ["stats", "chi.nii.gz", "shapes.json", "--table", "burnt.tsv"]
    assert main([w if w[0] in "s-" and "." not in w else str(folder / w) for w in line]) == 1
    assert "names of their own" in capsys.readouterr().err


def test_the_reference_is_found_under_names_of_bids(tmp_path):
    provenance = {"stages": [{"stage": "reference", "method": "whole-mask"}], "reference_ppm": 0.01}
    (tmp_path / "sub-01_ses-t0_provenance.json").write_text(json.dumps(provenance))
    said = map_reference(tmp_path / "sub-01_ses-t0_Chimap.nii.gz")
    assert said == "whole-mask (0.01 ppm subtracted)"
    assert map_reference(tmp_path / "sub-02_ses-t0_Chimap.nii.gz") == ""
