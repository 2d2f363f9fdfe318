"""The atlas in a map: places there and back, its own files, heads stored the wrong way round."""

from dataclasses import replace

import numpy as np
import pytest

from napari_qsm.phantom import make_head
from napari_qsm.registration.atlas import NUCLEI, load_atlas
from napari_qsm.registration.nuclei import AtlasFit, fit_atlas
from napari_qsm.volume import Volume
from tests.registration.heads import TINY, rigid


def a_fit():
    shifts = dict.fromkeys((1, 3, 5, 9, 11), (1.5, -1.0, 2.0))
    shifts |= dict.fromkeys((2, 4, 6, 10, 12, 13, 15, 17, 31), (-1.0, 0.5, -2.0))
    matrix = rigid((4, -3, 5), (2, 6, -4)) @ np.diag([0.95, 1.05, 0.9, 1])
    return AtlasFit(matrix, shifts, 0.9, {1: 0.8})


def test_the_atlas_has_both_sides_of_every_nucleus_where_its_names_say():
    atlas = load_atlas()
    for name in NUCLEI:
        left, right = (
            atlas.labels.voxel_to_world(np.argwhere(atlas.inside(name, side))).mean(axis=0)
            for side in ("left", "right")
        )
        assert left[0] < -3 and right[0] > 3
        assert np.abs(left[1:] - right[1:]).max() < 2
    assert 1.2e6 < atlas.brain.data.sum() * atlas.brain.voxel_volume_mm3 < 2.2e6


def test_places_go_there_and_back():
    fit = a_fit()
    points = np.random.default_rng(0).uniform([-40, -40, -25], [40, 30, 30], (200, 3))
    assert np.abs(fit.to_atlas(fit.to_map(points)) - points).max() < 0.01
    again = AtlasFit.from_dict(fit.to_dict())
    assert np.abs(again.to_map(points) - fit.to_map(points)).max() < 0.01
    known = replace(fit, middles={"Putamen left": (1.0, 2.0, 3.0)})
    again = AtlasFit.from_dict(known.to_dict())
    assert again.centre("Putamen", "left") == (1.0, 2.0, 3.0)
    assert (
        np.abs(np.subtract(again.centre("Putamen", "right"), fit.centre("Putamen", "right"))).max()
        < 0.01
    )


def test_labels_on_a_grid_lie_where_the_centres_are():
    fit = a_fit()
    affine = np.diag([-1.5, 1.5, 2.0, 1.0])  # right to left
    affine[:3, 3] = (60, -70, -50)
    grid = Volume(np.broadcast_to(np.float32(0), (80, 80, 50)), affine)
    labels = fit.labels_on(grid)
    for name, side in (("Putamen", "left"), ("Caudate", "right"), ("Red nucleus", "right")):
        step = 0 if side == "left" else 1
        at = np.argwhere(np.isin(labels, [label + step for label in NUCLEI[name]]))
        middle = grid.voxel_to_world(at).mean(axis=0)
        assert np.linalg.norm(middle - fit.centre(name, side)) < 0.7


def test_a_head_stored_back_to_front_is_refused():
    head = make_head("patient", **TINY)
    chi = np.where(head.mask.data > 0, head.chi.data, 0)
    turned = head.chi.with_data(chi[:, ::-1])
    fit = fit_atlas(turned, head.mask.with_data(head.mask.data[:, ::-1]))
    assert "front and back" in fit.problem


def test_a_map_without_nuclei_is_refused():
    atlas = load_atlas()
    noise = np.random.default_rng(1).normal(0, 0.02, atlas.brain.shape).astype(np.float32)
    assert fit_atlas(atlas.brain.with_data(noise), atlas.brain).problem
    with pytest.raises(ValueError, match="empty"):
        fit_atlas(atlas.brain.with_data(noise), atlas.brain.with_data(noise * 0))
