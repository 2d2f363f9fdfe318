"""Studies with maps of a few thousand voxels, whose values are known by formula."""

import json

import nibabel as nib
import numpy as np

from napari_qsm.rois.shape_files import write_shapes
from napari_qsm.study.folder import StudyFolder, make_study
from napari_qsm.study.protocol import load_protocol

SHAPE, SIZE = (40, 30, 12), (2.0, 2.0, 2.0)
AFFINE = np.diag((*SIZE, 1.0))
AFFINE[:3, 3] = (-38.0, -30.0, -12.0)
PROVENANCE = {
    "software": {"napari-qsm": "0.1.0"},
    "recipe": {"name": "case-report", "stages": {}},
    "field_strength_t": 3.0,
    "echo_times_s": [0.021],
    "stages": [{"stage": "reference", "method": "whole-mask"}],
    "reference_ppm": 0.002,
}


def values(seed):
    return np.random.default_rng(seed).normal(0.05, 0.02, SHAPE).astype(np.float32)


def write_map(scan, seed):
    scan.folder.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(values(seed), AFFINE), scan.map)
    scan.path("Chimap.json").write_text(json.dumps({"Units": "ppm", "SkullStripped": False}))
    scan.provenance.write_text(json.dumps(PROVENANCE))


def placed(study, shift=(0.0, 0.0, 0.0)):
    """Every region of the protocol as a sphere on its side, each in a place of its own."""
    shapes = []
    for number, step in enumerate(study.protocol.steps()):
        pair, side = divmod(number, 2)
        x = (8 + 8 * (pair % 4)) * (-1 if side == 0 else 1)
        centre = (x + shift[0], -20 + 10 * (pair // 4) + shift[1], shift[2])
        shape = step.shape.model_copy(
            update={"kind": "sphere", "size_mm": (6.0,), "slices": 1, "rotation_deg": 0.0}
        )
        shapes.append(shape.but(centre_mm=centre))
    return tuple(shapes)


def make_cohort(root, visits, *, readings=("AA",), groups=True, protocol="deep-grey-13"):
    """Return a study with a map and readings for each (participant, session)."""
    study = make_study(root, load_protocol(protocol))
    shapes = placed(study)
    once = root / "shapes.json"
    write_shapes(once, shapes)
    for seed, (participant, session) in enumerate(visits):
        scan = study.scan(participant, session)
        write_map(scan, seed)
        for rater in readings:
            scan.shapes(rater).write_bytes(once.read_bytes())
    once.unlink()
    people = dict.fromkeys(person for person, _ in visits)
    if groups:
        lines = [
            f"sub-{p}\t{'control' if p.startswith('c') else 'patient'}\t{40 + i % 40}\tF"
            for i, p in enumerate(people)
        ]
        text = "participant_id\tgroup\tage\tsex\n" + "\n".join(lines) + "\n"
        (study.root / "participants.tsv").write_text(text)
    return StudyFolder(root)
