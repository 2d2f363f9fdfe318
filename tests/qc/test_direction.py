"""A local field tells the direction of the main field by itself: fields of random sources, made by formula."""

import numpy as np
import pytest
from scipy import ndimage

from napari_qsm.phantom import SMALL, make_head
from napari_qsm.qc.direction import direction_doubt
from napari_qsm.qc.quality import findings
from tests.qc.conftest import measured

SIZES = (2.0, 1.5, 2.5)


def turned(degrees, axis):
    sin, cos = np.sin(np.deg2rad(degrees)), np.cos(np.deg2rad(degrees))
    return (sin, 0.0, cos) if axis == 0 else (0.0, sin, cos)


@pytest.fixture(scope="module")
def made():
    """Field of smooth random susceptibility by the dipole formula in Fourier space, tilted by 25 degrees."""
    rng = np.random.default_rng(8)
    shape = (60, 80, 48)
    chi = ndimage.gaussian_filter(rng.standard_normal(shape), [3 / size for size in SIZES])
    k = np.meshgrid(*map(np.fft.fftfreq, shape, SIZES), indexing="ij")
    along = sum(b * f for b, f in zip(turned(25, 1), k, strict=True))
    kernel = 1 / 3 - along**2 / np.maximum(sum(f * f for f in k), 1e-12)
    field = np.fft.ifftn(np.fft.fftn(chi) * kernel).real
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    inside = sum(a * a for a in axes) < 0.9
    return (field + 0.1 * field.std() * rng.standard_normal(shape)).astype(np.float32), inside


def test_the_true_direction_raises_no_doubt_and_others_do(made):
    field, inside = made
    assert direction_doubt(field, inside, SIZES, turned(25, 1)) < 0.8
    for wrong in (turned(0, 1), turned(5, 1), turned(45, 1), turned(25, 0), (0, 1, 0), (1, 0, 0)):
        assert direction_doubt(field, inside, SIZES, wrong) > 1.05, wrong
    assert direction_doubt(field, np.zeros_like(inside), SIZES, (0, 0, 1)) is None


def test_a_head_said_to_lie_otherwise_is_told():
    head = make_head("patient", **SMALL, seed=3)
    askew = make_head("patient", **SMALL, seed=3, b0_direction=turned(20, 0))
    for made, lies, expected in ((head, head, False), (askew, askew, False), (askew, head, True)):

        def on(v, lies=lies):
            return lies.mask.with_data(v.data, unit=v.unit)

        scan = made.scan.__class__(
            phase=tuple(map(on, made.scan.phase)),
            magnitude=tuple(map(on, made.scan.magnitude)),
            echo_times_s=made.scan.echo_times_s,
            field_strength_t=3.0,
        )
        _, quality = measured(made, scan, "consensus", mask=on(made.mask))
        assert ("direction" in {f.code for f in findings(quality)}) == expected
