"""Painted regions read without a window: contours by the rule, strokes kept, flags, handing in."""

import nibabel as nib
import numpy as np
import pytest

from napari_qsm.errors import QsmError
from napari_qsm.session.reading.desk import Desk
from napari_qsm.study.readings import read_reading
from napari_qsm.study.worklist import read_key
from tests.session.painting_study import LEFT, RIGHT, contours, make_painting_study
from tests.session.reading_study import move
from tests.study.cohort_maker import AFFINE, SHAPE, values


@pytest.fixture
def desks():
    """Return a function that opens desks, which are closed after the test."""
    made = []

    def sit_down(study, rater="AA"):
        made.append(Desk(study, rater))
        return made[-1]

    yield sit_down
    for desk in made:
        desk.close()


def files_of(study, code, rater="AA"):
    item = read_key(study)[code]
    scan = study.scan(*item.key)
    return scan.shapes(rater, item.reading), scan.dseg(rater, item.reading)


def on_disk(path):
    image = nib.load(path)
    np.testing.assert_array_equal(image.affine, AFFINE)
    return np.asanyarray(image.dataobj)


def test_a_first_visit_from_the_atlas_to_the_label_map(tmp_path, desks):
    study = make_painting_study(tmp_path / "s", [("01", "t0")])
    desk = desks(study)
    work = desk.open_next()
    assert work.step.words == "left putamen, painted"
    assert work.can_take
    np.testing.assert_array_equal(work.opened.contours.data, contours())
    # The view goes to the middle of the contour: voxel (10, 14, 5 or 6).
    middle = np.linalg.inv(AFFINE) @ [*work.middle_mm, 1]
    assert middle[:2] == pytest.approx([10, 14])
    assert work.missing().startswith("Putamen L, Putamen R, Caudate L must be placed or painted")
    work.take()
    shapes, dseg = files_of(study, work.code)
    np.testing.assert_array_equal(on_disk(dseg), np.where(contours() == LEFT, LEFT, 0))
    assert read_reading(shapes).record.painted == {"Putamen L": 5 * 5 * 4}
    # The first stroke begins with the contour, and goes on from there.
    assert work.take_contour()
    assert not work.take_contour()
    changed = np.array(work.painted.values)
    changed[20:22, 2, 5] = RIGHT
    work.paint(changed)
    np.testing.assert_array_equal(on_disk(dseg), changed)
    assert work.flags_in_hand() == ["in 2 pieces that do not touch"]
    # Killed here, it goes on there.
    desk.close()
    work = desks(study).open_next()
    np.testing.assert_array_equal(work.painted.values, changed)
    assert work.step.region_name == "Caudate L"
    with pytest.raises(QsmError, match="Nothing is suggested for Caudate L"):
        work.take()
    work.back()
    with pytest.raises(QsmError, match="Putamen R is painted: draw it"):
        work.place((0, 0, 0))
    work.not_visible("artefact")
    np.testing.assert_array_equal(work.painted.values, np.where(contours() == LEFT, LEFT, 0))
    assert work.step.region_name == "Caudate L"
    # Nine voxels (radius 3 mm) in three slices, of which three a slice lie in front of the putamen.
    work.place((-20.0, 2.0, 0.0))
    work.forward()
    said = {flag.region_name: flag.words for flag in work.unanswered}
    assert said == {"Caudate L": "shares 18 voxels with Putamen L"}
    work.answer(work.unanswered[0], "they touch")
    # Painted after all, it is visible.
    work.go_to("Putamen R")
    work.paint(np.where(contours() == RIGHT, RIGHT, work.painted.values))
    assert not work.reading.record.not_visible
    work.submit()
    kept = read_reading(shapes).record
    assert kept.state == "submitted"
    assert kept.painted == {"Putamen L": 100, "Putamen R": 100}
    labels = on_disk(dseg)
    np.testing.assert_array_equal(np.where(labels == 3, 0, labels), contours())
    with pytest.raises(QsmError, match="was handed in"):
        work.paint(changed)


def test_a_later_visit_starts_from_the_raters_own_first_contour(tmp_path, desks):
    study = make_painting_study(tmp_path / "s", [("01", "t0"), ("01", "t1")])
    turn = np.eye(4)
    turn[:3, 3] = (4.0, -2.0, 2.0)  # points of t1 to points of t0
    move(study, "01", "t1", turn)
    desk = desks(study)
    work = desk.open_next()
    painted = contours(1)
    painted[painted == RIGHT] = 0
    work.paint(painted)
    work.go_to("Putamen R")
    work.not_visible("not covered")
    work.place((-10.0, -10.0, 0.0))
    for flag in work.unanswered:
        work.answer(flag, "yes")
    work.submit()
    desk.handed_in(work)
    later = desk.open_next()
    # Voxels of 2 mm: the head lies two to the left, one to the front, one lower; what was not seen at
    # the first visit starts from the atlas.
    wanted = np.roll(painted, (-2, 1, -1), (0, 1, 2))
    wanted = np.where(wanted > 0, wanted, np.where(contours() == RIGHT, RIGHT, 0))
    np.testing.assert_array_equal(later.opened.contours.data, wanted)


def test_independent_reading_has_no_contour_and_wrong_sides_are_told(tmp_path, desks):
    study = make_painting_study(tmp_path / "s", [("01", "t0")], placement="independent")
    work = desks(study).open_next()
    assert work.opened.contours is None
    assert not work.can_take
    with pytest.raises(QsmError, match="Nothing is painted of Putamen L"):
        work.take()
    swapped = np.zeros(SHAPE, np.uint16)
    swapped[contours() == RIGHT], swapped[contours() == LEFT] = LEFT, RIGHT
    work.paint(swapped)
    assert work.flags_in_hand() == ["on the patient's right, but its region is left"]
    # Both on the right: between them lies no middle of a head.
    both = np.roll(np.where(contours() == LEFT, LEFT, 0), 14, 0)
    work.paint(np.where(contours() == RIGHT, RIGHT, both))
    assert work.flags_in_hand() == ["on the patient's right, but its region is left"]
    work.paint(contours())
    assert not work.flags_in_hand()
    nothing = swapped * 0
    work.paint(nothing)
    assert work.state_of(work.step) == "waiting"
    with pytest.raises(QsmError, match="must be placed or painted"):
        work.submit()


def test_values_amendment_and_a_map_made_anew(tmp_path, desks):
    visits = [("01", "t0"), ("02", "t0")]
    more = "show_values_after_submit: true\n"
    study = make_painting_study(tmp_path / "s", visits, placement="suggested", more=more)
    desk = desks(study)
    work = desk.open_next()
    work.take()
    work.take()
    work.not_visible("lesion")
    for flag in work.unanswered:
        work.answer(flag, "yes")
    work.submit()
    key = read_key(study)[work.code]
    chi = nib.load(study.scan(*key.key).map).get_fdata() * 1000
    rows = {name: numbers for name, numbers, _ in desk.values(work)}
    assert rows["Putamen R"].mean == pytest.approx(chi[contours() == RIGHT].mean(), rel=1e-5)
    desk.handed_in(work)
    again = desk.open_submitted(work.code)
    again.go_to("Putamen L")
    again.paint(contours(1))
    again = desk.open_submitted(work.code)  # left and taken up again before it is handed in
    np.testing.assert_array_equal(again.painted.values, contours(1))
    shapes, dseg = files_of(study, work.code)
    np.testing.assert_array_equal(on_disk(dseg), contours())
    for flag in again.unanswered:
        again.answer(flag, "yes")
    again.submit("a voxel further")
    np.testing.assert_array_equal(on_disk(dseg), contours(1))
    assert read_reading(shapes).record.amended == ("a voxel further",)
    assert not list((study.reading / "amending").iterdir())
    # The other one is begun; then its map is made anew.
    other = desk.open_next()
    other.take()
    _, dseg = files_of(study, other.code)
    before = on_disk(dseg)
    scan = study.scan(*read_key(study)[other.code].key)
    nib.save(nib.Nifti1Image(values(77), AFFINE), scan.map)
    other = desk.open_next()
    assert other.opened.stale
    with pytest.raises(QsmError, match="begin it anew"):
        other.paint(contours())
    other.begin_anew()
    assert not other.painted.values.any()
    assert not dseg.exists()
    kept = list((study.reading / "amended").glob(f"{scan.stem}*_dseg.nii.gz"))
    np.testing.assert_array_equal(on_disk(kept[0]), before)
    other.take()
    np.testing.assert_array_equal(on_disk(dseg), before)
