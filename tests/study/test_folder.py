"""The folder of a study: where files lie, which scans there are, and its protocol."""

import json
from pathlib import Path

import pytest
import yaml

from napari_qsm.errors import FileError, QsmError
from napari_qsm.study.folder import StudyFolder, make_derivatives, make_study
from napari_qsm.study.protocol import amend, freeze, load_protocol, read_protocol, recipe_for
from napari_qsm.study.reading_log import read_events
from napari_qsm.study.study_scan import rater_label, rater_of

REGIONS = [
    {"name": "Caudate", "sides": ["left", "right"], "kind": "circle", "size_mm": 6, "slices": 3},
    {"name": "Midbrain", "kind": "sphere", "size_mm": 8},
]


def protocol_file(folder, **said):
    path = folder / "rls.yaml"
    path.write_text(yaml.safe_dump({"name": "RLS", "regions": REGIONS, **said}), "utf-8")
    return path


def raw_dataset(root, visits):
    for person, visit in visits:
        words = [f"sub-{person}"] + ([f"ses-{visit}"] if visit else [])
        anat = root.joinpath(*words, "anat")
        anat.mkdir(parents=True)
        for part in ("phase", "mag"):
            (anat / f"{'_'.join(words)}_part-{part}_T2starw.nii.gz").touch()
    truth = root / "derivatives" / "truth" / "sub-99" / "anat"  # as `phantom --bids` writes
    truth.mkdir(parents=True)
    (truth / "sub-99_Chimap.nii.gz").touch()
    return root


@pytest.fixture
def study(tmp_path):
    raw = raw_dataset(tmp_path / "raw data", [("01", "t0"), ("01", "t1"), ("02", "")])
    return make_study(tmp_path / "study", load_protocol(protocol_file(tmp_path)), raw)


def test_a_new_study_knows_its_raw_data_also_where_both_have_moved(study, tmp_path):
    assert study.raw == tmp_path / "raw data"
    assert study.imported == (("01", "t0"), ("01", "t1"), ("02", ""))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "raw data").rename(tmp_path / "elsewhere" / "raw data")
    (tmp_path / "study").rename(tmp_path / "elsewhere" / "study")
    moved = StudyFolder(tmp_path / "elsewhere" / "study")
    assert moved.raw == tmp_path / "elsewhere" / "raw data"
    said = json.loads((moved.root / "dataset_description.json").read_text())
    assert said["DatasetType"] == "derivative"
    assert "reading" in (moved.root / ".bidsignore").read_text().split()


def test_scans_are_found_by_their_names(study):
    scan = study.scan("01", "t0")
    assert scan.map == study.root / "sub-01/ses-t0/anat/sub-01_ses-t0_Chimap.nii.gz"
    assert not scan.is_reconstructed
    names = ["Chimap.nii.gz", "provenance.json", "part-phase_desc-unwrapped_MEGRE.nii.gz"]
    names += ["desc-AA_shapes.json", "desc-AArep2_shapes.json", "desc-suggested_shapes.json"]
    scan.folder.mkdir(parents=True)
    for name in names:
        scan.path(name).touch()
    other = study.root / "sub-02" / "anat"
    other.mkdir(parents=True)
    (other / "sub-02_acq-fine_run-1_Chimap.nii").touch()
    study.refresh()
    first, second = study.scans
    assert first == scan
    assert first.is_reconstructed
    assert first.readings() == [("AA", 1), ("AA", 2)]
    assert first.image("unwrapped").name == "sub-01_ses-t0_part-phase_desc-unwrapped_MEGRE.nii.gz"
    assert (second.key, second.stem) == (("02", ""), "sub-02_acq-fine_run-1")
    assert second.map == other / "sub-02_acq-fine_run-1_Chimap.nii"
    assert second.shapes("BB").name == "sub-02_acq-fine_run-1_desc-BB_shapes.json"
    assert study.raters() == ["AA"]
    (other / "sub-02_acq-fine_run-2_Chimap.nii").touch()
    study.refresh()
    with pytest.raises(FileError, match="2 maps of sub-02"):
        study.scan("02")


def test_raters_have_labels_of_bids():
    assert [rater_of(rater_label("AA", n)) for n in (1, 2, 12)] == [
        ("AA", 1),
        ("AA", 2),
        ("AA", 12),
    ]
    for rater in ("", "A A", "a_b", "AArep2", "suggested", "Ä"):
        with pytest.raises(FileError, match="label"):
            rater_label(rater)


def test_what_is_no_study_is_refused(study, tmp_path):
    raw = tmp_path / "raw data"
    protocol = load_protocol("deep-grey-13")
    with pytest.raises(FileError, match="is a study already"):
        make_study(study.root, protocol)
    with pytest.raises(FileError, match="is a raw data set"):
        make_study(raw, protocol)
    assert not (raw / "study.yaml").exists()
    with pytest.raises(FileError, match="no folder"):
        make_study(tmp_path / "new", protocol, tmp_path / "nowhere")
    assert not (tmp_path / "new").exists()
    (tmp_path / "other").mkdir()
    with pytest.raises(FileError, match=r"was made from .*raw data"):
        make_derivatives(study.root, tmp_path / "other")
    with pytest.raises(FileError, match="is no study"):
        StudyFolder(tmp_path / "other")


def test_results_of_a_batch_become_a_study(tmp_path):
    raw = raw_dataset(tmp_path / "raw", [("01", "")])
    results = make_derivatives(tmp_path / "out", raw)
    assert results.raw == raw
    with pytest.raises(FileError, match=r"has no 'study\.yaml'"):
        _ = results.protocol
    study = make_study(tmp_path / "out", load_protocol("basal-ganglia"))
    assert study.raw == raw
    assert study.protocol.name.startswith("Basal ganglia")


def test_a_protocol_says_what_is_placed(tmp_path):
    protocol = load_protocol(protocol_file(tmp_path, analysis={"correction": "holm"}))
    assert [step.region_name for step in protocol.steps()] == ["Caudate L", "Caudate R", "Midbrain"]
    assert protocol.plan().correction == "holm"
    assert protocol.chosen_recipe().name == "case-report"
    assert len(load_protocol("deep-grey-13").steps()) == 26


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"placment": "carried"}, "has no 'placment'"),
        ({"placement": "guessed"}, "placement: .*'carried'"),
        ({"recipe": "best"}, "no recipe 'best'"),
        ({"analysis": {"alpha": 5}}, "'rls.yaml': 'alpha' takes a number"),
        ({"window_ppb": [200, -100]}, "lower end"),
        (
            {"regions": [*REGIONS, dict(REGIONS[0], sides=["left", "right"])]},
            "'rls.yaml' names Caudate L, Caudate R twice",
        ),
        ({"regions": []}, "regions"),
        ({"regions": [{"name": "Caudate", "kind": "circle"}]}, "Caudate"),
    ],
)
def test_an_impossible_protocol_is_refused_in_words(tmp_path, said, message):
    with pytest.raises(FileError, match=message):
        load_protocol(protocol_file(tmp_path, **said))


def test_a_recipe_in_a_file_is_kept_in_full(tmp_path):
    text = load_protocol("deep-grey-13").chosen_recipe().to_yaml().replace("case-report", "mine")
    (tmp_path / "mine.yaml").write_text(text, "utf-8")
    protocol = load_protocol(protocol_file(tmp_path, recipe="mine.yaml"))
    assert protocol.recipe["name"] == "mine"
    assert protocol.chosen_recipe().to_yaml() == text


def test_a_frozen_protocol_is_changed_only_with_a_reason(study):
    path = study.protocol_file
    path.write_text("# by hand\n" + path.read_text("utf-8"), "utf-8")
    frozen = freeze(path)
    assert freeze(path).frozen == frozen.frozen
    assert path.read_text("utf-8").startswith("# by hand\n")
    with pytest.raises(FileError, match="nothing to amend"):
        amend(path, "why not")
    text = path.read_text("utf-8")
    path.write_text(text + "# a comment changes nothing\n", "utf-8")
    read_protocol(path)
    path.write_text(text.replace("independent", "carried"), "utf-8")
    with pytest.raises(FileError, match="changed after it was frozen"):
        read_protocol(path)
    with pytest.raises(QsmError, match="needs a reason"):
        amend(path, " ")
    amended = amend(path, "The rater asked for it")
    assert amended.amendments[0].changed == ("placement",)
    assert amended.amendments[0].was == frozen.sha256
    assert read_protocol(path) == amended
    assert [event["event"] for event in read_events(study.root)] == [
        "protocol frozen",
        "protocol amended",
    ]


def test_a_log_that_a_crash_cut_off_is_read_to_there(study):
    freeze(study.protocol_file)
    with study.log_file.open("a") as handle:
        handle.write('{"at": "2026-')
    assert len(read_events(study.root)) == 1
    study.log_file.write_text('nonsense\n{"event": "x"}\n')
    with pytest.raises(FileError, match="line 1"):
        read_events(study.root)


def test_a_batch_takes_the_recipe_of_the_protocol(study, tmp_path):
    assert recipe_for(study.root).name == "case-report"
    text = study.protocol_file.read_text("utf-8").replace(
        "recipe: case-report", "recipe: consensus"
    )
    study.protocol_file.write_text(text, "utf-8")
    assert recipe_for(study.root).name == "consensus"
    assert recipe_for(study.root, "case-report").name == "case-report"
    assert recipe_for(tmp_path / "new").name == "case-report"


def test_the_protocol_in_the_guide_is_one(tmp_path):
    page = Path(__file__).resolve().parents[2] / "docs" / "user-guide" / "study.md"
    text = page.read_text("utf-8").partition("```yaml\n")[2].partition("```")[0]
    (tmp_path / "guide.yaml").write_text(text, "utf-8")
    protocol = load_protocol(tmp_path / "guide.yaml")
    assert [step.region_name for step in protocol.steps()][2:] == ["Putamen L", "Putamen R"]
    assert protocol.plan().visits == ("t0", "t1", "t2")
