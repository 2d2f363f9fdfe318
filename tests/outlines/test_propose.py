"""First outlines: of a head that is made by formula, and of maps that have to be refused."""

import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from napari_qsm.cli import main
from napari_qsm.errors import QsmError
from napari_qsm.outlines import bending, propose
from napari_qsm.outlines.propose import propose_outlines, region_list
from napari_qsm.phantom import make_head
from napari_qsm.registration.nuclei import AtlasFit
from napari_qsm.volume import Volume
from tests.registration.heads import TINY

pytestmark = pytest.mark.together

_NAMES = {
    "Caudate": ("Caudate",),
    "Putamen": ("Putamen",),
    "Globus pallidus": ("Globus pallidus externus", "Globus pallidus internus"),
    "Red nucleus": ("Red nucleus",),
    "Substantia nigra": ("Substantia nigra",),
}


@pytest.fixture(scope="module")
def head():
    return make_head("control", **TINY)


@pytest.fixture(scope="module")
def proposed(head, tmp_path_factory):
    """Return the files of a proposal for a map that is stored from left to right reversed."""
    folder = tmp_path_factory.mktemp("proposed")
    affine = head.chi.affine @ np.diag([-1.0, 1, 1, 1])
    affine[:3, 3] = head.chi.voxel_to_world([head.chi.shape[0] - 1, 0, 0])
    chi = np.where(head.mask.data > 0, head.chi.data, 0)[::-1]
    nib.save(nib.Nifti1Image(chi.astype(np.float32), affine), folder / "chi.nii.gz")
    (folder / "chi.json").write_text('{"Units": "ppm"}')
    with pytest.MonkeyPatch.context() as patch:  # quicker, and near enough here
        patch.setattr(bending, "_LEVELS", bending._LEVELS[:3])
        arguments = ["propose", str(folder / "chi.nii.gz"), "--out", str(folder / "first.nii.gz")]
        assert main(arguments) == 0
    return folder


def test_outlines_lie_on_the_nuclei_and_on_their_sides(head, proposed):
    image = nib.load(proposed / "first.nii.gz")
    assert np.allclose(image.affine, nib.load(proposed / "chi.nii.gz").affine, atol=1e-5)
    labels = np.asarray(image.dataobj)[::-1]
    index = {region.name: region.index for region in region_list()}
    truth = {region.name: region.index for region in head.label_names}
    for name, parts in _NAMES.items():
        for side in "LR":
            mine = np.isin(labels, [index[f"{part} {side}"] for part in parts])
            own = head.labels.data == truth[f"{name} {side}"]
            middles = [head.labels.voxel_to_world(np.argwhere(m).mean(axis=0)) for m in (mine, own)]
            assert (middles[0][0] < 0) == (side == "L")
            if name not in ("Caudate", "Putamen"):  # labelled in part, and with a tail
                assert np.linalg.norm(middles[0] - middles[1]) < 1.6, (name, side)
                assert 2 * (mine & own).sum() / (mine.sum() + own.sum()) > 0.65, (name, side)


def test_names_and_quality_lie_beside_the_label_map(proposed):
    names = (proposed / "first.txt").read_text()
    assert '"Globus pallidus externus L"' in names and '"Thalamus seed R"' in names
    record = json.loads((proposed / "first_provenance.json").read_text())
    assert record["state"] == "proposed"
    assert record["match"] > 0.4
    assert record["nuclei"]["Putamen L"]["contrast_ppb"] > 20
    assert set(record["seeds"]) == {
        f"{name} seed {side}"
        for name in ("Thalamus", "Pulvinar", "Dentate nucleus")
        for side in "LR"
    } - set(record["left_out"])
    assert [each["role"] for each in record["inputs"]] == ["chi"]


def test_files_that_are_there_are_not_replaced(proposed, capsys):
    arguments = ["propose", str(proposed / "chi.nii.gz"), "--out"]
    assert main([*arguments, str(proposed / "first.nii.gz")]) == 1
    assert "exists already" in capsys.readouterr().err
    assert main([*arguments, str(proposed / "first.csv")]) == 1
    assert "must end in" in capsys.readouterr().err


def test_maps_that_cannot_be_outlined_are_refused_in_words(head):
    chi = head.chi
    noise = np.random.default_rng(0).normal(0, 0.02, chi.shape).astype(np.float32)
    thick = np.diag([2.7, 2.7, 6.0, 1.0])
    for wrong, word in (
        (replace(chi, orientation_known=False), "left and right"),
        (Volume(np.stack([noise, noise], axis=-1), chi.affine), "several images"),
        (Volume(noise, thick), "6 mm"),
        (chi.with_data(np.zeros(chi.shape)), "same everywhere"),
        (chi.with_data(noise), "mask or"),
    ):
        with pytest.raises(QsmError, match=word):
            propose_outlines(wrong)


def test_a_map_of_inverted_sign_is_named_as_such(head, monkeypatch):
    """The atlas fits the map with its sign turned, and not as it is."""
    inside = head.mask.data > 0
    dark = head.chi.with_data(np.where(inside, -head.chi.data, 0).astype(np.float32))
    nuclei = np.isin(head.labels.data, range(1, 7))

    def fit(chi, mask, **_):
        good = float(chi.data[nuclei].mean()) > 0
        return AtlasFit(np.eye(4), {}, 0.9, {1: 0.9 if good else 0.1})

    monkeypatch.setattr(propose, "fit_atlas", fit)
    with pytest.raises(QsmError, match="sign"):
        propose_outlines(dark, mask=head.mask)
    with pytest.raises(QsmError, match="resemble"):
        noise = np.random.default_rng(0).normal(0, 0.02, dark.shape)
        monkeypatch.setattr(
            propose, "fit_atlas", lambda *_, **__: AtlasFit(np.eye(4), {}, 0.9, {1: 0.1})
        )
        propose_outlines(dark.with_data(noise), mask=head.mask)
