"""Makes the pictures of a study's page in the documentation, from a made-up cohort.

The files hold a few bytes each: the page reads names, states and small texts, never a map. Needs a
display (``xvfb-run -s "-screen 0 1640x1040x24" python docs/make_study_page_screenshots.py``).
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
from qtpy.QtWidgets import QApplication, QWidget

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
from make_screenshots import settle, shoot

from benchmarks.study_page import SIZES, make, read
from napari_qsm.outputs import write_head_bids
from napari_qsm.phantom import make_head
from napari_qsm.qc.rating import add_rating, make_rating
from napari_qsm.study.folder import StudyFolder, make_study
from napari_qsm.study.protocol import load_protocol
from napari_qsm.study.step_work import batch_step
from napari_qsm.viewer.workspace import Workspace, open_workspace


def cohort(place: Path) -> Path:
    """113 scans in which not everything went well."""
    root = make(place, *SIZES[113])
    study = StudyFolder(root)
    lines = ["participant_id\tsession_id\tstate\tseconds\tpeak_mb\thost\tmessage\tscan"]
    failed = {
        ("004", "t1"): "'sub-004_ses-t1_part-phase_T2starw.nii.gz' is cut off; import it again.",
        ("011", "t2"): "No echo time is known; give --echo-times-ms.",
    }
    for (person, visit), why in failed.items():
        study.scan(person, visit).map.unlink()
        name = f"sub-{person}_ses-{visit}"
        lines.append(f"sub-{person}\tses-{visit}\tfailed\t3.1\tn/a\tn/a\t{why}\t{name}")
    study.batch.mkdir(exist_ok=True)
    study.status_file.write_text("\n".join(lines) + "\n")
    verdicts = {("002", "t0"): "doubtful", ("006", "t2"): "fail", ("009", "t1"): "doubtful"}
    for key, verdict in verdicts.items():
        scan = study.scan(*key)
        rating = make_rating(verdict, rater="QC", comment="motion")
        add_rating(scan.folder, rating, prefix=scan.prefix)
    for number in range(12, 31):
        study.scan(f"{number:03}", "t2").rating.unlink()
    for person in ("008", "013"):  # the third visit never took place
        for folder in (study.scan(person, "t2").folder.parent, study.raw / f"sub-{person}/ses-t2"):
            for path in sorted(folder.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
            folder.rmdir()
    read(root)
    study.refresh()
    scan = next(s for s in study.scans if s.shapes("AA").is_file())
    nib.save(nib.Nifti1Image(np.ones((4, 4, 4), np.float32), np.eye(4)), scan.map)
    return root


def opened(workspace: Workspace, root: Path) -> QWidget:
    """The page once it shows the study, and what was compared in the background."""
    workspace.studies.open(root)
    own = workspace.studies
    until(lambda: own.page.overview is not None and own.page.overview.study.root == root)
    until(lambda: own._checking is None)
    settle(1.0)
    return own.page


def main() -> None:
    """Make all pictures."""
    workspace = open_workspace()
    workspace.viewer.window.resize(1600, 1000)
    with tempfile.TemporaryDirectory() as place:
        page = opened(workspace, cohort(Path(place)))
        grid = page.grid
        grid.setCurrentIndex(grid.grid.index(4, page.overview.columns.index(_failed(page))))
        settle(0.3)
        shoot(workspace, "study-page")
        workspace.viewer.window.resize(1280, 720)
        workspace.viewer.theme = "light"
        settle(1.0)
        shoot(workspace, "study-page-light")
        workspace.viewer.theme = "dark"
        workspace.viewer.window.resize(1440, 900)
        at_work(workspace, Path(place) / "small")
    workspace.close()


def at_work(workspace: Workspace, place: Path) -> None:
    """Four small heads while they are reconstructed: two side by side, the first ones done."""
    for person, subject in (("01", "control"), ("02", "patient")):
        for visit in ("t0", "t1"):
            head = make_head(
                subject, shape=(96, 78, 36), voxel_size_mm=(2.4, 2.4, 4.0), seed=int(person)
            )
            write_head_bids(head, place / "RAW", participant=person, session=visit)
    people = "participant_id\tgroup\nsub-01\tcontrol\nsub-02\tpatient\n"
    (place / "RAW" / "participants.tsv").write_text(people)
    root = make_study(place / "STUDY", load_protocol("basal-ganglia"), place / "RAW").root
    page = opened(workspace, root)
    workspace.studies._runner._work("Batch", lambda tell: batch_step(root, tell, jobs=2))
    until(lambda: {row.reconstructed for row in page.overview.rows} >= {"done", "running"})
    settle(0.5)
    shoot(workspace, "study-page-batch")
    until(lambda: not page.jobs.busy)


def until(so: Callable[[], bool], seconds: float = 600) -> None:
    """Let the window work until something is so."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not so():
        QApplication.processEvents()
        time.sleep(0.01)


def _failed(page: QWidget) -> object:
    return next(c for c in page.overview.columns if (c.visit, c.step) == ("t1", "reconstructed"))


if __name__ == "__main__":
    main()
