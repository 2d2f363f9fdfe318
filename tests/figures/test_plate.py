"""The plate of regions: few slices, and what they leave out is said by name."""

import numpy as np
import pytest

from napari_qsm.figures.draw import render
from napari_qsm.figures.gather import Given
from napari_qsm.figures.subjects import Subject
from napari_qsm.figures.templates import from_template
from napari_qsm.io.label_table import Region
from tests.figures.makers import SHAPE, SOURCES, given, labels, volume

NAMES = ("Putamen", "Caudate nucleus", "Globus pallidus", "Thalamus", "Substantia nigra", "Pons")


def plate(rows):
    """The plate of one control; rows are slices with a region's voxels in each: (label, z, n)."""
    data = np.zeros(SHAPE, np.uint8)
    for label, z, voxels in rows:
        data[6 * label : 6 * label + 4, 10 : 10 + voxels // 4, z] = label
    table = {n: Region(n, name, "", "#ff6b6b", name[:3]) for n, name in enumerate(NAMES, 1)}
    sources = given(**{"control-regions": Given(volume(data, name="labels"), table)})
    subject = Subject("Control", "control", "control-regions", "control-magnitude")
    spec = from_template("fixed-shape-plate", [subject], SOURCES, sources)
    return spec, render(spec, sources, preview=True)


def slices_of(spec):
    """Numbers of the slices shown; the test's grid has 3 mm slices from -18 mm."""
    pictures = [panel for panel in spec.panels if panel.kind == "image"]
    return sorted(round((panel.slice_mm + 18) / 3) for panel in pictures)


def test_regions_that_no_slice_shows_are_named():
    apart = [(n, 2 * n - 2, 40 - 4 * n) for n in range(1, 7)]  # one slice each, six slices
    spec, drawn = plate(apart)
    assert len(slices_of(spec)) == 4
    left = {n for n, z, _ in apart if z not in slices_of(spec)}
    assert len(left) == 2
    [said] = [note for note in drawn.notes if "none of these slices" in note]
    for n, name in enumerate(NAMES, 1):
        assert (name.lower() in said) == (n in left)
    assert said.startswith("Control: ") and said in drawn.caption
    drawn_ones = drawn.caption.split("Regions drawn: ")[1].split(".")[0]
    assert {n for n, name in enumerate(NAMES, 1) if name.lower() in drawn_ones} == {
        *range(1, 7)
    } - left


def test_a_small_region_is_not_left_out_for_the_best_slices_of_others():
    # Five regions have their best slices apart, yet the fifth's is shared in part by the first:
    # slice 4 cuts a third of the putamen and all of the nigra.
    rows = [(n, 2 * n - 2, 40) for n in (2, 3, 4)] + [(1, 0, 36), (1, 8, 12), (5, 8, 8)]
    spec, drawn = plate(rows)
    assert slices_of(spec) == [2, 4, 6, 8]
    assert not any("none of these slices" in note for note in drawn.notes)
    assert "substantia nigra" in drawn.caption


@pytest.mark.parametrize("visits", [1, 2])
def test_the_plate_of_a_studys_visits_is_drawn_with_its_words_below(visits):
    from napari_qsm.figures.locator import LocatorPanel
    from napari_qsm.study.plate import arranged
    from tests.figures.makers import OTHERS, SOURCES, SUBJECTS

    made = from_template("fixed-shape-plate", SUBJECTS[:visits], SOURCES | OTHERS, given())
    where = LocatorPanel(maps=("control", "patient")[:visits])
    spec = arranged(made.model_copy(update={"panels": (*made.panels, where)}), visits)
    drawn = render(spec, given(), preview=True)
    assert drawn.notes == () and spec.unit == "ppb"
    pictures = [p for p in spec.panels if p.kind == "image"]
    assert {p.cell.column for p in pictures} == set(range(visits))
    below = [p for p in spec.panels if p.kind != "image"]
    assert [p.kind for p in below] == (["locator", "text"] if visits == 2 else ["text"])
    assert {p.cell.row for p in below} == {max(p.cell.row for p in pictures) + 1}


def test_nuclei_of_tables_without_abbreviations_are_written_short_and_told():
    names = {
        1: "Substantia nigra L",
        2: "right_dentate_nucleus",
        3: "Lateral ventricle L",
        4: "My spot",
    }
    table = {n: Region(n, name, "", "#ff6b6b") for n, name in names.items()}
    sources = given(**{"control-regions": Given(volume(labels(), name="labels"), table)})
    subject = Subject("Control", "control", "control-regions")
    spec = from_template("fixed-shape-plate", [subject], SOURCES, sources)
    drawn = render(spec, sources, preview=True)
    words = {w.text for w in drawn.page.written}
    assert {"SN", "DN", "LV", "My spot"} <= words
    (text,) = [p.text for p in spec.panels if p.kind == "text"]
    assert "SN, substantia nigra" in text and "LV, lateral ventricle" in text
