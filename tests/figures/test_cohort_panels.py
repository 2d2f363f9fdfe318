"""Panels of a cohort: their numbers by scipy, their words on the page, what they refuse."""

import json

import numpy as np
import pytest
from scipy import stats

from napari_qsm.errors import FileError
from napari_qsm.figures.draw import render
from napari_qsm.figures.spec import parse_spec, spec_text

RNG = np.random.default_rng(21)
LONG = "Subthalamic nucleus"


def drawn(panel, count=1, columns=1, width_mm=85):
    panels = [{**panel, "title": f"{LONG} {n}"} for n in range(count)]
    said = {"columns": columns, "style": {"width_mm": width_mm, "gap_mm": 3}, "panels": panels}
    return render(parse_spec(json.dumps(said)), preview=True)


def people(n, k):
    values = RNG.normal(60, 12, (n, k)).round(3)
    return [[None if (p, v) == (2, 1) else values[p, v] for v in range(k)] for p in range(n)]


VISITS = {"kind": "visits", "visits": ["t0", "t1", "t2"], "persons": people(9, 3), "note": "p = .1"}
CLOUDS = {
    "kind": "raincloud",
    "groups": [
        {"name": "volunteers", "values": list(RNG.normal(50, 9, 12).round(3))},
        {"name": "RLS", "values": [40.0, 44.0, 44.0]},
    ],
}
SCATTER = {
    "kind": "scatter",
    "x": list(RNG.normal(9, 6, 14).round(3)),
    "y": list(RNG.normal(0, 9, 14).round(3)),
    "x_title": "improvement of IRLS",
    "y_title": "Δχ t1 − t0 (ppb)",
}
PAIR = {
    "kind": "bland-altman",
    "first": list(RNG.normal(50, 9, 10).round(3)),
    "second": list(RNG.normal(48, 9, 10).round(3)),
    "first_name": "AA",
    "second_name": "BB",
}
FOREST = {
    "kind": "forest",
    "rows": [LONG, "Caudate", "Putamen"],
    "columns": [
        {
            "title": "patient − control",
            "quantity": "Hedges g",
            "text_title": "p / q",
            "effects": [
                {"estimate": 0.9, "low": 0.3, "high": 1.5, "survives": True, "text": ".004 / .012"},
                {"estimate": -0.1, "low": -0.7, "high": 0.5, "text": ".70 / .70"},
                {},
            ],
        }
    ],
    "legend": "filled: q < 0.05; hollow: not.",
}
FLOW = {
    "kind": "flow",
    "steps": [
        {"title": "Enrolled", "lines": ["51 participants"], "left_out": ["1: withdrew consent"]},
        {"title": "Scanned", "lines": ["112 scans"]},
    ],
    "ends": [{"title": "t0", "lines": ["50"]}, {"title": "t1", "lines": ["31"]}],
}
ALL = {
    p["kind"]: p for p in (VISITS, CLOUDS, SCATTER, PAIR, FOREST, FLOW)
}  # fmt: skip


SIZES = [(kind, 1, 1, 85) for kind in ALL]
SIZES += [(kind, 13, 5, 174) for kind in ALL if kind not in ("forest", "flow")]


@pytest.mark.parametrize("kind, count, columns, width_mm", SIZES)
def test_no_word_is_cut_off_or_lies_on_another(kind, count, columns, width_mm):
    figure = drawn(ALL[kind], count, columns, width_mm)
    written = figure.page.written
    assert written and figure.notes == ()
    for one in written:
        assert figure.page.rect.holds(one.rect), one
        assert one.size_pt >= 5
        assert "…" not in one.text
    for at, one in enumerate(written):
        assert not [two for two in written[at + 1 :] if one.rect.overlaps(two.rect)], one
    assert figure.caption.count("napari-qsm") == 1
    again = spec_text(figure.spec, folder=figure.base)
    assert parse_spec(again) == figure.spec  # missing visits too


def test_means_and_intervals_of_visits():
    table = drawn(VISITS).table
    column = np.array([p[1] for p in VISITS["persons"] if p[1] is not None])
    row = table[table.visit == "t1"].iloc[0]
    low, high = stats.t.interval(0.95, len(column) - 1, column.mean(), stats.sem(column))
    assert row.n == 8
    assert (row["mean"], row.ci_low, row.ci_high) == pytest.approx((column.mean(), low, high))


def test_quartiles_of_groups():
    table = drawn(CLOUDS).table
    assert table.n.tolist() == [12, 3]
    expected = np.percentile(CLOUDS["groups"][0]["values"], [25, 50, 75])
    assert table.loc[0, ["p25", "median", "p75"]].tolist() == pytest.approx(list(expected))


def test_limits_of_agreement():
    figure = drawn(PAIR)
    difference = np.subtract(PAIR["first"], PAIR["second"])
    sd = difference.std(ddof=1)
    values = figure.table.set_index("level")["value"]
    assert values["bias"] == pytest.approx(difference.mean())
    assert values["+1.96 SD"] == pytest.approx(difference.mean() + 1.96 * sd)
    bias = figure.table.set_index("level").loc["bias"]
    expected = stats.ttest_1samp(difference, 0).confidence_interval()
    assert (bias.ci_low, bias.ci_high) == pytest.approx((expected.low, expected.high))
    assert "AA − BB (ppb)" in [w.text for w in figure.page.written]


def test_marks_are_filled_where_they_survive():
    counts = []
    for survives in (True, False):
        spec = json.loads(json.dumps({**FOREST, "legend": ""}))
        spec["columns"][0]["effects"][0]["survives"] = survives
        pixels = drawn(spec).pixels()[..., :3].astype(int)
        counts.append((np.abs(pixels - [0xD5, 0x5E, 0x00]).sum(axis=2) < 30).sum())
    assert counts[0] > 20 and counts[1] == 0


@pytest.mark.parametrize(
    "panel, said",
    [
        ({**VISITS, "visits": ["t0", "t1"]}, "each person needs one value"),
        ({**VISITS, "persons": [[1.0, float("nan"), 2.0]]}, "panels"),
        ({**SCATTER, "y": [1.0, 2.0, 3.0]}, "equally many"),
        ({**PAIR, "first": [1.0, 2.0, 3.0]}, "equally many"),
        ({**FOREST, "rows": ["Caudate"]}, "one effect for each"),
        ({**CLOUDS, "groups": []}, "groups"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(panel, said):
    with pytest.raises(FileError, match=said):
        drawn(panel)


def test_values_that_never_differ_are_drawn():
    same = {**VISITS, "persons": [[5.0, 5.0, 5.0]] * 3}
    flat = {**SCATTER, "x": [1.0] * 14}
    cloud = {**CLOUDS, "groups": [{"name": "a", "values": [3.0] * 9}]}
    for panel in (same, flat, cloud):
        assert drawn(panel).pixels().shape[2] == 4
