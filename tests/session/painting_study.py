"""A study of regions that are painted, with maps of a few thousand voxels, to be read."""

import numpy as np

from napari_qsm.io.maps import read_map
from napari_qsm.io.segmentation import write_labels
from napari_qsm.study.painted import painted_regions
from napari_qsm.study.worklist import assign
from tests.study.cohort_maker import SHAPE, make_cohort

PROTOCOL = (
    "name: x\nplacement: {placement}\nmethod: painted\n{more}regions:\n"
    "  - {{name: Putamen, sides: [left, right]}}\n"
    "  - {{name: Caudate, sides: [left], kind: circle, size_mm: 6, slices: 3}}\n"
)
LEFT, RIGHT = 1, 2


def contours(shift=0):
    """Return what the atlas of these tests says: a block on each side."""
    labels = np.zeros(SHAPE, np.uint16)
    labels[8 + shift : 13 + shift, 12:17, 4:8] = LEFT
    labels[27 + shift : 32 + shift, 12:17, 4:8] = RIGHT
    return labels


def make_painting_study(root, visits, *, placement="carried", raters=("AA",), more=""):
    """Return a study with a map for each (participant, session), and a list for each rater."""
    protocol = root.parent / "painting.yaml"
    protocol.write_text(PROTOCOL.format(placement=placement, more=more))
    study = make_cohort(root, visits, readings=(), groups=False, protocol=protocol)
    for key in visits:
        scan = study.scan(*key)
        labels = read_map(scan.map).with_data(contours(), unit="")
        write_labels(labels, painted_regions(study.protocol.all_steps()), scan.contours())
    for rater in raters:
        assign(study, rater, seed=1)
    study.refresh()
    return study
