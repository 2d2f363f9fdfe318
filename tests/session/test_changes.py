"""Changes between visits against plain sums of numpy over the voxels that were drawn or placed."""

import json

import numpy as np
import openpyxl
import pandas as pd
import pytest

from napari_qsm.errors import MetadataError
from napari_qsm.rois.exports import write_table
from napari_qsm.rois.repeatability import LITERATURE, Repeatability
from napari_qsm.rois.shapes import FixedShape, snap
from napari_qsm.session import Session
from napari_qsm.session.table.changes import (
    about_changes,
    changes_of,
    content_of_changes,
    frame_of_changes,
    meanings_of_changes,
)
from napari_qsm.session.visits import show_visits
from napari_qsm.study.folder import make_study
from napari_qsm.study.protocol import load_protocol
from napari_qsm.study.repeated import repeatability_of
from napari_qsm.study.visit_link import VisitLink
from napari_qsm.volume import Volume

#: The second head lies 4 mm further to the right, 2 mm further down, on a grid of the same voxels.
SHIFT = np.array([4.0, 0.0, -2.0])
SHAPE = (24, 26, 16)


def affine_at(corner):
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = corner
    return affine


@pytest.fixture(scope="module")
def work():
    """Two visits: a label map each, and a ball at the first that is only carried to the second."""
    session = Session()
    rng = np.random.default_rng(3)
    values, labels, links = [], [], []
    for number, unit in enumerate(("ppm", "ppb")):
        case = session.case_called(f"sub-01 ses-t{number}", participant="01", visit=f"t{number}")
        chi = rng.normal(0.05 + 0.02 * number, 0.01, SHAPE).astype(np.float32)
        chi = chi * np.float32(1000) if unit == "ppb" else chi
        affine = affine_at((-23, -25, -15))
        session.add(Volume(chi, affine, unit=unit, name=f"chi {number}"), role="map", case=case)
        drawn = np.zeros(SHAPE, np.uint8)
        drawn[3:7, 8 + number : 12, 5:9] = 1
        if not number:
            drawn[15:18, 8:11, 5:7] = 2
        session.add(
            Volume(drawn, affine), role="labels", case=case,
            regions={1: "Putamen L", 2: "Caudate R"} if not number else {7: "Putamen L"},
        )  # fmt: skip
        if number:
            (entry,) = case.of_role("labels")
            session.edit_labels(entry, np.flatnonzero(drawn.ravel(order="F")), 7)
            drawn = drawn * 7
        values.append(chi.astype(np.float64) * (1e3 if unit == "ppm" else 1))
        labels.append(drawn)
        matrix = np.eye(4)
        matrix[:3, 3] = SHIFT * number
        links.append(VisitLink(case.id, case.title, matrix, "registration" if number else "first"))
    first = session.cases[0]
    volume = first.of_role("map")[0].volume
    first.shapes = (
        snap(FixedShape(kind="sphere", size_mm=(6,), centre_mm=(5, 3, -1), region_name="GPi L"), volume),
    )  # fmt: skip
    show_visits(session, tuple(links))
    return session, values, labels


def in_ball(centre, affine):
    """Voxels whose middle is not more than 3 mm away, by their places alone."""
    at = np.moveaxis(np.indices(SHAPE), 0, -1) * 2.0 + affine[:3, 3]
    return np.linalg.norm(at - centre, axis=-1) <= 3.0 + 1e-6


def test_means_and_changes_are_those_of_the_voxels(work):
    session, values, labels = work
    rows = {row.region: row for row in changes_of(session, session.cases).rows}
    assert list(rows) == ["Putamen L", "Caudate R", "GPi L"]
    inside = [values[0][labels[0] == 1], values[1][labels[1] == 7]]
    row = rows["Putamen L"]
    for at in (0, 1):
        assert row.mean_ppb(at) == pytest.approx(inside[at].mean(), rel=1e-6)
        assert row.cells[at].sd_ppb == pytest.approx(inside[at].std(ddof=1), rel=1e-5)
        assert row.cells[at].voxels == inside[at].size
    change = inside[1].mean() - inside[0].mean()
    assert row.change_ppb(1) == pytest.approx(change, rel=1e-5)
    assert row.change_percent(1) == pytest.approx(100 * change / inside[0].mean(), rel=1e-5)
    assert rows["Caudate R"].cells[1] is None and np.isnan(rows["Caudate R"].change_ppb(1))
    centre = np.array(session.cases[0].shapes[0].centre_mm)
    affine = affine_at((-23, -25, -15))
    balls = [values[0][in_ball(centre, affine)], values[1][in_ball(centre + SHIFT, affine)]]
    ball = rows["GPi L"]
    assert [cell.voxels for cell in ball.cells] == [balls[0].size, balls[1].size]
    assert ball.mean_ppb(0) == pytest.approx(balls[0].mean(), rel=1e-6)
    assert ball.mean_ppb(1) == pytest.approx(balls[1].mean(), rel=1e-6)
    assert [cell.carried_from for cell in ball.cells] == ["", "sub-01 ses-t0"]


def test_a_change_is_marked_only_beyond_what_was_chosen(work):
    session, values, labels = work
    changes = changes_of(session, session.cases)
    row = changes.rows[0]
    change = values[1][labels[1] == 7].mean() - values[0][labels[0] == 1].mean()
    for sdw in (abs(change) / (1.96 * 2**0.5) * part for part in (0.99, 1.01)):
        limit = Repeatability(sdw, "a test")
        assert row.is_beyond(1, limit) == (abs(change) > 1.95996 * 2**0.5 * sdw)
    assert not row.is_beyond(1, None)
    plain = content_of_changes(changes, "ppb", None)
    marked = content_of_changes(changes, "ppb", LITERATURE)
    assert plain.lines[0].cells[4] == f"+{change:.1f}"
    assert marked.lines[0].cells[4] == f"+{change:.1f} *"
    assert marked.lines[0].cells[-1] == f"{1.95996 * 2**0.5 * 2.36:.1f}"
    assert plain.lines[2].cells[3].endswith(" °") and len(plain.columns) == len(marked.columns) - 1
    in_ppm = content_of_changes(changes, "ppm", None)
    assert in_ppm.lines[0].cells[2] == f"{values[0][labels[0] == 1].mean() / 1e3:.3f}"


@pytest.mark.parametrize("ending", [".csv", ".xlsx", ".json"])
def test_files_hold_all_digits_and_what_they_mean(work, tmp_path, ending):
    session, values, labels = work
    changes = changes_of(session, session.cases)
    frame = frame_of_changes(changes, "ppb", LITERATURE)
    about = about_changes(changes, "ppb", LITERATURE)
    said = meanings_of_changes(changes, "ppb", LITERATURE)
    assert set(said) == set(frame.columns)
    path = tmp_path / f"changes{ending}"
    write_table(frame, [about], said, path)
    if ending == ".csv":
        back = pd.read_csv(path)
        about = json.loads((tmp_path / "changes.about.json").read_text("utf-8"))["about"][0]
    elif ending == ".xlsx":
        back = pd.read_excel(path)
        sheet = openpyxl.load_workbook(path)["About"]
        about = {r[0].value: r[1].value for r in sheet.iter_rows() if r[0].value}
    else:
        kept = json.loads(path.read_text("utf-8"))
        back, about = pd.DataFrame(kept["rows"]), kept["about"][0]
    inside = [values[0][labels[0] == 1], values[1][labels[1] == 7]]
    assert back["change_ppb_visit2"][0] == pytest.approx(
        inside[1].mean() - inside[0].mean(), rel=1e-5
    )
    assert back["voxels_visit1"][0] == inside[0].size and back["beyond_visit2"][0] == 1
    assert "sub-01 ses-t1" in about["Visit 2"] and "Naji" in about["Marked"]


def test_a_blinded_reader_is_told_no_changes(work):
    session, _, _ = work
    session.blinded = True
    try:
        with pytest.raises(MetadataError, match="blind"):
            changes_of(session, session.cases)
    finally:
        session.blinded = False


def test_a_studys_own_agreement_gives_the_smallest_change(tmp_path):
    study = make_study(tmp_path / "study", load_protocol("basal-ganglia"))
    assert repeatability_of(study) == []
    study.group.mkdir()
    lines = ["region\tmeasure\tn\tvalue\tci_low\tci_high"]
    for region, sem in (("Putamen", 2.0), ("Red nucleus", 4.5), ("all regions", 3.1)):
        lines += [
            f"{region}\tsem\t8\t{sem}\t1\t9",
            f"{region}\tmdc95\t8\t{1.96 * 2**0.5 * sem}\t1\t9",
        ]
    (study.group / "agreement.tsv").write_text("\n".join(lines) + "\n", "utf-8")
    (limit,) = repeatability_of(study)
    assert limit.half_width("Red nucleus L") == pytest.approx(1.96 * 2**0.5 * 4.5, rel=1e-4)
    assert limit.half_width("Thalamus R") == pytest.approx(1.96 * 2**0.5 * 3.1, rel=1e-4)
    assert "agreement.tsv" in limit.source and "reading alone" in limit.source
