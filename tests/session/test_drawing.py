"""Strokes and growth without a window: what they write, spare and refuse."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import ndimage

from napari_qsm.anatomy import DisplayFrame
from napari_qsm.errors import QsmError
from napari_qsm.session import Session
from napari_qsm.session.growth import Growth, mask_for
from napari_qsm.session.painting import (
    PaintOptions,
    find_edges,
    find_limit,
    find_target,
)
from napari_qsm.session.regions import add_region, new_region_map
from napari_qsm.session.stroke import Stroke
from napari_qsm.session.tool_words import next_click
from napari_qsm.volume import Volume

SHAPE, SIZE = (24, 20, 10), np.array([1.0, 1.5, 2.0])


@dataclass
class View:
    plane: str = "axial"


@pytest.fixture
def session():
    """A map in ppb with an edge at x = 12, and two empty regions."""
    made = Session()
    values = np.where(np.indices(SHAPE)[0] < 12, 20.0, 120.0).astype(np.float32)
    chi = made.add(Volume(values, np.diag([*SIZE, 1.0]), unit="ppb", name="χ"), role="map")
    entry = new_region_map(made, chi)
    for name in ("Putamen L", "Putamen R"):
        add_region(made, entry, name)
    made.history.clear()
    made.active_region = 1
    return made


def target_of(session):
    return find_target(session, frame_of(session))


def frame_of(session):
    return DisplayFrame(session.maps[0].shown)


def place(session, *index):
    """Display mm of a voxel's centre."""
    target = target_of(session)
    return np.array(index) * target.scale + np.array(target.translate)


def stroke_of(session, options, **more):
    return Stroke(session, options, target_of(session), None, View(), **more)


def test_growth_reads_its_limits_in_the_unit_of_the_map(session):
    options = PaintOptions(kind="grow", window_ppm=(0.1, 0.15), radius_mm=4.0)
    target = target_of(session)
    growth = Growth(session, options, target, View(), (15, 9, 4))
    limit = find_limit(session, session.maps[0], target, options.window_ppm)
    growth.follow(limit)
    i, j = np.ogrid[:24, :20]
    wanted = ((i - 15) ** 2 + (1.5 * (j - 9)) ** 2 <= 16.0) & (i >= 12)
    assert growth.at.size == wanted.sum() and growth.volume_mm3 == pytest.approx(3 * wanted.sum())
    assert growth.limits_here(limit) == (120.0, 120.0)
    said, ready = next_click(
        session, frame_of(session), options, "axial", session.maps[0], growth=growth
    )
    assert ready and f"{wanted.sum()} voxels" in said and "Enter" in said
    growth.take()
    labels = session.entry(session.painted).editable
    np.testing.assert_array_equal(labels[..., 4] == 1, wanted)
    assert labels.sum() == wanted.sum() and session.history.undo() == "grow Putamen L"


def test_growth_says_why_nothing_grows(session):
    options = PaintOptions(kind="grow", window_ppm=(0.1, 0.15))
    target = target_of(session)
    limit = find_limit(session, session.maps[0], target, options.window_ppm)
    growth = Growth(session, options, target, View(), (3, 9, 4))
    growth.follow(limit)
    assert "outside the limits" in growth.problem and not growth.at.size
    assert (
        "another seed"
        in next_click(session, frame_of(session), options, "axial", session.maps[0], growth=growth)[
            0
        ]
    )
    target.entry.editable[15, 9, 4] = 2
    growth = Growth(session, options, target, View(), (15, 9, 4))
    growth.follow(limit)
    assert "another region" in growth.problem
    options.protect = False
    growth.follow(limit)
    assert growth.at.size and not growth.problem
    inside = np.zeros(SHAPE, np.uint8)
    inside[16:] = 1
    mask = session.add(Volume(inside, np.diag([*SIZE, 1.0]), name="brain"), role="mask")
    assert mask_for(session, target.entry) is mask
    options.inside_mask = True
    growth.follow(limit)
    assert "outside the mask 'brain'" in growth.problem
    with pytest.raises(QsmError, match="outside the map"):
        Growth(session, options, target, View(), (24, 0, 0))


def test_the_adaptive_brush_needs_a_map_on_the_grid(session):
    target = target_of(session)
    assert find_edges(session, target.entry, target) is session.maps[0]  # labels have no edges
    other = session.add(
        Volume(np.ones((5, 5, 5), np.float32), np.eye(4), name="magnitude"), role="magnitude"
    )
    with pytest.raises(QsmError, match="one grid"):
        find_edges(session, other, target)
    options = PaintOptions(kind="adaptive", diameter_mm=8.0)
    said, ready = next_click(session, frame_of(session), options, "axial", other)
    assert not ready and "one grid" in said
    stroke = stroke_of(session, options, edges=session.maps[0])
    stroke.sweep(place(session, 14, 9, 4), place(session, 14, 9, 4))
    painted = np.argwhere(target.entry.editable == 1)
    assert painted[:, 0].min() == 12 and len(painted) > 10
    session.remove(session.maps[0])
    assert not stroke.is_alive


@pytest.mark.parametrize("protect", [True, False])
def test_pushing_in_takes_from_this_region_alone(session, protect):
    labels = session.entry(session.painted).editable
    labels[8:14, 5:12, 4] = 1
    labels[14:17, 5:12, 4] = 2
    options = PaintOptions(kind="push", diameter_mm=3.0, protect=protect)
    stroke = stroke_of(session, options)
    assert 0 < stroke.push(place(session, 18, 8, 4)) <= 3.0
    before = labels.copy()
    stroke.sweep(place(session, 18, 8, 4), place(session, 12, 8, 4))
    assert ((before == 2) == (labels == 2)).all()
    assert (labels == 1).sum() < (before == 1).sum()
    # From inside outwards: other regions give way only where they are not spared.
    labels[:] = before
    stroke = stroke_of(session, options)
    stroke.push(place(session, 11, 8, 4))
    stroke.sweep(place(session, 11, 8, 4), place(session, 16, 8, 4))
    assert ((labels == 2) == (before == 2)).all() == protect


def test_an_opened_outline_keeps_holes_and_other_pieces(session):
    labels = session.entry(session.painted).editable
    i, j = np.ogrid[:24, :20]
    ring = ((i - 10) ** 2 + (j - 9) ** 2 <= 36) & ((i - 10) ** 2 + (j - 9) ** 2 > 4)
    labels[..., 4] = ring
    labels[20:22, 15:17, 4] = 1
    before = labels.copy()
    stroke = stroke_of(session, PaintOptions(kind="polygon"))
    stroke.open_outline(place(session, 4, 9, 4))
    hole = ndimage.binary_fill_holes(ring) & ~ring
    assert hole.sum() > 4 and stroke.holes.size == hole.sum()
    stroke.outline()
    np.testing.assert_array_equal(labels, before)
    # Moved by two voxels: the hole stays open, the other piece stays as it is.
    stroke = stroke_of(session, PaintOptions(kind="polygon"))
    stroke.open_outline(place(session, 4, 9, 4))
    stroke.points = [point + np.array([2.0, 0, 0]) for point in stroke.points]
    stroke.outline()
    solid = np.roll(ndimage.binary_fill_holes(ring), 2, axis=0)
    wanted = solid & ~hole
    wanted[20:22, 15:17] = True
    np.testing.assert_array_equal(labels[..., 4] == 1, wanted)
    assert session.history.undo() == "reshape Putamen L"
    np.testing.assert_array_equal(labels, before)
    with pytest.raises(QsmError, match="nothing on this slice"):
        stroke_of(session, PaintOptions(kind="polygon")).open_outline(place(session, 4, 9, 7))
    with pytest.raises(QsmError, match="outside the region map"):
        stroke_of(session, PaintOptions(kind="polygon")).open_outline(place(session, 4, 9, 70))
