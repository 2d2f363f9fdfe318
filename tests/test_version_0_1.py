"""Sessions, recovery folders, recipes and figure specs of version 0.1 open with all they hold.

Expected values are written down here or read with nibabel, never taken from the code that opens
the folders; ``tests/data/session-0.1/README.md`` says what is in them.
"""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from napari_qsm.recon.recipe import load_recipe
from napari_qsm.session import Session
from napari_qsm.session.folder import save_session
from napari_qsm.session.recovery import find_recoveries
from napari_qsm.session.store import read_session

DATA = Path(__file__).resolve().parent / "data"
PATIENT, CONTROL = (26, 30, 18), (24, 28, 16)
EVERYTHING = ("work", "portable", "work/previous", "recovery")


def copied(name, tmp_path, *, maps=True):
    """Copy a folder of version 0.1; returns the folder that is opened."""
    source = DATA / ("recovery-0.1" if name == "recovery" else "session-0.1")
    study = tmp_path / "study"
    shutil.copytree(source, study)
    if not maps:
        shutil.rmtree(study / "maps")
    return study / name


def opened(name, tmp_path, *, maps=True):
    """Open a folder of version 0.1; returns the session and what could not be brought back."""
    folder = copied(name, tmp_path, maps=maps)
    if name == "recovery":
        (recovery,) = find_recoveries(folder)
        saved = recovery.read()
    else:
        saved = read_session(folder)
    session = Session()
    problems = saved.problems + saved.into(session)
    return session, problems


def boxes(shape, *drawn):
    """Label values on a grid in RAS order: (label, x, y, z) with ends as Python counts them."""
    values = np.zeros(shape, np.uint16)
    for label, x, y, z in drawn:
        values[slice(*x), slice(*y), slice(*z)] = label
    return values


FIRST_READER = boxes(PATIENT, (1, (3, 7), (5, 9), (4, 8)), (2, (18, 22), (5, 9), (4, 8)))
OF_CONTROL = boxes(CONTROL, (1, (4, 8), (10, 15), (6, 9)), (2, (16, 20), (10, 15), (6, 9)))
BRAIN = boxes(PATIENT, (1, (2, 24), (2, 28), (2, 16)))


def second_reader(name):
    """Label values of the second reader: the stroke after the first save is not in 'previous'."""
    front = 10 if name == "work/previous" else 11
    return boxes(PATIENT, (1, (3, 7), (5, front), (4, 8)), (3, (8, 10), (6, 8), (5, 7)))


@pytest.mark.parametrize("name", EVERYTHING)
def test_every_map_is_there_with_its_values(tmp_path, name):
    session, problems = opened(name, tmp_path)
    assert problems == []
    assert [(e.name, e.role, session.case_of(e).name) for e in session] == [
        ("χ control", "map", "control"),
        ("patient_magnitude", "magnitude", "patient"),
        ("χ patient", "map", "patient"),
        ("χ made", "map", "patient"),
        ("control regions", "labels", "control"),
        ("regions AA", "labels", "patient"),
        ("regions BB", "labels", "patient"),
        ("brain mask", "mask", "patient"),
    ]
    i, j, k = np.indices(PATIENT)
    chi = ((i - 12) / 100 + j / 1000 - k / 2000).astype(np.float32)[::-1, ::-1]
    i, j, k = np.indices(CONTROL)
    np.testing.assert_array_equal(session.entry("χ patient").volume.data, chi)
    np.testing.assert_array_equal(session.entry("χ made").volume.data, chi * np.float32(0.5))
    np.testing.assert_array_equal(
        session.entry("χ control").volume.data, (k / 100 - i / 1000).astype(np.float32)
    )
    assert session.entry("patient_magnitude").volume.data[25, 29, 0] == 100
    assert session.entry("χ made").provenance == {
        "recipe": {"name": "case-report"},
        "warnings": ["A sentence: größer."],
    }
    assert {e.volume.unit for e in session if e.role == "map"} == {"ppm"}
    for entry in session:
        kept = nib.load(DATA / f"session-0.1/maps/{session.case_of(entry).name}_chi.nii.gz")
        stored = entry.volume.to_stored()
        np.testing.assert_array_equal(stored.affine, kept.affine)
        assert stored.data.shape == kept.shape


@pytest.mark.parametrize("name", EVERYTHING)
def test_what_was_drawn_is_there(tmp_path, name):
    session, _ = opened(name, tmp_path)
    drawn = {e.name: np.asarray(e.editable) for e in session if e.editable is not None}
    assert set(drawn) == {"control regions", "regions AA", "regions BB", "brain mask"}
    np.testing.assert_array_equal(drawn["control regions"], OF_CONTROL)
    np.testing.assert_array_equal(drawn["regions AA"], FIRST_READER)
    np.testing.assert_array_equal(drawn["regions BB"], second_reader(name))
    np.testing.assert_array_equal(drawn["brain mask"], BRAIN)
    for entry in session.of_role("labels"):
        assert [
            (
                index,
                region.index,
                region.name,
                region.side,
                region.color,
                region.abbreviation,
                region.visible,
                region.locked,
            )
            for index, region in sorted(entry.regions.items())
        ] == [
            (1, 1, "Putamen L", "left", "#ff6b6b", "Put L", True, False),
            (2, 2, "Putamen R", "right", "#d63a3a", "Put R", True, True),
            (3, 3, "Globus pallidus L", "left", "#ffd43b", "GP L", False, False),
        ]


@pytest.mark.parametrize("name", EVERYTHING)
def test_shapes_midline_marks_figure_rating_and_notes_are_there(tmp_path, name):
    session, _ = opened(name, tmp_path)
    cases = {case.name: case for case in session.cases}
    assert set(cases) == {"control", "patient"} and session.case is cases["patient"]
    (circle,), (ellipsoid,) = cases["patient"].shapes, cases["control"].shapes
    assert (circle.id, circle.kind, circle.size_mm, circle.slices) == (
        "circle-1",
        "circle",
        (6.0,),
        3,
    )
    assert (circle.side, circle.region, circle.region_name) == ("left", 1, "Putamen L")
    assert (circle.centre_mm, circle.snapped) == ((-15.0, 4.0, -2.0), True)
    assert (ellipsoid.id, ellipsoid.kind) == ("ellipsoid-1", "ellipsoid")
    assert (ellipsoid.size_mm, ellipsoid.rotation_deg) == ((8.0, 5.0, 6.0), 30.0)
    assert (ellipsoid.side, ellipsoid.snapped) == ("right", False)
    assert ellipsoid.centre_mm == (11.0, 5.0, -5.0)
    # Set while the patient was on show; the other head lies elsewhere.
    assert (cases["patient"].midline_mm, cases["control"].midline_mm) == (0.75, None)
    arrow, text = cases["patient"].annotations
    assert (arrow.kind, arrow.plane, arrow.at_mm) == ("arrow", "axial", (-12.0, 3.0, -2.0))
    assert (arrow.to_mm, arrow.meaning) == ((-20.0, 12.0, -2.0), "the putamen")
    assert (arrow.colour, arrow.id) == ("#ffcc00", "arrow-1")
    assert (text.kind, text.plane, text.text, text.size_pt) == ("text", "coronal", "Σ “x”", 9.0)
    assert_figure(session.figure)
    (rating,) = cases["patient"].ratings
    assert (rating.verdict, rating.rater) == ("doubtful", "AA")
    assert rating.comment == "Streaks at the front."
    assert rating.rated_at == datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    assert (rating.software_version, rating.chi_sha256) == ("0.1.0", "ab" * 32)
    assert session.notes == "seen twice – größer\nnext line"


def assert_figure(figure):
    control, patient, table = figure.panels
    assert [panel.kind for panel in figure.panels] == ["image", "image", "table"]
    assert (control.map, control.slice_mm) == ("control", -5.0)
    assert (control.letter, control.title) == ("A", "Control")
    assert (patient.map, patient.display, patient.scale_bar) == ("patient", "inverted", True)
    assert (patient.regions.labels, patient.regions.which) == ("patient-regions", (1, 2))
    assert patient.regions.style == "both"
    assert [mark.id for mark in patient.annotations] == ["arrow-1"]
    assert (table.measured[0].subject, table.which, table.cell.columns) == ("Patient", (1, 2), 2)
    assert figure.sources["patient-regions"].role == "labels"
    assert (figure.colour_bars[0].display, figure.caption) == ("inverted", "A draft – größer.")


@pytest.mark.parametrize("name", EVERYTHING)
def test_the_way_it_was_looked_at_is_there(tmp_path, name):
    session, _ = opened(name, tmp_path)
    assert (session.unit, session.radiological, session.blinded) == ("ppb", False, True)
    assert (session.layout, session.large_plane, session.mix) == (
        "compare",
        "coronal",
        "checkerboard",
    )
    assert session.crosshair_mm == (1.5, -2.0, 3.25) and not session.crosshair_visible
    assert (session.views_linked, session.windows_linked) == (False, True)
    assert session.case.name == "patient" and session.active_region == 3
    assert session.selected_entry.name == "χ patient"
    assert session.painted_entry.name == "regions BB"
    assert [session.entry(key).name for key in session.compared] == ["χ control", "χ patient"]
    display = session.entry("χ patient").display
    assert (display.colouring, display.window) == ("inverted", (-0.05, 0.15))
    assert display.threshold_low == 0.01
    assert session.entry("patient_magnitude").display.opacity == 0.75


@pytest.mark.parametrize("name", ["work", "portable", "recovery"])
def test_the_scan_and_how_it_was_reconstructed_are_there(tmp_path, name):
    session, _ = opened(name, tmp_path)
    scan, work = session.case.scan, session.case.reconstruction
    assert (scan.echo_times_s, scan.field_strength_t) == ((0.021,), 3.0)
    assert scan.metadata == {"Manufacturer": "GE", "PhaseEncodingDirection": "j"}
    i, j, k = np.indices(PATIENT)
    phase = np.sin((i + j + k) / 5).astype(np.float32)
    np.testing.assert_array_equal(scan.phase[0].to_canonical().data, phase[::-1, ::-1])
    assert scan.magnitude[0].to_canonical().data[25, 29, 0] == 100
    assert (work.facts.echo_times_s, work.facts.field_strength_t) == ((0.0205,), 2.89)
    stages = work.recipe().to_dict()["stages"]
    assert stages["background"]["method"] == "pdf" and stages["background"]["padding_mm"] == 15.0
    assert stages["inversion"]["method"] == "tkd" and stages["inversion"]["threshold"] == 0.15
    assert stages["unwrap"]["method"] == "quality-guided"


@pytest.mark.parametrize("name", ["work", "recovery"])
def test_when_the_maps_are_gone_the_drawings_are_there_and_it_is_said(tmp_path, name):
    session, problems = opened(name, tmp_path, maps=False)
    assert [e.name for e in session] == [
        "χ made",
        "control regions",
        "regions AA",
        "regions BB",
        "brain mask",
    ]
    np.testing.assert_array_equal(session.entry("regions BB").editable, second_reader(name))
    assert sum(len(case.shapes) for case in session.cases) == 2
    assert session.case.midline_mm == 0.75
    said = " ".join(problems)
    for file in ("control_chi.nii.gz", "patient_chi.nii.gz", "patient_magnitude.nii.gz"):
        assert file in said


def test_maps_that_moved_are_shown_once_and_stay_found(tmp_path):
    folder = copied("work", tmp_path)
    archive = tmp_path / "archive"
    shutil.move(folder.parent / "maps", archive)
    saved = read_session(folder)
    names = {each.file_name for each in saved.missing}
    assert names == {"control_chi.nii.gz", "patient_chi.nii.gz", "patient_magnitude.nii.gz"}
    for each in saved.missing:
        assert each.read_from(archive / each.file_name) == ""
    session = Session()
    problems = saved.into(session)
    np.testing.assert_array_equal(session.entry("regions BB").editable, second_reader("work"))
    chi = np.asanyarray(nib.load(archive / "patient_chi.nii.gz").dataobj)[::-1, ::-1]
    np.testing.assert_allclose(session.entry("χ patient").volume.data, chi, rtol=1e-6)
    assert all("phase" in problem for problem in problems)  # of the scan, that nobody showed
    save_session(session, folder)
    again = read_session(folder)
    assert again.missing == [] and len(list(session)) == 8


@pytest.mark.parametrize("name", EVERYTHING)
def test_it_can_be_saved_again_and_again_and_nothing_gets_lost(tmp_path, name):
    session, _ = opened(name, tmp_path)
    target = tmp_path / "study" / ("again" if name == "recovery" else name)
    for _ in range(3):
        save_session(session, target)
        shutil.rmtree(tmp_path / "study" / "recovery", ignore_errors=True)  # offered once only
        saved = read_session(target)
        session = Session()
        assert saved.problems + saved.into(session) == []
        np.testing.assert_array_equal(session.entry("regions BB").editable, second_reader(name))
        chi, made = session.entry("χ patient").volume.data, session.entry("χ made").volume.data
        np.testing.assert_array_equal(made, chi * np.float32(0.5))
        assert sum(len(case.shapes) for case in session.cases) == 2
        assert session.case.midline_mm == 0.75 and session.case.name == "patient"
        assert len(list(session)) == 8 and session.case.scan.phase[0].shape == PATIENT
        assert_figure(session.figure)


def test_figure_specs_open():
    """Marks of version 0.1 named a group that later ones do not know."""
    from napari_qsm.figures.spec import read_spec

    one = read_spec(DATA / "figures-0.1/case-report-1.json")
    assert [panel.kind for panel in one.panels] == ["image"] * 8 + ["table"]
    assert one.sources["patient-regions"].path == "patient/labels.nii.gz"
    two = read_spec(DATA / "figures-0.1/case-report-2.json")
    arrows = [mark for panel in two.panels for mark in getattr(panel, "annotations", ())]
    assert {mark.kind for mark in arrows} == {"arrow", "circle"}
    first = arrows[0]
    assert (first.at_mm, first.to_mm) == ((-26.8, 3.17, -2.5), (-34.8, 8.17, -2.5))
    assert (first.meaning, two.displays["colour"].colormap) == ("putamen", "inferno")


@pytest.mark.parametrize(
    ("name", "methods"),
    [
        ("case-report", "scale brain laplacian laplacian-sum vsharp star whole-mask"),
        ("consensus", "scale brain quality-guided weighted vsharp star whole-mask"),
        ("saved-with-a-session", "scale brain quality-guided weighted pdf tkd whole-mask"),
    ],
)
def test_recipe_files_open_and_mean_the_same(name, methods):
    recipe = load_recipe(DATA / f"recipes-0.1/{name}.yaml")
    chosen = {stage: choice.method.name for stage, choice in recipe.choices.items()}
    stages = ("phase", "mask", "unwrap", "echoes", "background", "inversion", "reference")
    assert chosen == dict(zip(stages, methods.split(), strict=True))
    if name == "saved-with-a-session":
        settings = recipe.choices["background"].settings
        assert (settings["padding_mm"], settings["max_iterations"]) == (15.0, 100)
        assert recipe.choices["mask"].settings["fill_holes_mm3"] == 200000.0
