"""A cohort with other names, three visits and gaps, written as a spreadsheet writes it.

Nothing of it is known to the program. What it must give is worked out from the arrays with scipy
and statsmodels.
"""

import csv
import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from napari_qsm.cli import main

REGIONS = ("Nucleus ruber", "Area 'postrema'; DROP", "Locus coeruleus", "Pons & medulla")
VISITS = ("baseline", "week6", "month24")
GONE = {(1, 2), (4, 1), (9, 2), (9, 1), (13, 0)}
SCORE = "__import__('os').system(\"true\")"
N, M = 16, 11


@pytest.fixture(scope="module")
def cohort():
    rng = np.random.default_rng(77)
    chi = 80 + rng.normal(0, 10, (N, 1, 4)) + rng.normal(0, 6, (N, 3, 4))
    chi[:, 1, 0] += 6
    score = rng.normal(30, 6, (N, 3)).round(2)
    chi[:, 1, 1] -= 1.5 * (score[:, 0] - score[:, 1])
    for person, visit in GONE:
        chi[person, visit] = np.nan
        score[person, visit] = np.nan
    controls = rng.normal(74, 12, (M, 4))
    age = rng.integers(30, 88, N + M).astype(float)
    age[3] = 89
    return chi, score, controls, age


def text(value):
    """As a German spreadsheet writes a number."""
    return "n/a" if np.isnan(value) else f"{value:.9f}".replace(".", ",")


def lines(cohort):
    chi, score, controls, age = cohort
    for p, v in itertools.product(range(N), range(3)):
        for r, region in enumerate(REGIONS):
            if not (r == 3 and (p, v) in GONE):  # a row may lack, or hold n/a
                row = {"region": region, "chi_ppm": text(chi[p, v, r] / 1000)}
                yield row | {
                    "participant_id": f"ZX{p}", "session_id": VISITS[v], "group": "ferritin low",
                    "age": "89+" if age[p] == 89 else f"{age[p]:g}", "sex": "mf"[p % 2],
                    SCORE: text(score[p, v]),
                }  # fmt: skip
    for c, (r, region) in itertools.product(range(M), enumerate(REGIONS)):
        row = {"region": region, "chi_ppm": text(controls[c, r] / 1000)}
        yield row | {
            "participant_id": f"QQ{c}", "session_id": "baseline", "group": "Kontrollen",
            "age": f"{age[N + c]:g}", "sex": "mf"[c % 2], SCORE: "",
        }  # fmt: skip


@pytest.fixture(scope="module")
def found(cohort, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort")
    rows = list(lines(cohort))
    path = folder / "Tabelle 1.csv"
    with path.open("w", encoding="utf-16", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(rows)
    command = ["study", "analyse", "--table", str(path), "--out", str(folder / "out")]
    plan = folder / "plan.yaml"
    plan.write_text("reference_group: Kontrollen\n")
    assert main([*command, "--plan", str(plan), "--no-figures"]) == 0
    frame = pd.read_csv(
        folder / "out" / "statistics.tsv", sep="\t", na_values="n/a", keep_default_na=False
    )
    return frame.set_index(["question", "region", "contrast", "test"]).sort_index()


def complete(values):
    return values[np.isfinite(values).all(axis=1)]


def test_groups(cohort, found):
    chi, _, controls, age = cohort
    sm = pytest.importorskip("statsmodels.api")
    for r, region in enumerate(REGIONS):
        first = chi[:, 0, r]
        known = np.isfinite(first)
        row = found.loc[("group", region, "ferritin low-Kontrollen", "welch")]
        expected = stats.ttest_ind(first[known], controls[:, r], equal_var=False)
        assert (row.statistic, row.p) == pytest.approx((expected.statistic, expected.pvalue))
        ends = expected.confidence_interval()
        assert (row.ci_low, row.ci_high) == pytest.approx((ends.low, ends.high), rel=1e-6)
        sex = [p % 2 for p in range(N)] + [c % 2 for c in range(M)]
        design = np.column_stack([np.ones(N + M), np.r_[np.ones(N), np.zeros(M)], age, sex])
        values = np.r_[first, controls[:, r]]
        keep = np.isfinite(values)
        fit = sm.OLS(values[keep], design[keep]).fit()
        robust = fit.get_robustcov_results("HC3", use_t=True)
        plain = found.loc[("group", region, "ferritin low-Kontrollen", "ols_adjusted")]
        assert (plain.estimate, plain.p) == pytest.approx((fit.params[1], fit.pvalues[1]))
        hc3 = found.loc[("group", region, "ferritin low-Kontrollen", "ols_adjusted_hc3")]
        assert hc3.p == pytest.approx(robust.pvalues[1])


def test_visits_complete(cohort, found):
    chi = cohort[0]
    anova = pytest.importorskip("statsmodels.stats.anova")
    p_values = []
    for r, region in enumerate(REGIONS):
        whole = complete(chi[:, :, r])
        long = pd.DataFrame(whole).reset_index().melt("index")
        theirs = anova.AnovaRM(long, "value", "index", within=["variable"]).fit().anova_table
        row = found.loc[("visits", region, "", "rm_anova")]
        assert row.n == len(whole) == N - 4
        assert (row.statistic, row.p) == pytest.approx(
            (theirs["F Value"].iloc[0], theirs["Pr > F"].iloc[0])
        )
        friedman = stats.friedmanchisquare(*whole.T)
        assert found.loc[("visits", region, "", "friedman")].p == pytest.approx(friedman.pvalue)
        p_values.append(row.p)
    q = [found.loc[("visits", region, "", "rm_anova")].q_fdr for region in REGIONS]
    assert q == pytest.approx(list(stats.false_discovery_control(p_values)))


def test_visits_with_gaps(cohort, found):
    chi = cohort[0]
    models = pytest.importorskip("statsmodels.regression.mixed_linear_model")
    for r, region in enumerate(REGIONS[:2]):
        person, visit = np.nonzero(np.isfinite(chi[:, :, r]))
        design = np.column_stack([np.ones(len(visit)), visit == 1, visit == 2]).astype(float)
        fit = models.MixedLM(chi[person, visit, r], design, groups=person).fit(reml=True)
        row = found.loc[("visits_mixed", region, "baseline-week6", "mixed")]
        assert row.n == 3 * N - len(GONE)
        assert row.estimate == pytest.approx(fit.fe_params[1], rel=1e-3)
        assert row.p == pytest.approx(fit.pvalues[1], rel=2e-2, abs=1e-6)


def test_pairs_and_changes(cohort, found):
    chi, score, _, _ = cohort
    for (r, region), (a, b) in itertools.product(
        enumerate(REGIONS), itertools.combinations(range(3), 2)
    ):
        pair = complete(chi[:, [a, b], r])
        row = found.loc[("posthoc", region, f"{VISITS[a]}-{VISITS[b]}", "paired_t")]
        expected = stats.ttest_rel(pair[:, 1], pair[:, 0])
        assert (row.n, row.p) == pytest.approx((len(pair), expected.pvalue))
        assert row.p_bonferroni == pytest.approx(min(1, 3 * expected.pvalue))
        change, better = chi[:, b, r] - chi[:, a, r], score[:, a] - score[:, b]
        known = np.isfinite(change) & np.isfinite(better)
        rho = stats.pearsonr(change[known], better[known])
        row = found.loc[("correlation", region, f"{VISITS[a]}-{VISITS[b]}", "pearson")]
        ends = rho.confidence_interval()
        assert (row.estimate, row.p) == pytest.approx((rho.statistic, rho.pvalue), rel=1e-5)
        assert (row.ci_low, row.ci_high) == pytest.approx((ends.low, ends.high), rel=1e-5)
    strong = found.loc[("correlation", REGIONS[1], "baseline-week6", "pearson")]
    assert strong.estimate < -0.4  # what was put in


def test_a_person_without_a_group_is_named(cohort, tmp_path, capsys):
    rows = list(lines(cohort))
    for row in rows:
        row["group"] = "" if row["participant_id"] == "QQ3" else row["group"]
    path = tmp_path / "t.tsv"
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]), delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)
    out = tmp_path / "out"
    assert main(["study", "analyse", "--table", str(path), "--out", str(out)]) == 1
    assert "group of QQ3 is not known" in capsys.readouterr().err
    assert not out.exists()
