"""Polygons with few corners that go round the same voxels, moved regions, tools that push."""

import numpy as np
import pytest
from matplotlib.path import Path
from scipy import ndimage

from napari_qsm.errors import QsmError
from napari_qsm.rois import edit, shifts
from napari_qsm.rois.outlines import outlines, polygon_round
from napari_qsm.rois.region import made_up

SIZE = np.array([0.6, 1.1, 2.5])


def blobs(seed):
    noise = np.random.default_rng(seed).normal(size=(40, 33))
    return ndimage.gaussian_filter(noise, 2.0) > 0.05


@pytest.mark.parametrize("seed", range(12))
def test_a_polygon_goes_round_the_same_voxels_with_fewer_corners(seed):
    inside = blobs(seed)
    near = (20, 16)
    corners, piece = polygon_round(inside, near)
    labelled, count = ndimage.label(inside)
    nearest = np.argwhere(inside)[np.argmin(((np.argwhere(inside) - near) ** 2).sum(axis=1))]
    np.testing.assert_array_equal(piece, labelled == labelled[tuple(nearest)])
    centres = np.argwhere(np.ones_like(inside))
    found = Path(corners).contains_points(centres).reshape(inside.shape)
    np.testing.assert_array_equal(found, ndimage.binary_fill_holes(piece))
    assert count > 0
    assert len(corners) <= max(len(path) for path in outlines(piece))
    assert (np.sort(2 * corners % 2, axis=1) == (0, 1)).all()  # middles of edges


def test_a_round_outline_needs_few_corners():
    i, j = np.indices((61, 61))
    disc = (i - 30) ** 2 + (j - 30) ** 2 <= 24.5**2
    corners, _ = polygon_round(disc, (30, 30))
    assert 12 <= len(corners) < len(outlines(disc)[0]) / 2
    with pytest.raises(QsmError, match="nothing on this slice"):
        polygon_round(np.zeros((4, 4), bool), (1, 1))
    corners, piece = polygon_round(np.eye(3, dtype=bool), (0, 0))  # touching corners only
    assert piece.sum() == 1 and len(corners) == 4


def labelled():
    labels = np.zeros((9, 8, 7), np.uint16, order="F")
    labels[2:5, 3:6, 1:4] = 3
    labels[5, 4, 2] = 8
    return labels


def applied(labels, change):
    out = labels.copy(order="F")
    flat = out.ravel(order="F")
    flat[change.at] = change.values
    return flat.reshape(labels.shape, order="F")


@pytest.mark.parametrize("across", [None, 0, 1, 2])
@pytest.mark.parametrize("steps", [(1, 0, 0), (0, -1, 0), (0, 0, 2), (2, 1, -1)])
def test_a_region_moves_and_others_keep_their_voxels(across, steps):
    labels = labelled()
    at = 3
    own = labels == 3
    on = np.ones_like(own) if across is None else np.indices(own.shape)[across] == at
    change = shifts.move(labels, made_up(3), steps, across=across, at=at)
    there = np.roll(own & on, steps, axis=(0, 1, 2))
    wanted = np.where(own & on, 0, labels)
    wanted = np.where(there & (labels != 8), 3, wanted)
    np.testing.assert_array_equal(applied(labels, change), wanted)
    assert change.missed == (there & (labels == 8)).sum()
    assert np.unique(change.at).size == change.at.size


def test_a_region_stays_on_the_map():
    labels = labelled()
    with pytest.raises(QsmError, match="would leave the map"):
        shifts.move(labels, made_up(3), (0, 0, -2))
    with pytest.raises(QsmError, match="on this slice"):
        shifts.move(labels, made_up(3), (1, 0, 0), across=2, at=6)
    with pytest.raises(QsmError, match="on this slice"):
        shifts.move(labels, made_up(3), (1, 0, 0), across=2, at=-1)
    np.testing.assert_array_equal(
        shifts.positions_on(labels, 3, None, 0), edit.positions(labels, 3)
    )


@pytest.mark.parametrize("across", [None, 0, 1, 2])
@pytest.mark.parametrize("place", [(3.2, 4.1, 2.3), (2.0, 3.0, 1.0), (6.4, 1.2, 2.1)])
def test_a_pushing_tool_ends_at_the_outline(across, place):
    labels = labelled()
    at = np.array(place) * SIZE
    voxel = np.floor(np.array(place) + 0.5).astype(int)
    inside, diameter = shifts.push_diameter(labels, 3, SIZE, at, 30.0, across=across)
    assert inside == (labels[tuple(voxel)] == 3)
    grid = np.stack(np.indices(labels.shape), axis=-1)
    centre = at.copy()
    other = (labels == 3) != inside
    if across is not None:
        centre[across] = voxel[across] * SIZE[across]
        other &= grid[..., across] == voxel[across]
    away = np.linalg.norm(grid * SIZE - centre, axis=-1)
    wanted = 2 * away[other].min() if other.any() else 30.0
    assert diameter == pytest.approx(wanted, rel=1e-3) and diameter <= wanted
    assert shifts.push_diameter(labels, 3, SIZE, at, 0.2, across=across)[1] <= 0.2
