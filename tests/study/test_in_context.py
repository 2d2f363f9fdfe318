"""One person's numbers in context: checked against scipy, least squares and hand-made tables."""

import json
import math

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats

from napari_qsm.cli import main
from napari_qsm.errors import FileError, MetadataError
from napari_qsm.io.nifti import write_volume
from napari_qsm.io.region import Region
from napari_qsm.rois.exports import Exported, about_table, write_export
from napari_qsm.rois.pairs import place_of
from napari_qsm.rois.repeatability import (
    LITERATURE,
    Measured,
    Repeatability,
    differences_between,
)
from napari_qsm.rois.statistics import region_statistics
from napari_qsm.session import Session
from napari_qsm.session.table.choice import Choice
from napari_qsm.session.table.content import content_of
from napari_qsm.session.table.in_context import CONTROL_COLUMNS, InContext
from napari_qsm.session.table.notes import frame_of_map
from napari_qsm.session.table.numbers import Numbers
from napari_qsm.study.comparison import (
    ControlComparison,
    compared_with,
    read_repeatability,
    what_differs,
)
from napari_qsm.study.controls import control_group, read_controls
from napari_qsm.study.published_values import published_files, read_published
from napari_qsm.study.scan_facts import ScanFacts
from napari_qsm.study.single_case import against_controls, against_controls_at_age
from napari_qsm.volume import Volume

RNG = np.random.default_rng(4)
FACTS = ScanFacts(
    recipe="case-report", recipe_sha256="ab12cd34ef", field_strength_t=3.0, reference="csf"
)


@pytest.mark.parametrize("n", [3, 5, 16, 40])
def test_the_single_case_test_is_a_t_test_with_a_group_of_one(n):
    controls, value = RNG.normal(60, 12, n), 91.0
    found = against_controls(value, controls)
    known = stats.ttest_ind([value], controls)
    assert (found.n, found.df) == (n, n - 1)
    assert found.t == pytest.approx(known.statistic, rel=1e-12)
    assert found.p == pytest.approx(known.pvalue, rel=1e-9)
    less = stats.ttest_ind([value], controls, alternative="less").pvalue
    assert found.percentile == pytest.approx(100 * less, rel=1e-9)
    assert found.z == pytest.approx((value - controls.mean()) / controls.std(ddof=1), rel=1e-12)


def test_the_worked_example_of_crawford_and_howell():
    """Controls of mean 50 and SD 10, n = 15, and a person with 33: t = -1.646 (14), z = -1.7."""
    x = math.sqrt(700)
    found = against_controls(33.0, np.array([50 - x, *[50.0] * 13, 50 + x]))
    assert (found.mean, found.sd) == (pytest.approx(50), pytest.approx(10))
    assert found.z == pytest.approx(-1.7)
    assert found.t == pytest.approx(-1.646, abs=5e-4)
    assert found.percentile == pytest.approx(6.1, abs=0.05)


def test_at_the_persons_age_it_is_the_t_of_a_person_of_their_own_in_a_regression():
    ages = RNG.uniform(20, 80, 12)
    controls = 40 + 0.6 * ages + RNG.normal(0, 6, 12)
    value, age = 95.0, 71.0
    found = against_controls_at_age(value, age, controls, ages)
    design = np.zeros((13, 3))
    design[:, 0], design[:, 1], design[12, 2] = 1, [*ages, age], 1
    y = np.array([*controls, value])
    beta, rest, *_ = np.linalg.lstsq(design, y, rcond=None)
    error = math.sqrt(rest[0] / 10 * np.linalg.inv(design.T @ design)[2, 2])
    assert found.df == 10 and found.t == pytest.approx(beta[2] / error, rel=1e-9)
    assert found.mean == pytest.approx(beta[0] + beta[1] * age, rel=1e-9)
    assert found.p == pytest.approx(2 * stats.t.sf(abs(beta[2] / error), 10), rel=1e-9)


def test_nothing_is_told_where_there_is_nothing_to_tell_from():
    assert against_controls(1.0, np.array([])).n == 0
    two = against_controls(1.0, np.array([1.0, 3.0, np.nan]))
    assert (two.n, two.mean) == (2, 2.0) and math.isnan(two.z) and math.isnan(two.p)
    same = against_controls(2.0, np.full(8, 0.1))
    assert same.n == 8 and math.isnan(same.z)
    assert math.isnan(against_controls(math.nan, np.arange(5.0)).z)
    for ages in (np.full(6, 50.0), np.full(6, np.nan)):
        assert math.isnan(against_controls_at_age(1.0, 50.0, np.arange(6.0), ages).z)


def long_table(folder, name="roi_long.tsv", groups=("HC", "patient"), n=6, extra=()):
    rows = [
        "participant_id\tgroup\tage\tsession_id\trater\treading\tregion\tside\tvoxels\tmean_ppb"
    ]
    for group in groups:
        for k in range(n):
            for visit in ("ses-t0", "ses-t1"):
                for number, region in enumerate(("Putamen", "Red nucleus")):
                    for side in ("left", "right"):
                        chi = (
                            60 + 10 * number + 3 * k + (side == "left") + 100 * (visit == "ses-t1")
                        )
                        rows.append(
                            f"sub-{group}{k}\t{group}\t{40 + k}\t{visit}\tAA\t1\t{region}\t{side}\t100"
                            f"\t{chi}"
                        )
    (folder / name).write_text("\n".join([*rows, *extra]) + "\n")
    return folder / name


def test_a_studys_table_gives_a_value_a_control_at_the_first_visit(tmp_path):
    path = long_table(tmp_path)
    scan = {"recipe": "x", "recipe_sha256": "ab", "reference": "csf", "field_strength_t": 3}
    (tmp_path / "roi_long.json").write_text(json.dumps({"Scans": {"sub-HC0 ses-t0": scan}}))
    controls = read_controls(path)
    found = compared_with(controls, FACTS, person=["sub-HC5", "somebody"])
    persons = list(found.persons)
    assert persons == [f"HC{k}" for k in range(5)]
    assert "'HC5' is the person compared, and no control." in found.sentences([])
    values, ages = controls.of(("putamen", "left"), persons)
    assert values.tolist() == [61 + 3 * k for k in range(5)]
    assert ages.tolist() == [40, 41, 42, 43, 44]
    assert controls.facts["HC0"] == ScanFacts(
        recipe="x", recipe_sha256="ab", reference="csf", field_strength_t=3.0
    )
    assert any("several visits" in note for note in controls.notes)


def test_workbooks_are_read_as_texts_are(tmp_path):
    text = pd.read_csv(long_table(tmp_path), sep="\t")
    with pd.ExcelWriter(tmp_path / "roi_wide.xlsx") as book:
        pd.DataFrame({"participant_id": ["x"]}).to_excel(book, sheet_name="Mean ppb", index=False)
        text.to_excel(book, sheet_name="Regions", index=False)
    one, other = read_controls(tmp_path / "roi_long.tsv"), read_controls(tmp_path / "roi_wide.xlsx")
    assert one.values == other.values and one.groups == other.groups
    (tmp_path / "no.xlsx").write_text("no workbook")
    for name in ("no.xlsx", "gone.xlsx"):
        with pytest.raises(FileError):
            read_controls(tmp_path / name)


def test_groups_that_leave_open_who_the_controls_are_are_refused(tmp_path):
    controls = read_controls(long_table(tmp_path, groups=("A", "B"), n=2))
    with pytest.raises(MetadataError, match=r"which of its groups are the controls \(A, B\)"):
        control_group(controls)
    assert control_group(controls, "B") == ["B0", "B1"]
    with pytest.raises(MetadataError, match="no group 'healthy'"):
        control_group(controls, "healthy")
    with pytest.raises(MetadataError, match="holds no control to compare with"):
        compared_with(controls, FACTS, group="B", person=["B0", "B1"])


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_what_the_window_exports_of_several_people_can_be_the_controls(tmp_path, ending):
    tables, means = [], []
    for k in range(4):
        values = RNG.normal(0.06, 0.01, (4, 4, 3)).astype(np.float32)
        labels = np.zeros(values.shape, np.uint8)
        labels[:2], labels[2:] = 1, 2
        volume = Volume(values, np.eye(4), unit="ppm")
        frame = region_statistics(volume, Volume(labels, np.eye(4)), {1: "Putamen L", 2: "Pons"})
        provenance = {
            "recipe": {"name": "consensus", "stages": []},
            "field_strength_t": 3.0,
            "stages": [{"stage": "reference", "method": "csf"}],
            "reference_ppm": 0.01,
        }
        about = about_table(
            volume, unit="ppm", map_name=f"control {k}", regions_name="", provenance=provenance,
            reference="csf (0.01 ppm subtracted)",
        )  # fmt: skip
        tables.append(Exported(frame, "ppm", about))
        means.append(1e3 * values[:2].astype(float).mean())
    write_export(tables, tmp_path / f"controls{ending}")
    controls = read_controls(tmp_path / f"controls{ending}")
    persons = control_group(controls)
    assert persons == [f"control {k}" for k in range(4)]
    assert controls.of(("putamen", "left"), persons)[0] == pytest.approx(means, rel=1e-9)
    facts = controls.facts["control 2"]
    assert (facts.recipe, facts.reference, facts.field_strength_t) == ("consensus", "csf", 3.0)
    assert len(facts.recipe_sha256) == 64


def test_maps_made_in_different_ways_are_told_apart():
    from dataclasses import replace

    assert what_differs(FACTS, [FACTS, replace(FACTS, field_strength_t=2.89)]) == []
    other = replace(FACTS, reference="none", recipe_sha256="99", field_strength_t=7.0)
    assert what_differs(FACTS, [FACTS, other]) == [
        "The reference of the controls' maps (none) is not that of this map (csf).",
        "The recipe of the controls' maps (case-report (99)) is not that of this map (case-report "
        "(ab12cd34)).",
        "The field strength of the controls' maps (7 T) is not that of this map (3 T).",
    ]
    assert what_differs(ScanFacts(), []) == [
        "Nothing tells reference, recipe, field strength of this map and of the controls' maps."
    ]
    assert what_differs(ScanFacts(reference="csf"), [replace(FACTS, recipe_sha256="")]) == [
        "Nothing tells recipe of this map and of the controls' maps.",
        "Nothing tells field strength of this map.",
    ]
    assert what_differs(FACTS, [replace(FACTS, reference="")]) == [
        "Nothing tells reference of the controls' maps."
    ]


def comparison(tmp_path, **more):
    controls = read_controls(long_table(tmp_path))
    return ControlComparison(controls, tuple(control_group(controls)), **more)


def test_what_must_be_known_of_a_comparison_is_said(tmp_path):
    regions = [
        Measured("Putamen L", "left", 10, 80.0),
        Measured("Thalamus L", "left", 10, 5.0),
        Measured("Putamen R", "right", 10, math.nan),
    ]
    found = comparison(tmp_path, age=81.0, differs=("The reference differs.",))
    told, said = found.compare(regions), found.sentences(regions)
    known = against_controls(80.0, np.array([61 + 3.0 * k for k in range(6)]))
    assert told[0]["z"] == known.z and told[0]["percentile"] == known.percentile
    assert told[1]["controls_n"] == 0 and told[2]["controls_n"] == 6 and math.isnan(told[2]["z"])
    assert said[0].startswith("Compared with 6 controls of 'roi_long.tsv'")
    assert "No control has a value of Thalamus L." in said
    assert "An age of 81 years lies outside that of the controls, 40 to 45." in said
    assert any("depends on the method of reconstruction and on its reference" in s for s in said)
    assert said[-1] == "Compared in spite of this: The reference differs."


def test_limits_of_the_high_part_can_be_those_of_the_controls(tmp_path):
    """The upper end of the prediction interval, by the quantile of scipy's own t distribution."""
    limits = comparison(tmp_path).high_limits()
    known = np.array([61 + 3.0 * k for k in range(6)])
    upper = known.mean() + stats.t.ppf(0.975, 5) * known.std(ddof=1) * math.sqrt(7 / 6)
    assert limits.of("Left-Putamen") == pytest.approx(upper / 1e3, rel=1e-5)
    assert limits.of("Putamen", "right") == pytest.approx((upper - 1) / 1e3, rel=1e-5)
    assert limits.of("Pons") is None
    few = comparison(tmp_path)
    few = ControlComparison(few.controls, few.persons[:2])
    with pytest.raises(MetadataError, match="too few controls"):
        few.high_limits()
    found = against_controls(upper, known)
    assert found.p == pytest.approx(0.05) and found.upper == pytest.approx(upper)


def test_controls_of_both_sides_together_are_compared_with_the_mean_of_both(tmp_path):
    lines = [f"c{k},Putamen,{60 + k}" for k in range(5)]
    (tmp_path / "t.csv").write_text("\n".join(["participant_id,region,chi_ppb", *lines]) + "\n")
    controls = read_controls(tmp_path / "t.csv")
    found = ControlComparison(controls, tuple(control_group(controls)))
    sides = [Measured("Putamen L", "left", 30, 70.0), Measured("Putamen R", "right", 10, 90.0)]
    told = found.compare(sides)
    assert told[0] == told[1]
    assert told[0]["z"] == against_controls(75.0, np.arange(60.0, 65)).z
    assert any("of both sides in Putamen L, Putamen R" in s for s in found.sentences(sides))
    assert math.isnan(found.compare(sides[:1])[0]["z"])


def test_a_difference_has_the_uncertainty_of_repeated_scans():
    first = [Measured("Putamen L", "left", 9, 68.0), Measured("Pons", "", 9, 1.0)]
    second = [Measured("putamen", "left", 7, 34.0)]
    told = differences_between(first, second, LITERATURE)
    assert told[0]["difference"] == 34
    assert told[0]["difference_95"] == pytest.approx(stats.norm.ppf(0.975) * math.sqrt(2) * 2.36)
    assert math.isnan(told[1]["difference"]) and math.isnan(told[1]["difference_95"])
    own = Repeatability(2.0, "x", {"putamen": 5.0})
    assert own.of("Putamen L") == 5 and own.of("Pons") == 2


def test_a_studys_agreement_gives_the_repeatability(tmp_path):
    table = "region\tmeasure\tn\tvalue\tci_low\tci_high\nPutamen\tsem\t9\t3\t2\t4\nPons\tsem\t9\t4\t2\t5\n"
    (tmp_path / "agreement.tsv").write_text(
        table + "all regions\tsem\t18\t3.6\t2\t5\nPons\ticc_2_1\t9\t1\t1\t1\n"
    )
    found = read_repeatability(tmp_path / "agreement.tsv")
    assert (found.of("Putamen R"), found.of("Pons")) == (3, 4)
    assert found.of("Caudate") == pytest.approx(math.sqrt(12.5))
    (tmp_path / "none.tsv").write_text("region\tmeasure\tvalue\nPons\tdice\t1\n")
    with pytest.raises(MetadataError, match="no measure 'sem'"):
        read_repeatability(tmp_path / "none.tsv")


def test_the_shipped_values_are_those_of_hallgren_and_sourander():
    (path,) = published_files()
    values = read_published(path)
    regions = [
        Measured(n, "left", 1, 60.0) for n in ("Putamen L", "GP L", "Caudate L", "Thalamus L")
    ]
    told = [each["iron"] for each in values.compare(regions, 60.0)]
    assert told[0] == pytest.approx(14.62 * (1 - math.exp(-2.4)) + 0.46)
    assert told[1] == pytest.approx(21.41 * (1 - math.exp(-5.4)) + 0.37)
    assert told[2] == pytest.approx(9.66 * (1 - math.exp(-3.0)) + 0.33)
    assert math.isnan(told[3])
    said = values.sentences(regions, 60.0)
    assert "Hallgren" in said[0] and said[1] == "It has no value of Thalamus L."
    assert "speaks for 0 to 100 years" in values.sentences(regions, 101.0)[1]
    assert values.what_differs(ScanFacts()) == []


CHI = {
    "title": "Ours",
    "source": "We 2026",
    "quantity": "susceptibility",
    "unit": "ppm",
    "field_strength_t": 3.0,
    "reference": "csf",
    "inversion": "star",
    "age_years": [20, 80],
    "regions": [
        {"region": "Putamen", "curve": "linear", "intercept": 0.02, "slope": 0.001, "sd": 0.01},
        {"region": "Pons", "curve": "points", "ages": [20, 60], "values": [0.0, 0.04]},
    ],
}


def test_published_susceptibilities_hold_for_maps_made_in_their_way(tmp_path):
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(CHI))
    values = read_published(tmp_path / "a.yaml")
    told = values.compare(
        [Measured("Putamen R", "right", 1, 90.0), Measured("Pons", "", 1, 5)], 50.0
    )
    assert told[0] == {"expected": pytest.approx(70), "expected_z": pytest.approx(2.0)}
    assert told[1]["expected"] == pytest.approx(30) and math.isnan(told[1]["expected_z"])
    fits = ScanFacts(field_strength_t=3.0, reference="csf", inversion="star")
    assert values.what_differs(fits) == []
    assert len(values.what_differs(ScanFacts())) == 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"reference": ""}, "need field_strength_t, reference and inversion"),
        ({"unit": "mg/100 g"}, "iron is in mg/100 g"),
        ({"age_years": [80, 20]}, "first and the last"),
        ({"regions": []}, "regions"),
        ({"colour": "red"}, "colour"),
        (
            {"regions": [{"region": "A", "curve": "points", "ages": [2, 1], "values": [1, 2]}]},
            "rise",
        ),
        (
            {
                "regions": [
                    {"region": "A", "curve": "linear", "intercept": float("nan"), "slope": 1}
                ]
            },
            "finite",
        ),
    ],
)
def test_a_file_of_values_that_says_too_little_is_refused_by_name(tmp_path, change, words):
    (tmp_path / "a.yaml").write_text(yaml.safe_dump({**CHI, **change}))
    with pytest.raises(FileError, match=words) as error:
        read_published(tmp_path / "a.yaml")
    assert str(error.value).startswith("'a.yaml'")


@pytest.fixture(scope="module")
def person(tmp_path_factory):
    """A map, its regions and how it was made, and another map."""
    folder = tmp_path_factory.mktemp("person")
    labels = np.zeros((8, 6, 4), np.uint8)
    labels[:3, :4, 1:3], labels[5:, :4, 1:3] = 2, 1
    for name, shift in (("chi", 0.0), ("other", -0.02)):
        values = np.random.default_rng(8).normal(0.08, 0.01, labels.shape).astype(np.float32)
        (folder / name).mkdir()
        write_volume(
            Volume(values + np.float32(shift), np.eye(4), unit="ppm"), folder / name / "chi.nii.gz"
        )
        said = {
            "recipe": {"name": "case-report", "stages": []},
            "field_strength_t": 3.0,
            "stages": [{"stage": "reference", "method": "csf"}],
        }
        (folder / name / "provenance.json").write_text(json.dumps(said))
    write_volume(Volume(labels, np.eye(4)), folder / "labels.nii.gz")
    (folder / "labels.tsv").write_text("index\tname\n1\tPutamen L\n2\tPutamen R\n")
    return folder


def run(person, capsys, *options):
    line = ["stats", person / "chi" / "chi.nii.gz", person / "labels.nii.gz", "--unit", "ppb"]
    status = main([str(each) for each in (*line, *options)])
    return status, capsys.readouterr()


def test_the_command_line_compares_and_refuses(person, tmp_path, capsys):
    table = long_table(tmp_path)
    status, said = run(person, capsys, "--controls", table)
    assert status == 1 and "--allow-mixed" in said.err and "Nothing tells" in said.err
    out = tmp_path / "t.csv"
    mixed = ("--controls", table, "--allow-mixed", "--age", "43", "--out", out)
    status, said = run(person, capsys, *mixed)
    assert status == 0 and "in spite of this" in said.err and "depends on the method" in said.err
    frame = pd.read_csv(out).set_index("label")
    known = against_controls(frame.loc[1, "mean_ppb"], np.array([61 + 3.0 * k for k in range(6)]))
    assert frame.loc[1, "z"] == pytest.approx(known.z)
    assert frame.loc[1, "p_controls"] == pytest.approx(known.p)
    assert frame.loc[2, "controls_mean_ppb"] == pytest.approx(67.5)
    from napari_qsm.recon.recipe import recipe_sha256

    scan = {
        "recipe_sha256": recipe_sha256({"stages": []}),
        "reference": "csf",
        "field_strength_t": 3,
    }
    (tmp_path / "roi_long.json").write_text(json.dumps({"Scans": {"sub-HC0 ses-t0": scan}}))
    status, said = run(person, capsys, "--high", "controls")
    assert status == 1 and "needs --controls" in said.err
    high = tmp_path / "high.csv"
    assert run(person, capsys, "--controls", table, "--high", "controls", "--out", high)[0] == 0
    upper = pd.read_csv(high).set_index("label").loc[2, "high_from_ppb"]
    values = np.array([60 + 3.0 * k for k in range(6)])
    assert against_controls(upper, values).p == pytest.approx(0.05, abs=1e-4)
    status, said = run(person, capsys, "--controls", table, "--age", "43", "--at-age")
    assert status == 0 and "in spite" not in said.err and "line over their ages" in said.err


def test_the_command_line_tells_differences_and_published_iron(person, tmp_path, capsys):
    out = tmp_path / "t.csv"
    other = person / "other" / "chi.nii.gz"
    iron = ("--published", "iron-hallgren-sourander-1958", "--age", "60")
    status, said = run(person, capsys, "--against", other, *iron, "--out", out)
    assert status == 0 and "not the uncertainty of its mean" in said.err and "Hallgren" in said.err
    frame = pd.read_csv(out)
    assert frame["difference_ppb"].tolist() == pytest.approx([20, 20], abs=1e-3)
    assert frame["difference_95_ppb"].tolist() == pytest.approx([6.5414] * 2, abs=1e-3)
    assert frame["iron"].tolist() == pytest.approx([14.62 * (1 - math.exp(-2.4)) + 0.46] * 2)
    for wrong in (
        ("--group", "HC"),
        ("--published", "x"),
        ("--age", "300"),
        ("--against-labels", other),
    ):
        assert run(person, capsys, *wrong)[0] == 1


def test_the_table_is_compared_with_controls_until_they_are_taken_away(tmp_path):
    values = RNG.normal(0.08, 0.01, (6, 5, 4)).astype(np.float32)
    labels = np.zeros(values.shape, np.uint16)
    labels[:2], labels[4:] = 1, 2
    regions = {
        1: Region(1, "Putamen L", "left", "#ff0000"),
        2: Region(2, "Putamen R", "right", "#00ff00"),
    }
    session = Session()
    chi = session.add(Volume(values, np.eye(4), unit="ppm", name="a"), role="map")
    session.add(Volume(labels, np.eye(4), name="l"), role="labels", regions=regions)
    other = session.add(
        Volume(values - np.float32(0.02), np.eye(4), unit="ppm", name="b"), role="map"
    )
    numbers = Numbers(session)
    maps = [numbers.shown(chi), numbers.shown(other)]
    beside = InContext(comparison(tmp_path))
    wanted = Choice(columns=(*CONTROL_COLUMNS, "difference"))
    assert InContext().available(wanted, maps[:1]).columns == ()
    choice = beside.available(wanted, maps)
    assert choice.columns == wanted.columns
    rows = numbers.rows(maps, ranks=False, shapes=True)
    beside.tell(numbers, rows, maps, choice.columns)
    content = content_of(numbers, maps, rows, choice, {e.entry.id: 3 for e in maps})
    titles = [column.title.split("\n")[-1] for column in content.columns]
    cells = dict(zip(titles[:12], content.lines[0].cells[:12], strict=True))
    mean = 1e3 * values[:2].astype(float).mean()
    known = against_controls(mean, np.array([61 + 3.0 * k for k in range(6)]))
    assert cells["controls"] == "6" and cells["controls mean ± SD (ppm)"] == "0.069 ± 0.006"
    assert cells["z"] == f"{known.z:.2f}".replace("-", "−")
    assert cells["percentile"] == f"{known.percentile:.1f}"
    assert cells["difference (ppm)"] == "0.020 ± 0.007"
    frame = frame_of_map(numbers, maps[0], choice, beside, maps)
    assert frame["z"].iloc[0] == pytest.approx(known.z)
    assert frame["difference_95_ppm"].iloc[0] == pytest.approx(0.0065414, abs=1e-6)
    assert {"controls_sd_ppm", "other_mean_ppm"} <= set(frame)
    assert titles[12:] == ["mean ± SD (ppm)"]  # the other map is compared with nobody
    said = beside.notes(rows, maps, choice.columns)
    assert set(said) == {"Controls", "Difference"} and "SDw" in said["Difference"]
    session.unit = "ppb"
    maps = [numbers.shown(chi), numbers.shown(other)]
    assert frame_of_map(numbers, maps[0], choice, beside, maps)["controls_mean_ppb"].iloc[
        0
    ] == pytest.approx(68.5)


def test_a_blinded_reader_sees_no_comparison(tmp_path):
    values = np.full((4, 4, 2), 0.08, np.float32)
    labels = np.zeros(values.shape, np.uint16)
    labels[:2] = 1
    session = Session()
    chi = session.add(Volume(values, np.eye(4), unit="ppm", name="a"), role="map")
    region = {1: Region(1, "Putamen L", "left", "#ff0000")}
    session.add(Volume(labels, np.eye(4), name="l"), role="labels", regions=region)
    session.blinded = True
    numbers = Numbers(session)
    maps, beside = [numbers.shown(chi)], InContext(comparison(tmp_path))
    choice = Choice(columns=CONTROL_COLUMNS)
    rows = numbers.rows(maps, ranks=False, shapes=True)
    beside.tell(numbers, rows, maps, choice.columns)
    content = content_of(numbers, maps, rows, choice, {chi.id: 3})
    assert content.lines[0].cells[-5:] == ("–",) * 5
    frame = frame_of_map(numbers, maps[0], choice, beside, maps)
    assert frame[["z", "percentile", "controls_mean_ppm"]].isna().all(axis=None)


def test_regions_are_found_whatever_their_spelling():
    assert place_of("Left-Putamen") == place_of("putamen", "left") == ("putamen", "left")
    assert place_of("Caudate", "both") == ("caudate", "")
