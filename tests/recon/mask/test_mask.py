import os
import stat
import sys
import textwrap
import time

import numpy as np
import pytest
from scipy import ndimage

from napari_qsm.errors import Cancelled, GeometryError, MetadataError, QsmError
from napari_qsm.recon.mask.extraction import brain_mask
from napari_qsm.recon.mask.refine import Refinement, refined
from napari_qsm.recon.stages import get_method, methods

BLEED = (30, -20, 25)


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def make_scan(voxel=(3.0, 3.0, 3.0), *, seed=0, bias=0.45, noise=0.04):
    """A head drawn by ellipsoids: phase, magnitude, and the truth about each part."""
    shape = [round(s / v) for s, v in zip((190, 220, 180), voxel, strict=True)]
    x, y, z = np.meshgrid(
        *[(np.arange(n) - (n - 1) / 2) * v for n, v in zip(shape, voxel, strict=True)],
        indexing="ij",
        sparse=True,
    )

    def inside(centre, radii):
        parts = zip((x, y, z), centre, radii, strict=True)
        return sum(((a - c) / r) ** 2 for a, c, r in parts)

    brain = (inside((0, 0, 10), (66, 82, 62)) < 1) & (z > -25)
    brain |= inside((0, -38, -32), (48, 36, 28)) < 1
    brain |= ((x / 14) ** 2 + ((y + 10) / 12) ** 2 < 1) & (z < 0) & (z > -75)
    for side in (-1, 1):
        brain |= inside((side * 38, 22, -22), (24, 34, 22)) < 1
    depth = ndimage.distance_transform_edt(~brain, sampling=voxel)
    image = np.select(
        [brain, depth < 5, depth < 7, depth < 9, depth < 13, depth < 18],
        [1.0, 0.08, 0.25, 0.08, 0.7, 1.3],
    )
    scalp = (depth > 10) & (image > 0)
    eyes = np.zeros(brain.shape, bool)
    for side in (-1, 1):
        eye = inside((side * 32, 78, -18), (12, 12, 12)) < 1
        eyes |= eye & ~brain
        image[eye] = 1.1
        towards = np.clip((78 - y) / 60, 0, 1)
        nerve = (x - side * 32 * (1 - 0.7 * towards)) ** 2 + (z + 18) ** 2 < 6
        image[nerve & (y > 20) & (y < 78)] = 0.9
        image[inside((side * 12, 5, 15), (5, 28, 9)) < 1] = 0.6
        image[inside((side * 20, 2, 2), (6, 10, 7)) < 1] = 0.55
    bleed = inside(BLEED, (9, 9, 9)) < 1
    image[bleed] = 0.02
    image = image * np.exp(bias * ((x / 70) ** 2 + 0.8 * (y / 85) ** 2 + ((z - 20) / 90) ** 2))
    sinus = inside((0, 62, -22), (14, 12, 10))
    image = image * (1 - np.exp(-sinus))
    phase = 0.002 * (x**2 - y**2 + 20 * z) + 4 * np.exp(-inside((0, 70, -25), (25, 20, 18)))
    rng = np.random.default_rng(seed)
    signal = image * np.exp(1j * phase)
    signal += noise * (rng.standard_normal(image.shape) + 1j * rng.standard_normal(image.shape))
    phase = np.angle(signal).astype(np.float32)[None]
    magnitude = np.abs(signal).astype(np.float32)[None]
    truth = {"brain": brain, "scalp": scalp, "eyes": eyes, "bleed": bleed, "sinus": sinus < 0.15}
    return phase, magnitude, truth


@pytest.fixture(scope="module")
def scan():
    return make_scan()


def run(name, phase, magnitude, voxel=(3.0, 3.0, 3.0), *given, **settings):
    return get_method("mask", name).function(phase, magnitude, voxel, *given, **settings)


def test_methods_stand_in_the_register_with_settings_that_pass_their_own_check():
    names = list(methods("mask"))
    assert names == [
        "brain", "threshold", "phase-quality", "given", "whole", "bet", "hd-bet", "synthstrip",
    ]  # fmt: skip
    for found in methods("mask").values():
        assert found.inputs[:3] == ("phase", "magnitude", "voxel_size_mm")
        for setting in found.settings.values():
            assert setting.check(setting.default, setting.name) == setting.default
            assert setting.param.help


# The brain in a whole head.


def test_brain_is_found_and_scalp_eyes_and_sinus_are_left_out(scan):
    phase, magnitude, truth = scan
    mask = run("brain", phase, magnitude)
    assert mask.dtype == bool and mask.shape == phase.shape[1:]
    assert dice(mask, truth["brain"]) > 0.985
    assert not (mask & truth["scalp"]).any()
    assert (mask & truth["eyes"]).sum() < 0.01 * truth["eyes"].sum()
    assert not (mask & truth["sinus"]).any()
    assert mask[truth["bleed"]].all()


@pytest.mark.parametrize("bias", [0.0, 0.9])
def test_receive_bias_is_tolerated(bias):
    phase, magnitude, truth = make_scan(bias=bias)
    mask = run("brain", phase, magnitude)
    assert dice(mask, truth["brain"]) > 0.98
    assert (mask & truth["scalp"]).sum() <= 3


@pytest.mark.parametrize("seed", [1, 2])
def test_noise_hardly_moves_the_mask(scan, seed):
    phase, magnitude, truth = make_scan(seed=seed, noise=0.1)
    mask = run("brain", phase, magnitude)
    assert dice(mask, truth["brain"]) > 0.96
    assert dice(mask, run("brain", *scan[:2])) > 0.97


@pytest.mark.parametrize("voxel", [(2.0, 1.5, 4.0), (1.0, 4.0, 3.0)])
def test_anisotropic_grids(voxel):
    phase, magnitude, truth = make_scan(voxel)
    assert dice(run("brain", phase, magnitude, voxel), truth["brain"]) > 0.97


def test_fine_grids_are_fitted_at_full_resolution():
    # A part of the head, to keep it quick: 0.8 mm in the plane, coarse extraction at 1.6.
    voxel = (0.8, 0.8, 2.0)
    phase, magnitude, truth = make_scan(voxel, noise=0.06)
    part = np.s_[:, :, 60:100, 40:70]
    brain = truth["brain"][part[1:]]
    mask = run("brain", phase[part], magnitude[part], voxel)
    assert dice(mask, brain) > 0.985


@pytest.mark.parametrize("scale", [1e-4, 1000.0])
def test_the_unit_of_the_magnitude_does_not_matter(scan, scale):
    phase, magnitude, _ = scan
    expected = run("brain", phase, magnitude)
    mask = run("brain", phase, (magnitude * scale).astype(np.float32))
    assert (mask != expected).mean() < 1e-4


def test_integer_and_double_magnitudes_give_the_same_mask(scan):
    phase, magnitude, _ = scan
    expected = run("brain", phase, magnitude)
    counts = np.round(magnitude * 2000)
    assert dice(run("brain", phase, counts.astype(np.uint16)), expected) > 0.998
    assert dice(run("brain", phase, magnitude.astype(float)), expected) > 0.9999


@pytest.mark.parametrize("turn", ["flip x", "flip y", "flip z", "cycle"])
def test_flips_and_turns_turn_the_mask(scan, turn):
    phase, magnitude, _ = scan
    expected = run("brain", phase, magnitude)
    if turn == "cycle":
        change = lambda a: np.moveaxis(a, -1, -3)  # noqa: E731
    else:
        change = lambda a: np.flip(a, "xyz".index(turn[-1]) - 3)  # noqa: E731
    mask = run("brain", change(phase), change(magnitude))
    assert (mask != change(expected)).mean() < 1e-4


def test_inputs_are_not_modified(scan):
    phase, magnitude, _ = scan
    before = phase.copy(), magnitude.copy()
    for name in ("brain", "threshold", "phase-quality", "whole"):
        run(name, phase, magnitude, erode_mm=3.0)
    assert np.array_equal(phase, before[0]) and np.array_equal(magnitude, before[1])


def test_a_patch_of_nan_in_the_air_and_one_in_the_brain(scan):
    phase, magnitude, truth = scan
    magnitude = magnitude.copy()
    magnitude[0, :3, :3, :3] = np.nan
    magnitude[0, 30:32, 40:42, 35:37] = np.inf
    mask = run("brain", phase, magnitude)
    assert dice(mask, truth["brain"]) > 0.985


def test_second_echo_of_pure_decay_changes_little(scan):
    phase, magnitude, truth = scan
    two = np.concatenate([magnitude, 0.5 * magnitude])
    mask = run("brain", np.concatenate([phase, 2 * phase]), two)
    assert dice(mask, truth["brain"]) > 0.98


def test_progress_rises_and_can_stop(scan):
    phase, magnitude, _ = scan
    told = []
    run("brain", phase, magnitude, progress=told.append)
    assert told == sorted(told) and told[-1] == 1 and len(told) > 10

    def stop(fraction):
        if fraction > 0.35:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        run("brain", phase, magnitude, progress=stop)


# Crops, thin volumes, poor input.


def test_a_crop_from_inside_the_brain_stays_nearly_whole(scan):
    phase, magnitude, _ = scan
    crop = np.s_[:, 16:32, 20:40, 34:46]
    mask = run("brain", phase[crop], magnitude[crop])
    assert mask.mean() > 0.98


def test_a_crop_across_the_skull(scan):
    phase, magnitude, truth = scan
    crop = np.s_[:, :30, 15:55, 25:45]
    mask = run("brain", phase[crop], magnitude[crop])
    assert dice(mask, truth["brain"][crop[1:]]) > 0.97
    assert not (mask & truth["scalp"][crop[1:]]).any()


def test_a_brain_stripped_before_keeps_its_rim(scan):
    _, magnitude, truth = scan
    stripped = magnitude * truth["brain"]
    assert dice(brain_mask(stripped, (3, 3, 3)), truth["brain"]) > 0.985


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_single_slice(scan, axis):
    phase, magnitude, truth = scan
    middle = [30, 36, 38][axis]
    cut = [slice(None)] * 3
    cut[axis] = slice(middle, middle + 1)
    mask = run("brain", phase[:, *cut], magnitude[:, *cut])
    assert dice(mask, truth["brain"][tuple(cut)]) > 0.95


def test_thin_tissue_is_found_with_a_warning():
    magnitude = np.zeros((1, 30, 30, 30), np.float32)
    magnitude[:, 12:17, 12:17, 12:17] = 100
    warnings = []
    mask = run("brain", np.zeros_like(magnitude), magnitude, (1.0, 1.0, 1.0), warn=warnings.append)
    assert mask[13:16, 13:16, 13:16].all() and mask.sum() <= 5**3
    assert len(warnings) == 1 and "mm radius" in warnings[0]


def test_more_than_any_human_brain_is_questioned():
    magnitude = np.ones((1, 20, 20, 20), np.float32)
    warnings = []
    mask = run("brain", np.zeros_like(magnitude), magnitude, (8.0, 8.0, 8.0), warn=warnings.append)
    assert mask.all()
    assert "4096 cm³" in warnings[0]


def test_all_methods_refuse_what_is_empty():
    phase = np.zeros((1, 12, 12, 12), np.float32)
    nothing = np.zeros_like(phase)
    for name in ("brain", "threshold"):
        for magnitude in (nothing, nothing * np.nan):
            with pytest.raises(QsmError, match="zero everywhere"):
                run(name, phase, magnitude)
    with pytest.raises(QsmError, match="mask is empty"):
        run("given", phase, None, (1, 1, 1), np.zeros((12, 12, 12), bool))
    with pytest.raises(QsmError, match="mask is empty"):
        run("phase-quality", phase * np.nan, None)
    with pytest.raises(QsmError, match="mask is empty"):
        run("whole", phase * np.nan, None)


@pytest.mark.parametrize("name", ["brain", "threshold", "bet", "hd-bet", "synthstrip"])
@pytest.mark.parametrize("magnitude", [None, np.zeros((0, 8, 8, 8))])
def test_methods_that_need_a_magnitude_say_what_else_to_do(name, magnitude):
    with pytest.raises(MetadataError, match=f"'{name}' needs a magnitude.*phase-quality"):
        run(name, np.zeros((1, 8, 8, 8)), magnitude)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(GeometryError, match="same scan"):
        run("brain", np.zeros((1, 8, 8, 8)), np.ones((1, 8, 8, 7)))
    with pytest.raises(GeometryError, match="given mask has shape"):
        run("given", np.zeros((1, 8, 8, 8)), None, (1, 1, 1), np.ones((8, 8), bool))


# The other methods.


def test_threshold_at_a_share_of_the_bright_signal():
    magnitude = np.full((1, 20, 20, 20), 1.0)
    magnitude[0, 4:16, 4:16, 4:16] = 10.0
    magnitude[0, 8:10, 8:10, 8:10] = 3.0
    phase = np.zeros_like(magnitude)
    cube = np.zeros((20, 20, 20), bool)
    cube[4:16, 4:16, 4:16] = True
    assert np.array_equal(run("threshold", phase, magnitude), cube)
    assert np.array_equal(run("threshold", phase, magnitude, level=0.5), cube)
    assert run("threshold", phase, magnitude, level=0.05).all()
    open_holes = run("threshold", phase, magnitude, fill_holes_mm3=0.0)
    assert open_holes.sum() == cube.sum() - 8


def test_phase_quality_alone_finds_the_brain():
    # With noise enough to drown bone; marrow in thick bone would else carry the mask across.
    phase, _, truth = make_scan(noise=0.15)
    mask = run("phase-quality", phase, None)
    assert dice(mask, truth["brain"]) > 0.94
    assert (mask & ~truth["brain"]).sum() < 0.03 * truth["brain"].sum()


def test_phase_quality_keeps_a_clean_crop_whole(scan):
    phase = scan[0][:, 16:32, 20:40, 34:46]
    assert run("phase-quality", phase, None).mean() > 0.97


AS_IT_IS = {"rim_level": 0, "quality_threshold": 0, "closing_mm": 0, "fill_holes_mm3": 0}


def test_given_is_taken_as_it_is_if_asked():
    rng = np.random.default_rng(0)
    speckle = rng.random((12, 12, 12)) > 0.6
    phase = rng.uniform(-3, 3, (1, 12, 12, 12))
    for kind in (bool, np.uint8, np.float32):
        mask = run("given", phase, None, (1, 1, 1), speckle.astype(kind), **AS_IT_IS)
        assert mask.dtype == bool and np.array_equal(mask, speckle)
    mask = run("given", phase, None, (1, 1, 1), speckle, **(AS_IT_IS | {"keep_largest": True}))
    assert ndimage.label(mask)[1] == 1


def test_given_loses_a_rim_that_is_dark_or_noise_and_says_how_much():
    rng = np.random.default_rng(1)
    axes = np.ogrid[:40, :40, :40]
    radius = np.sqrt(sum((a - 19.5) ** 2 for a in axes))
    given = radius < 16
    good = radius < 13
    phase = np.where(good, 0.3 + 0.05 * rng.standard_normal(good.shape), 0)
    phase = np.where(good, phase, rng.uniform(-np.pi, np.pi, good.shape))[None]
    hole = radius < 3  # dark, deep inside: a bleed
    bright = np.where(hole, 0.05, 1.0)[None]
    warnings = []
    by_phase = run("given", phase, bright, (1, 1, 1), given, rim_level=0, warn=warnings.append)
    assert not (by_phase & (radius > 14.5)).any()
    assert by_phase[radius < 11.5].all()
    assert "of the given mask was left out" in warnings[0]
    dark = np.where(good & ~hole, 1.0, 0.1)[None]
    quiet = np.zeros_like(phase)
    by_light = run("given", quiet, dark, (1, 1, 1), given)
    assert np.array_equal(by_light, good)
    # Holes that came with the mask stay open.
    ring = given & (radius > 4)
    assert not run("given", quiet, np.ones_like(dark), (1, 1, 1), ring)[hole].any()


@pytest.mark.parametrize("odd", [2, -1, 0.5, np.nan, 255])
def test_given_masks_hold_zeros_and_ones(odd):
    mask = np.zeros((6, 6, 6))
    mask[2:4] = 1
    mask[0, 0, 0] = odd
    with pytest.raises(QsmError, match=f"the value {odd:g}.*only 0 and 1"):
        run("given", np.zeros((1, 6, 6, 6)), None, (1, 1, 1), mask)


def test_no_given_mask_and_one_that_holds_everything():
    phase = np.zeros((1, 6, 6, 6))
    with pytest.raises(MetadataError, match="none was given"):
        run("given", phase, None)
    warnings = []
    everything = np.ones((6, 6, 6), bool)
    mask = run("given", phase, None, (1, 1, 1), everything, warn=warnings.append)
    assert mask.all() and "whole volume" in warnings[0]


def test_whole_takes_all_but_voxels_without_a_phase():
    phase = np.zeros((2, 8, 8, 8))
    phase[1, 0, 0, 0] = np.nan
    mask = run("whole", phase, None)
    assert not mask[0, 0, 0] and mask.sum() == 8**3 - 1


# The steps all methods share.


def test_poor_phase_leaves_at_the_rim_and_stays_inside():
    rng = np.random.default_rng(4)
    mask = np.zeros((30, 30, 30), bool)
    mask[3:27, 3:27, 3:27] = True
    phase = np.zeros((1, 30, 30, 30), np.float32)
    poor = np.zeros_like(mask)
    poor[20:27, 8:22, 8:22] = True  # at the rim
    poor[8:13, 12:17, 12:17] = True  # inside
    phase[0][poor] = rng.uniform(-np.pi, np.pi, poor.sum())
    out = refined(
        mask,
        phase,
        None,
        (1, 1, 1),
        Refinement(quality_threshold=0.6, fill_holes_mm3=1e4, keep_largest=True),
    )
    assert out[8:13, 12:17, 12:17].all()
    assert out[21:27, 9:21, 9:21].mean() < 0.02
    assert out[4:17, 4:26, 4:26].all()
    assert not (out & ~mask).any()


def test_erosion_and_dilation_are_in_mm_and_may_leave_the_box_of_the_mask():
    mask = np.zeros((24, 24, 24), bool)
    mask[8:16, 8:16, 8:16] = True
    phase = np.zeros((1, 24, 24, 24))
    assert refined(mask, phase, None, (1, 1, 2), Refinement(erode_mm=2.0)).sum() == 4 * 4 * 6
    grown = refined(mask, phase, None, (1, 1, 1), Refinement(dilate_mm=3.0))
    assert grown[5:19, 10, 10].all() and grown[:, 10, 10].sum() == 14
    with pytest.raises(QsmError, match="taking 9 mm off"):
        refined(mask, phase, None, (1, 1, 1), Refinement(erode_mm=9.0))


# Programs outside this one, played by scripts.

posix = pytest.mark.skipif(os.name != "posix", reason="scripts stand in for the programs")


def install(folder, name, body):
    script = folder / name
    script.write_text(f"#!{sys.executable}\nimport sys\n" + textwrap.dedent(body))
    script.chmod(script.stat().st_mode | stat.S_IXUSR)


WRITES_A_MASK = """
import nibabel as nib, numpy as np
args = sys.argv[1:]
source, out = {source}, {out}
image = nib.load(source)
print(args, image.header.get_zooms())
mask = (image.get_fdata() > 300).astype("uint8")
image = nib.Nifti1Image(mask, image.affine)
nib.save(image.as_reoriented([[0, -1], [2, 1], [1, 1]]), out)
"""


@posix
@pytest.mark.parametrize(
    ("name", "program", "source", "out"),
    [
        ("bet", "bet", "args[0]", "args[1] + '_mask.nii.gz'"),
        (
            "hd-bet",
            "hd-bet",
            "args[args.index('-i') + 1]",
            "args[args.index('-o') + 1].replace('.nii.gz', '_bet.nii.gz')",
        ),
        ("synthstrip", "mri_synthstrip", "args[1]", "args[args.index('-m') + 1]"),
    ],
)
def test_masks_of_other_programs_come_back_on_the_grid(
    tmp_path, monkeypatch, name, program, source, out
):
    install(tmp_path, program, WRITES_A_MASK.format(source=source, out=out))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    magnitude = np.zeros((1, 12, 14, 10), np.float32)
    magnitude[0, 2:9, 3:12, 1:8] = 7.0
    mask = run(name, np.zeros_like(magnitude), magnitude, (1.0, 1.5, 2.0))
    assert np.array_equal(mask, magnitude[0] > 0)


@pytest.mark.parametrize(
    ("name", "program"), [("bet", "bet"), ("hd-bet", "hd-bet"), ("synthstrip", "mri_synthstrip")]
)
def test_a_program_that_is_not_installed_is_named(tmp_path, monkeypatch, name, program):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(QsmError, match=f"'{program}' was chosen.*not on the PATH"):
        run(name, np.zeros((1, 6, 6, 6)), np.ones((1, 6, 6, 6)))


@posix
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("print('no licence found'); sys.exit(3)", r"failed \(exit status 3\): no licence found"),
        ("sys.exit(0)", "without writing a mask"),
        (
            "import nibabel as nib, numpy as np\n"
            "nib.save(nib.Nifti1Image(np.ones((2, 3, 4), 'uint8'), np.eye(4)),"
            " sys.argv[2] + '_mask.nii.gz')",
            "mask of shape",
        ),
    ],
)
def test_a_program_that_fails_is_quoted(tmp_path, monkeypatch, body, message):
    install(tmp_path, "bet", body)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(QsmError, match=message):
        run("bet", np.zeros((1, 6, 6, 6)), np.ones((1, 6, 6, 6)))


@posix
def test_cancel_ends_the_program_and_its_children(tmp_path, monkeypatch):
    pids = tmp_path / "pids"
    install(
        tmp_path,
        "bet",
        f"""
        import os, subprocess, time
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        with open({str(pids)!r} + ".new", "w") as file:
            file.write(f"{{os.getpid()}} {{child.pid}}")
        os.rename({str(pids)!r} + ".new", {str(pids)!r})
        time.sleep(60)
        """,
    )
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    def stop(fraction):
        if pids.exists():
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        run("bet", np.zeros((1, 6, 6, 6)), np.ones((1, 6, 6, 6)), progress=stop)
    for pid in map(int, pids.read_text().split()):
        for _ in range(100):
            if ended(pid):
                break
            time.sleep(0.05)
        assert ended(pid)


def ended(pid):
    """Whether a process is gone, or dead and waiting for its parent to notice."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


# The built-in head and real scans.


def test_the_built_in_head(head):
    phase = np.stack([v.data for v in head.scan.phase])
    magnitude = np.stack([v.data for v in head.scan.magnitude])
    truth = np.asarray(head.mask.data) > 0
    voxel = head.mask.voxel_size_mm
    mask = run("brain", phase, magnitude, voxel)
    # The mask also holds the fluid round the brain, which the truth leaves out.
    assert (truth & ~mask).sum() < 0.03 * truth.sum()
    depth = ndimage.distance_transform_edt(~truth, sampling=voxel)
    assert depth[mask].max() < 25
    assert dice(mask, truth) > 0.91
    labels = np.asarray(head.labels.data)
    assert mask[labels > 0].mean() > 0.995


def load(*paths):
    import nibabel as nib

    images = [nib.as_closest_canonical(nib.load(p)) for p in paths]
    zooms = tuple(float(z) for z in images[0].header.get_zooms()[:3])
    return np.stack([np.asarray(i.dataobj, dtype=np.float32) for i in images]), zooms


def test_a_real_whole_head(shared_data):
    folder = shared_data / "gre-wholehead-lowres"
    magnitude, voxel = load(*(folder / f"me_FieldMap_GRE_2_e{e}.nii" for e in (1, 2)))
    phase, _ = load(folder / "me_FieldMap_GRE_3_e2_ph.nii")
    mask = run("brain", phase * np.float32(np.pi / 4096), magnitude, voxel)
    volume = mask.sum() * np.prod(voxel) / 1000
    assert 1300 < volume < 1600
    assert mask[20:44, 15:50, 14:26].all()  # deep grey, ventricles and veins
    assert mask[26:38, 14:30, 1].mean() > 0.9  # cerebellum
    assert not mask[14:22, 54:, 6:11].any() and not mask[42:50, 54:, 6:11].any()  # eyes
    assert not mask[:, :, 35].any()  # scalp over the vertex
    assert not mask[:, 62:].any() and not mask[:7].any() and not mask[58:].any()
    assert ndimage.label(mask)[1] == 1


def test_a_real_crop_from_inside_a_brain(shared_data):
    import nibabel as nib

    folder = shared_data / "gre-multiecho-crop"
    magnitude = np.moveaxis(nib.load(folder / "Mag.nii").get_fdata(), 3, 0)
    phase = np.moveaxis(nib.load(folder / "Phase.nii").get_fdata(), 3, 0) * (np.pi / 0.0036743774)
    mask = run("brain", phase, magnitude, (0.46875, 0.46875, 1.0))
    assert mask.mean() > 0.98


def test_gyri_between_dark_sulci_and_the_medulla_are_kept(shared_data):
    magnitude, voxel = load(shared_data / "cit168" / "CIT168toMNI152-2009c_T1w_brain.nii.gz")
    mask = brain_mask(magnitude[:, ::2, ::2, ::2], tuple(2 * v for v in voxel))
    bright = magnitude[0, ::2, ::2, ::2] > 140
    assert mask[bright].mean() > 0.99


@pytest.mark.parametrize("name", ["brain", "threshold", "given", "phase-quality", "whole"])
def test_noise_alone_is_called_noise_and_no_setting_is_blamed(name):
    # Complex noise of independent parts is what a receiver without a head gives.
    rng = np.random.default_rng(0)
    scan = rng.standard_normal((1, 32, 32, 24)) + 1j * rng.standard_normal((1, 32, 32, 24))
    inner = np.zeros(scan.shape[1:], bool)
    inner[6:26, 6:26, 4:20] = True
    more = (inner,) if name == "given" else ()
    with pytest.raises(QsmError, match="nothing but noise") as caught:
        run(name, np.angle(scan), np.abs(scan), (2, 2, 2), *more)
    assert "threshold" not in str(caught.value)
    nothing = np.zeros_like(inner)
    with pytest.raises(QsmError, match="nothing but noise"):
        refined(nothing, np.angle(scan), np.abs(scan), (2, 2, 2), Refinement())


def test_a_threshold_above_a_coherent_phase_is_told_with_what_there_is():
    rng = np.random.default_rng(0)
    phase = 0.3 * rng.standard_normal((1, 20, 20, 20))  # coherence exp(-3 * 0.3²) = 0.76
    everything = np.ones((20, 20, 20), bool)
    steps = Refinement(quality_threshold=1.0)
    with pytest.raises(QsmError, match=r"lower the quality threshold.*(0\.8|0\.9)"):
        refined(everything, phase, None, (2, 2, 2), steps)
