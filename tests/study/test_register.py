"""`study register`: every visit to the first, with words for what cannot be registered."""

import json
import re

import numpy as np
import pytest

from napari_qsm.cli import main
from napari_qsm.io.nifti import write_volume
from napari_qsm.phantom import make_head
from napari_qsm.study.folder import StudyFolder, make_study
from napari_qsm.study.protocol import load_protocol
from napari_qsm.study.transforms import points_between, read_transform, visits_of
from tests.registration.heads import TINY, moved_head, placed, rigid

MOTION = rigid((6, -4, 8), (5, -7, 4))


def put(raw, participant, session, images):
    anat = raw / f"sub-{participant}" / f"ses-{session}" / "anat"
    anat.mkdir(parents=True)
    for part, image in images.items():
        stem = f"sub-{participant}_ses-{session}_part-{part}_T2starw"
        write_volume(image, anat / f"{stem}.nii.gz")
        said = {"EchoTime": 0.021, "MagneticFieldStrength": 3.0}
        (anat / f"{stem}.json").write_text(json.dumps(said), "utf-8")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Three visits of one person, of which the last lacks its magnitude; one visit of another."""
    root = tmp_path_factory.mktemp("cohort")
    first = make_head("control", **TINY)
    moved, affine = moved_head(MOTION)
    images = {"phase": first.scan.phase[0], "mag": first.scan.magnitude[0]}
    second = {
        "phase": placed(moved.scan.phase[0], affine),
        "mag": placed(moved.scan.magnitude[0], affine),
    }
    raw = root / "raw"
    put(raw, "01", "t2", images)
    put(raw, "01", "t10", second)
    put(raw, "01", "t11", {"phase": images["phase"]})
    put(raw, "02", "t2", images)
    return make_study(root / "study", load_protocol("basal-ganglia"), raw).root


@pytest.fixture(scope="module")
def said(study):
    """Run it once, and keep what it wrote."""
    status = main(["study", "register", str(study)])
    return status, study / "sub-01" / "xfm" / "sub-01_from-ses-t10_to-ses-t2_mode-image_xfm.json"


def test_a_visit_is_registered_and_the_transform_leads_to_the_first(said, study):
    _, path = said
    transform = read_transform(path)
    apart = transform.matrix @ MOTION @ [[20, -20], [5, -20], [0, -9], [1, 1]] - np.array(
        [[20, -20], [5, -20], [0, -9], [1, 1]]
    )
    assert np.abs(apart).max() < 0.5
    there = points_between(StudyFolder(study), "01", "t2", "t10")
    assert np.allclose(there, transform.inverse, atol=1e-6)
    assert transform.quality["correlation"] > 0.9


def test_what_has_no_magnitude_is_named_and_the_others_are_done(said, study, capsys):
    status, path = said
    assert status == 1
    stamp = path.stat().st_mtime_ns
    assert main(["study", "register", str(study)]) == 1
    spoken = capsys.readouterr()
    assert "sub-01 ses-t11" in spoken.err and "no magnitude" in spoken.err
    assert "registered before" in spoken.out
    assert path.stat().st_mtime_ns == stamp
    page = (study / "group" / "registration.html").read_text("utf-8")
    assert len(re.findall("data:image/png;base64,", page)) == 1
    assert page.index("ses-t11") < page.index("ses-t10")
    assert not re.findall(r'(?:src|href)="(?!data:)', page)


def test_visits_stand_in_the_order_of_their_names(study):
    assert visits_of(StudyFolder(study)) == {"01": ["t2", "t10", "t11"], "02": ["t2"]}


def test_a_folder_that_is_no_study_and_a_participant_who_is_not_there(study, tmp_path, capsys):
    assert main(["study", "register", str(tmp_path)]) == 1
    assert main(["study", "register", str(study), "--participant-label", "77"]) == 1
    assert "no participant '77'" in capsys.readouterr().err
