"""What a file leaves open about left and right is told by every command that uses sides."""

import nibabel as nib
import numpy as np
import pytest

from napari_qsm.cli import main
from napari_qsm.figures.gather import load as load_source
from napari_qsm.figures.parts import Source
from napari_qsm.session.opening import load

AFFINE = np.diag([-1.0, 1, 2, 1])
MIRROR = np.diag([-1.0, 1, 1, 1]) @ AFFINE
LABELS = np.zeros((8, 9, 7), np.uint8)
LABELS[1:4, 1:4, 1:4] = 1
FORMS = {
    "mirrored": ((AFFINE, 1), (MIRROR, 1), "mirror images"),
    "turned": ((AFFINE, 1), (np.diag([-1.0, -1, 1, 1]) @ AFFINE, 1), "turn it differently"),
    "none": ((AFFINE, 0), (AFFINE, 0), "left and right cannot be told apart"),
}


def save(path, data, sform, qform):
    image = nib.Nifti1Image(data, AFFINE)
    image.set_sform(*sform)
    image.set_qform(*qform)
    nib.save(image, path)
    return path


@pytest.fixture(params=FORMS)
def files(request, tmp_path):
    sform, qform, said = FORMS[request.param]
    chi = np.random.default_rng(0).normal(0, 0.05, LABELS.shape).astype(np.float32)
    (tmp_path / "chi.json").write_text('{"Units": "ppm"}')
    chi = save(tmp_path / "chi.nii", chi, sform, qform)
    return chi, save(tmp_path / "labels.nii", LABELS, sform, qform), said


def test_check(files, capsys):
    chi, labels, said = files
    assert main(["check", str(chi), str(labels)]) == 1
    assert capsys.readouterr().out.count(said) == 2


def test_stats(files, capsys):
    chi, labels, said = files
    assert main(["stats", str(chi), str(labels)]) == 0
    out = capsys.readouterr().err
    assert out.count(said) == 2
    assert "'chi.nii'" in out
    assert "'labels.nii'" in out


def test_figure(files, tmp_path):
    chi, labels, said = files
    for role, path in (("map", chi), ("labels", labels)):
        loaded = load_source("a", Source(role=role, path=str(path)), None, tmp_path, {})
        assert any(said in note for note in loaded.notes)


def test_view(files):
    chi, labels, said = files
    loaded = load([chi, labels])
    assert len(loaded.maps) == 2
    assert sum(said in problem for problem in loaded.problems) == 2
