"""Lines that tell where slices lie, against their millimetres."""

import numpy as np
import pytest

from napari_qsm.errors import QsmError
from napari_qsm.figures.draw import render
from napari_qsm.figures.locator import LINE_COLOUR, LocatorPanel
from napari_qsm.figures.panels import ImagePanel, MosaicPanel
from napari_qsm.figures.parts import Display
from napari_qsm.figures.spec import FigureSpec, Style
from tests.figures.makers import SOURCES, given


def lines_of(drawn):
    """Heights of the yellow lines, mm from the top of the page."""
    yellow = [a for a in drawn.page.axes.patches if _hex(a.get_edgecolor()) == LINE_COLOUR]
    return [a.get_path().vertices for a in yellow]


def _hex(colour):
    return "#" + bytes(round(255 * part) for part in colour[:3]).hex()


def spec_of(*panels, locator):
    return FigureSpec(
        sources=SOURCES,
        displays={"grey": Display()},
        panels=(*panels, locator),
        columns=len(panels) + 1,
        style=Style(width_mm=120),
    )


def test_axial_slices_are_lines_at_their_heights():
    heights = (-6.0, 0.0, 9.0)
    panels = [ImagePanel(map="control", slice_mm=mm) for mm in heights]
    drawn = render(spec_of(*panels, locator=LocatorPanel(maps=("control",))), given(), preview=True)
    lines = lines_of(drawn)
    assert len(lines) == 3
    place = drawn.panels[-1]
    for path in lines:  # level, from the back of the map to its front
        assert np.ptp(path[:, 1]) == pytest.approx(0, abs=1e-6)
    # The head fills all 48 voxels of 1.2 mm from front to back but a few, so one mm of it is:
    y = [float(path[0, 1]) for path in lines]
    scale = (y[0] - y[2]) / 15.0
    assert (y[0] - y[1]) / scale == pytest.approx(6.0)
    length = np.ptp(lines[0][:, 0]) / scale
    assert length == pytest.approx(48 * 1.2, rel=1e-6)
    assert place.top < y[2] < y[0] < place.bottom
    assert "small sagittal pictures: where the slices lie" in drawn.caption


def test_planes_that_the_small_picture_cannot_show_have_no_line():
    across = ImagePanel(map="control", plane="sagittal", slice_mm=0)
    many = MosaicPanel(map="control", plane="coronal", count=3, columns=3)
    locator = LocatorPanel(maps=("control",), images=("control-magnitude",))
    drawn = render(spec_of(across, many, locator=locator), given(), preview=True)
    lines = lines_of(drawn)
    assert len(lines) == 3 and all(np.ptp(path[:, 0]) < 1e-6 for path in lines)
    with pytest.raises(QsmError, match="shows no slice of 'Control' that crosses"):
        render(spec_of(across, locator=locator), given(), preview=True)
