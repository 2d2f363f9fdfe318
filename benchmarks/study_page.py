"""How fast the page of a study opens: 113 and 1,000 scans, with the readings of two raters.

Run with ``python -m benchmarks study_page``; on Linux without a display, under Xvfb. The files hold a
few bytes each, as the page reads names, states and small texts, never a map.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

#: Scans: patients, visits of each, controls.
SIZES = {113: (31, 3, 20), 1000: (300, 3, 100)}
AIMS_S = {113: 1.0, 1000: 3.0}
_SHAPE = {
    "kind": "circle", "size_mm": [6.0], "slices": 3, "plane": "axial", "centre_mm": [10.0, 2.0, 3.0],
}  # fmt: skip
_RATING = {
    "verdict": "pass",
    "rater": "QC",
    "rated_at": "2026-01-01T00:00:00Z",
    "software_version": "0.1.0",
}


def make(root: Path, patients: int, visits: int, controls: int) -> Path:
    """A study and its raw data, with a map that was judged and registered of every scan."""
    from napari_qsm.study.folder import make_study
    from napari_qsm.study.protocol import load_protocol

    keys = [(f"{n:03}", f"t{v}") for n in range(patients) for v in range(visits)]
    keys += [(f"c{n:03}", "t0") for n in range(controls)]
    raw = root / "raw"
    for person, visit in keys:
        folder = raw / f"sub-{person}" / f"ses-{visit}" / "anat"
        folder.mkdir(parents=True)
        for part in ("phase", "mag"):
            (folder / f"sub-{person}_ses-{visit}_part-{part}_T2starw.nii.gz").touch()
    lines = [f"sub-{p}\t{'control' if p[0] == 'c' else 'patient'}" for p in dict(keys)]
    (raw / "participants.tsv").write_text("participant_id\tgroup\n" + "\n".join(lines) + "\n")
    study = make_study(root / "study", load_protocol("deep-grey-13"), raw)
    for person, visit in keys:
        scan = study.scan(person, visit)
        scan.folder.mkdir(parents=True)
        scan.map.touch()
        scan.quality.write_text(json.dumps({"chi_sha256": "0" * 64}))
        scan.rating.write_text(json.dumps({"ratings": [_RATING]}))
        if visit != "t0":
            xfm = study.xfm(person, visit, "t0")
            xfm.parent.mkdir(exist_ok=True)
            xfm.touch()
    return study.root


def read(root: Path) -> None:
    """AA has read half of the scans, BB has a fifth on the list."""
    from napari_qsm.study.folder import StudyFolder
    from napari_qsm.study.worklist import assign

    study = StudyFolder(root)
    shapes = [
        {**_SHAPE, "name": step.shape.name, "side": step.side, "id": str(n)}
        for n, step in enumerate(study.protocol.steps())
    ]
    said = {
        "format": "napari-qsm shapes",
        "version": 1,
        "map": {"name": "map", "chi_sha256": "0" * 64},
        "reading": {"rater": "AA", "state": "submitted"},
        "shapes": shapes,
    }
    items, _ = assign(study, "AA", seed=1)
    assign(study, "BB", sample="20%", seed=2)
    path = study.worklist("AA")
    head, *rows = path.read_text().splitlines()
    done = {item.code for item in items[: len(items) // 2]}
    for number, row in enumerate(rows):
        cells = row.split("\t")
        if cells[1] in done:
            rows[number] = "\t".join([*cells[:2], "submitted", *["2026-01-01T00:00:00+00:00"] * 2])
    path.write_text("\n".join([head, *rows]) + "\n")
    for item in items:
        if item.code in done:
            study.scan(*item.key).shapes("AA").write_text(json.dumps(said, indent=2))


def main() -> None:
    """Print how long it takes until the grid stands in the window."""
    from qtpy.QtWidgets import QApplication

    from napari_qsm.study.folder import StudyFolder
    from napari_qsm.study.overview import load_overview
    from napari_qsm.study.stale import stale_readings
    from napari_qsm.viewer.workspace import open_workspace

    workspace = open_workspace()
    own = workspace.studies
    print("scans  grid in the window: s  of the processor, s  aim, s  readings against maps, s")
    with tempfile.TemporaryDirectory() as place:
        for count, people in SIZES.items():
            root = make(Path(place) / str(count), *people)
            read(root)
            load_overview(root)  # what is imported at the first look is no matter of size
            start, worked = time.perf_counter(), time.process_time()
            own.open(root)
            while own.page.overview is None or own.page.overview.study.root != root:
                QApplication.processEvents()
                time.sleep(0.002)
            own.page.grab()
            grid, cpu = time.perf_counter() - start, time.process_time() - worked
            start = time.process_time()
            stale_readings(StudyFolder(root))
            stale = time.process_time() - start
            print(f"{count:5}  {grid:21.2f}  {cpu:19.2f}  {AIMS_S[count]:6.1f}  {stale:25.2f}")
    workspace.close()
