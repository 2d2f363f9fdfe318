"""The list of regions: each change, its undo, and its refusals."""

from functools import partial

import numpy as np
import pytest
from scipy import ndimage

from napari_qsm.errors import GeometryError, QsmError
from napari_qsm.io.label_table import Region
from napari_qsm.rois import edit
from napari_qsm.rois.presets import built_in_presets
from napari_qsm.rois.region import default_color, labels_present, shape_colour
from napari_qsm.session import Session, regions
from napari_qsm.volume import Volume

SHAPE = (20, 12, 8)
ROWS = {
    1: Region(1, "Putamen L", "left", "#ff0000"),
    2: Region(2, "Putamen R", "right", "#00ff00"),
    5: Region(5, "Both", "", "#0000ff"),
}


@pytest.fixture
def work():
    """A session, and a label map with three regions; x grows to the patient's right."""
    session = Session()
    data = np.zeros(SHAPE, np.uint8)
    data[2:5, 3:8, 2:6] = 1
    data[14:18, 3:8, 2:6] = 2
    data[8:12, 9:11, 1:3] = 5
    data[8:10, 1, 5] = 5  # a piece of its own
    entry = session.add(
        Volume(data, np.diag([1.0, 1, 2, 1]), name="regions"), role="labels", regions=dict(ROWS)
    )
    session.painted, session.active_region = entry.id, 1
    return session, entry


def names(entry):
    return {index: row.name for index, row in entry.regions.items()}


def test_new_map_lies_on_the_grid_and_goes_back_to_the_file_of_the_map_it_is_made_for():
    session = Session()
    affine = np.array([[0, 0.5, 0, 3], [-0.5, 0, 0, 4], [0, 0, -2, 5], [0, 0, 0, 1.0]])
    chi = session.add(
        Volume(np.zeros((6, 7, 8), np.float32), affine, unit="ppm", name="χ patient"),
        case=session.case_called("patient"),
    )
    preset = built_in_presets()[0]
    entry = regions.new_region_map(session, chi, preset.regions)
    assert entry.name == "regions patient" and session.case_of(entry).name == "patient"
    assert session.painted == entry.id and session.active_region == 1
    assert entry.editable.dtype == np.uint16 and entry.editable.flags.f_contiguous
    np.testing.assert_array_equal(entry.volume.affine, chi.volume.affine)
    np.testing.assert_array_equal(entry.volume.to_stored().affine, affine)
    assert entry.volume.to_stored().shape == (6, 7, 8) and entry.volume.unit == ""
    second = regions.new_region_map(session, chi)
    assert second.name == "regions patient 2" and session.active_region == 0


def test_add_rename_recolour_and_their_undo(work):
    session, entry = work
    new = regions.add_region(session, entry, "Caudate\tR ")
    assert new == 6 and entry.regions[6] == Region(6, "Caudate R", "right", entry.regions[6].color)
    regions.rename_region(session, entry, new, "Caudate L")
    assert entry.regions[6].side == "left"
    regions.recolour_region(session, entry, 1, "#ABCDEF")
    assert entry.regions[1].color == "#abcdef"
    regions.set_side(session, entry, 5, "left")
    for text in ("side of Both", "colour Putamen L", "rename Caudate R", "add Caudate R"):
        assert session.history.undo() == text
    assert entry.regions == ROWS
    for _ in range(4):
        session.history.redo()
    assert names(entry)[6] == "Caudate L" and entry.regions[5].side == "left"
    for name, words in (("", "needs a name"), ("putamen l", "already")):
        with pytest.raises(QsmError, match=words):
            regions.rename_region(session, entry, new, name)
    with pytest.raises(QsmError, match="says left"):
        regions.set_side(session, entry, 1, "right")


def test_undo_does_not_bring_hidden_or_locked_rows_back(work):
    session, entry = work
    regions.rename_region(session, entry, 1, "Shell L")
    regions.set_locked(entry, [1, 2], True)
    regions.set_visible(entry, [1], False)
    assert session.history.undo() == "rename Putamen L"
    row = entry.regions[1]
    assert (row.name, row.locked, row.visible) == ("Putamen L", True, False)
    assert session.history.undo_text == ""


def test_delete_and_merge_change_list_and_map_in_one_undo(work):
    session, entry = work
    before = entry.editable.copy()
    regions.delete_regions(session, entry, [1])
    assert 1 not in entry.regions and not (entry.editable == 1).any()
    assert session.active_region == 0
    assert session.history.undo() == "delete Putamen L" and session.history.undo_text == ""
    np.testing.assert_array_equal(entry.editable, before)
    assert entry.regions == ROWS
    regions.merge_regions(session, entry, 2, [1, 2, 5])
    np.testing.assert_array_equal(entry.editable == 2, before > 0)
    assert list(entry.regions) == [2]
    session.history.undo()
    np.testing.assert_array_equal(entry.editable, before)
    assert entry.regions == ROWS


def test_split_into_pieces(work):
    session, entry = work
    before = entry.editable.copy()
    assert regions.split_pieces(session, entry, 5) == [5, 6]
    assert (entry.editable == 5).sum() == 16 and (entry.editable == 6).sum() == 2
    assert names(entry)[6] == "Both 2"
    session.history.undo()
    np.testing.assert_array_equal(entry.editable, before)
    assert entry.regions == ROWS
    with pytest.raises(QsmError, match="in one piece"):
        regions.split_pieces(session, entry, 1)


def test_split_by_the_midline_puts_the_patients_right_right(work):
    session, entry = work
    left, right = regions.split_sides(session, entry, 5, 9.5)
    assert names(entry)[left] == "Both L" and names(entry)[right] == "Both R"
    assert entry.regions[left].side == "left" and entry.regions[right].side == "right"
    for label, side in ((left, -1), (right, 1)):
        x = entry.volume.voxel_to_world(np.argwhere(entry.editable == label))[:, 0]
        assert ((x - 9.5) * side > 0).all()
    session.history.undo()
    assert entry.regions == ROWS and (entry.editable == 5).sum() == 18
    with pytest.raises(QsmError, match="wholly on the left"):
        regions.split_sides(session, entry, 1, 9.5)


def test_sides_of_a_map_without_orientation_are_never_claimed():
    session = Session()
    volume = Volume(np.ones(SHAPE, np.uint8), np.eye(4), name="r", orientation_known=False)
    entry = session.add(volume, role="labels")
    with pytest.raises(QsmError, match="left and right are unknown"):
        regions.split_sides(session, entry, 1, 9.5)


def test_mirror_replaces_the_partner_and_twice_gives_the_region_back(work):
    session, entry = work
    before = entry.editable.copy()
    partner, missed = regions.mirror_region(session, entry, 1, 9.5)
    assert (partner, missed) == (2, 0)
    np.testing.assert_array_equal(entry.editable == 2, (before == 1)[::-1])
    np.testing.assert_array_equal(entry.editable == 5, before == 5)
    regions.mirror_region(session, entry, 2, 9.5)
    np.testing.assert_array_equal(entry.editable == 1, before == 1)
    assert session.history.undo() == "mirror Putamen L" and session.history.undo_text == ""
    np.testing.assert_array_equal(entry.editable, before)


def test_mirror_spares_other_regions_and_adds_a_missing_partner(work):
    session, entry = work
    regions.delete_regions(session, entry, [2])
    partner, missed = regions.mirror_region(session, entry, 1, 6.5)
    assert names(entry)[partner] == "Putamen R" and entry.regions[partner].side == "right"
    covered = np.zeros(SHAPE, bool)
    covered[9:12, 3:8, 2:6] = True
    np.testing.assert_array_equal(entry.editable == partner, covered)
    assert missed == 0
    assert session.history.undo() == "mirror Putamen L"
    assert list(entry.regions) == [1, 5]
    with pytest.raises(QsmError, match="no side"):
        regions.mirror_region(session, entry, 5, 9.5)
    entry.editable[9, 4, 3] = 5
    assert regions.mirror_region(session, entry, 1, 6.5)[1] == 1
    assert entry.editable[9, 4, 3] == 5


def test_locked_regions_are_left_alone(work):
    session, entry = work
    before = entry.editable.copy()
    regions.set_locked(entry, [2], True)
    for call in (
        lambda: regions.delete_regions(session, entry, [1, 2]),
        lambda: regions.merge_regions(session, entry, 1, [1, 2]),
        lambda: regions.split_sides(session, entry, 2, 9.5),
        lambda: regions.mirror_region(session, entry, 1, 9.5),
    ):
        with pytest.raises(QsmError, match="'Putamen R' is locked"):
            call()
    np.testing.assert_array_equal(entry.editable, before)
    assert session.history.undo_text == ""


def test_where_tools_may_write(work):
    _, entry = work
    values = np.array([0, 1, 2, 5, 9])
    write = partial(edit.may_write, values, 1)
    np.testing.assert_array_equal(write(protect=True), [1, 1, 0, 0, 0])
    np.testing.assert_array_equal(write(protect=True, erase=True), [0, 1, 0, 0, 0])
    np.testing.assert_array_equal(write(protect=False), [1, 1, 1, 1, 1])
    regions.set_locked(entry, [5], True)
    locked = edit.locked_labels(entry.regions)
    assert locked == (5,)
    np.testing.assert_array_equal(write(protect=False, locked=locked), [1, 1, 1, 0, 1])


def test_labels_without_a_row_get_one(work):
    _, entry = work
    entry.editable[0, 0, 0] = 300
    entry.regions = {1: "putamen left"}
    regions.list_labels(entry)
    assert list(entry.regions) == [1, 2, 5, 300] == labels_present(entry.editable)
    assert entry.regions[1].side == "left" and entry.regions[300].name == "Region 300"


def test_a_preset_adds_what_is_missing_without_touching_labels_in_use(work):
    session, entry = work
    entry.editable[0, 0, 0] = 3
    added = regions.add_regions(session, entry, built_in_presets()[0].regions)
    assert [names(entry)[i] for i in added] == ["Globus pallidus R", "Globus pallidus L"]
    assert added[0] == 4 and 3 not in added
    session.history.undo()
    assert entry.regions == ROWS


def test_midline_outside_the_map_is_refused(work):
    _, entry = work
    assert regions.plane_index(entry, 9.5, 0.0) == 9.5
    with pytest.raises(GeometryError, match="midline lies outside"):
        regions.plane_index(entry, -40.0, 0.0)


@pytest.mark.parametrize(
    "how", ["smooth", "shrink", "grow", "fill holes", "keep largest piece", "interpolate"]
)
def test_changes_of_shape_are_one_undo_and_spare_other_regions(work, how):
    session, entry = work
    entry.editable[2:5, 8, 2:6] = 5  # right beside the first region
    entry.editable[3, 5, 3] = 0  # a hole
    if how == "interpolate":
        entry.editable[..., 3][entry.editable[..., 3] == 1] = 0
    session.watch(entry)
    before = entry.editable.copy()
    if how == "interpolate":
        changed = regions.change_shape(session, entry, 1, how, across=2)
    else:
        changed = regions.change_shape(session, entry, 1, how, by_mm=1.0)
    after = entry.editable
    assert changed == (after != before).sum()
    assert (changed > 0) == (how != "keep largest piece")
    others = (before != 0) & (before != 1)
    np.testing.assert_array_equal(after[others], before[others])
    if how == "grow":
        near = ndimage.distance_transform_edt(before != 1, sampling=(1, 1, 2)) <= 1.0
        np.testing.assert_array_equal(after == 1, near & ~others)
    if changed:
        assert session.history.undo() == f"{how} Putamen L"
    np.testing.assert_array_equal(entry.editable, before)


def test_copying_a_slice_up(work):
    session, entry = work
    before = entry.editable.copy()
    assert regions.copy_region_slice(session, entry, 1, 2, 5, 6) == 15
    np.testing.assert_array_equal(entry.editable[..., 6] == 1, before[..., 5] == 1)
    session.history.undo()
    np.testing.assert_array_equal(entry.editable, before)


def test_refused_changes_leave_all_as_it_was(work):
    session, entry = work
    before = entry.editable.copy()
    with pytest.raises(QsmError, match="Nothing would be left"):
        regions.change_shape(session, entry, 1, "shrink", by_mm=9)
    regions.set_locked(entry, [1], True)
    with pytest.raises(QsmError, match="locked"):
        regions.change_shape(session, entry, 1, "grow", by_mm=1)
    new = regions.add_region(session, entry, "Pons")
    with pytest.raises(QsmError, match="Nothing is drawn of 'Pons'"):
        regions.change_shape(session, entry, new, "grow", by_mm=1)
    np.testing.assert_array_equal(entry.editable, before)


def test_a_mask_is_changed_like_a_region():
    session = Session()
    data = np.zeros(SHAPE, np.uint8)
    data[4:10, 3:9, 2:6] = 1
    mask = session.add(Volume(data, np.diag([1.0, 1, 2, 1]), name="brain"), role="mask")
    regions.change_shape(session, mask, 1, "shrink", by_mm=1)
    assert mask.editable[5:9, 4:8, 2:6].all() and mask.editable.sum() == 64
    assert session.history.undo() == "shrink brain"


def test_rows_fields_and_voxels_share_one_undo(work):
    session, entry = work
    before = entry.editable.copy()
    with session.history.group("all at once"):
        session.change("note", notes="seen")
        new = regions.add_region(session, entry, "Pons")
        session.edit_labels(entry, np.arange(9), new)
        session.change("note", notes="seen twice")
    assert session.history.undo() == "all at once"
    assert session.notes == "" and entry.regions == ROWS
    np.testing.assert_array_equal(entry.editable, before)
    session.history.redo()
    assert session.notes == "seen twice" and (entry.editable == new).sum() == 9


def test_a_fixed_shape_has_one_colour_in_views_and_table():
    table = {
        3: Region(3, "Putamen L", "left", "#112233"),
        4: Region(4, "Red nucleus R", "right", ""),
    }
    assert shape_colour("Putamen L", 0, table) == "#112233"
    assert shape_colour("Red nucleus R", 9, table) == default_color(4)
    assert shape_colour("elsewhere", 3, table) == default_color(3)
    assert shape_colour("", 3, table) == "#112233"
    assert shape_colour("", 0, table) not in {default_color(n) for n in range(1, 30)}
