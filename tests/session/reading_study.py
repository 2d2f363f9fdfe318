"""A study of four regions and maps of a few thousand voxels, to be read."""

import numpy as np

from napari_qsm.study.suggestions import Places, Suggestions, write_suggestions
from napari_qsm.study.transforms import Transform, write_transform
from napari_qsm.study.worklist import assign
from napari_qsm.volume import Volume
from tests.study.cohort_maker import AFFINE, SHAPE, make_cohort

REGIONS = (
    "regions:\n"
    "  - {name: Caudate, sides: [left, right], kind: circle, size_mm: 6, slices: 3}\n"
    "  - {name: Putamen, sides: [left, right], kind: ellipse, size_mm: [10, 6], slices: 3, "
    "rotation_deg: 60}\n"
)
NAMES = ("Caudate L", "Caudate R", "Putamen L", "Putamen R")
#: Where the atlas of these tests has them, RAS mm; the head's middle lies at x = 1.
CENTRES = {
    "Caudate L": (-12.0, 6.0, 2.0),
    "Caudate R": (14.0, 6.0, 2.0),
    "Putamen L": (-24.0, -2.0, 0.0),
}
GRID = Volume(np.zeros(SHAPE, np.float32), AFFINE)


def shape_at(study, name, centre):
    step = next(each for each in study.protocol.steps() if each.region_name == name)
    return step.shape.but(id=f"{name} {centre}", centre_mm=centre)


def suggest(study, key, centres=CENTRES):
    shapes = tuple(shape_at(study, name, centre) for name, centre in centres.items())
    suggestions = Suggestions(Places("atlas", shapes), map_sha256="of no matter here")
    write_suggestions(study.scan(*key), suggestions, GRID)


def make_study(
    root, visits, *, placement="carried", raters=("AA",), more="", seed=1, suggested=True
):
    """Return a study with a map for each (participant, session), and a list for each rater."""
    protocol = root.parent / "protocol.yaml"
    protocol.write_text(f"name: x\nplacement: {placement}\n{more}{REGIONS}")
    study = make_cohort(root, visits, readings=(), groups=False, protocol=protocol)
    for key in visits if suggested else ():
        suggest(study, key)
    for rater in raters:
        assign(study, rater, seed=seed)
    study.refresh()
    return study


def move(study, participant, session, matrix):
    """Say how a participant's head moved: points of a session to points of t0."""
    write_transform(study, Transform(participant, session, "t0", matrix))
