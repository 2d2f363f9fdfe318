"""The figure of a person's visits: places by 4 x 4 matrices, numbers by numpy, through the command line."""

import nibabel
import numpy as np
import pytest

from napari_qsm.cli import main
from napari_qsm.errors import MetadataError
from napari_qsm.figures.draw import render
from napari_qsm.figures.spec import read_spec
from napari_qsm.io.nifti import write_volume
from napari_qsm.rois.shape_files import write_shapes
from napari_qsm.rois.shapes import FixedShape, snap
from napari_qsm.session import Session
from napari_qsm.session.figure.visits import visits_figure
from napari_qsm.study.folder import StudyFolder, make_study
from napari_qsm.study.protocol import load_protocol
from napari_qsm.study.transforms import Transform, write_transform
from napari_qsm.volume import Volume
from tests.registration.heads import rigid

#: Points of the second visit to points of the first.
BACK = rigid((2, -1, 4), (5, -4, 3))
SHAPE, SIZE = (40, 46, 26), (2.0, 2.0, 3.0)


def grid():
    affine = np.diag([*SIZE, 1.0])
    affine[:3, 3] = -(np.array(SHAPE) - 1) / 2 * SIZE + [0, -15, 10]
    return affine


def in_ball(centre, radius):
    at = np.moveaxis(np.indices(SHAPE), 0, -1) * SIZE + grid()[:3, 3]
    return np.linalg.norm(at - centre, axis=-1) <= radius + 1e-6


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two visits, registered; one rater has read the first."""
    root = tmp_path_factory.mktemp("cohort") / "study"
    (root / "sub-01").mkdir(parents=True)
    make_study(root, load_protocol("basal-ganglia"))
    rng = np.random.default_rng(1)
    for visit in ("t0", "t1"):
        anat = root / "sub-01" / f"ses-{visit}" / "anat"
        anat.mkdir(parents=True)
        chi = rng.normal(0.05 if visit == "t0" else 0.07, 0.01, SHAPE).astype(np.float32)
        path = anat / f"sub-01_ses-{visit}_Chimap.nii.gz"
        write_volume(Volume(chi, grid()), path)
        path.with_name(path.name.replace(".nii.gz", ".json")).write_text('{"Units": "ppm"}')
        if visit == "t0":
            volume = Volume(chi, grid(), unit="ppm")
            shapes = [
                snap(FixedShape(kind="sphere", size_mm=(9,), centre_mm=(x, -12, 9),
                                region_name=name, side=side), volume)
                for x, name, side in ((-22, "Putamen L", "left"), (22, "Putamen R", "right"))
            ]  # fmt: skip
            write_shapes(anat / "sub-01_ses-t0_desc-AA_shapes.json", shapes, volume, "chi")
    write_transform(StudyFolder(root), Transform("01", "t1", "t0", BACK, {"correlation": 0.91}))
    return root


def test_the_command_draws_the_same_place_of_the_head_with_shapes_and_changes(
    study, tmp_path, capsys
):
    out, kept = tmp_path / "visits.png", tmp_path / "visits.json"
    said = ["figure", "--template", "visits", "--study", str(study), "--participant", "01"]
    extra = [
        "--judged-by",
        "literature",
        "--out",
        str(out),
        "--save-spec",
        str(kept),
        "--dpi",
        "60",
    ]
    assert main([*said, *extra]) == 0, capsys.readouterr().err
    assert out.stat().st_size > 10_000
    spec = read_spec(kept)
    first, second, lines, table = spec.panels
    there = np.linalg.inv(BACK) @ [*first.through_mm, 1]
    assert np.allclose(second.through_mm, there[:3], atol=0.02)
    assert second.crop.size_mm == first.crop.size_mm and second.crop.centre_mm == second.through_mm
    assert [mark.carried for mark in (*first.shapes, *second.shapes)] == [False, False, True, True]
    assert (lines.shown, table.shown) == ("lines", "table") and lines.rows == table.rows
    values = []
    for visit in ("t0", "t1"):
        path = study / "sub-01" / f"ses-{visit}" / "anat" / f"sub-01_ses-{visit}_Chimap.nii.gz"

        values.append(1e3 * np.asarray(nibabel.load(path).dataobj, dtype=float))
    for number, row in enumerate(table.rows):
        places = [np.array(panel.shapes[number].shape.centre_mm) for panel in (first, second)]
        for at in (0, 1):
            mean = values[at][in_ball(places[at], 4.5)].mean()
            assert row.means_ppb[at] == pytest.approx(mean, rel=1e-5)
        assert row.is_beyond(1) and row.detectable_ppb == pytest.approx(
            1.95996 * 2**0.5 * 2.36, rel=1e-5
        )
    caption = (tmp_path / "visits.txt").read_text("utf-8")
    assert "n = 1" in caption and "the study's transform" in caption and "0.91" in caption
    assert "carried from another visit" in caption and "Naji" in caption
    numbers = (tmp_path / "visits.csv").read_text("utf-8")
    assert "change_percent" in numbers and "Putamen L" in numbers
    assert "sub-01" not in caption  # a figure names visits, not people


def test_carried_outlines_are_broken_and_go_along_the_voxels(study, tmp_path):
    from napari_qsm.session.figure.visits import study_visits_figure

    spec = study_visits_figure(study, "sub-01")
    plain = spec.model_copy(
        update={"panels": tuple(p.model_copy(update={"shapes": ()}) for p in spec.panels[:2])}
    )
    with_shapes = spec.model_copy(update={"panels": spec.panels[:2]})
    small = {"style": spec.style.model_copy(update={"dpi": 60})}
    pictures = [render(each.model_copy(update=small)).pixels() for each in (plain, with_shapes)]
    other = np.abs(pictures[0].astype(int) - pictures[1]).max(axis=-1) > 30
    half = other.shape[1] // 2
    left, right = other[:, :half].sum(), other[:, half:].sum()
    assert left > 100 and 0.4 * left < right  # broken lines keep their dark rim


def test_what_is_missing_is_said(study, capsys):
    said = ["figure", "--template", "visits", "--out", "x.png"]
    assert main(said) != 0 and "--study" in capsys.readouterr().err
    more = [*said, "--study", str(study), "--participant"]
    assert main([*more, "09"]) != 0 and "no participant '09'" in capsys.readouterr().err
    assert main([*more, "01", "--rater", "BB"]) != 0 and "'BB' has read" in capsys.readouterr().err
    assert main([*more, "01", "--judged-by", "study"]) != 0
    assert "study agree" in capsys.readouterr().err
    assert main(["figure", "--template", "qc-montage", "--rater", "AA", "--out", "x.png"]) != 0
    with pytest.raises(MetadataError, match="side by side first"):
        visits_figure(Session())
