"""What lies where: sides, millimetres, slices, outlines."""

import itertools

import numpy as np
import pytest

from napari_qsm.errors import QsmError
from napari_qsm.figures.annotations import Annotation
from napari_qsm.figures.draw import render
from napari_qsm.figures.gather import Given
from napari_qsm.figures.panels import ImagePanel, MosaicPanel
from napari_qsm.figures.parts import BoxCrop, Display, RegionsCrop
from napari_qsm.figures.spec import ColourBar, FigureSpec, Source, Style
from napari_qsm.rois.outlines import outlines
from napari_qsm.volume import Volume
from tests.figures.makers import SHAPE, bare, chi, drawn_colours, drawn_pixels, given, volume

ORIENTATIONS = [
    (order, flips)
    for order in itertools.permutations(range(3))
    for flips in itertools.product((1, -1), repeat=3)
]


def spot_volume(order, flips, spot_mm, size=(2.0, 3.0, 4.0), shape=(14, 12, 10)):
    """A volume stored in any axis order with one bright voxel at a place in RAS mm."""
    ras = np.zeros(shape, dtype=np.float32)
    affine = np.diag([*size, 1.0])
    affine[:3, 3] = -(np.array(shape) // 2) * np.array(size)
    voxel = np.rint((np.array(spot_mm) - affine[:3, 3]) / size).astype(int)
    ras[tuple(voxel)] = 1.0
    ras[0, 0, 0] = 0.01
    data = ras.transpose(order)[tuple(slice(None, None, f) for f in flips)]
    turn = np.zeros((4, 4))
    turn[3, 3] = 1
    for new, (old, flip) in enumerate(zip(order, flips, strict=True)):
        turn[old, new] = flip
        turn[old, 3] = 0 if flip > 0 else shape[old] - 1
    return Volume(data, affine @ turn, unit="ppm", name="spot")


def centre_of_light(pixels):
    """Where the bright spot is, as parts of the width and the height."""
    rows, columns = np.nonzero(pixels > 200)
    return columns.mean() / pixels.shape[1], rows.mean() / pixels.shape[0]


@pytest.mark.parametrize(("order", "flips"), ORIENTATIONS)
def test_a_voxel_on_the_right_is_drawn_on_the_right_side(order, flips):
    spot = (8.0, 9.0, 4.0)  # right, front, top
    one = {"m": Given(spot_volume(order, flips, spot))}
    for radiological in (True, False):
        spec = bare(ImagePanel(map="m", through_mm=spot), radiological=radiological)
        x, y = centre_of_light(drawn_pixels(spec, one))
        assert (x < 0.5) == radiological
        assert y < 0.5
    x, y = centre_of_light(
        drawn_pixels(bare(ImagePanel(map="m", plane="coronal", through_mm=spot)), one)
    )
    assert x < 0.5 and y < 0.5
    x, y = centre_of_light(
        drawn_pixels(bare(ImagePanel(map="m", plane="sagittal", through_mm=spot)), one)
    )
    assert x < 0.5 and y < 0.5  # the nose is on the left


def test_the_spot_lies_where_its_millimetres_say():
    one = {"m": Given(spot_volume((0, 1, 2), (1, 1, 1), (8.0, 9.0, 4.0)))}
    x, y = centre_of_light(drawn_pixels(bare(ImagePanel(map="m", slice_mm=4)), one))
    # The grid reaches from -15 to 13 mm across and from -19.5 to 16.5 mm up.
    assert x == pytest.approx((13 - 8) / 28, abs=0.01)
    assert y == pytest.approx((16.5 - 9) / 36, abs=0.01)


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_pictures_have_the_shape_of_their_millimetres(plane):
    spec = bare(ImagePanel(map="control", plane=plane, through_mm=(0, 0, 0)))
    drawn = render(spec, given())
    width, height = {"axial": (60.0, 57.6), "coronal": (60.0, 36.0), "sagittal": (57.6, 36.0)}[
        plane
    ]
    panel = drawn.panels[0]
    assert panel.width / panel.height == pytest.approx(width / height, rel=1e-6)


def test_values_become_the_colours_of_the_window_unchanged():
    ramp = np.tile(np.linspace(0, 1, 16, dtype=np.float32)[:, None, None], (1, 16, 2))
    one = {"m": Given(Volume(ramp, np.diag([1, 1, 1, 1.0]), unit="ppm"))}
    pixels = drawn_pixels(bare(ImagePanel(map="m", slice_index=1), radiological=False), one)
    row = pixels[pixels.shape[0] // 2]
    at = (np.arange(16) + 0.5) / 16 * row.size
    np.testing.assert_allclose(row[at.astype(int)], np.linspace(0, 255, 16), atol=1.5)


def test_ppb_and_ppm_maps_look_the_same():
    panel = ImagePanel(map="m", slice_mm=0)
    spec = bare(panel).model_copy(update={"displays": {"grey": Display(window=(-0.1, 0.2))}})
    ppm = drawn_pixels(spec, {"m": Given(volume(chi(), unit="ppm"))})
    ppb = drawn_pixels(spec, {"m": Given(volume(chi() * 1000, unit="ppb"))})
    np.testing.assert_allclose(ppm, ppb, atol=1)


def test_an_oblique_scan_is_drawn_in_its_own_grid():
    turn = np.deg2rad(20)
    rotation = np.array(
        [[1, 0, 0], [0, np.cos(turn), -np.sin(turn)], [0, np.sin(turn), np.cos(turn)]]
    )
    affine = np.eye(4)
    affine[:3, :3] = rotation * np.array([1.5, 1.2, 3.0])
    affine[:3, 3] = rotation @ np.array([-30, -28, -18])
    tilted = {"m": Given(Volume(chi(), affine, unit="ppm"))}
    straight = {"m": Given(volume(chi(), unit="ppm"))}
    panel = ImagePanel(map="m", slice_index=7)
    np.testing.assert_array_equal(
        drawn_pixels(bare(panel), tilted), drawn_pixels(bare(panel), straight)
    )
    through = tuple(affine[:3, :3] @ [20, 24, 6] + affine[:3, 3])
    np.testing.assert_array_equal(
        drawn_pixels(bare(ImagePanel(map="m", through_mm=through)), tilted),
        drawn_pixels(bare(panel), straight),
    )
    said = render(bare(panel), tilted).caption
    assert "tilted" in said


def test_slices_by_number_by_position_and_through_a_point_agree():
    pixels = [
        drawn_pixels(bare(panel), given())
        for panel in (
            ImagePanel(map="control", slice_index=8),
            ImagePanel(map="control", slice_mm=3.0),
            ImagePanel(map="control", through_mm=(5, -3, 4.2)),
        )
    ]
    np.testing.assert_array_equal(pixels[0], pixels[1])
    np.testing.assert_array_equal(pixels[0], pixels[2])


def test_outlines_enclose_exactly_the_voxels():
    from matplotlib.path import Path

    rng = np.random.default_rng(3)
    for _ in range(20):
        inside = rng.random((9, 11)) > 0.5
        centres = np.argwhere(np.ones_like(inside))
        crossings = np.zeros(len(centres), dtype=int)
        for path in outlines(inside):
            closed = Path(np.vstack([path, path[:1]]), closed=True)
            crossings += closed.contains_points(centres)
            steps = np.abs(np.diff(np.vstack([path, path[:1]]), axis=0))
            assert (steps.min(axis=1) == 0).all()  # along voxel borders only
        np.testing.assert_array_equal(crossings % 2 == 1, inside.ravel())
    assert outlines(np.zeros((3, 3), dtype=bool)) == []


def test_outlines_and_marks_lie_over_their_voxels():
    """A region's outline and a circle around it are drawn around the bright voxels."""
    from napari_qsm.figures.parts import Regions

    spot = (8.0, 9.0, 4.0)
    dot = spot_volume((0, 1, 2), (1, 1, 1), spot)
    sources = {
        "m": Given(dot),
        "l": Given(dot.with_data((dot.data == 1).astype(np.uint8), unit="")),
    }
    circle = Annotation(
        kind="circle", plane="axial", at_mm=spot, radii_mm=(4, 4), colour="#00ff00", id="c"
    )
    panel = ImagePanel(
        map="m",
        slice_mm=4,
        regions=Regions(labels="l", own_colours={1: "#ff0000"}),
        annotations=(circle,),
    )
    rgb = drawn_colours(bare(panel), sources)
    red = np.argwhere((rgb[..., 0] > 180) & (rgb[..., 1] < 90))
    green = np.argwhere((rgb[..., 1] > 180) & (rgb[..., 0] < 90))
    x, y = (13 - 8) / 28, (16.5 - 9) / 36
    for found in (red, green):
        middle = (found.min(axis=0) + found.max(axis=0)) / 2 / rgb.shape[:2]
        np.testing.assert_allclose(middle, (y, x), atol=0.015)
    # 8 mm across, in a picture of 28 mm.
    assert np.ptp(green[:, 1]) / rgb.shape[1] == pytest.approx(8 / 28, abs=0.03)


def test_crops_show_the_millimetres_asked_for():
    box = BoxCrop(centre_mm=(17, 0, 0), size_mm=(20, 10))
    spec = FigureSpec(
        displays={"grey": Display()},
        panels=(ImagePanel(map="control", slice_mm=0, crop=box),),
        columns=1,
        style=Style(width_mm=60),
    )
    panel = render(spec, given(), preview=True).panels[0]
    assert panel.width / panel.height == pytest.approx(2)
    around = RegionsCrop(labels="control-regions", which=(1, 2), margin_mm=5)
    wide = spec.model_copy(update={"panels": (ImagePanel(map="control", slice_mm=0, crop=around),)})
    panel = render(wide, given(), preview=True).panels[0]
    found = np.argwhere(np.isin(given()["control-regions"].volume.data, (1, 2)))
    reach = (np.ptp(found, axis=0) + 1) * (1.5, 1.2, 3.0) + 10
    assert panel.width / panel.height == pytest.approx(reach[0] / reach[1])


def test_a_mosaic_shows_each_slice_once_and_keeps_inside_the_map():
    panel = MosaicPanel(map="control", first_mm=-15, last_mm=15, count=40, columns=4)
    spec = bare(ImagePanel(map="control", slice_mm=0)).model_copy(update={"panels": (panel,)})
    drawn = render(spec, given(), preview=True)
    assert "11 from I 15.0 mm to S 15.0 mm" in drawn.caption
    assert SHAPE[2] == 12
    beyond = panel.model_copy(update={"last_mm": 90.0})
    with pytest.raises(QsmError, match="outside the map"):
        render(spec.model_copy(update={"panels": (beyond,)}), given(), preview=True)


@pytest.mark.parametrize("where", ["right", "bottom"])
def test_a_bar_has_a_tip_where_shown_values_go_beyond_it(where):
    """One triangle at each end beyond which values go, none where they end within."""

    def tips(window):
        values = np.linspace(0.0, 0.4, 4 * 5 * 3, dtype=np.float32).reshape(4, 5, 3)
        panel = ImagePanel(map="m", slice_index=1, scale_bar=False)
        spec = bare(panel).model_copy(
            update={
                "sources": {"m": Source(name="m")},
                "displays": {"grey": Display(window=window)},
                "colour_bars": (ColourBar(display="grey", where=where),),
            }
        )
        drawn = render(spec, {"m": Given(volume(values, unit="ppm"))})
        shapes = [a.get_path().vertices for a in drawn.page.axes.patches if hasattr(a, "get_path")]
        return sum(len(points) == 4 for points in shapes)  # a triangle, closed

    assert tips((-0.1, 0.5)) == 0
    assert tips((-0.1, 0.2)) == 1
    assert tips((0.2, 0.5)) == 1
    assert tips((0.15, 0.25)) == 2
