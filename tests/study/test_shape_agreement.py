"""Dice and distance of two raters' shapes, against numpy on masks of spheres moved by whole voxels."""

import numpy as np
import pandas as pd
import pytest

from napari_qsm.cli import main
from napari_qsm.rois.shape_files import write_shapes
from napari_qsm.study.folder import StudyFolder
from tests.study.cohort_maker import AFFINE, SHAPE, make_cohort, placed, write_map

#: How far BB's shapes lie from AA's in each scan, and AA's second ones from the first, mm.
MOVED = {"BB": [(2, 0, 0), (0, 0, 0), (0, 2, 0), (2, 2, 2)], "AArep2": [(0, 0, 0), (0, 2, 0)] * 2}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    visits = [("01", "t0"), ("01", "t1"), ("02", "t0"), ("c1", "t0")]
    root = tmp_path_factory.mktemp("agree") / "study"
    study = make_cohort(root, visits, groups=False)
    for label, moves in MOVED.items():
        for scan, move in zip(study.scans, moves, strict=True):
            write_shapes(scan.path(f"desc-{label}_shapes.json"), placed(study, move))
    # Whom the plan leaves out counts in nobody's agreement.
    write_map(study.scan("c2", "t0"), 9)
    write_shapes(study.scan("c2", "t0").shapes("AA"), placed(study))
    write_shapes(study.scan("c2", "t0").shapes("BB"), placed(study, (0, 4, 0)))
    text = study.protocol_file.read_text().replace("analysis: {}", "analysis: {exclude: {c2: x}}")
    study.protocol_file.write_text(text)
    return StudyFolder(root)


def sphere(centre):
    world = np.stack(np.indices(SHAPE), axis=-1) @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    return np.linalg.norm(world - centre, axis=-1) <= 3.0 + 1e-9


def dice(move):
    a, b = sphere(np.zeros(3)), sphere(np.array(move, dtype=float))
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def test_agreement_of_a_study_holds_dice_and_distances(study, capsys):
    line = ["study", "agree", str(study.root), "--no-figures"]
    assert main(line) == 1
    assert "study collect" in capsys.readouterr().err
    assert main(["study", "collect", str(study.root)]) == 0
    assert main(line) == 0
    assert "Dice" in capsys.readouterr().out
    for name, moves in (("agreement.tsv", "BB"), ("agreement_AA-repeated.tsv", "AArep2")):
        table = pd.read_csv(study.group / name, sep="\t").set_index(["region", "measure"])
        overlap = [dice(move) for move in MOVED[moves]]
        apart = [np.linalg.norm(move) for move in MOVED[moves]]
        for region in ("Caudate", "Claustrum"):
            assert table.loc[(region, "dice"), "n"] == 4
            assert table.loc[(region, "dice"), "value"] == pytest.approx(np.mean(overlap))
            found = table.loc[(region, "distance_mm")]
            assert found["value"] == pytest.approx(np.mean(apart))
            half = 3.182446 * np.std(apart, ddof=1) / 2  # t of 3 degrees, over the root of 4
            assert found["ci_high"] == pytest.approx(found["value"] + half, rel=1e-6)
        assert table.loc[("all regions", "dice"), "n"] == 52
        assert table.loc[("all regions", "dice"), "value"] == pytest.approx(np.mean(overlap))
        assert ("Caudate", "icc_2_1") in table.index
