"""Maps beside chi, asked for by name: by the pipeline, by the command line, into a BIDS dataset."""

import json

import nibabel as nib
import numpy as np
import pytest

from napari_qsm.cli import main
from napari_qsm.errors import MetadataError, RecipeError
from napari_qsm.outputs import write_head_bids
from napari_qsm.recon.methods_text import methods_text
from napari_qsm.recon.pipeline import Inputs, run
from napari_qsm.recon.recipe import contrast_choices, load_recipe
from napari_qsm.recon.result import UNITS
from napari_qsm.recon.stages import CONTRASTS, QUANTITIES, methods
from napari_qsm.scan import Scan
from napari_qsm.volume import Volume
from tests.bids_validator import errors_of

pytestmark = pytest.mark.together

QUICK = [
    "unwrap.method=laplacian",
    "echoes.method=laplacian-sum",
    "background.method=sharp",
    "inversion.method=tkd",
]
ALL = ("r2star", "swi", "tswi", "mip", "chi-separation")


@pytest.fixture(scope="module")
def written(multi_echo_head, tmp_path_factory):
    """Folder of the results, from one run of the command on a BIDS dataset."""
    folder = tmp_path_factory.mktemp("written")
    write_head_bids(multi_echo_head, folder / "raw", participant="01")
    r2 = np.full(multi_echo_head.mask.shape, 14, np.float32)
    nib.save(nib.Nifti1Image(r2, multi_echo_head.mask.affine), folder / "r2.nii.gz")
    status = main([
        "reconstruct", str(folder / "raw"), "--out", str(folder / "out"), "--recipe", "consensus",
        *(f"--set={line}" for line in QUICK), "--also", "mip,tswi", "--also", "chi-separation",
        "--r2-map", str(folder / "r2.nii.gz"), "--set", "swi.power=2", "--no-report",
    ])  # fmt: skip
    assert status == 0
    return folder / "out" / "sub-01" / "anat"


def one(folder, name):
    (path,) = folder.glob(f"sub-01*_{name}")
    return path


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("desc-SWI_T2starw", None),
        ("desc-tSWI_T2starw", None),
        ("desc-minIP_T2starw", None),
        ("desc-positive_Chimap", "ppm"),
        ("desc-negative_Chimap", "ppm"),
        ("R2starmap", "1/s"),
    ],
)
def test_every_contrast_is_a_file_with_its_unit(written, multi_echo_head, name, unit):
    assert nib.load(one(written, f"{name}.nii.gz")).shape == multi_echo_head.mask.shape
    said = json.loads(one(written, f"{name}.json").read_text("utf-8"))
    assert said.get("Units") == unit and "SkullStripped" in said
    assert "doi:" in said["EstimationReference"]
    # χ+ and χ− carry what they assume wherever their file goes.
    assert ("R2 is the map given" in said["Description"]) == (unit == "ppm")


def test_the_official_validator_finds_no_error(written):
    assert errors_of(written.parents[1]) == []


def test_the_provenance_tells_settings_warnings_and_the_map_that_was_given(written):
    told = json.loads(one(written, "provenance.json").read_text("utf-8"))
    assert [s["method"] for s in told["stages"]][-5:] == list(ALL)
    assert next(s for s in told["stages"] if s["method"] == "swi")["settings"]["power"] == 2
    assert any("R2 is the map given" in sentence for sentence in told["warnings"])
    assert any(s.startswith("chi-separation: the method was checked") for s in told["warnings"])
    assert "r2_per_s" in [given["role"] for given in told["inputs"]]
    text = one(written, "methods.txt").read_text("utf-8")
    for words in (
        "R2* was fitted",
        "power of 2",
        "slabs of 10 mm",
        "137 1/s per ppm",
        "jmri.24413",
    ):
        assert words in text


def test_the_maps_hold_what_the_head_has(written, multi_echo_head):
    def values(name):
        return np.asarray(nib.load(one(written, f"{name}.nii.gz")).dataobj)

    inside = values("desc-local_mask") > 0
    (chimap,) = (p for p in written.glob("*_Chimap.nii.gz") if "desc-" not in p.name)
    chi = np.asarray(nib.load(chimap).dataobj)
    both = values("desc-positive_Chimap") + values("desc-negative_Chimap")
    np.testing.assert_allclose(both[inside], chi[inside], atol=1e-5)
    nuclei = np.isin(multi_echo_head.labels.data, [1, 2]) & inside
    rate = values("R2starmap")
    assert np.median(np.abs(rate - multi_echo_head.r2star.data)[nuclei]) < 5
    # Iron is darker than in the plain mean of the magnitudes; the rest of the brain is not.
    plain = np.mean([v.data for v in multi_echo_head.scan.magnitude], axis=0)
    ratio = values("desc-tSWI_T2starw") / np.maximum(plain, 1e-6)
    assert ratio[nuclei].mean() < 0.95 < 0.97 < np.median(ratio[inside])
    slab = values("desc-minIP_T2starw")
    assert (slab <= values("desc-SWI_T2starw") + 1e-6)[slab > 0].all()


def test_what_a_contrast_is_made_of_is_made_too_and_in_order():
    def names(*asked):
        return [choice.method.name for choice in contrast_choices(asked)]

    assert names("mip") == ["swi", "mip"]
    assert names("chi-separation,tswi") == ["r2star", "tswi", "chi-separation"]
    assert names() == []
    with pytest.raises(RecipeError, match=r"'tswl' is no map beside chi.*Did you mean 'tswi'"):
        names("tswl")
    with pytest.raises(RecipeError, match="add --also swi"):
        contrast_choices(["tswi"], ["swi.power=3"])
    with pytest.raises(RecipeError, match="from 1 to 16"):
        contrast_choices(["swi"], ["swi.power=0"])


def test_what_cannot_be_made_is_said_before_any_stage_runs(multi_echo_head):
    scan = multi_echo_head.scan
    single = Scan(scan.phase[:1], scan.echo_times_s[:1], scan.field_strength_t, scan.magnitude[:1])
    bare = Scan(scan.phase, scan.echo_times_s, scan.field_strength_t)
    recipe = load_recipe("case-report")

    def stages(name, fraction):
        raise AssertionError(f"{name} has run")

    for wrong, asked, words in (
        (single, ["r2star"], "two echo times, but there is one"),
        (bare, ["swi"], "magnitude images"),
        (bare, ["tswi"], "magnitude images"),
        (scan, ["chi-separation"], "The program assumes none"),
    ):
        with pytest.raises(MetadataError, match=words):
            run(recipe, Inputs(scan=wrong), also=contrast_choices(asked), progress=stages)


def test_every_contrast_has_words_of_its_own_and_quantities_with_units():
    for name, method in methods(CONTRASTS).items():
        settings = {n: s.default for n, s in method.settings.items()}
        step = {"stage": CONTRASTS, "method": name, "settings": settings}
        body, _, listed = methods_text({"stages": [step] * 2}).partition("\n\n")
        assert "_" not in body and "  " not in body and "( " not in body
        assert len(listed.splitlines()) == len(method.references) > 0
        for quantity in method.gives:
            assert quantity in QUANTITIES and quantity in UNITS
    arlo = {"fit": "arlo", "noise": 0.0, "slope": "z-sinc"}
    said = methods_text({"stages": [{"stage": CONTRASTS, "method": "r2star", "settings": arlo}]})
    assert "mrm.25137" in said and "1522-2594" in said


def test_slices_are_those_of_the_file_however_it_is_turned(multi_echo_head):
    """The same image stored with its slices along another axis is projected along that axis."""
    from napari_qsm.recon.inputs import slice_axis

    volume = multi_echo_head.chi
    assert slice_axis(volume.to_canonical()) == 2
    turned = Volume(
        np.ascontiguousarray(volume.data.transpose(2, 0, 1)),
        volume.affine[:, [2, 0, 1, 3]],
    )
    assert slice_axis(turned.to_canonical()) == 1
