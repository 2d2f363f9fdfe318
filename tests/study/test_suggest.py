"""`study suggest`: places from the atlas and from the first visit; they are never readings."""

import json

import numpy as np
import pytest

from napari_qsm.cli import main
from napari_qsm.errors import FileError
from napari_qsm.io.nifti import write_volume
from napari_qsm.outlines import bending
from napari_qsm.phantom import make_head
from napari_qsm.rois.guided import load_guided
from napari_qsm.rois.shape_files import read_shapes, write_shapes
from napari_qsm.rois.shapes import snap, voxels_of
from napari_qsm.study.folder import StudyFolder, make_study
from napari_qsm.study.protocol import load_protocol
from napari_qsm.study.suggestions import read_suggestions
from napari_qsm.study.transforms import Transform, write_transform
from napari_qsm.volume import Volume
from tests.registration.heads import TINY, nuclei_mm, rigid

MOTION = rigid((6, -4, 8), (5, -7, 4))


@pytest.fixture(scope="module")
def head():
    return make_head("patient", **TINY)


@pytest.fixture(scope="module")
def study(tmp_path_factory, head):
    """Return a person at two visits, registered, the first one read by AA; and what was said."""
    root = tmp_path_factory.mktemp("cohort") / "study"
    chi = np.where(head.mask.data > 0, head.chi.data, 0)
    for session, affine in (("t0", head.chi.affine), ("t1", MOTION @ head.chi.affine)):
        anat = root / "sub-01" / f"ses-{session}" / "anat"
        anat.mkdir(parents=True)
        stem = anat / f"sub-01_ses-{session}"
        write_volume(Volume(chi, affine, unit="ppm"), f"{stem}_Chimap.nii.gz")
        write_volume(Volume(head.mask.data, affine), f"{stem}_desc-brain_mask.nii.gz")
    (root / "dataset_description.json").write_text(
        json.dumps({"Name": "x", "BIDSVersion": "1.10.0", "DatasetType": "derivative"})
    )
    folder = make_study(root, load_protocol("deep-grey-13"))
    write_transform(folder, Transform("01", "t1", "t0", np.linalg.inv(MOTION)))
    steps = load_guided("deep-grey-13").steps[:4]
    places = [(-13, 8, 8), (13, 8, 8), (-26, 1, 1), (26, 1, 1)]
    read = [
        snap(step.shape.but(centre_mm=at), head.chi) for step, at in zip(steps, places, strict=True)
    ]
    write_shapes(folder.scan("01", "t0").shapes("AA"), read, head.chi)
    with pytest.MonkeyPatch.context() as patch:  # quicker, and near enough here
        patch.setattr(bending, "_LEVELS", bending._LEVELS[:2])
        status = main(["study", "suggest", str(root)])
    return StudyFolder(root), read, status


def test_places_at_the_first_visit_lie_in_the_nuclei(study, head):
    folder, _, status = study
    assert status == 0
    found = read_suggestions(folder.scan("01", "t0").suggestion())
    centres = {shape.region_name: shape.centre_mm for shape in found.common.shapes}
    true = dict(zip((region.name for region in head.label_names), nuclei_mm(head), strict=True))
    for name in ("Putamen", "Globus pallidus", "Red nucleus", "Substantia nigra"):
        for side in "LR":
            apart = np.linalg.norm(true[f"{name} {side}"] - centres[f"{name} {side}"])
            assert apart < 4.5, f"{name} {side} is {apart:.1f} mm off"
    assert "Thalamus L" in found.without and "Thalamus L" not in centres


def test_a_reading_is_carried_to_the_next_visit_for_its_rater_alone(study, head):
    folder, read, _ = study
    scan = folder.scan("01", "t1")
    found = read_suggestions(scan.suggestion())
    mine = {shape.region_name: shape for shape in found.of("AA").shapes}
    grid = Volume(head.chi.data, MOTION @ head.chi.affine)
    for shape in read:
        moved = MOTION[:3, :3] @ shape.centre_mm + MOTION[:3, 3]
        # The grid moved with the head, so the shape comes to lie on the same voxels.
        assert np.allclose(mine[shape.region_name].centre_mm, moved, atol=1e-3)
        carried, before = voxels_of(mine[shape.region_name], grid), voxels_of(shape, head.chi)
        assert len(carried) == len(before)
    others = {shape.region_name: shape for shape in found.of("BB").shapes}
    assert "reading of AA" in found.of("AA").source and "AA" not in found.of("BB").source
    first = read_suggestions(folder.scan("01", "t0").suggestion())
    atlas = {shape.region_name: shape for shape in first.common.shapes}
    moved = MOTION[:3, :3] @ atlas["Caudate L"].centre_mm + MOTION[:3, 3]
    assert np.allclose(others["Caudate L"].centre_mm, moved, atol=1e-3)


def test_suggestions_are_never_readings(study):
    folder, _, _ = study
    scan = folder.scan("01", "t0")
    assert scan.readings() == [("AA", 1)]
    with pytest.raises(FileError, match="holds no fixed shapes"):
        read_shapes(scan.suggestion())


def test_the_atlas_is_not_fitted_again_and_places_are_the_same(study, capsys):
    folder, _, _ = study
    path = folder.scan("01", "t0").suggestion()
    before = path.read_text("utf-8")
    assert main(["study", "suggest", str(folder.root)]) == 0
    assert "fitted before" in capsys.readouterr().out
    assert json.loads(path.read_text("utf-8"))["shapes"] == json.loads(before)["shapes"]
