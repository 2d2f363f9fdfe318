"""The phase stage: units by declaration and range, sign, alternating slices."""

import numpy as np
import pytest

from napari_qsm.errors import GeometryError, MetadataError
from napari_qsm.recon.phase import decide_phase_unit, from_real_imaginary, scale, wrap_phase
from napari_qsm.recon.phase.alternate_slices import (
    find_alternate_slices,
    flip_alternate_slices,
    slice_agreement,
)
from napari_qsm.recon.stages import get_method


@pytest.fixture
def angles(rng):
    """Phase over the full turn, rad, with the two ends and zero among them."""
    out = rng.uniform(-np.pi, np.pi, (2, 9, 8, 7))
    out[0, 0, 0, :3] = -np.pi, 0.0, np.pi - 1e-6
    return out


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def same_angle(a, b, atol=2e-3):
    np.testing.assert_allclose(wrap_phase(np.asarray(a, float) - b), 0, atol=atol)


@pytest.mark.parametrize(
    "store",
    [
        pytest.param(lambda a: a.astype(np.float32), id="rad"),
        pytest.param(lambda a: np.mod(a, 2 * np.pi), id="0 to 2 pi"),
        pytest.param(lambda a: np.rint(a * 1000).astype(np.int16), id="mrad"),
        pytest.param(lambda a: np.rint(a / np.pi * 4096).astype(np.int16), id="4096"),
        pytest.param(
            lambda a: np.clip(np.rint((a + np.pi) / np.pi * 2048), 0, 4095).astype(np.uint16),
            id="0 to 4095",
        ),
    ],
)
def test_known_ranges_give_the_angles_back(angles, store):
    phase = scale(store(angles))
    same_angle(phase, angles)
    assert phase.dtype == (np.float64 if store(angles).dtype == np.float64 else np.float32)
    # float32's nearest value to pi lies a little beyond it.
    assert phase.min() >= -np.pi - 2e-7
    assert phase.max() < np.pi


def test_zero_and_the_ends_of_the_turn_survive():
    raw = np.array([0.0, np.pi, -np.pi, 1.0], np.float32).reshape(1, 4, 1, 1)
    phase = scale(raw, slice_pi="off").ravel()
    assert phase[0] == 0
    np.testing.assert_allclose(np.abs(phase[1:3]), np.pi, rtol=1e-6)
    assert phase[3] == np.float32(1.0)


def test_narrow_range_is_never_stretched(angles):
    narrow = angles * 0.3
    with pytest.raises(MetadataError, match=r"0\.94.*phase\.full_scale"):
        scale(narrow)
    same_angle(scale(narrow, unit="rad"), narrow)
    same_angle(scale(narrow, {"Units": "rad"}), narrow)


@pytest.mark.parametrize("peak", [0.0036743, 1.0, 32767.0, 3600.0])
def test_unknown_scales_are_refused_until_stated(angles, peak):
    raw = angles / np.pi * peak
    with pytest.raises(MetadataError, match="State the unit"):
        scale(raw)
    same_angle(scale(raw, full_scale=peak), angles)
    same_angle(scale(raw, unit="range"), angles, atol=0.05)


def test_declared_units_count_and_contradictions_are_told(angles):
    same_angle(scale(angles * 0.2 * 1000, {"Units": "mrad"}), angles * 0.2)
    same_angle(scale(np.rad2deg(angles), {"PhaseUnit": "degrees"}), angles)
    same_angle(scale(angles, {"Units": "arbitrary"}), angles)
    with pytest.raises(MetadataError, match='"Hz"'):
        scale(angles, {"Units": "Hz"})
    with pytest.raises(MetadataError, match="declares the phase in rad"):
        scale(np.rint(angles / np.pi * 4096), {"Units": "rad"})
    with pytest.raises(MetadataError, match="declares the phase in mrad"):
        scale(angles, {"Units": "mrad"})


def test_masked_siemens_phase_is_known_by_its_maker(angles):
    raw = 2 * np.rint(angles * 0.4 / np.pi * 2048)  # 12 bits, spread over ±4096
    with pytest.raises(MetadataError):
        scale(raw)
    with pytest.raises(MetadataError):  # 12 bits as they are would look the same
        scale(raw + (raw == raw.min()), {"Manufacturer": "SIEMENS"})
    same_angle(scale(raw, {"Manufacturer": "SIEMENS"}), angles * 0.4)
    same_angle(scale(raw, unit="siemens"), angles * 0.4)
    with pytest.raises(MetadataError, match="4096"):
        scale(raw * 9, unit="siemens")


def test_decision_says_how_it_was_made(angles):
    factor, why, zero = decide_phase_unit(np.rint(angles / np.pi * 4096))
    assert factor == np.pi / 4096
    assert zero == 0
    assert "4096 for pi" in why


def test_constant_empty_and_wrongly_shaped_images_are_refused(angles):
    with pytest.raises(MetadataError, match="same value"):
        scale(np.zeros((1, 4, 4, 4)))
    with pytest.raises(MetadataError, match="no voxels"):
        decide_phase_unit(np.zeros((0, 4)))
    with pytest.raises(MetadataError, match="no finite"):
        scale(np.full((1, 4, 4, 4), np.nan))
    with pytest.raises(GeometryError, match="echo"):
        scale(angles[0])


def test_not_finite_voxels_become_zero_and_are_counted(angles):
    said = []
    raw = angles.copy()
    raw[0, 1, 1, 1:4] = np.nan, np.inf, -np.inf
    phase = scale(raw, warn=said.append)
    assert (phase[0, 1, 1, 1:4] == 0).all()
    same_angle(phase[1], angles[1])
    assert len(said) == 1
    assert said[0].startswith("3 phase voxels")
    assert np.isnan(raw[0, 1, 1, 1])


def test_invert_changes_the_sign(angles):
    same_angle(scale(angles, invert=True), -angles)


def test_wrap_keeps_angles_and_leaves_wrapped_values_alone(rng):
    for dtype in (np.float32, np.float64):
        inside = rng.uniform(-3.1, 3.1, 500).astype(dtype)
        assert (wrap_phase(inside) == inside).all()
        assert wrap_phase(inside).dtype == dtype
        same_angle(wrap_phase(inside + dtype(2 * np.pi) * 7), inside, atol=1e-5)
    assert wrap_phase(np.array([np.pi]))[0] == -np.pi


def head(rng, snr=15.0):
    """Smooth phase in an ellipsoid, noise round it: phase (1, x, y, z) and magnitude."""
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in (32, 30, 20)), indexing="ij")
    inside = (x**2 + y**2 + z**2) < 0.6
    signal = np.where(inside, np.exp(1j * (4 * x * y + 5 * z * z + 3 * y + 4 * z)), 0)
    signal += (rng.standard_normal(x.shape) + 1j * rng.standard_normal(x.shape)) / snr
    return np.angle(signal)[None], np.abs(signal)[None]


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("with_magnitude", [True, False])
def test_alternating_slices_are_found_and_undone(rng, axis, with_magnitude):
    phase, magnitude = head(rng)
    said = []
    alternating = flip_alternate_slices(phase, axis)
    undone = scale(alternating, None, magnitude if with_magnitude else None, warn=said.append)
    same_angle(undone, phase, atol=1e-6)
    assert len(said) == 1
    assert f"axis {axis + 1}" in said[0]


def test_ordinary_scans_and_noise_are_left_alone(rng):
    phase, magnitude = head(rng)
    assert find_alternate_slices(phase[0], magnitude[0]) is None
    assert find_alternate_slices(rng.uniform(-np.pi, np.pi, (20, 20, 20))) is None
    assert find_alternate_slices(phase[0][:, :, :1]) is None
    # A gradient of 1 rad per slice is steep, but no alternation.
    steep = wrap_phase(phase[0] + np.arange(20))
    assert find_alternate_slices(steep, magnitude[0]) is None
    same_angle(
        scale(flip_alternate_slices(phase, 2), slice_pi="off"), flip_alternate_slices(phase, 2)
    )


def test_removal_on_demand_says_when_nothing_was_seen(rng):
    said = []
    phase, _ = head(rng)
    forced = scale(phase, slice_pi="on", warn=said.append)
    same_angle(forced, flip_alternate_slices(phase, 2), atol=1e-6)
    assert "No axis" in said[0]


def test_agreement_has_its_ends():
    flat = np.zeros((6, 6, 6))
    assert slice_agreement(flat, 2) == 1
    assert slice_agreement(flip_alternate_slices(flat, 2), 2) == -1
    assert slice_agreement(flat[:, :, :1], 2) == 0


def test_real_and_imaginary_parts(rng):
    magnitude = rng.uniform(1, 2, (3, 4, 5)).astype(np.float32)
    angle = rng.uniform(-3.1, 3.1, (3, 4, 5)).astype(np.float32)
    m, p = from_real_imaginary(magnitude * np.cos(angle), magnitude * np.sin(angle))
    np.testing.assert_allclose(m, magnitude, rtol=1e-5)
    np.testing.assert_allclose(p, angle, atol=1e-5)
    assert m.dtype == p.dtype == np.float32
    m, p = from_real_imaginary(np.zeros(2, np.int16), np.zeros(2, np.int16))
    assert (m == 0).all()
    assert (p == 0).all()
    with pytest.raises(GeometryError, match="real image"):
        from_real_imaginary(magnitude, angle[0])


def test_complex_alternation_is_a_change_of_sign(rng):
    data = rng.standard_normal((4, 5, 6)) + 1j * rng.standard_normal((4, 5, 6))
    flipped = flip_alternate_slices(data, 2)
    same_angle(np.angle(flipped), flip_alternate_slices(np.angle(data), 2), atol=1e-9)


def test_real_crop_with_undeclared_units(shared_data):
    nib = pytest.importorskip("nibabel")
    stored = nib.load(shared_data / "gre-multiecho-crop" / "Phase.nii").get_fdata(dtype=np.float32)
    stored = np.moveaxis(stored, 3, 0)
    with pytest.raises(MetadataError, match=r"-0\.00367438 to 0\.00367438"):
        scale(stored)
    phase = scale(stored, full_scale=0.0036743774)
    assert np.abs(phase).max() == pytest.approx(np.pi, rel=1e-5)


def test_real_siemens_phase_difference(shared_data):
    nib = pytest.importorskip("nibabel")
    folder = shared_data / "gre-wholehead-lowres"
    stored = nib.load(folder / "me_FieldMap_GRE_3_e2_ph.nii").get_fdata(dtype=np.float32)[None]
    said = []
    phase = scale(stored, warn=said.append)
    np.testing.assert_allclose(phase, wrap_phase(stored * np.float32(np.pi / 4096)), atol=1e-6)
    assert said == []


def test_it_is_registered():
    method = get_method("phase", "scale")
    assert method.inputs == ("raw_phase", "metadata", "magnitude")
    assert "siemens" in method.settings["unit"].param.choices
