"""Scans that are out of the ordinary: a sentence that says so, or means of nuclei that are right all the same.

The measure is the ratio of the nuclei's means to their true ones, as far as the scan without the trouble
has it; fields of lesions are those of a sphere by formula.
"""

from dataclasses import replace

import numpy as np
import pytest

from napari_qsm.errors import MetadataError, QsmError
from napari_qsm.phantom import SMALL, make_head
from napari_qsm.recon.fourier import field_ppm_per_rad
from napari_qsm.recon.pipeline import Inputs, run
from napari_qsm.recon.recipe import load_recipe, with_settings


def reconstructed(head, scan=None, *changes, mask=True):
    inputs = Inputs(scan=scan or head.scan, mask=head.mask if mask else None)
    return run(with_settings(load_recipe("consensus"), changes), inputs)


def ratio(head, result, left_out=None):
    """sum(r t) / sum(t²) over the iron-rich nuclei, both less the mean of the map."""
    inside = result.arrays["local_mask"].copy()
    if left_out is not None:
        inside &= ~left_out
    maps = result.arrays["chi_ppm"], np.asarray(head.chi.data)
    labels = np.asarray(head.labels.data)
    wanted = ("Putamen", "Globus", "Caudate", "Red", "Substantia")
    regions = [labels == r.index for r in head.label_names if r.name.startswith(wanted)]
    means = [
        [m[region & inside].mean(dtype=float) - m[inside].mean(dtype=float) for m in maps]
        for region in regions
        if (region & inside).sum() >= 30
    ]
    found, true = np.array(means).T
    return found @ true / (true @ true)


@pytest.fixture(scope="module")
def head():
    return make_head("patient", **SMALL, seed=6)


@pytest.fixture(scope="module")
def usual(head):
    return ratio(head, reconstructed(head))


def test_the_scan_itself_is_about_right(usual):
    assert usual == pytest.approx(1, abs=0.05)


def sphere_field(shape, sizes, centre, radius_mm, chi_ppm):
    """Where a sphere lies, and its field outside by formula; inside it is that of its rim's mean, zero."""
    axes = [(np.arange(n) - c) * s for n, c, s in zip(shape, centre, sizes, strict=True)]
    x, y, z = np.meshgrid(*axes, indexing="ij", sparse=True)
    r2 = np.maximum(x * x + y * y + z * z, 1e-3)
    inside = r2 <= radius_mm**2
    return inside, np.where(inside, 0, chi_ppm / 3 * radius_mm**3 * (3 * z * z / r2 - 1) / r2**1.5)


def test_a_bleed_at_the_rim_leaves_the_nuclei_as_they_are(head, usual):
    mask = np.asarray(head.mask.data) > 0
    sizes = head.mask.voxel_size_mm
    middle = np.argwhere(mask).mean(axis=0)
    row = np.flatnonzero(mask[:, round(middle[1]), round(middle[2]) + 3])
    centre = (
        row[-1] - 3,
        round(middle[1]),
        round(middle[2]) + 3,
    )  # half of it beyond the rim's 6 mm
    bleed, field = sphere_field(mask.shape, sizes, centre, 6.0, 1.0)
    assert (bleed & ~mask).any() or mask[centre]
    [phase], [magnitude] = head.scan.phase, head.scan.magnitude
    rng = np.random.default_rng(0)
    [time_s] = head.scan.echo_times_s
    angle = np.asarray(phase.data) + field / field_ppm_per_rad(time_s, 3.0)
    angle[bleed] = rng.uniform(-np.pi, np.pi, np.count_nonzero(bleed))
    dark = np.where(bleed, 0.05, 1) * magnitude.data
    scan = replace(
        head.scan,
        phase=(phase.with_data(np.angle(np.exp(1j * angle)).astype(np.float32)),),
        magnitude=(magnitude.with_data(dark.astype(np.float32)),),
    )
    found = ratio(head, reconstructed(head, scan), left_out=bleed)
    assert found == pytest.approx(usual, abs=0.04)


def test_without_magnitudes_it_is_said_what_lacks_and_how_much_the_nuclei_lose(head, usual):
    bare = replace(head.scan, magnitude=(), magnitude_echo_times_s=())
    with pytest.raises(MetadataError, match="needs a magnitude image and the scan has none"):
        reconstructed(head, bare, "mask.method=brain", mask=False)
    result = reconstructed(head, bare)
    assert any("2 to 13 % lower" in said for said in result.warnings)
    assert usual - 0.15 < ratio(head, result) < usual


def test_two_echoes_a_tenth_of_a_millisecond_apart_are_told_and_right(usual):
    close = make_head("patient", **SMALL, seed=6, echo_times_s=(0.021, 0.0211))
    result = reconstructed(close)
    assert any("lie only 0.1 ms apart, at 21 ms" in said for said in result.warnings)
    assert ratio(close, result) == pytest.approx(usual, abs=0.05)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_head_tilted_by_30_degrees_is_right(usual, axis):
    direction = [0.0, 0.0, np.cos(np.deg2rad(30))]
    direction[axis] = np.sin(np.deg2rad(30))
    tilted = make_head("patient", **SMALL, seed=6, b0_direction=direction)
    result = reconstructed(tilted)
    assert result.provenance["b0_direction"] == pytest.approx(direction, abs=1e-6)
    assert ratio(tilted, result) == pytest.approx(usual, abs=0.05)


@pytest.mark.parametrize("method", ["brain", "threshold", "phase-quality", "whole"])
def test_noise_alone_is_refused_whatever_makes_the_mask(head, method):
    rng = np.random.default_rng(1)
    shape = head.mask.shape
    signal = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    [phase], [magnitude] = head.scan.phase, head.scan.magnitude
    scan = replace(
        head.scan,
        phase=(phase.with_data(np.angle(signal).astype(np.float32)),),
        magnitude=(magnitude.with_data(np.abs(signal).astype(np.float32)),),
    )
    with pytest.raises(QsmError, match="nothing but noise"):
        reconstructed(head, scan, f"mask.method={method}", mask=False)


def test_a_mask_that_cuts_the_nuclei_is_told(head):
    """Without the warning the loss would not show: the map is as smooth as a sound one."""
    inside = np.asarray(head.mask.data) > 0
    [putamen] = [r.index for r in head.label_names if r.name == "Putamen R"]
    middle = round(np.argwhere(np.asarray(head.labels.data) == putamen)[:, 0].mean())
    inside[middle:] = False
    cut = replace(head, mask=head.mask.with_data(inside.astype(np.uint8)))
    result = reconstructed(cut)
    assert any("Nuclei that it cuts" in said for said in result.warnings)
