"""How values are spread within regions, and what their edges do: numbers of numpy and scipy."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from napari_qsm.cli import main
from napari_qsm.errors import MetadataError
from napari_qsm.io.nifti import write_volume
from napari_qsm.io.region import Region
from napari_qsm.rois.edge import edge_axes, is_inner
from napari_qsm.rois.exports import Exported, write_export
from napari_qsm.rois.high_part import HighLimits, high_limits
from napari_qsm.rois.histogram import bins
from napari_qsm.rois.live import HighFrom, LiveStatistics
from napari_qsm.rois.shape_table import shape_statistics
from napari_qsm.rois.shapes import FixedShape, voxels_of
from napari_qsm.rois.statistics import columns, region_statistics
from napari_qsm.rois.sums import measures_of
from napari_qsm.session import Session
from napari_qsm.session.table.choice import Choice
from napari_qsm.session.table.content import SOON, content_of
from napari_qsm.session.table.numbers import Numbers
from napari_qsm.volume import Volume

SHAPE = (14, 12, 9)
THICK = np.diag([0.625, 0.625, 2.0, 1.0])
CUBIC = np.diag([1.0, 1.0, 1.0, 1.0])
REGIONS = {
    2: Region(2, "Putamen L", "left", "#ff0000"),
    5: Region(5, "Red nucleus R", "right", "#0000ff"),
}
HIGH = ("high_from", "high_fraction", "high_mean", "high_voxels")
EDGE = ("inner_mean", "edge_difference", "inner_voxels")


def head(affine=CUBIC, unit="ppm"):
    values = np.random.default_rng(3).normal(0.06, 0.03, SHAPE).astype(np.float32)
    values[3, 4, 5] = np.nan
    labels = np.zeros(SHAPE, np.uint16)
    labels[2:9, 2:9, 1:7] = 2
    labels[5, 5, 3] = 0  # a hole has an edge too
    labels[9:12, 2:6, 2:4] = 5  # touches the other
    labels[0:3, 9:12, 0:3] = 7  # at the border of the image, no name
    scale = 1.0 if unit == "ppm" else 1e3
    return (
        Volume(values * np.float32(scale), affine, unit=unit, name="chi"),
        Volume(labels, affine, name="labels"),
    )


def test_the_high_part_is_what_numpy_counts_above_the_limit():
    chi, labels = head()
    limits = high_limits(["0.08", "Putamen=0.05"], "ppm")
    frame = region_statistics(chi, labels, REGIONS, also=HIGH, high=limits).set_index("label")
    for label, limit in ((2, 0.05), (5, 0.08), (7, 0.08)):
        inside = chi.data[labels.data == label].astype(np.float64)
        inside = inside[np.isfinite(inside)]
        above = inside[inside > limit]
        row = frame.loc[label]
        assert row["high_from_ppm"] == limit
        assert row["high_voxels"] == above.size
        assert row["high_fraction"] == pytest.approx(above.size / inside.size, rel=1e-12)
        assert row["high_mean_ppm"] == pytest.approx(above.mean(), rel=1e-12)
    ppb, labels = head(unit="ppb")
    other = region_statistics(ppb, labels, REGIONS, unit="ppb", also=HIGH, high=limits)
    other = other.set_index("label")
    assert other["high_voxels"].tolist() == frame["high_voxels"].tolist()
    assert other.loc[2, "high_from_ppb"] == pytest.approx(50, rel=1e-12)


def test_limits_without_a_voxel_above_or_without_a_limit_have_no_mean():
    chi, labels = head()
    high = region_statistics(chi, labels, also=HIGH, high=HighLimits((("", 9.0),)))
    assert high["high_fraction"].tolist() == [0, 0, 0] and high["high_mean_ppm"].isna().all()
    none = region_statistics(
        chi, labels, REGIONS, also=HIGH, high=high_limits(["putamen l=0"], "ppm")
    )
    assert none["high_fraction"].isna().tolist() == [False, True, True]


def test_a_limit_that_no_tissue_has_is_refused():
    for texts in (["100"], ["Putamen=x"], ["=5"], ["nan"]):
        with pytest.raises(MetadataError):
            high_limits(texts, "ppm")


def test_the_high_part_follows_the_brush_as_a_count_from_the_start_does():
    chi, labels = head()
    data = labels.data.copy()
    live = LiveStatistics(data, {"a": chi.data, "b": chi.data * 2})
    limits = HighFrom(0.06, {5: 0.02})
    live.set_high("a", limits)
    data[4:7, 3:8, 2:5] = 5
    data[10:13, 7:10, 5:8] = 9  # a label that was never there
    live.update((slice(4, 13), slice(3, 10), slice(2, 8)))
    anew = LiveStatistics(data, {"a": chi.data})
    anew.set_high("a", limits)
    for label in (2, 5, 7, 9):
        told, fresh = live.measures("a", label, ranks=True), anew.measures("a", label, ranks=True)
        assert {k: v for k, v in told.found.items() if v == v} == {
            k: v for k, v in fresh.found.items() if v == v
        }
        above = chi.data[(data == label) & (chi.data > (0.02 if label == 5 else 0.06))]
        assert told.value("high_voxels") == above.size
    assert math.isnan(live.measures("b", 2).value("high_fraction"))
    both = live.pooled("a", [2, 5])
    assert both.value("high_voxels") == sum(
        live.measures("a", n).value("high_voxels") for n in (2, 5)
    )
    assert math.isnan(both.value("high_from"))
    live.set_high("a", HighFrom())
    assert math.isnan(live.measures("a", 2).value("high_voxels"))


@pytest.mark.parametrize("affine", [CUBIC, THICK])
def test_without_the_edge_is_what_scipy_erodes(affine):
    chi, labels = head(affine)
    frame = region_statistics(chi, labels, also=EDGE).set_index("label")
    cross = ndimage.generate_binary_structure(3, 1)
    if affine is THICK:
        cross[:, :, [0, 2]] = False
    for label in (2, 5, 7):
        inner = ndimage.binary_erosion(labels.data == label, cross)
        inside = chi.data[inner].astype(np.float64)
        row = frame.loc[label]
        assert row["inner_voxels"] == inner.sum()
        if not inner.any():
            assert math.isnan(row["inner_mean_ppm"])
            continue
        assert row["inner_mean_ppm"] == pytest.approx(np.nanmean(inside), rel=1e-12)
        whole = np.nanmean(chi.data[labels.data == label].astype(np.float64))
        expected = np.nanmean(inside) - whole
        assert row["edge_difference_ppm"] == pytest.approx(expected, rel=1e-9)
    assert frame.loc[2, "inner_voxels"] > 0


def test_layers_are_taken_within_slices_that_are_more_than_twice_as_thick():
    assert edge_axes((1, 1, 2)) == (0, 1, 2)
    assert edge_axes((1, 1, 2.2)) == (0, 1)
    assert edge_axes((3.0, 1, 1)) == (1, 2)
    assert is_inner(np.zeros((0, 3), int), (0, 1, 2)).size == 0


def test_a_mean_that_hangs_on_its_edge_is_told_and_a_flat_one_is_not():
    values = np.zeros(SHAPE, np.float32)
    labels = np.zeros(SHAPE, np.uint8)
    labels[1:7, 1:7, 1:6] = 1
    values[2:6, 2:6, 2:5] = 0.05  # the layer around it lies in other tissue
    labels[8:13, 2:9, 2:7], values[8:13, 2:9, 2:7] = 2, 0.04
    labels[1, 10, 1] = 3
    said = []
    region_statistics(
        Volume(values, CUBIC, unit="ppm"),
        Volume(labels, CUBIC),
        {1: "Caudate L", 2: "Thalamus L", 3: "Dot"},
        also=EDGE,
        warn=said.append,
    )
    apart = 50 - 50 * 48 / 180
    assert said == [
        "Without their outer voxels, means change by more than repeated scans differ (SD 2.4 ppb): "
        f"Caudate L +{apart:.1f} ppb; look where these edges lie.",
        "Nothing is left without outer voxels of Dot.",
    ]


def test_fixed_shapes_have_a_high_part_and_an_edge_too():
    chi, _ = head()
    ball = FixedShape(kind="sphere", size_mm=(7.0,), centre_mm=(6.0, 6.0, 4.0))
    frame = shape_statistics(
        chi, [ball], also=(*HIGH, *EDGE), high=HighLimits((("", 0.05),)), warn=lambda _: None
    )
    mask = np.zeros(SHAPE, bool)
    mask[np.unravel_index(voxels_of(ball, chi), SHAPE, order="F")] = True
    inner = ndimage.binary_erosion(mask)
    assert frame["high_voxels"].iloc[0] == (chi.data[mask] > 0.05).sum()
    assert frame["inner_voxels"].iloc[0] == inner.sum() > 0
    assert frame["inner_mean_ppm"].iloc[0] == pytest.approx(
        np.nanmean(chi.data[inner].astype(np.float64)), rel=1e-12
    )


def test_bins_are_multiples_of_their_breadth():
    values = np.array([-7.5, -5.0, 0.0, 4.999, 5.0, 21.0, np.nan])
    edges, counts = bins(values, 5.0)
    assert edges.tolist() == [-10, -5, 0, 5, 10, 15, 20, 25]
    assert counts.tolist() == np.histogram(values[:-1], edges)[0].tolist()
    assert bins(np.array([0.3]), 0.1)[0] == pytest.approx([0.3, 0.4])  # 0.3 / 0.1 < 3 in binary
    assert bins(np.array([np.nan]), 1.0)[1].size == 0
    for width in (0.0, -1.0, math.nan, 1e-9):
        with pytest.raises(MetadataError):
            bins(values, width)


def test_the_table_shows_them_while_a_region_is_drawn_and_edges_when_the_hand_rests():
    chi, labels = head()
    session = Session()
    entry = session.add(chi, role="map")
    drawn = session.add(labels, role="labels", regions=dict(REGIONS))
    numbers = Numbers(session)
    numbers.high = HighLimits((("", 0.06),))
    choice = Choice(columns=("high_fraction", "inner_mean"), shapes=False)

    def cells(edge):
        maps = [numbers.shown(entry)]
        rows = numbers.rows(maps, ranks=False, shapes=False, edge=edge)
        content = content_of(numbers, maps, rows, choice, {entry.id: 3})
        assert [c.title for c in content.columns[-2:]] == ["high part", "mean without edge (ppm)"]
        return [line.cells[-2:] for line in content.lines]

    def expected(label):
        inside = drawn.editable == label
        values = chi.data[inside & np.isfinite(chi.data)]
        inner = ndimage.binary_erosion(inside)
        mean = np.nanmean(chi.data[inner].astype(np.float64)) if inner.any() else np.nan
        share = (values > 0.06).mean()
        return f"{share:.3f}", f"{mean:.3f}" if mean == mean else "–"

    assert cells("yes") == [expected(2), expected(5), expected(7)]
    drawn.editable[3:5, 3:5, 4] = 0
    numbers.edited(drawn.id, (slice(3, 5), slice(3, 5), slice(4, 5)))
    assert cells("known") == [(expected(2)[0], SOON), expected(5), expected(7)]
    assert cells("yes") == [expected(2), expected(5), expected(7)]


def test_files_hold_them_when_asked_and_say_how_they_were_made(tmp_path):
    chi, labels = head(THICK)
    write_volume(chi, tmp_path / "chi.nii.gz")
    write_volume(labels, tmp_path / "labels.nii.gz")
    (tmp_path / "chi.json").write_text('{"Units": "ppm"}')
    line = ["stats", str(tmp_path / "chi.nii.gz"), str(tmp_path / "labels.nii.gz"), "--unit", "ppb"]
    asked = ["--high", "60", "--edge", "--percentiles", "--histogram", str(tmp_path / "h.tsv")]
    assert main([*line, "--out", str(tmp_path / "plain.csv")]) == 0
    assert main([*line, *asked, "--out", str(tmp_path / "t.csv")]) == 0
    plain, full = (pd.read_csv(tmp_path / name) for name in ("plain.csv", "t.csv"))
    pd.testing.assert_frame_equal(full[plain.columns], plain)
    assert list(full.columns) == [
        *plain.columns,
        *("p25_ppb", "p75_ppb", "high_from_ppb", "high_fraction", "high_mean_ppb", "high_voxels"),
        *("inner_mean_ppb", "edge_difference_ppb", "inner_voxels"),
    ]
    inside = chi.data[labels.data == 5].astype(np.float64) * 1e3
    row = full.set_index("label").loc[5]
    assert row[["p25_ppb", "p75_ppb"]].tolist() == pytest.approx(np.percentile(inside, [25, 75]))
    counts = pd.read_csv(tmp_path / "h.tsv", sep="\t")
    own = counts[counts["label"] == 5]
    edges = [*own["from_ppb"], own["to_ppb"].iloc[-1]]
    assert own["voxels"].tolist() == np.histogram(inside, edges)[0].tolist()
    assert own["share"].sum() == pytest.approx(1)
    assert counts.groupby("label")["voxels"].sum().to_dict() == {2: 292, 5: 24, 7: 27}
    assert main([*line, "--bin-width", "3"]) == 1


def test_a_script_asks_by_name_and_is_told_of_names_nobody_knows():
    import napari_qsm

    chi, labels = head()
    frame = napari_qsm.region_statistics(chi, labels, also=("high_voxels", "p75"), high="0.06")
    inside = chi.data[labels.data == 5].astype(np.float64)
    row = frame.set_index("label").loc[5]
    assert row["high_voxels"] == (inside > 0.06).sum()
    assert row["p75_ppm"] == pytest.approx(np.percentile(inside, 75))
    with pytest.raises(MetadataError, match="no statistic 'p33'"):
        napari_qsm.region_statistics(chi, labels, also=("p33",))


def test_an_export_explains_its_columns(tmp_path):
    chi, labels = head(THICK)
    also = ("high_fraction", "inner_mean")
    frame = region_statistics(chi, labels, REGIONS, also=also)
    write_export([Exported(frame, "ppm", {}, also)] * 2, tmp_path / "t.json")
    said = json.loads((tmp_path / "t.json").read_text())
    assert said["columns"]["high_fraction"].startswith("Share (0-1)")
    assert said["columns"]["inner_mean"].startswith("Mean without the outer layer")
    assert set(said["rows"][0]) == {"map", "unit", *columns("", also)}


def test_percentiles_and_the_high_part_of_plain_values():
    values = np.arange(101.0)
    told = measures_of(values, 90.0)
    for percent, name in ((5, "p05"), (25, "p25"), (50, "median"), (75, "p75"), (95, "p95")):
        assert told.value(name) == np.percentile(values, percent)
    assert told.value("high_fraction") == 10 / 101 and told.value("high_mean") == 95.5
