"""Live statistics after long random edits: equal to the bit to a fresh start, and to numpy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from napari_qsm.errors import FileError, GeometryError
from napari_qsm.rois.live import LiveStatistics
from napari_qsm.rois.statistics import region_statistics
from napari_qsm.rois.sums import measures_of
from napari_qsm.session import Session
from napari_qsm.volume import Volume

SHAPE = (17, 13, 9)


def random_box(rng):
    return tuple(slice(*sorted(rng.choice(n + 1, 2, replace=False))) for n in SHAPE)


def a_map(rng, kind):
    values = rng.normal(0.05, 0.03, SHAPE)
    if kind == "far from zero":
        values += 4000
    if kind == "holes":
        values[rng.random(SHAPE) < 0.1] = np.nan
        values[rng.random(SHAPE) < 0.02] = np.inf
    return values.astype(np.float32)


def same(a, b):
    """Equal to the last bit, NaN with NaN."""
    return np.array_equal(flat(a), flat(b), equal_nan=True)


def flat(measures):
    return np.array([measures.voxels, measures.numbers, *measures.found.values()])


def check(live, labels, maps):
    """Against a fresh start, bit by bit, and against numpy."""
    fresh = LiveStatistics(labels, maps)
    assert live.labels == fresh.labels == sorted(set(np.unique(labels).tolist()) - {0})
    for key, values in maps.items():
        for label in fresh.labels:
            ours = live.measures(key, label, ranks=True)
            assert same(ours, fresh.measures(key, label, ranks=True))
            inside = values[labels == label].astype(np.float64)
            finite = inside[np.isfinite(inside)]
            assert (ours.voxels, ours.numbers) == (inside.size, finite.size)
            if finite.size:
                assert ours.mean == pytest.approx(finite.mean(), rel=1e-9, abs=1e-12)
                assert (ours.value("min"), ours.value("max")) == (finite.min(), finite.max())
                expected = np.percentile(finite, [5, 25, 50, 75, 95])
                ranks = [ours.value(name) for name in ("p05", "p25", "median", "p75", "p95")]
                np.testing.assert_allclose(ranks, expected, rtol=1e-12)
            if finite.size > 1:
                assert ours.sd == pytest.approx(finite.std(ddof=1), rel=1e-9, abs=1e-12)
            if finite.size > 2 and np.ptp(finite) > 1e-6:
                assert ours.value("skewness") == pytest.approx(
                    stats.skew(finite), rel=1e-7, abs=1e-7
                )
        assert same(
            live.pooled(key, live.labels, ranks=True), fresh.pooled(key, fresh.labels, ranks=True)
        )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("order", ["F", "C"])
def test_long_random_edits(seed, order):
    rng = np.random.default_rng(seed)
    labels = np.zeros(SHAPE, np.uint16, order=order)
    maps = {kind: a_map(rng, kind) for kind in ("plain", "far from zero", "holes")}
    live = LiveStatistics(labels, maps)
    for step in range(120):
        box = random_box(rng)
        part = labels[box]
        before = labels.copy()
        what = rng.integers(5)
        if what == 0:
            part[...] = rng.choice([0, 0, 1, 2, 7, 255, 300, 65535])
        elif what == 1:
            part[rng.random(part.shape) < 0.3] = rng.integers(1, 6)
        elif what == 2:  # a region goes
            part[part == rng.integers(1, 6)] = 0
        elif what == 3:
            part[...] = rng.integers(0, 4, part.shape)
        elif step % 3 == 0:  # another map
            key = str(rng.choice(list(maps)))
            maps[key] = a_map(rng, key)
            live.set_map(key, maps[key])
        changed = live.update(box)
        differ = before != labels
        assert changed == (set(before[differ].tolist()) | set(labels[differ].tolist())) - {0}
        if rng.random() < 0.3:  # half of what is asked for is already known
            live.measures("plain", int(rng.integers(1, 6)), ranks=bool(rng.integers(2)))
        if step % 8 == 7:
            check(live, labels, maps)


def test_follows_a_session_through_undo_and_redo():
    rng = np.random.default_rng(11)
    session = Session()
    chi = session.add(Volume(a_map(rng, "holes"), np.eye(4), unit="ppm", name="χ"))
    entry = session.add(Volume(np.zeros(SHAPE, np.uint8), np.eye(4), name="regions"), role="labels")
    live = LiveStatistics(entry.editable, {"chi": chi.volume.data})
    session.labels_edited.connect(lambda key, box: live.update(box))
    for step in range(150):
        what = rng.integers(5)
        if what < 2:
            at = rng.choice(entry.editable.size, int(rng.integers(1, 200)), replace=False)
            session.edit_labels(entry, at, int(rng.integers(0, 5)))
        elif what == 2:
            session.history.undo()
        elif what == 3:
            session.history.redo()
        else:  # somebody writes past the session
            entry.editable[random_box(rng)] = rng.integers(0, 5)
            session.take_outside_edit(entry)
        if step % 10 == 9:
            check(live, entry.editable, {"chi": chi.volume.data})
    labels = Volume(entry.editable, np.eye(4))
    table = region_statistics(chi.volume, labels).set_index("label")
    for label in live.labels:
        ours = live.measures("chi", label, ranks=True)
        for column in ("mean", "sd", "median", "min", "max", "p05", "p95"):
            assert table[f"{column}_ppm"][label] == ours.value(column)


def test_an_edit_reads_no_other_slice():
    class Watched(np.ndarray):
        read: list = []  # noqa: RUF012

        def __getitem__(self, at):
            if isinstance(at, tuple) and len(at) == 3 and isinstance(at[2], int):
                self.read.append(at[2])
            return super().__getitem__(at)

    labels = np.zeros(SHAPE, np.uint16).view(Watched)
    live = LiveStatistics(labels, {"chi": np.ones(SHAPE)})
    labels.read.clear()
    labels[3, 3, 4] = 1
    Watched.read.clear()
    live.update((slice(3, 4), slice(3, 4), slice(4, 5)))
    assert set(Watched.read) == {4}
    assert live.voxels(1) == 1


def test_centre_lies_inside_also_in_a_ring():
    labels = np.zeros((21, 21, 5), np.uint8)
    x, y = np.mgrid[:21, :21] - 10
    labels[..., 1:4] = ((x**2 + y**2 < 81) & (x**2 + y**2 > 36))[..., np.newaxis]
    live = LiveStatistics(labels)
    centre = live.centre(1)
    assert labels[centre] == 1
    assert centre[2] == 2
    assert live.centre(2) is None


def test_values_of_some_labels():
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 4, SHAPE).astype(np.uint8)
    values = rng.random(SHAPE)
    live = LiveStatistics(labels, {"a": values})
    found = live.values("a", [1, 3])
    np.testing.assert_array_equal(np.sort(found), np.sort(values[(labels == 1) | (labels == 3)]))
    assert live.values("a", [9]).size == 0
    live.remove_map("a")
    assert live.keys == ()


def test_a_plain_set_of_values():
    ours = measures_of(np.array([1.0, 2.0, 3.0, 10.0, np.nan]))
    assert (ours.voxels, ours.numbers, ours.missing) == (5, 4, 1)
    assert ours.mean == 4
    assert ours.sd == pytest.approx(np.sqrt(50 / 3))
    assert ours.value("median") == 2.5
    nothing = measures_of(np.array([np.nan]))
    assert nothing.voxels == 1 and np.isnan(nothing.mean) and np.isnan(nothing.value("p05"))
    assert np.isnan(measures_of(np.full(9, 0.1)).value("skewness"))


def test_what_cannot_be_measured():
    labels = np.zeros(SHAPE, np.int32)
    with pytest.raises(GeometryError):
        LiveStatistics(labels, {"a": np.ones((2, 2, 2))})
    live = LiveStatistics(labels)
    assert live.update((slice(0, 0), slice(0, 1), slice(0, 1))) == frozenset()
    labels[0, 0, 0] = 70000
    with pytest.raises(FileError, match="65535"):
        live.update()
    labels[0, 0, 0] = -1
    with pytest.raises(FileError, match="-1"):
        live.update()


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 400), st.sampled_from(["F", "C"]))
def test_all_labels_at_once_are_as_one_by_one_and_as_numpy(seed, most, order):
    random = np.random.default_rng(seed)
    labels = np.asarray(random.integers(0, most + 1, (9, 8, 7)), np.uint16, order=order)
    labels[random.random(labels.shape) < 0.3] = 0
    values = random.normal(0, 10.0 ** random.integers(-3, 4), labels.shape)
    values[random.random(labels.shape) < 0.05] = np.nan
    together, alone = LiveStatistics(labels, {"": values}), LiveStatistics(labels, {"": values})
    together.measure_all("")
    for label in together.labels:
        found = together.measures("", label, ranks=True)
        one = alone.measures("", label, ranks=True)
        assert found.found == one.found or np.array_equal(
            list(found.found.values()), list(one.found.values()), equal_nan=True
        )
        own = values[labels == label]
        own = own[np.isfinite(own)]
        assert found.voxels == (labels == label).sum()
        assert found.numbers == own.size
        if own.size:
            for name, percent in (("p05", 5), ("median", 50), ("p95", 95)):
                assert found.value(name) == np.percentile(own, percent)
            np.testing.assert_allclose(found.mean, own.mean(), rtol=1e-12, atol=1e-15)
        if own.size > 1:
            np.testing.assert_allclose(found.sd, own.std(ddof=1), rtol=1e-9)


def test_a_label_map_without_labels():
    live = LiveStatistics(np.zeros((3, 3, 3), np.uint8), {"": np.ones((3, 3, 3))})
    live.measure_all("")
    assert live.labels == []
