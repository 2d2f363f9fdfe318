"""What a reconstruction starts from: units, axis orders, masks as they were meant, what is told."""

from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest

from napari_qsm.errors import GeometryError, MetadataError
from napari_qsm.io.nifti import read_volume
from napari_qsm.recon.inputs import Inputs, input_warnings, quantities
from napari_qsm.scan import Scan
from napari_qsm.volume import Volume

AFFINE = np.array([[-1.0, 0.1, 0, 9], [0.1, 1.1, 0, -8], [0, 0, 2, -7], [0, 0, 0, 1]])
RANDOM = np.random.default_rng(2)
FIELD = RANDOM.normal(0, 0.5, (6, 5, 4))
MASK = RANDOM.random((6, 5, 4)) > 0.4
ORDERS = [
    list(zip(axes, steps, strict=True))
    for axes in permutations(range(3))
    for steps in product((1, -1), repeat=3)
]


def turned(data, order):
    """The same voxels in another axis order, by nibabel."""
    ornt = np.array(order, dtype=float)
    affine = AFFINE @ nib.orientations.inv_ornt_aff(ornt, data.shape[:3])
    return Volume(nib.orientations.apply_orientation(data, ornt), affine, name="turned")


def plain(data, **known):
    return Volume(data, AFFINE, **known)


@pytest.mark.parametrize("order", ORDERS)
def test_everything_is_turned_to_the_phase(order):
    scan = Scan(
        phase=(plain(FIELD), turned(FIELD * 2, order)),
        echo_times_s=(0.01, 0.02),
        field_strength_t=3.0,
        magnitude=(turned(np.abs(FIELD), order), plain(np.abs(FIELD))),
    )
    inputs = Inputs(scan=scan, mask=turned(MASK.astype(np.uint8), order))
    grid = inputs.grid().to_canonical()
    have = quantities(inputs, grid)
    expected = {
        "raw_phase": np.stack([plain(FIELD).like(grid).data, plain(FIELD * 2).like(grid).data]),
        "given_mask": plain(MASK).like(grid).data,
    }
    for name, array in expected.items():
        np.testing.assert_array_equal(have[name], array)
    np.testing.assert_allclose(have["magnitude"][0], have["magnitude"][1])


def test_another_grid_is_refused_whatever_its_axis_order():
    apart = AFFINE.copy()
    apart[0, 3] += 0.3
    with pytest.raises(GeometryError, match="same grid"):
        Inputs(total_field_ppm=plain(FIELD), mask=Volume(MASK, apart)).grid()


@pytest.mark.parametrize(
    ("unit", "factor"), [("Hz", 42.577478518 * 3), ("ppb", 1e3), ("PPM", 1), ("", 1)]
)
def test_fields_of_a_script_come_in_ppm(unit, factor):
    inputs = Inputs(total_field_ppm=plain(FIELD * factor, unit=unit), field_strength_t=3.0)
    grid = inputs.grid().to_canonical()
    found = quantities(inputs, grid)["total_field_ppm"]
    np.testing.assert_allclose(found, plain(FIELD).like(grid).data, rtol=1e-6)


def test_a_field_in_hz_without_the_field_strength_is_refused():
    inputs = Inputs(total_field_ppm=plain(FIELD * 100, unit="Hz"))
    with pytest.raises(MetadataError, match="field strength"):
        quantities(inputs, inputs.grid().to_canonical())


def test_what_masks_and_headers_leave_open_is_told(tmp_path):
    image = nib.Nifti1Image(np.where(MASK, 255, 0).astype(np.uint8), AFFINE)
    image.set_sform(AFFINE, 1)
    image.set_qform(np.diag([-1.0, 1, 1, 1]) @ AFFINE, 1)
    nib.save(image, tmp_path / "mask.nii")
    inputs = Inputs(
        total_field_ppm=plain(FIELD, unit="ppm"), mask=read_volume(tmp_path / "mask.nii")
    )
    grid = inputs.grid().to_canonical()
    said = " ".join(input_warnings(inputs, grid))
    assert "255 was taken for inside" in said
    assert "mirror" in said
    np.testing.assert_array_equal(
        quantities(inputs, grid)["given_mask"], plain(MASK).like(grid).data
    )
