"""Speckle that an overlay leaves out, against a flood fill voxel by voxel."""

import numpy as np
import pytest

from napari_qsm.clusters import least_voxels, small_clusters
from napari_qsm.figures.draw import render
from napari_qsm.figures.gather import Given, gather
from napari_qsm.figures.parts import Display
from napari_qsm.figures.slices import Slice, View, raster
from tests.figures.makers import chi, two_panels, volume


def clusters_of(inside):
    """Sets of voxels that share faces, found one after the other."""
    left = {tuple(v) for v in np.argwhere(inside)}
    while left:
        found, edge = set(), [left.pop()]
        while edge:
            i, j, k = edge.pop()
            found.add((i, j, k))
            for step in ((1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)):
                near = (i + step[0], j + step[1], k + step[2])
                if near in left:
                    left.remove(near)
                    edge.append(near)
        yield found


@pytest.mark.parametrize("colouring", ["colour", "both sides"])
def test_small_clusters_are_those_of_a_flood_fill(colouring):
    values = np.random.default_rng(1).normal(0, 0.05, (13, 11, 9)).astype(np.float32)
    values[2:5, 2:5, 2:5] = 0.1
    values[3, 3, 3] = np.nan
    # The colours have steps, so a value beside the threshold may belong to either side of it.
    values[np.abs(np.abs(values) - 0.02) < 0.12 / 512] = 0
    display = Display(
        colouring=colouring, window=(0, 0.12), threshold_low=0.02, smallest_cluster_mm3=10
    )
    found = small_clusters(values, display, voxel_mm3=2.5)
    shown = np.abs(values) >= 0.02 if colouring == "both sides" else values >= 0.02
    signs = [values >= 0, values < 0] if colouring == "both sides" else [values > -9]
    expected = np.zeros(values.shape, bool)
    for sign in signs:
        for cluster in clusters_of(shown & sign):
            if len(cluster) * 2.5 < 10:
                expected[tuple(np.array(list(cluster)).T)] = True
    np.testing.assert_array_equal(found, expected)
    assert expected.any() and not expected[2:5, 2:5, 2:5].any()


def test_without_thresholds_nothing_is_left_out():
    assert small_clusters(chi(), Display(smallest_cluster_mm3=50), 1.0) is None
    assert small_clusters(chi(), Display(threshold_low=0.02), 1.0) is None
    assert least_voxels(50, 0.78125) == 64 and least_voxels(0, 1) == 1


def test_an_overlay_shows_what_lies_below_speckle_and_the_caption_says_from_which_size():
    values = np.zeros((8, 8, 4), np.float32)
    values[1, 1, 1] = values[5:8, 5:8, 1:3] = 0.1
    maps = {"control": Given(volume(values, unit="ppm"))}
    spec = two_panels()
    spec.panels, spec.colour_bars = spec.panels[:1], ()
    spec.panels[0].slice_mm = -15
    spec.displays["grey"] = Display(threshold_low=0.02, smallest_cluster_mm3=20)
    said = render(spec, maps, preview=True).caption
    # A voxel has 1.5 x 1.2 x 3 = 5.4 mm3.
    assert "nor clusters smaller than 20 mm³ (4 voxels that share faces, in 3-D)" in said
    loaded = gather(spec, maps)["control"]
    whole = View((0.0, 0.0), (1000.0, 1000.0))
    rgb = raster(loaded, Slice("axial", 1, -15.0), whole, spec.displays["grey"]).rgb
    lit = rgb[::-1, ::-1].any(axis=2).T  # as the array lies
    assert lit[5:8, 5:8].all() and lit.sum() == 9  # the large one alone
