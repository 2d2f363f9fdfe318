"""Pixels of slices, against a loop over pixels, and against figures."""

from types import SimpleNamespace

import numpy as np
import pytest

from napari_qsm.anatomy import DEPTH_AXIS, DRAWN_AXES, PLANES
from napari_qsm.colormaps import colours
from napari_qsm.compositing import (
    Sheet,
    compose,
    display_colours,
    label_colours,
    outlined,
    over,
    packed,
    unpacked,
)

RNG = np.random.default_rng(3)
SHAPE = (5, 7, 6)  # z, y, x
SCALE, TRANSLATE = (3.0, 1.5, 2.0), (-4.0, 2.0, 1.0)


def look(colouring="grey", window=(0.0, 1.0), low=None, high=None, colormap="magma"):
    return SimpleNamespace(
        colouring=colouring,
        colormap=colormap,
        window=window,
        threshold_low=low,
        threshold_high=high,
    )


def map_sheet(data, display, opacity=1.0, scale=SCALE, translate=TRANSLATE, smooth=False):
    return Sheet(data, scale, translate, display_colours(display, opacity), smooth)


def pixels(axis, count, backwards):
    """Middles of pixels along a display axis, from outside the data to outside."""
    first = TRANSLATE[2 - axis] - SCALE[2 - axis]
    end = TRANSLATE[2 - axis] + SCALE[2 - axis] * SHAPE[2 - axis]
    at = np.linspace(first, end, count)
    return at[::-1] if backwards else at


def naive(layers, plane, depth, across_mm, up_mm):
    """One pixel after the other: nearest voxel, its colour, laid over what is below."""
    out = np.zeros((len(up_mm), len(across_mm), 3))
    for row, up in enumerate(up_mm):
        for column, across in enumerate(across_mm):
            display = np.zeros(3)
            display[DEPTH_AXIS[plane]] = depth
            display[DRAWN_AXES[plane][0]], display[DRAWN_AXES[plane][1]] = across, up
            for data, rgba_of, scale, translate in layers:
                at = np.floor((display[::-1] - translate) / scale + 0.5).astype(int)
                if (at >= 0).all() and (at < data.shape).all():
                    rgba = np.asarray(rgba_of(data[tuple(at)]))
                    out[row, column] += rgba[3] * (rgba[:3] - out[row, column])
    return out * 255


def of_map(display, opacity=1.0):
    return lambda value: colours(np.array([value]), display)[0] * (1, 1, 1, opacity)


REGIONS = np.array([[0, 0, 0, 0], [1, 0, 0, 1], [0, 1, 0, 1], [0.2, 0.4, 1, 0]])


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("backwards", [True, False])
def test_each_pixel_has_the_colour_of_its_voxels(plane, backwards):
    grey = RNG.random(SHAPE).astype(np.float32)
    chi = RNG.normal(0, 1, SHAPE).astype(np.float32)
    chi[2:4, 3] = np.nan
    labels = RNG.integers(0, 4, SHAPE).astype(np.uint8)
    fine = RNG.integers(0, 3, (9, 8, 10)).astype(np.int32)  # on a grid of its own
    place = ((1.0, 0.9, 1.1), (0.0, 3.0, 2.0))
    below, above = look(), look("colour", (-1.0, 1.0), low=-0.2)
    sheets = [
        map_sheet(grey, below),
        map_sheet(chi, above, 0.7),
        Sheet(labels, SCALE, TRANSLATE, label_colours(lambda v: REGIONS[v % 4], 0.5)),
        Sheet(fine, *place, label_colours(lambda v: REGIONS[v % 4], 0.4)),
    ]
    half = np.array([1, 1, 1, 0.5])
    layers = [
        (grey, of_map(below), SCALE, TRANSLATE),
        (chi, of_map(above, 0.7), SCALE, TRANSLATE),
        (labels, lambda v: REGIONS[v] * half, SCALE, TRANSLATE),
        (fine, lambda v: REGIONS[v] * (1, 1, 1, 0.4), *place),
    ]
    across, up = DRAWN_AXES[plane]
    across_mm, up_mm = pixels(across, 31, backwards), pixels(up, 23, True)
    depth = TRANSLATE[2 - DEPTH_AXIS[plane]] + 2 * SCALE[2 - DEPTH_AXIS[plane]] + 0.2
    picture = compose(sheets, plane, depth, across_mm, up_mm)
    assert (picture >> 24 == 255).all()
    expected = naive(layers, plane, depth, across_mm, up_mm)
    assert np.abs(unpacked(picture) - expected).max() <= 2
    part = compose(sheets, plane, depth, across_mm[9:20], up_mm[4:17])
    np.testing.assert_array_equal(part, picture[4:17, 9:20])


def test_beside_the_volume_nothing_is_drawn():
    sheet = map_sheet(np.ones(SHAPE, np.float32), look(window=(0.0, 0.5)))
    x, y = pixels(0, 9, False), pixels(1, 9, True)
    bottom = TRANSLATE[0] - 0.5 * SCALE[0]
    assert unpacked(compose([sheet], "axial", bottom + 0.1, x, y)).max() == 255
    assert unpacked(compose([sheet], "axial", bottom - 0.1, x, y)).max() == 0
    assert unpacked(compose([], "axial", 0.0, x, y)).max() == 0
    assert unpacked(compose([sheet], "axial", bottom + 0.1, x + 100, y)).max() == 0


@pytest.mark.parametrize("display", [look(), look("inverted"), look("both sides", (-2.0, 2.0))])
def test_picture_and_figure_have_the_same_colours(display):
    """At the middles of its voxels a slice has the colours that figures give its values."""
    data = RNG.normal(0.3, 0.7, SHAPE).astype(np.float32)
    data[2, 0, :3] = np.nan, np.inf, -np.inf
    x = TRANSLATE[2] + SCALE[2] * np.arange(SHAPE[2])
    y = TRANSLATE[1] + SCALE[1] * np.arange(SHAPE[1])
    picture = compose([map_sheet(data, display)], "axial", TRANSLATE[0] + 2 * SCALE[0], x, y)
    rgba = colours(data[2], display)
    expected = np.rint(rgba[..., :3] * rgba[..., 3:] * 255)
    np.testing.assert_array_equal(unpacked(picture), expected)


def test_smooth_pictures_interpolate_values_not_colours():
    data = RNG.random(SHAPE).astype(np.float32)
    sheet = map_sheet(data, look("colour", colormap="jet"), smooth=True)
    x, y = pixels(0, 40, False), pixels(1, 30, True)
    picture = unpacked(compose([sheet], "axial", TRANSLATE[0] + SCALE[0], x, y))
    row, column = 13, 21
    fx, fy = (x[column] - TRANSLATE[2]) / SCALE[2], (y[row] - TRANSLATE[1]) / SCALE[1]
    x0, y0 = int(fx), int(fy)
    square = data[1, y0 : y0 + 2, x0 : x0 + 2]
    value = (1 - fy + y0, fy - y0) @ square @ (1 - fx + x0, fx - x0)
    expected = colours(np.array([value]), look("colour", colormap="jet"))[0, :3] * 255
    np.testing.assert_allclose(picture[row, column], expected, atol=2)


@pytest.mark.parametrize("values", [[0, 3, 300], [0, 70_000, 5], [-4, 0, 2]])
def test_any_label_has_a_colour(values):
    asked = []

    def rgba_of(labels):
        asked.append(len(labels))
        return np.stack([labels % 7 / 7, labels % 5 / 5, labels * 0, labels != 0], axis=-1)

    labels = np.array([values] * 3, dtype=np.int64)
    seen = label_colours(rgba_of)(labels)
    np.testing.assert_array_equal(seen, packed(rgba_of(labels)))
    assert max(asked[:-1]) <= 301


@pytest.mark.parametrize("thickness", [1, 2])
def test_outlines_are_what_is_next_to_something_else(thickness):
    labels = np.zeros((14, 16), np.uint8)
    labels[:9, 3:12], labels[9:12, 5:8] = 2, 3
    expected = labels.copy()
    for row, column in np.ndindex(labels.shape):
        reach = [
            labels[r, c]
            for r, c in np.ndindex(labels.shape)
            if abs(r - row) + abs(c - column) <= thickness
        ]
        near = [
            labels[r, c] for r, c in np.ndindex(labels.shape) if abs(r - row) + abs(c - column) <= 1
        ]
        if max(near) == min(reach):
            expected[row, column] = 0
    np.testing.assert_array_equal(outlined(labels, thickness), expected)


@pytest.mark.parametrize("thickness", [2, 3])
def test_outlines_are_lines_of_so_many_pixels_along_the_borders_of_voxels(thickness):
    """Against the distance of each pixel to those of other labels, one by one."""
    labels = np.zeros((7, 8), np.uint8)
    labels[1:6, 1:5], labels[4:6, 5:7] = 2, 3
    place = ((1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    sheet = Sheet(labels[None], *place, label_colours(lambda v: REGIONS[v % 4]), outline=thickness)
    x, y = np.arange(7.41, -0.4, -0.1), np.arange(-0.44, 6.4, 0.1)
    whole = compose([sheet], "axial", 0.0, x, y)
    row, column = (np.floor(mm + 0.5).astype(int) for mm in (y, x))
    pixels = labels[row][:, column]
    expected = np.zeros_like(pixels)
    for i, j in np.argwhere(pixels):
        near = [
            pixels[r, c]
            for r in range(max(i - thickness, 0), min(i + thickness + 1, len(y)))
            for c in range(max(j - thickness, 0), min(j + thickness + 1, len(x)))
            if abs(r - i) + abs(c - j) <= thickness
        ]
        # Where two regions meet, the line is drawn in the one with the higher number.
        next_to = [
            pixels[r, c]
            for r, c in ((i, j), (i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1))
            if 0 <= r < len(y) and 0 <= c < len(x)
        ]
        expected[i, j] = pixels[i, j] if max(next_to) != min(near) else 0
    colours = np.rint((REGIONS[:, :3] * REGIONS[:, 3:])[expected] * 255)
    np.testing.assert_array_equal(unpacked(whole), colours)
    part = compose([sheet], "axial", 0.0, x[7:40], y[9:31])
    np.testing.assert_array_equal(part, whole[9:31, 7:40])
    assert (compose([sheet], "axial", 0.0, x[30:31], y[20:21]) == whole[20:21, 30:31]).all()
    # Twice as near, the line is as broad on the screen.
    middle = unpacked(compose([sheet], "axial", 0.0, np.arange(0.02, 4.98, 0.05), np.array([3.02])))
    assert middle.any(axis=-1).sum() == 2 * thickness


def test_over_is_exact_to_a_grey_level():
    top, below = RNG.random((400, 4)), RNG.random((400, 4))
    below[:, 3] = 1
    got = unpacked(over(packed(top), packed(below)))
    expected = (top[:, 3:] * top[:, :3] + (1 - top[:, 3:]) * below[:, :3]) * 255
    assert np.abs(got - expected).max() <= 1.6
