"""Illustration only: readings of a worklist by a script instead of a person.

    python docs/tutorial/read_for_me.py STUDY AA

In a study a person opens each scan under its code and places the shapes. Here every shape is put
on the middle of the true region of the built-in head, up to 1.5 mm beside it, and handed in as the
window would: the protocol is frozen by the first reading, the list is kept in step.
"""

from __future__ import annotations

import sys
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_qsm.io.maps import read_map
from napari_qsm.io.segmentation import read_labels
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.readings import new_reading, submit_reading
from napari_qsm.study.worklist import mark, read_worklist

ASIDE_MM = 1.5


def middles(study: StudyFolder, participant: str, session: str) -> dict[str, np.ndarray]:
    """True centre of every region of a scan, RAS mm."""
    assert study.raw is not None
    stem = f"sub-{participant}_ses-{session}"
    folder = study.raw / "derivatives" / "truth" / f"sub-{participant}" / f"ses-{session}" / "anat"
    labels, regions = read_labels(folder / f"{stem}_dseg.nii.gz")
    data = np.asarray(labels.data)
    found = {}
    for region in regions:
        places = np.argwhere(data == region.index)
        if len(places):
            nearest = places[np.argmin(((places - places.mean(axis=0)) ** 2).sum(axis=1))]
            found[region.name] = labels.voxel_to_world(nearest)
    return found


def main(root: Path, rater: str) -> None:
    """Read everything on the list of one rater."""
    study = StudyFolder(root)
    rng = np.random.default_rng(zlib.crc32(rater.encode()))
    items = read_worklist(study, rater)
    for item in items:
        scan = study.scan(item.participant, item.session)
        volume = read_map(scan.map)
        centres = middles(study, item.participant, item.session)
        shapes = []
        for step in study.protocol.steps():
            aside = rng.uniform(-ASIDE_MM, ASIDE_MM, 3)
            centre = tuple(float(v) for v in centres[step.region_name] + aside)
            shapes.append(step.shape.but(centre_mm=centre))
        reading = new_reading(study, rater, volume, item.reading)
        mark(study, item, "open")
        submit_reading(study, scan, replace(reading, shapes=tuple(shapes)), volume)
        mark(study, item, "submitted")
    sys.stdout.write(f"{rater} has read {len(items)} scans.\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
