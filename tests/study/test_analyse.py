"""``study analyse`` and ``study agree`` on tables: a published cohort, one with known answers, bad input."""

import csv
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from napari_qsm.cli import main

SHARED = Path(__file__).resolve().parents[3] / "shared" / "study"
MOCK, EXPECTED = SHARED / "mock_rls_long.csv", SHARED / "mock_rls_expected.csv"
needs_mock = pytest.mark.skipif(not MOCK.is_file(), reason="the made-up cohort is not here")


def results(folder, name="statistics.tsv"):
    return pd.read_csv(folder / name, sep="\t", na_values="n/a", keep_default_na=False)


def one(table, question, region, test, contrast=None):
    """Return the single row that is asked for."""
    rows = table[(table.question == question) & (table.region == region) & (table.test == test)]
    rows = rows[rows.contrast == (contrast or "")]
    assert len(rows) == 1
    return rows.iloc[0]


@pytest.fixture(scope="module")
def mock(tmp_path_factory):
    out = tmp_path_factory.mktemp("mock") / "out"
    assert run(MOCK, out) == 0
    return results(out), (out / "report.txt").read_text(encoding="utf-8")


@needs_mock
def test_every_number_of_the_published_cohort(mock):
    table, _ = mock
    expected = pd.read_csv(EXPECTED).set_index("region")
    for region, row in expected.iterrows():
        welch = one(table, "group", region, "welch", "patient-control")
        assert (welch.p, welch.effect) == pytest.approx((row.p_grp, row.g))
        adjusted = one(table, "group", region, "ols_adjusted", "patient-control")
        assert adjusted.p == pytest.approx(row.p_adj)
        plain = one(table, "visits", region, "rm_anova")
        assert (plain.statistic, plain.p, plain.effect) == pytest.approx(
            (row.F, row.p_rm, row.eta2p)
        )
        assert (plain.df1, plain.df2) == (2, 60)
        assert (plain.q_fdr, plain.p_bonferroni) == pytest.approx((row.p_rm_fdr, row.p_rm_bonf13))
        corrected = one(table, "visits", region, "rm_anova_gg")
        assert (corrected.p, corrected.df1 / 2) == pytest.approx((row.p_gg, row.eps))
        assert one(table, "visits", region, "friedman").p == pytest.approx(row.p_fried)
        for pair in ("01", "12", "02"):
            found = one(table, "posthoc", region, "paired_t", f"t{pair[0]}-t{pair[1]}")
            assert found.p_bonferroni == pytest.approx(row[f"b{pair}"])
            if f"h{pair}" in row:
                assert found.p_holm == pytest.approx(row[f"h{pair}"])
        r = one(table, "correlation", region, "pearson", "t0-t1")
        assert (r.estimate, r.ci_low, r.ci_high, r.p, r.q_fdr) == pytest.approx(
            (row.r, row.r_lo, row.r_hi, row.p_r, row.p_r_fdr), rel=1e-6, abs=1e-7
        )
        rho = one(table, "correlation", region, "spearman", "t0-t1")
        assert rho.estimate == pytest.approx(row.rho)


@needs_mock
def test_published_post_hoc_and_scores(mock):
    table, _ = mock
    caudate = one(table, "posthoc", "Caudate", "paired_t", "t0-t1")
    assert [caudate.estimate, caudate.ci_low, caudate.ci_high] == pytest.approx(
        [9.60, 2.24, 16.96], abs=5e-3
    )
    assert caudate.effect == pytest.approx(0.478, abs=5e-4)
    assert one(table, "posthoc", "Caudate", "wilcoxon", "t0-t1").p == pytest.approx(
        0.0209, abs=5e-5
    )
    putamen = one(table, "posthoc", "Putamen", "paired_t", "t1-t2")
    assert [putamen.estimate, putamen.ci_low, putamen.ci_high] == pytest.approx(
        [-6.90, -11.89, -1.91], abs=5e-3
    )
    irls = one(table, "visits", "irls", "rm_anova")
    assert (irls.statistic, irls.p) == pytest.approx((23.53, 2.9e-8), rel=0.02)
    for pair, p in (("t0-t1", 0.0), ("t1-t2", 0.733), ("t0-t2", 0.00016)):
        found = one(table, "posthoc", "irls", "paired_t", pair)
        assert found.p_bonferroni == pytest.approx(p, abs=1e-4 if p < 0.01 else 5e-4)
    for region, person, residual in (
        ("Caudate", 96.8, 201.6),
        ("Putamen", 113.1, 116.1),
        ("Pulvinar", 101.0, 107.5),
    ):
        note = one(table, "visits_mixed", region, "mixed").note
        assert f"between participants {person}, residual {residual}" in note


@needs_mock
def test_the_printed_table_is_that_of_the_paper(mock):
    _, text = mock
    lines = {line.split("  ")[0]: line for line in text.splitlines()}
    cells = lines["Caudate"].split()
    for cell in ["69.5", "76.4", "3.55", ".035", ".150", "t0<t1", "+9.6", ".037", "−0.47", ".008"]:
        assert cell in cells
    assert "none" in lines["Pulvinar"]
    assert "visits: 13 regions, q < 0.05 (Benjamini-Hochberg): no region survives" in text
    assert "Plan sha256 " in text


@needs_mock
def test_missing_visits_are_never_left_out_in_silence(tmp_path, capsys):
    gone = {("P03", "t2"), ("P07", "t1"), ("P11", "t2"), ("P19", "t2"), ("P26", "t1")}
    frame = pd.read_csv(MOCK)
    keys = zip(frame.participant_id.str[4:], frame.session_id.str[4:], strict=True)
    path = tmp_path / "some.csv"
    frame[[key not in gone for key in keys]].to_csv(path, index=False)
    assert run(path, tmp_path / "out") == 0
    assert "P03 t2" in capsys.readouterr().err
    table = results(tmp_path / "out")
    model = one(table, "visits_mixed", "Caudate", "mixed")
    assert (model.n, round(model.p, 4)) == (88, 0.0271)
    change = one(table, "visits_mixed", "Caudate", "mixed", "t0-t1")
    half = (change.ci_high - change.ci_low) / 2
    assert (change.estimate, half / 1.96) == pytest.approx((9.78, 3.70), abs=5e-3)
    beside = one(table, "visits", "Caudate", "rm_anova")
    assert (beside.n, round(beside.p, 4)) == (26, 0.0561)
    assert "complete case: 26 of 31" in beside.note


# A second cohort, made here: what it must give is worked out from the arrays by scipy.

REGIONS = ("Caudate", "it's \"+__import__('os')", "Red nucleus")


@pytest.fixture(scope="module")
def arrays():
    rng = np.random.default_rng(11)
    people = rng.normal(0, 8, (18, 1, 1))
    chi = 60 + people + rng.normal(0, 5, (18, 2, 3)) + np.array([[0, 2, 9]]).T[None, :2]
    score = rng.normal(24, 4, (18, 2)).round(1)
    age = rng.integers(40, 75, 18 + 9)
    return chi, score, age, rng.normal(58, 9, (9, 3))


@pytest.fixture
def rows(arrays):
    chi, score, age, controls = arrays
    out = []
    for p in range(18):
        for v, visit in enumerate(("pre", "week12")):
            for r, region in enumerate(REGIONS):
                for side, off, voxels in (("left", 3.0, 100), ("right", -1.0, 300)):
                    out.append(
                        {
                            "participant_id": f"sub-{p + 1}", "group": "RLS", "age": str(age[p]),
                            "sex": "FM"[p % 2], "session_id": f"ses-{visit}", "region": region,
                            "side": side, "voxels": str(voxels),
                            "mean_ppb": f"{chi[p, v, r] + off:.6f}", "moca": f"{score[p, v]}",
                        }
                    )  # fmt: skip
    for c in range(9):
        for r, region in enumerate(REGIONS):
            for side, off, voxels in (("L", 3.0, 100), ("R", -1.0, 300)):
                out.append(
                    {
                        "participant_id": f"sub-C{c}", "group": "HC", "age": str(age[18 + c]),
                        "sex": "MF"[c % 2], "session_id": "ses-pre", "region": region, "side": side,
                        "voxels": str(voxels), "mean_ppb": f"{controls[c, r] + off:.6f}",
                        "moca": "n/a",
                    }
                )  # fmt: skip
    return out


def written(path, rows, delimiter="\t", encoding="utf-8", head=""):
    with path.open("w", encoding=encoding, newline="") as handle:
        handle.write(head)
        writer = csv.DictWriter(handle, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def run(path, out, *options, figures="--no-figures"):
    return main(["study", "analyse", "--table", str(path), "--out", str(out), figures, *options])


def analyse(tmp_path, rows, *options, out="out", figures="--no-figures"):
    path = written(tmp_path / "long.tsv", rows)
    return run(path, tmp_path / out, *options, figures=figures)


def test_a_second_cohort_is_what_scipy_says(tmp_path, rows, arrays, capsys):
    chi, score, _, controls = arrays
    (tmp_path / "plan.yaml").write_text("higher_is_better: [moca]\n")
    assert analyse(tmp_path, rows, "--plan", str(tmp_path / "plan.yaml")) == 0
    table = results(tmp_path / "out")
    for r, region in enumerate(REGIONS):
        before, after = chi[:, 0, r], chi[:, 1, r]
        welch = one(table, "group", region, "welch", "RLS-HC")
        expected = stats.ttest_ind(before, controls[:, r], equal_var=False)
        assert (welch.statistic, welch.p) == pytest.approx((expected.statistic, expected.pvalue))
        assert welch.estimate == pytest.approx(before.mean() - controls[:, r].mean(), rel=1e-5)
        rank = stats.mannwhitneyu(before, controls[:, r])
        assert one(table, "group", region, "mann_whitney", "RLS-HC").p == pytest.approx(rank.pvalue)
        paired = one(table, "posthoc", region, "paired_t", "pre-week12")
        expected = stats.ttest_rel(after, before)
        assert (paired.statistic, paired.p) == pytest.approx(
            (expected.statistic, expected.pvalue), rel=1e-4
        )
        f = one(table, "visits", region, "rm_anova")
        assert f.statistic == pytest.approx(expected.statistic**2, rel=1e-4)
        # More is better in this score: improvement is after - before.
        better = score[:, 1] - score[:, 0]
        r_, p = stats.pearsonr(after - before, better)
        found = one(table, "correlation", region, "pearson", "pre-week12")
        assert (found.estimate, found.p) == pytest.approx((r_, p), rel=1e-4)
        assert "after - before" in found.note
    # The sides were made to differ by the same in everybody, of which no test can be made.
    assert not (table.question == "laterality").any()
    assert "left and right differ by the same" in capsys.readouterr().err
    visits = table[(table.question == "visits") & (table.test == "rm_anova")]
    of_regions = visits[visits.region.isin(REGIONS)]
    assert of_regions.q_fdr.to_numpy() == pytest.approx(
        stats.false_discovery_control(of_regions.p.to_numpy())
    )
    assert (of_regions.p_bonferroni / of_regions.p).to_numpy() == pytest.approx(
        np.minimum(3, 1 / of_regions.p.to_numpy())
    )


def test_sides_are_weighted_or_kept_apart(tmp_path, rows, arrays):
    chi = arrays[0]
    for row in rows:  # a side difference that is not the same in everybody
        if row["side"] == "left":
            row["mean_ppb"] = str(float(row["mean_ppb"]) + int(float(row["age"])) % 3)
    (tmp_path / "plan.yaml").write_text("sides: separate\nquestions: [posthoc, laterality]\n")
    assert analyse(tmp_path, rows) == 0
    averaged = one(results(tmp_path / "out"), "posthoc", "Caudate", "paired_t", "pre-week12")
    assert averaged.estimate == pytest.approx((chi[:, 1, 0] - chi[:, 0, 0]).mean(), rel=1e-4)
    assert analyse(tmp_path, rows, "--plan", str(tmp_path / "plan.yaml"), out="apart") == 0
    apart = results(tmp_path / "apart")
    assert {"Caudate left", "Caudate right"} <= set(apart.region)
    lateral = one(apart, "laterality", "Caudate", "paired_t", "left-right")
    extra = [int(row["age"]) % 3 for row in rows if row["side"] in ("left",)][::6]
    others = [int(row["age"]) % 3 * 0 for row in rows if row["side"] == "L"][::3]
    assert lateral.estimate == pytest.approx(4 + np.mean(extra + others))


def test_figures_stand_beside_the_numbers(tmp_path, rows, arrays):
    assert analyse(tmp_path, rows, figures="--figures") == 0
    figures = tmp_path / "out" / "figures"
    names = {path.stem for path in figures.glob("*.pdf")}
    assert names == {"visits", "groups", "changes", "effects", "flow"}
    for name in names:
        endings = {path.suffix for path in figures.glob(f"{name}.*")}
        assert endings == {".pdf", ".svg", ".png", ".json", ".txt", ".csv"}
    chi, _, _, controls = arrays
    means = pd.read_csv(figures / "visits.csv").set_index(["panel", "visit"])["mean"]
    assert means["Caudate", "week12"] == pytest.approx(chi[:, 1, 0].mean(), rel=1e-4)
    groups = pd.read_csv(figures / "groups.csv").set_index(["panel", "group"])
    assert groups.loc[("Caudate", "HC"), "sd"] == pytest.approx(
        controls[:, 0].std(ddof=1), rel=1e-4
    )
    # Effects are those of other formulas: g by its pooled SD, d_z by the t of pairs.
    effects = pd.read_csv(figures / "effects.csv").set_index(["panel", "row"])["estimate"]
    before, after = chi[:, 0, 0], chi[:, 1, 0]
    t = stats.ttest_rel(after, before).statistic
    assert effects["week12 − pre", "Caudate"] == pytest.approx(t / math.sqrt(len(before)), rel=1e-4)
    assert not {r["participant_id"] for r in rows} & set(
        (figures / "changes.csv").read_text().split(",")
    )
    # The spec alone draws the same picture again.
    again = tmp_path / "again.png"
    assert main(["figure", str(figures / "flow.json"), "--out", str(again)]) == 0
    assert again.read_bytes() == (figures / "flow.png").read_bytes()


def test_a_table_of_a_spreadsheet_gives_the_same(tmp_path, rows):
    assert analyse(tmp_path, rows) == 0
    comma = [{k: v.replace(".", ",") if k != "region" else v for k, v in r.items()} for r in rows]
    path = written(tmp_path / "excel.csv", comma, ";", "utf-16", "sep=;\r\n")
    assert run(path, tmp_path / "x") == 0
    same = [(tmp_path / name / "statistics.tsv").read_bytes() for name in ("out", "x")]
    assert same[0] == same[1]


def test_persons_and_scores_from_files_of_their_own(tmp_path, rows):
    assert analyse(tmp_path, rows) == 0
    people = {
        r["participant_id"]: {k: r[k] for k in ("participant_id", "group", "age", "sex")}
        for r in rows
    }
    scores = {(r["participant_id"], r["session_id"]): r["moca"] for r in rows}
    written(tmp_path / "p.tsv", list(people.values()))
    written(
        tmp_path / "s.tsv",
        [{"participant_id": p, "session_id": s, "moca": v} for (p, s), v in scores.items()],
    )
    bare = [{k: v for k, v in r.items() if k not in ("group", "age", "sex", "moca")} for r in rows]
    extra = ["--participants", str(tmp_path / "p.tsv"), "--phenotype", str(tmp_path / "s.tsv")]
    assert analyse(tmp_path, bare, *extra, out="apart") == 0
    assert (tmp_path / "out" / "statistics.tsv").read_bytes() == (
        tmp_path / "apart" / "statistics.tsv"
    ).read_bytes()


def change_all(rows, column, value, where=lambda row: True):
    for row in rows:
        if where(row):
            row[column] = value


def is_first(row):
    return row["participant_id"] == "sub-1"


def copied_visit(rows):
    first = {
        (r["participant_id"], r["region"], r["side"]): r["mean_ppb"]
        for r in rows
        if "pre" in r["session_id"]
    }
    for row in rows:
        row["mean_ppb"] = first[row["participant_id"], row["region"], row["side"]]


def in_ppm(rows, where):
    for row in rows:
        if where(row):
            row["mean_ppb"] = f"{float(row['mean_ppb']) / 1000:.8f}"


BAD = {
    "an age in words": (lambda rows: change_all(rows, "age", "old", is_first), ["sub-1", "'old'"]),
    "a value in words": (lambda rows: change_all(rows, "mean_ppb", "x", is_first), ["line 2"]),
    "one group": (lambda rows: change_all(rows, "group", "RLS"), ["only 'RLS'"]),
    "a group of one": (lambda rows: change_all(rows, "group", "odd", is_first), ["'odd'", "(1)"]),
    "two groups for one": (lambda rows: rows[0].update(group="HC"), ["sub-1", "HC"]),
    "a row twice": (lambda rows: rows.append(dict(rows[0])), ["two rows", "Caudate", "sub-1"]),
    "constant values": (lambda rows: change_all(rows, "mean_ppb", "40"), ["Every value"]),
    "a copied visit": (copied_visit, ["copied"]),
    "all in ppm": (lambda rows: in_ppm(rows, lambda r: True), ["ppm"]),
    "one person in ppm": (lambda rows: in_ppm(rows, is_first), ["mixes ppm and ppb", "1"]),
    "one visit in ppm": (
        lambda rows: in_ppm(rows, lambda r: "12" in r["session_id"]), ["mixes ppm and ppb"]
    ),
    "one row in ppm": (lambda rows: in_ppm(rows[:1], lambda r: True), ["mixes ppm and ppb"]),
    "no tissue": (lambda rows: rows[3].update(mean_ppb="61000"), ["61000", "line 5"]),
    "a side in words": (lambda rows: rows[0].update(side="up"), ["'up'"]),
    "no column": (lambda rows: [row.pop("region") for row in rows], ["'region'"]),
    "a line break in a name": (
        lambda rows: change_all(rows, "region", "Cau\ndate", is_first), ["line break", "Cau·date"]
    ),
    "two scores": (lambda rows: rows[0].update(moca="3"), ["moca", "sub-1"]),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_bad_tables_are_refused_in_a_sentence(tmp_path, rows, capsys, what):
    spoil, said = BAD[what]
    spoil(rows)
    assert analyse(tmp_path, rows) == 1
    error = capsys.readouterr().err
    assert all(word in error for word in said), error
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()


def test_two_references_are_not_compared(tmp_path, rows, capsys):
    for number, row in enumerate(rows):
        row["reference"] = "csf" if number else "whole brain"
    assert analyse(tmp_path, rows) == 1
    assert "csf, whole brain" in capsys.readouterr().err


@pytest.mark.parametrize("missing, said", [(True, "no row for 1"), (False, "lists 99")])
def test_a_person_whom_one_table_lacks(tmp_path, rows, capsys, missing, said):
    people = {r["participant_id"]: {"participant_id": r["participant_id"]} for r in rows}
    if missing:
        del people["sub-1"]
    else:
        people["sub-99"] = {"participant_id": "sub-99"}
    path = written(tmp_path / "p.tsv", list(people.values()))
    assert analyse(tmp_path, rows, "--participants", str(path)) == 1
    assert said in capsys.readouterr().err
    (tmp_path / "plan.yaml").write_text(
        f"exclude: {{sub-{'1' if missing else '99'}: moved away}}\n"
    )
    options = ["--participants", str(path), "--plan", str(tmp_path / "plan.yaml")]
    assert analyse(tmp_path, rows, *options) == 0
    assert "moved away" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text, said",
    [
        ("alfa: 0.05", "no 'alfa'"),
        ("alpha: 5", "between 0 and 1"),
        ("correction: bh", "fdr, holm"),
        ("visits: [pre, post]", "'post'"),
        ("- 1", "no plan"),
        ("a: *b", "not"),
    ],
)
def test_a_plan_that_cannot_be_meant(tmp_path, rows, capsys, text, said):
    (tmp_path / "plan.yaml").write_text(text)
    assert analyse(tmp_path, rows, "--plan", str(tmp_path / "plan.yaml")) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_results_are_replaced_only_with_leave(tmp_path, rows, capsys):
    assert analyse(tmp_path, rows) == 0
    before = (tmp_path / "out" / "statistics.tsv").read_bytes()
    assert analyse(tmp_path, rows, "--correction", "holm") == 1
    assert (tmp_path / "out" / "statistics.tsv").read_bytes() == before
    capsys.readouterr()
    assert analyse(tmp_path, rows, "--correction", "holm", "--overwrite") == 0
    assert "(Holm)" in capsys.readouterr().out


def test_excluded_and_doubtful_rows(tmp_path, rows, capsys):
    for row in rows:
        row["excluded"] = "motion" if row["participant_id"] == "sub-2" else "n/a"
        row["qc_verdict"] = "doubtful" if row["participant_id"] == "sub-3" else "good"
    assert analyse(tmp_path, rows) == 0
    said = capsys.readouterr()
    assert "12 rows are excluded: motion" in said.err
    assert "Without maps of doubtful quality" in said.out
    assert one(results(tmp_path / "out"), "visits", "Caudate", "rm_anova").n == 17
    less = results(tmp_path / "out", "statistics_without-doubtful.tsv")
    assert one(less, "visits", "Caudate", "rm_anova").n == 16


def test_a_side_that_nobody_else_lacks_is_missing_there(tmp_path, rows, capsys):
    gone = [
        r for r in rows if not (is_first(r) and r["side"] == "left" and r["region"] == "Caudate")
    ]
    assert analyse(tmp_path, gone) == 0
    assert "Caudate of 1 pre" in capsys.readouterr().err
    assert one(results(tmp_path / "out"), "visits", "Caudate", "rm_anova").n == 17
    left = [row for row in rows if row["side"] in ("left", "L")]
    assert analyse(tmp_path, left, out="left") == 0
    assert "one side alone was read" in capsys.readouterr().err
    assert one(results(tmp_path / "left"), "visits", "Caudate", "rm_anova").n == 18


def test_a_score_that_changes_alike_in_everybody_is_not_tested(tmp_path, rows, capsys):
    for row in rows:
        if row["group"] == "RLS":
            age = int(row["age"])
            row["moca"] = str(age / 2 - (2 if "12" in row["session_id"] else 0))
    assert analyse(tmp_path, rows) == 0
    assert "moca changes by the same in everybody" in capsys.readouterr().err
    table = results(tmp_path / "out")
    assert not (table.region == "moca").any() and not (table.question == "correlation").any()


def test_tables_with_less_in_them(tmp_path, rows, arrays):
    bare = [
        {k: row[k] for k in ("participant_id", "session_id", "region", "side", "mean_ppb")}
        for row in rows
        if row["group"] == "RLS"
    ]
    assert analyse(tmp_path, bare) == 0
    table = results(tmp_path / "out")
    assert set(table.question) == {"visits", "visits_mixed", "posthoc", "sensitivity"}
    first = [
        {k: v for k, v in row.items() if k not in ("session_id", "moca")}
        for row in rows
        if "pre" in row["session_id"]
    ]
    assert analyse(tmp_path, first, out="groups") == 0
    table = results(tmp_path / "groups")
    assert set(table.question) == {"group"}
    chi, _, _, controls = arrays
    expected = stats.ttest_ind(chi[:, 0, 0], controls[:, 0], equal_var=False)
    assert one(table, "group", "Caudate", "welch", "RLS-HC").p == pytest.approx(expected.pvalue)


def test_a_region_may_be_called_na_and_a_column_be_code(tmp_path, rows, capsys):
    for number, row in enumerate(rows):
        row["region"] = row["region"].replace("Caudate", "NA")
        row["__import__('os').abort(); \"x\""] = row["moca"]
        row["remark"] = "seen twice, tired"
        row["mean_ppb"] = "NaN" if number in (0, 1) else row["mean_ppb"]
    path = written(tmp_path / "long.csv", rows, ",")
    assert run(path, tmp_path / "out") == 0
    said = capsys.readouterr().err
    assert "Missing visits" not in said  # other regions were read there
    assert "'remark' holds text" in said
    table = results(tmp_path / "out")
    assert table[(table.region == "NA") & (table.test == "rm_anova")].n.tolist() == [17]
    assert table.note.str.contains("improvement of __import__").any()


def test_agreement_of_two_raters_and_of_repeats(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("napari_qsm.study.analysis_files.ENDINGS", (".svg",))
    rng = np.random.default_rng(12)
    true = rng.normal(60, 12, (10, 2))
    aa = true + rng.normal(0, 2, true.shape)
    bb = true + 3 + rng.normal(0, 2, true.shape)
    again = aa + rng.normal(0, 1, true.shape)
    out = []
    for rater, reading, values in (("AA", "1", aa), ("BB", "1", bb), ("AA", "2", again)):
        for p in range(10):
            for r, region in enumerate(("Caudate", "Putamen")):
                out.append(
                    {
                        "participant_id": f"{p}", "session_id": "t0", "region": region,
                        "rater": rater, "reading": reading, "chi_ppb": f"{values[p, r]:.8f}",
                    }
                )  # fmt: skip
    path = written(tmp_path / "long.tsv", out)
    command = ["study", "agree", "--table", str(path), "--out", str(tmp_path / "out")]
    assert main(command) == 0
    table = pd.read_csv(tmp_path / "out" / "agreement.tsv", sep="\t")
    assert list(table.columns) == ["region", "measure", "n", "value", "ci_low", "ci_high"]
    found = table.set_index(["region", "measure"])["value"]
    difference = aa[:, 0] - bb[:, 0]
    assert found["Caudate", "ba_bias"] == pytest.approx(difference.mean())
    assert found["Caudate", "ba_low"] == pytest.approx(
        difference.mean() - 1.959964 * difference.std(ddof=1), rel=1e-6
    )
    # With two readings the residual mean square is half the variance of their differences.
    assert found["Caudate", "sem"] == pytest.approx(difference.std(ddof=1) / math.sqrt(2))
    assert table[table.region == "all regions"].n.eq(20).all()
    repeated = pd.read_csv(tmp_path / "out" / "agreement_AA-repeated.tsv", sep="\t")
    plots = pd.read_csv(tmp_path / "out" / "figures" / "agreement.csv").set_index(
        ["panel", "level"]
    )
    assert plots.loc[("Caudate", "bias"), "value"] == pytest.approx(difference.mean())
    within = repeated.set_index(["region", "measure"])["value"]
    assert within["Putamen", "ba_sd"] == pytest.approx((aa - again)[:, 1].std(ddof=1))
    assert main(command) == 1
    assert "exists already" in capsys.readouterr().err


def test_agreement_needs_two_readings(tmp_path, rows, capsys):
    path = written(tmp_path / "long.tsv", rows)
    assert main(["study", "agree", "--table", str(path), "--out", str(tmp_path / "out")]) == 1
    assert "'rater' and 'reading'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
