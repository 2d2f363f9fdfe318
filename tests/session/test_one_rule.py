"""One label map for a map, in table and figure alike: the one that is being painted.

Expected numbers are taken with numpy from the arrays that the user draws on.
"""

import numpy as np
import pytest

from napari_qsm.figures.draw import render
from napari_qsm.io.region import Region
from napari_qsm.session import Session, regions
from napari_qsm.session.figure.from_session import make, wanted
from napari_qsm.session.table.numbers import Numbers
from napari_qsm.volume import Volume

SHAPE = (24, 28, 16)
ROWS = {
    1: Region(1, "Putamen L", "left", "#ff0000"),
    2: Region(2, "Putamen R", "right", "#0000ff"),
}


def grid(shape=SHAPE, at=0.0, size=2.0):
    affine = np.diag([size, size, size, 1.0])
    affine[:3, 3] = -(np.array(shape) - 1) * size / 2 + [at, 0, 0]
    return affine


def chi(seed, shape=SHAPE, at=0.0):
    values = np.random.default_rng(seed).normal(0.05, 0.02, shape).astype(np.float32)
    return Volume(values, grid(shape, at), unit="ppm", name=f"chi {seed}")


def drawing(left, right, shape=SHAPE, at=0.0):
    values = np.zeros(shape, np.uint16)
    values[left] = 1
    values[right] = 2
    return Volume(values, grid(shape, at), name="regions")


@pytest.fixture
def two_raters():
    session = Session()
    measured = session.add(chi(1), case=session.case_called("patient"))
    small = drawing(np.s_[4:8, 10:14, 6:10], np.s_[16:20, 10:14, 6:10])
    large = drawing(np.s_[3:9, 9:15, 5:11], np.s_[15:21, 9:15, 5:11])
    first = session.add(small, role="labels", name="AA", regions=ROWS, rater="AA")
    second = session.add(large, role="labels", name="BB", regions=ROWS, rater="BB")
    session.painted = second.id
    return session, measured, first, second


def figure_table(session, entry):
    what = wanted(session, "case-report-1", [("Patient", entry)], {}, {})
    spec = make(what, {})
    return render(spec, dict(what.given)).table


def test_table_and_figure_hold_the_numbers_of_the_labels_being_painted(two_raters):
    session, measured, first, second = two_raters
    session.edit_labels(second, np.array([0, 1, 2]), 1)  # a stroke
    for painted in (second, first):
        session.painted = painted.id
        inside = measured.volume.data[painted.editable == 1].astype(np.float64)
        numbers = Numbers(session)
        row = numbers.rows([numbers.shown(measured)], ranks=True, shapes=False)[0]
        held = row.measures[measured.id]
        assert row.name == "Putamen L" and held.voxels == inside.size
        assert held.mean == pytest.approx(inside.mean(), rel=1e-6)
        table = figure_table(session, measured)
        (left,) = (r for _, r in table.iterrows() if r["name"] == "Putamen L")
        assert left["voxels"] == inside.size
        assert left["mean_ppm"] == pytest.approx(inside.mean(), rel=1e-6)
    assert inside.size == 64


def test_heads_apart_mirror_each_about_its_own_midline():
    session = Session()
    shift = {"one": -2.0, "two": 4.0}  # mm; one and two voxels
    for name, at in shift.items():
        case = session.case_called(name)
        case.midline_mm = at
        session.add(chi(3, at=0.0), case=case)
        session.add(
            drawing(np.s_[4:8, 10:14, 6:10], np.s_[0:0, 0:0, 0:0]),
            role="labels",
            name=f"regions {name}",
            regions=ROWS,
            case=case,
        )
    for name, at in shift.items():
        case = session.study.case(name)
        (entry,) = case.of_role("labels")
        plane = float(entry.volume.world_to_voxel([case.midline_mm, 0, 0])[0])
        regions.mirror_region(session, entry, 1, plane)
        middles = [
            entry.volume.voxel_to_world(np.argwhere(entry.editable == k).mean(0)) for k in (1, 2)
        ]
        assert (middles[0][0] + middles[1][0]) / 2 == pytest.approx(at)
