"""A study whose files hold a few bytes each: enough for its grid, its steps and its page."""

import json

from napari_qsm.study.folder import StudyFolder, make_study
from napari_qsm.study.protocol import load_protocol
from tests.study.test_folder import protocol_file

#: Two patients at two visits (the second misses one), a control, a person of whom there is no scan.
SCANS = [("01", "t0"), ("01", "t1"), ("02", "t0"), ("c1", "t0")]
PEOPLE = "participant_id\tgroup\nsub-01\tpatient\nsub-02\tpatient\nsub-c1\tcontrol\n"


def make_grid_study(folder, scans=SCANS, *, people=PEOPLE, raw=True, **protocol):
    """Return a study with raw data and an empty map for each scan."""
    root = folder / "raw"
    for person, visit in scans if raw else ():
        anat = root / f"sub-{person}" / f"ses-{visit}" / "anat"
        anat.mkdir(parents=True)
        for part in ("phase", "mag"):
            (anat / f"sub-{person}_ses-{visit}_part-{part}_T2starw.nii.gz").touch()
    root.mkdir(exist_ok=True)
    (root / "participants.tsv").write_text(people)
    made = load_protocol(protocol_file(folder, **protocol))
    study = make_study(folder / "study", made, root if raw else None)
    for key in scans:
        scan = study.scan(*key)
        scan.folder.mkdir(parents=True)
        scan.map.touch()
    return StudyFolder(study.root)


def write_reading(scan, label, *, checksum="", state="submitted", rater=""):
    """Write the file of a reading without shapes."""
    said = {
        "format": "napari-qsm shapes",
        "version": 1,
        "map": {"name": "map", "chi_sha256": checksum},
        "reading": {"rater": rater or label, "state": state},
        "shapes": [],
    }
    scan.shapes(label).write_text(json.dumps(said))


def write_batch(study, rows):
    """Write what a batch said: (participant, session, state, message)."""
    lines = ["participant_id\tsession_id\tstate\tseconds\tpeak_mb\thost\tmessage\tscan"]
    lines += [
        f"sub-{p}\tses-{v}\t{state}\t12.0\tn/a\tn/a\t{message}\tsub-{p}_ses-{v}"
        for p, v, state, message in rows
    ]
    study.batch.mkdir(exist_ok=True)
    study.status_file.write_text("\n".join(lines) + "\n")
