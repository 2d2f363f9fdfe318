"""Tests and agreement on arrays against published numbers and other libraries."""

import numpy as np
import pytest
from scipy import stats

from napari_qsm.study import corrections
from napari_qsm.study import hypothesis_tests as tests
from napari_qsm.study.mixed_model import mixed_model
from napari_qsm.study.reliability import bland_altman, icc

# Shrout & Fleiss 1979, table 2: six targets, four judges.
SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float
)
# Bland & Altman 1986, table 1: peak expiratory flow, first readings of both meters, l/min.
WRIGHT = "494 395 516 434 476 557 413 442 650 433 417 656 267 478 178 423 427"
MINI = "512 430 520 428 500 600 364 380 658 445 432 626 260 477 259 350 451"


def measures(found):
    return {m.measure: m for m in found}


def visits(rng, n=23, k=3):
    people = rng.normal(0, 9, (n, 1))
    return 70 + people + rng.normal(0, 6, (n, k)) * [1, 1.5, 0.7] + [0, 4, 1]


def test_icc_of_shrout_and_fleiss():
    found = measures(icc(SHROUT_FLEISS))
    printed = {"icc_1_1": 0.17, "icc_2_1": 0.29, "icc_3_1": 0.71, "icc_2_k": 0.62, "icc_3_k": 0.91}
    for name, value in printed.items():
        assert found[name].value == pytest.approx(value, abs=0.006)
    assert (found["icc_2_1"].ci_low, found["icc_2_1"].ci_high) == pytest.approx(
        (0.019, 0.761), abs=5e-4
    )
    assert (found["icc_3_1"].ci_low, found["icc_3_1"].ci_high) == pytest.approx(
        (0.342, 0.946), abs=5e-4
    )
    assert found["sem"].value == pytest.approx(1.010, abs=5e-4)
    assert found["mdc95"].value == pytest.approx(2.80, abs=5e-3)


def test_an_interval_of_few_readings_goes_the_right_way():
    """Readings that do not agree at all: the mean's coefficient has no lower end."""
    noise = np.random.default_rng(4)
    open_ended = 0
    for _ in range(40):
        m = measures(icc(noise.normal(size=(4, 2))))["icc_2_k"]
        assert m.ci_low <= m.value <= m.ci_high <= 1 or not np.isfinite(m.value)
        open_ended += m.ci_low == -np.inf
    assert open_ended


def test_equal_readings_agree_wholly():
    found = measures(icc(np.repeat(np.arange(5.0)[:, None], 2, axis=1)))
    assert [found[f"icc_{k}"].value for k in ("1_1", "2_1", "3_1", "2_k")] == [1, 1, 1, 1]
    assert found["sem"].value == 0


def test_bland_altman_of_the_peak_flow_meters():
    first, second = (np.array(t.split(), float) for t in (WRIGHT, MINI))
    found = measures(bland_altman(first, second))
    assert found["ba_bias"].value == pytest.approx(-2.12, abs=5e-3)
    assert found["ba_sd"].value == pytest.approx(38.77, abs=5e-3)
    limits = found["ba_low"], found["ba_high"]
    assert [m.value for m in limits] == pytest.approx([-78.1, 73.9], abs=0.05)
    # The paper's intervals use 2 SD and 3/n: -22.0 to 17.8 for the bias.
    assert (found["ba_bias"].ci_low, found["ba_bias"].ci_high) == pytest.approx(
        (-22.0, 17.8), abs=0.06
    )
    assert found["ba_slope"].ci_low < 0 < found["ba_slope"].ci_high


def test_proportional_bias_is_seen():
    true = np.linspace(20, 140, 30)
    wobble = np.resize([1.0, -1.0], 30)
    found = measures(bland_altman(1.1 * true + wobble, true))
    assert found["ba_slope"].ci_low > 0
    assert found["ba_slope"].value == pytest.approx(0.1 / 1.05, abs=5e-3)


def test_corrections():
    p = [0.01, 0.04, 0.03, 0.005]
    assert corrections.holm(p) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert corrections.benjamini_hochberg(p) == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert corrections.bonferroni(p) == pytest.approx([0.04, 0.16, 0.12, 0.02])


def test_a_missing_p_is_no_member_of_the_family():
    q = corrections.benjamini_hochberg([0.01, np.nan, 0.04])
    assert np.isnan(q[1]) and q[[0, 2]] == pytest.approx([0.02, 0.04])


@pytest.mark.parametrize(
    "sd, plain, thirds", [(2.4, 1.8, 2.1), (5.0, 3.7, 4.3), (14.2, 10.4, 12.3)]
)
def test_smallest_change_of_31_persons(sd, plain, thirds):
    assert round(tests.smallest_change(sd, 31), 1) == plain
    assert round(tests.smallest_change(sd, 31, alpha=0.05 / 3), 1) == thirds


def test_smallest_change_is_seen_four_times_in_five():
    rng = np.random.default_rng(1)
    change = tests.smallest_change(5.0, 12)
    pairs = rng.normal(0, 5.0, (4000, 12, 2)) + [0, change]
    p = stats.ttest_rel(pairs[..., 1], pairs[..., 0], axis=1).pvalue
    assert (p < 0.05).mean() == pytest.approx(0.8, abs=0.02)


def test_repeated_measures_against_textbook_sums():
    """Two visits are a paired t (F = t²); epsilon lies between its bounds."""
    y = visits(np.random.default_rng(2))
    two = tests.rm_anova(y[:, :2])
    t = stats.ttest_rel(y[:, 0], y[:, 1])
    assert two.plain.statistic == pytest.approx(t.statistic**2)
    assert two.plain.p == pytest.approx(t.pvalue)
    assert two.epsilon == pytest.approx(1)
    three = tests.rm_anova(y)
    assert 0.5 <= three.epsilon < 1
    # Epsilon by its other definition: eigenvalues of the covariance of orthonormal contrasts.
    contrasts = np.array([[1, -1, 0], [1, 1, -2]]) / np.sqrt([[2], [6]])
    eigen = np.linalg.eigvalsh(contrasts @ np.cov(y.T) @ contrasts.T)
    assert three.epsilon == pytest.approx(eigen.sum() ** 2 / (2 * (eigen**2).sum()))


def test_hedges_g_covers_as_often_as_it_says():
    rng = np.random.default_rng(3)
    inside = 0
    for _ in range(400):
        low, high = tests.hedges_g(rng.normal(0.8, 1, 14), rng.normal(0, 1, 10))[1]
        inside += low < 0.8 < high
    assert inside / 400 == pytest.approx(0.95, abs=0.035)


@pytest.mark.parametrize("n", [3, 30, 400])
@pytest.mark.parametrize("shift", [0.0, 0.3, 2.0, 9.0])
def test_hedges_g_has_an_interval_whatever_its_size(n, shift):
    first = stats.norm.ppf((np.arange(n) + 0.5) / n)
    g, (low, high) = tests.hedges_g(first + shift, first)
    assert low < g < high or n == 3
    assert tests.hedges_g(first, first + shift)[1] == pytest.approx((-high, -low), abs=1e-6)
    if n == 400 and shift < 1:  # large samples: a normal interval
        half = 1.96 * np.sqrt(2 / n + g**2 / (4 * n))
        assert (high - low) / 2 == pytest.approx(half, rel=0.01)


@pytest.mark.parametrize("n", [2, 4, 31, 5000])
@pytest.mark.parametrize("alpha", [0.05, 0.001])
def test_smallest_change_for_any_number_of_persons(n, alpha):
    change = tests.smallest_change(1.0, n, alpha=alpha)
    if n == 5000:
        z = stats.norm.isf(alpha / 2) + stats.norm.isf(0.2)
        assert change == pytest.approx(z * np.sqrt(2 / n), rel=1e-3)
    assert change > tests.smallest_change(1.0, n + 1, alpha=alpha) > 0


def test_mixed_model_of_complete_data_is_the_analysis_of_variance():
    """Balanced: variances are those of the mean squares, the coefficients plain differences."""
    y = visits(np.random.default_rng(4))
    n, k = y.shape
    person, visit = np.indices(y.shape).reshape(2, -1)
    design = np.column_stack([np.ones(n * k), visit == 1, visit == 2]).astype(float)
    model = mixed_model(y.ravel(), design, person)
    rest = y - y.mean(0) - y.mean(1, keepdims=True) + y.mean()
    error = (rest**2).sum() / ((n - 1) * (k - 1))
    between = k * ((y.mean(1) - y.mean()) ** 2).sum() / (n - 1)
    assert model.residual == pytest.approx(error, rel=1e-6)
    assert model.person == pytest.approx((between - error) / k, rel=1e-6)
    assert model.coefficients[1:] == pytest.approx((y.mean(0) - y.mean(0)[0])[1:])
    change = model.contrast(np.array([0.0, 1, 0]))
    assert change.ci[1] - change.estimate == pytest.approx(1.959964 * np.sqrt(2 * error / n))


def test_mixed_model_of_missing_visits_against_statsmodels():
    models = pytest.importorskip("statsmodels.regression.mixed_linear_model")
    y = visits(np.random.default_rng(5))
    y[[1, 4, 4, 9, 15], [1, 0, 2, 2, 1]] = np.nan
    person, visit = np.nonzero(np.isfinite(y))
    design = np.column_stack([np.ones(len(visit)), visit == 1, visit == 2]).astype(float)
    values = y[np.isfinite(y)]
    theirs = models.MixedLM(values, design, groups=person).fit(reml=True)
    ours = mixed_model(values, design, person)
    assert ours.coefficients == pytest.approx(theirs.fe_params, rel=1e-4)
    assert np.sqrt(np.diag(ours.covariance)) == pytest.approx(theirs.bse[:3], rel=1e-3)
    assert ours.residual == pytest.approx(theirs.scale, rel=1e-3)
    assert ours.person == pytest.approx(float(np.ravel(theirs.cov_re)[0]), rel=2e-3)


def test_persons_who_do_not_differ_have_no_variance():
    y = np.random.default_rng(6).normal(0, 1, (20, 3))
    y -= y.mean(axis=1, keepdims=True)
    person, _ = np.indices(y.shape).reshape(2, -1)
    model = mixed_model(y.ravel(), np.ones((60, 1)), person)
    assert model.person == 0 and np.isfinite(model.covariance).all()


def test_least_squares_with_hc3_against_its_definition():
    """HC3 is close to the jackknife, which leaves out each person in turn."""
    rng = np.random.default_rng(7)
    x = np.column_stack([np.ones(40), np.repeat([0.0, 1], 20), rng.normal(50, 9, 40)])
    y = x @ [3.0, 5, 0.2] + rng.normal(0, 1 + 4 * x[:, 1])
    whole = np.linalg.lstsq(x, y, rcond=None)[0]
    left = np.array(
        [np.linalg.lstsq(np.delete(x, i, 0), np.delete(y, i), rcond=None)[0] for i in range(40)]
    )
    jackknife = np.sqrt(((left - whole)[:, 1] ** 2).sum())
    found = tests.ols(x, y, 1, robust=True)
    assert found.estimate == pytest.approx(whole[1])
    assert found.estimate / found.statistic == pytest.approx(jackknife)


def test_partial_correlation_against_its_recursion():
    rng = np.random.default_rng(8)
    x, y, z = rng.normal(size=(3, 30))
    x, y = x + z, y - z + 0.5 * x
    r = np.corrcoef([x, y, z])
    expected = (r[0, 1] - r[0, 2] * r[1, 2]) / np.sqrt((1 - r[0, 2] ** 2) * (1 - r[1, 2] ** 2))
    found = tests.partial_pearson(x, y, z[:, None])
    assert found.estimate == pytest.approx(expected)
    assert found.df1 == 27
