"""A study's folder from collected readings to statistics, methods, checklist and figures."""

import json
import os

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from napari_qsm.cli import main
from napari_qsm.io.maps import read_map
from napari_qsm.qc.rating import add_rating, make_rating
from napari_qsm.rois.shape_files import read_shapes, write_shapes
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.protocol import freeze
from napari_qsm.study.readings import checksum_of
from tests.study.cohort_maker import make_cohort, write_map

PATIENTS = [f"p{n}" for n in range(5)]
CONTROLS = [f"c{n}" for n in range(3)]
VISITS = [(p, v) for p in PATIENTS for v in ("t0", "t1")] + [(c, "t0") for c in CONTROLS]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    root = tmp_path_factory.mktemp("study") / "STUDY"
    made = make_cohort(root, VISITS, protocol="basal-ganglia")
    freeze(made.protocol_file)
    scores = [
        f"sub-{p}\tses-{v}\t{20 + n * n % 7 - 5 * (v == 't1')}" for n, (p, v) in enumerate(VISITS)
    ]
    (root / "phenotype").mkdir()
    (root / "phenotype" / "irls.tsv").write_text(
        "\n".join(["participant_id\tsession_id\tirls", *scores[:10]]) + "\n"
    )
    for participant, shift in (("p0", 2.0), ("p1", -2.0), ("c0", 2.0)):  # a second rater
        scan = made.scan(participant, "t0")
        shapes = [
            shape.but(
                centre_mm=(shape.centre_mm[0], shape.centre_mm[1] + shift, shape.centre_mm[2])
            )
            for shape in read_shapes(scan.shapes("AA")).shapes
        ]
        write_shapes(scan.shapes("BB"), shapes)
    rate(made, "p4", "t1", "fail")
    rate(made, "p3", "t1", "doubtful")
    assert main(["study", "collect", str(root)]) == 0
    return StudyFolder(root)


def rate(study, participant, session, verdict):
    scan = study.scan(participant, session)
    rating = make_rating(verdict, rater="QC", chi_sha256=checksum_of(read_map(scan.map)))
    add_rating(scan.folder, rating, prefix=scan.prefix)


@pytest.fixture(scope="module")
def group(study):
    """Its results, without figures but those of one test."""
    assert main(["study", "analyse", str(study.root), "--no-figures"]) == 0
    return study.group


def test_statistics_are_those_of_the_table(group):
    long = pd.read_csv(group / "roi_long.tsv", sep="\t", na_values="n/a", keep_default_na=False)
    long = long[(long.rater == "AA") & (long.region == "Putamen")]
    means = long.groupby(["participant_id", "session_id"]).mean_ppb.mean().unstack()
    pairs = means.loc[[f"sub-{p}" for p in PATIENTS if p != "p4"]]
    expected = stats.ttest_rel(pairs["ses-t1"], pairs["ses-t0"])
    table = pd.read_csv(group / "statistics.tsv", sep="\t").set_index(
        ["question", "region", "test"]
    )
    row = table.loc[("posthoc", "Putamen", "paired_t")]
    assert (row.n, row.p) == (4, pytest.approx(expected.pvalue))
    assert (group / "statistics_without-doubtful.tsv").is_file()
    report = (group / "report.txt").read_text(encoding="utf-8")
    assert report.startswith("The plan was frozen with the protocol before the first reading")
    about = json.loads((group / "about.json").read_text())
    assert about["Protocol"]["Sha256"] and set(about["Sources"]) >= {"roi_long.tsv", "irls.tsv"}


def test_overlap_and_distance_of_shapes(group):
    table = pd.read_csv(group / "agreement.tsv", sep="\t", na_values="n/a")
    found = table.set_index(["region", "measure"])
    # Spheres of 6 mm on voxels of 2 mm, one voxel apart.
    ball = ((np.indices((5, 5, 5)) - 2) ** 2).sum(axis=0) <= 1.5**2
    shared = (ball & np.roll(ball, 1, axis=1)).sum()
    assert found.loc[("Caudate", "dice"), "value"] == pytest.approx(shared / ball.sum())
    assert found.loc[("Caudate", "distance_mm"), ["n", "value"]].tolist() == [3, 2.0]
    assert ("all regions", "dice") in found.index and ("Putamen", "icc_2_1") in found.index


def test_methods_and_checklist_say_what_the_folder_knows(group):
    text = (group / "methods.txt").read_text(encoding="utf-8")
    for words in (
        "5 in the group 'patient'",
        "3 T; echo time 21 ms; voxels of 2 × 2 × 2 mm",
        "relative to the mean of the whole brain mask (2.0 ± 0.0 ppb",
        "caudate (left and right): circle 6 mm, 3 slices, 19 voxels, 152 mm³",
        "NOT ALL READINGS come from a blinded worklist",
        "1 scan: quality of the map: fail",
        "repeated without doubtful maps",
        "AA - BB (3 scans",
        "Missing visits: p4 t1",
        "[to be written by you:",
    ):
        assert words in text, words
    items = pd.read_csv(group / "checklist.tsv", sep="\t").set_index(["checklist", "item"])
    strobe = items.loc["STROBE"]
    assert {"4", "12a", "13", "16"} <= set(strobe.index)
    assert strobe.loc["5", "status"] == "to be written by you"
    assert "whole brain" in items.loc[("QSM consensus, table 5", "4"), "answer"]


def test_figures_flow_and_plate(study, group, monkeypatch):
    monkeypatch.setattr("napari_qsm.study.analysis_files.ENDINGS", (".svg",))
    assert main(["study", "analyse", str(study.root)]) == 0
    names = {path.stem for path in (group / "figures").glob("*.svg")}
    assert {"visits", "groups", "effects", "flow", "agreement"} <= names
    flow = (group / "figures" / "flow.csv").read_text(encoding="utf-8")
    assert "Scanned: 13 scans of 8 participants" in flow
    assert "1 scan: quality of the map: fail" in flow
    # Analysed again without figures, the old ones leave.
    assert main(["study", "analyse", str(study.root), "--no-figures"]) == 0
    assert not list((group / "figures").glob("*"))


def test_another_plan_is_called_exploratory(study, group, capsys):
    command = ["study", "analyse", str(study.root), "--no-figures", "--correction", "holm"]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert said.startswith("EXPLORATORY: this is not the plan that was frozen")
    assert "correction 'fdr' -> 'holm'" in said
    assert "EXPLORATORY" in (group / "methods.txt").read_text(encoding="utf-8")
    assert main(command[:-2]) == 0


def test_a_table_older_than_its_sources_is_refused(study, group, capsys):
    scan = study.scan("p2", "t0")
    shapes = scan.shapes("AA")
    before = (group / "statistics.tsv").read_bytes()
    text = shapes.read_text(encoding="utf-8")
    os.utime(shapes, ns=(1, 1))  # as after copying: the content counts
    assert main(["study", "analyse", str(study.root), "--no-figures"]) == 0
    shapes.write_text(text + "\n", encoding="utf-8")
    assert main(["study", "analyse", str(study.root), "--no-figures"]) == 1
    assert "desc-AA_shapes.json" in capsys.readouterr().err
    shapes.write_text(text, encoding="utf-8")
    kept = scan.map.read_bytes()
    write_map(scan, 99)
    assert main(["study", "agree", str(study.root), "--no-figures"]) == 1
    assert "sub-p2_ses-t0_Chimap.nii.gz" in capsys.readouterr().err
    scan.map.write_bytes(kept)
    assert main(["study", "agree", str(study.root), "--no-figures"]) == 0
    assert (group / "statistics.tsv").read_bytes() == before


def test_a_protocol_changed_after_it_was_frozen_is_refused(study, group, capsys):
    text = study.protocol_file.read_text(encoding="utf-8")
    study.protocol_file.write_text(text.replace("unit: ppb", "unit: ppm") + "note: x\n", "utf-8")
    assert main(["study", "analyse", str(study.root), "--no-figures"]) == 1
    assert "study amend" in capsys.readouterr().err
    study.protocol_file.write_text(text, encoding="utf-8")


def test_before_anything_was_collected(tmp_path, capsys):
    made = make_cohort(tmp_path / "S", [("p0", "t0")], protocol="basal-ganglia")
    assert main(["study", "analyse", str(made.root)]) == 1
    assert "study collect" in capsys.readouterr().err
    assert not made.group.exists()
    for command in (["study", "analyse"], ["study", "agree"]):
        assert main(command) == 1
        assert "--table" in capsys.readouterr().err
    assert main(["study", "analyse", str(made.root), "--out", "x"]) == 1
    assert "--out belong" in capsys.readouterr().err


def test_zero_of_another_reference_against_the_whole_brain(tmp_path, capsys):
    import nibabel as nib

    made = make_cohort(tmp_path / "S", VISITS[:6], protocol="basal-ganglia", groups=False)
    brain = []
    for scan in made.scans:
        said = json.loads(scan.provenance.read_text())
        said["stages"][0]["method"] = "csf"
        scan.provenance.write_text(json.dumps(said))
        image = nib.load(scan.map)
        mask = np.zeros(image.shape, np.uint8)
        mask[5:30] = 1
        nib.save(nib.Nifti1Image(mask, image.affine), scan.image("mask"))
        brain.append(1000 * np.asarray(image.dataobj)[5:30].mean())
    assert main(["study", "collect", str(made.root)]) == 0
    plan = tmp_path / "plan.yaml"
    plan.write_text("questions: [posthoc, sensitivity]\nscores: []\n")
    # Three persons are too few for any test: said in a sentence, and nothing is written.
    assert main(["study", "analyse", str(made.root), "--plan", str(plan)]) == 1
    assert "nothing to compare" in capsys.readouterr().err
    told = json.loads((made.group / "roi_long.json").read_text())["Scans"]
    assert [scan["whole_brain_ppb"] for scan in told.values()] == pytest.approx(brain, rel=1e-5)
