"""A study is BIDS derivatives: by its rules here, and by the official validator where there is one."""

import fnmatch
import json
import re

import pytest

from napari_qsm.cli import main
from napari_qsm.io.nifti import read_volume
from napari_qsm.study.readings import new_reading, submit_reading
from tests.bids_validator import errors_of
from tests.study.cohort_maker import make_cohort, placed

NAME = re.compile(
    r"sub-(?P<sub>[A-Za-z0-9]+)/(ses-(?P<ses>[A-Za-z0-9]+)/)?anat/sub-(?P=sub)(_ses-(?P=ses))?"
    r"(_part-phase)?(_desc-[A-Za-z0-9]+)?_(Chimap|mask|dseg|R2starmap|T2starmap|T2starw|MEGRE)"
    r"\.(nii\.gz|json|tsv)"
)
AT_THE_TOP = ("dataset_description.json", "participants.tsv", "participants.json", ".bidsignore")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    root = tmp_path_factory.mktemp("bids") / "study"
    study = make_cohort(root, [("01", "t0"), ("01", "t1"), ("c1", "")], readings=())
    for number in (1, 2):
        for scan in study.scans:
            volume = read_volume(scan.map)
            begun = new_reading(study, "AA", volume, number)
            full = type(begun)(begun.record, placed(study), begun.chi_sha256)
            submit_reading(study, scan, full, volume)
    assert main(["study", "assign", str(root), "--rater", "BB", "--all", "--seed", "1"]) == 0
    assert main(["study", "collect", str(root)]) == 0
    xfm = study.xfm("01", "t1", "t0")
    xfm.parent.mkdir()
    xfm.write_text("{}")
    return study


def test_every_file_is_bids_or_listed_as_none(study):
    ignored = (study.root / ".bidsignore").read_text().split()
    names = [p.relative_to(study.root).as_posix() for p in study.root.rglob("*") if p.is_file()]
    assert len(names) > 25
    for name in names:
        parts = name.split("/")
        bids = name in AT_THE_TOP or NAME.fullmatch(name)
        listed = any(
            fnmatch.fnmatch(part, pat.removeprefix("**/")) for part in parts for pat in ignored
        )
        assert bool(bids) != listed, name
    # No image without its sidecar's say on the skull, and no label map without its table.
    for image in study.root.rglob("*_Chimap.nii.gz"):
        said = json.loads(image.with_name(image.name.replace(".nii.gz", ".json")).read_text())
        assert "SkullStripped" in said
    for image in study.root.rglob("*_dseg.nii.gz"):
        assert image.with_name(image.name.replace(".nii.gz", ".tsv")).is_file()


def test_the_official_validator_finds_no_error(study):
    assert errors_of(study.root) == []
