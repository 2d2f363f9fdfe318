"""Names of regions: no leader crosses another one or a word, wherever the regions lie."""

import itertools

import numpy as np
import pytest
from matplotlib.path import Path

from napari_qsm.figures.frame import Frame
from napari_qsm.figures.lettering import Rect
from napari_qsm.figures.names import Name, write_column
from napari_qsm.figures.page import Page
from napari_qsm.figures.slices import View
from napari_qsm.figures.spec import Style

PICTURE = Rect(5, 5, 40, 50)


def written_on(edge, names, taken=()):
    page = Page(Style(width_mm=60), 60, 72)
    frame = Frame(page, PICTURE, View((0, 0), (40, 50)), "axial", 1)
    frame.taken.extend(taken)
    lost = write_column(frame, edge, names)
    leaders = [a.get_path() for a in page.axes.patches if a.get_linewidth() == 0.5]
    return page.written, leaders, lost


@pytest.mark.parametrize("edge", ["left", "right"])
def test_leaders_cross_neither_each_other_nor_words(edge):
    rng = np.random.default_rng(4)
    kept = 0
    for count in range(1, 13):
        at = rng.uniform((10, 6), (24, 54), (count, 2))
        if edge == "right":
            at[:, 0] = 2 * (PICTURE.left + 20) - at[:, 0]
        names = [
            Name(f"N{'o' * (k % 4)} {k}", f"N{k}", (float(x), float(y)), "#ff8800")
            for k, (x, y) in enumerate(at)
        ]
        taken = (Rect(5.7, 28, 3, 3), Rect(41, 28, 3, 3))  # letters of the sides
        written, leaders, lost = written_on(edge, names, taken)
        assert len(written) == len(leaders) == count - len(lost)
        kept += len(written)
        for one, other in itertools.combinations(leaders, 2):
            assert not one.intersects_path(other, filled=False)
        rects = [one.rect for one in written] + list(taken)
        for one, other in itertools.combinations(rects, 2):
            assert not one.overlaps(other)
        for leader, own in zip(leaders, written, strict=True):
            for rect in rects:
                box = Path.unit_rectangle().transformed(_onto(rect))
                assert rect is own.rect or not leader.intersects_path(box)
        assert {tuple(np.round(one.vertices[-1], 6)) for one in leaders} <= {
            tuple(np.round(name.at, 6)) for name in names
        }
    assert kept > 60  # of 78: few are given up


def _onto(rect):
    from matplotlib.transforms import Affine2D

    return Affine2D().scale(rect.width, rect.height).translate(rect.left, rect.top)


def test_the_side_is_left_away_where_it_leaves_no_room():
    near = Name("Put R", "Put", (PICTURE.left + 7.5, 20.0), "#ff8800")
    far = Name("Put R", "Put", (PICTURE.left + 15, 20.0), "#ff8800")
    assert written_on("left", [near])[0][0].text == "Put"
    assert written_on("left", [far])[0][0].text == "Put R"


def test_more_names_than_lines_are_told():
    names = [Name(f"N{k}", f"N{k}", (20.0, 6.0 + 0.5 * k), "#ff8800") for k in range(40)]
    written, _, lost = written_on("left", names)
    assert 10 < len(written) < 20 and len(lost) == 40 - len(written)
