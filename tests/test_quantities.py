"""A quantity comes in its canonical unit through every door, or is refused in a sentence."""

import json

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_qsm.errors import MetadataError
from napari_qsm.io.maps import read_map, read_quantity
from napari_qsm.quantities import canonical_unit, checked_map, in_canonical_unit, typical
from napari_qsm.volume import Volume

AFFINE = np.diag([-1.0, 1, 2, 1])
#: Larmor frequency of protons: 42.577478518 MHz in one tesla.
HZ_PER_PPM_3T = 42.577478518 * 3
RANDOM = np.random.default_rng(5).normal(size=(12, 10, 8))
#: What a head's maps typically look like, in their canonical unit.
TRUE = {
    "unwrapped": RANDOM * 8 + 20,
    "total_field_ppm": RANDOM * 0.6,
    "local_field_ppm": RANDOM * 0.03,
    "chi_ppm": RANDOM * 0.05,
}
CANONICAL = {"unwrapped": "rad"}
# Stored value = canonical value * factor.
UNITS = {
    "unwrapped": {"rad": 1, "Radians": 1, "mrad": 1e3, "deg": 180 / np.pi},
    "total_field_ppm": {
        "ppm": 1,
        "PPM": 1,
        "parts per million": 1,
        "ppb": 1e3,
        "Hz": HZ_PER_PPM_3T,
        "hertz": HZ_PER_PPM_3T,
        "rad/s": HZ_PER_PPM_3T * 2 * np.pi,
        "T": 3e-6,
        "nT": 3e3,
    },
    "chi_ppm": {"ppm": 1, "ppb": 1e3, "Parts Per Billion": 1e3},
}
UNITS["local_field_ppm"] = UNITS["total_field_ppm"]
#: Units that are none of the quantity's.
FOREIGN = {
    "unwrapped": ["Hz", "ppm", "1/s", "furlong"],
    "total_field_ppm": ["1/s", "ms", "furlong"],
    "local_field_ppm": ["1/s", "ms", "furlong"],
    "chi_ppm": ["Hz", "rad", "1/s", "T", "furlong"],
}
#: Values that are none of the quantity's, by factor, whether a unit is declared or not.
IMPOSSIBLE = {
    "unwrapped": ("rad", 500),
    "total_field_ppm": ("ppm", HZ_PER_PPM_3T),
    "local_field_ppm": ("ppm", HZ_PER_PPM_3T),
    "chi_ppm": ("ppm", 1e3),
}


def save(folder, name, data, sidecar=None):
    path = folder / f"{name}.nii.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(np.asarray(data, np.float32), AFFINE), path)
    if sidecar is not None:
        path.with_name(f"{name}.json").write_text(json.dumps(sidecar), encoding="utf-8")
    return path


def same(volume, role):
    assert volume.unit == CANONICAL.get(role, "ppm")
    np.testing.assert_allclose(volume.data, TRUE[role], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("role", "unit"), [(role, unit) for role, units in UNITS.items() for unit in units]
)
class TestEveryRoleInEveryUnit:
    def test_declared_beside_the_image(self, role, unit, tmp_path):
        said = {"Units": unit, "MagneticFieldStrength": 3}
        path = save(tmp_path, "map", TRUE[role] * UNITS[role][unit], said)
        same(read_quantity(path, role), role)

    def test_inherited(self, role, unit, tmp_path):
        (tmp_path / "dataset_description.json").write_text('{"Name": "d", "BIDSVersion": "1.8.0"}')
        said = json.dumps({"Units": unit, "MagneticFieldStrength": 3})
        (tmp_path / "Chimap.json").write_text(said)
        data = TRUE[role] * UNITS[role][unit]
        same(read_quantity(save(tmp_path / "sub-1" / "anat", "sub-1_Chimap", data), role), role)


@pytest.mark.parametrize("role", TRUE)
class TestEveryRole:
    def test_undeclared_is_canonical_and_told(self, role, tmp_path):
        said = []
        same(read_quantity(save(tmp_path, "map", TRUE[role]), role, warn=said.append), role)
        assert len(said) == 1
        assert "does not say its unit" in said[0]

    def test_other_units_are_refused(self, role, tmp_path):
        for unit in FOREIGN[role]:
            path = save(tmp_path, "map", TRUE[role], {"Units": unit, "MagneticFieldStrength": 3})
            with pytest.raises(MetadataError, match=f"is in {unit}"):
                read_quantity(path, role)

    @pytest.mark.parametrize("declared", [True, False])
    def test_impossible_values_are_refused(self, role, declared, tmp_path):
        unit, factor = IMPOSSIBLE[role]
        said = {"Units": unit} if declared else {}
        path = save(tmp_path, "map", TRUE[role] * factor, said)
        with pytest.raises(MetadataError, match="more than any"):
            read_quantity(path, role)

    def test_one_wild_voxel_decides_nothing(self, role, tmp_path):
        data = TRUE[role].copy()
        data[3, 3, 3] = 1e6
        assert read_quantity(save(tmp_path, "map", data), role).unit


def test_fields_in_hz_need_the_field_strength(tmp_path):
    path = save(tmp_path, "f", TRUE["total_field_ppm"] * HZ_PER_PPM_3T, {"Units": "Hz"})
    with pytest.raises(MetadataError, match="--field-strength-t"):
        read_quantity(path, "total_field_ppm")
    same(read_quantity(path, "total_field_ppm", field_strength_t=3), "total_field_ppm")
    with pytest.raises(MetadataError, match="3000 T"):
        read_quantity(path, "total_field_ppm", field_strength_t=3000)


def test_what_is_given_wins_over_the_sidecar(tmp_path):
    said = {"Units": "Hz", "MagneticFieldStrength": 7}
    path = save(tmp_path, "f", TRUE["total_field_ppm"] * HZ_PER_PPM_3T, said)
    same(read_quantity(path, "total_field_ppm", field_strength_t=3), "total_field_ppm")


def test_a_field_given_as_phase_needs_its_one_echo_time(tmp_path):
    rad = TRUE["local_field_ppm"] * 2 * np.pi * HZ_PER_PPM_3T * 0.02
    path = save(tmp_path, "f", rad, {"Units": "rad", "MagneticFieldStrength": 3})
    with pytest.raises(MetadataError, match="--echo-times-ms"):
        read_quantity(path, "local_field_ppm")
    with pytest.raises(MetadataError, match="--echo-times-ms"):
        read_quantity(path, "local_field_ppm", echo_times_s=(0.01, 0.02))
    same(read_quantity(path, "local_field_ppm", echo_times_s=(0.02,)), "local_field_ppm")


def test_values_far_below_their_unit_are_refused():
    fractions = Volume(TRUE["chi_ppm"] * 1e-6, AFFINE, unit="ppm", name="chi")
    with pytest.raises(MetadataError, match="less than any"):
        in_canonical_unit(fractions, "chi_ppm")
    with pytest.raises(MetadataError, match="less than any"):
        checked_map(Volume(TRUE["chi_ppm"], AFFINE, unit="ppb", name="chi"))


class TestMaps:
    def test_ppb_stays_and_its_values_too(self, tmp_path):
        path = save(tmp_path, "m", TRUE["chi_ppm"] * 1e3, {"Units": "Parts per billion"})
        volume = read_map(path)
        assert volume.unit == "ppb"
        np.testing.assert_allclose(volume.data, TRUE["chi_ppm"] * 1e3, rtol=1e-6)

    @pytest.mark.parametrize("said", [{}, {"Units": "ppm"}])
    def test_149_ppm_are_refused(self, said, tmp_path):
        path = save(tmp_path, "m", TRUE["chi_ppm"] / 0.05 * 149, said)
        with pytest.raises(MetadataError, match="Give the right unit"):
            read_map(path)

    def test_other_quantities_keep_their_unit(self, tmp_path):
        path = save(tmp_path, "m", np.abs(RANDOM) * 40, {"Units": "s^-1"})
        assert read_map(path).unit == "1/s"


class TestSpelling:
    @given(
        st.sampled_from(["ppm", "ppb", "rad", "mrad", "deg", "Hz", "rad/s", "1/s", "s", "ms", "T"]),
        st.sampled_from([str.upper, str.lower, str.title, str]),
        st.sampled_from(["{}", " {} ", "[{}]", "({})", "\t{}\n"]),
    )
    def test_case_and_brackets_never_matter(self, unit, case, around):
        assert canonical_unit(around.format(case(unit))) == unit

    @given(st.text())
    def test_any_text_is_a_unit_or_itself(self, text):
        unit = canonical_unit(text)
        assert unit == "" or canonical_unit(unit) == unit

    @pytest.mark.parametrize("said", [None, 3, "", "arbitrary", "A.U.", "n/a", "Unknown", ["ppm"]])
    def test_no_unit(self, said):
        assert canonical_unit(said) == ""


@given(
    st.sampled_from([(role, unit) for role, units in UNITS.items() for unit in units]),
    st.floats(0.5, 2),
)
def test_the_way_of_the_unit_never_changes_the_quantity(case, amount):
    role, unit = case
    stored = TRUE[role] * amount * UNITS[role][unit]
    volume = Volume(stored, AFFINE, unit=unit, name="map")
    got = in_canonical_unit(volume, role, field_strength_t=3.0).data
    np.testing.assert_allclose(got, TRUE[role] * amount, rtol=1e-9)


def test_typical_of_large_sparse_maps():
    data = np.zeros((300, 200, 50), np.float32)
    data[150, 100, 10:30] = 7.0
    assert typical(data) == 7.0
    assert typical(np.zeros((3, 3, 3))) == 0.0
