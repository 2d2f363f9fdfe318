"""Standard errors of means from a noise map: by hand, from files, and what is refused."""

import json

import numpy as np
import pytest

from napari_qsm.cli import main
from napari_qsm.errors import FileError, GeometryError
from napari_qsm.io.nifti import write_volume
from napari_qsm.io.sidecar import write_sidecar
from napari_qsm.rois.noise import noise_map, read_noise
from napari_qsm.rois.statistics import region_statistics
from napari_qsm.scripting import region_statistics as scripted
from napari_qsm.volume import Volume

AFFINE = np.diag([1.0, 2.0, 1.0, 1.0])  # voxels of 2 mm³
#: Half of the noise is left in 20 mm³, a quarter in 200 mm³.
OF_MEANS = {"volumes_mm3": [2.0, 20.0, 200.0], "parts": [1.0, 0.5, 0.25]}


@pytest.fixture(scope="module")
def maps():
    """A map, two regions of 10 and 100 voxels, a noise map of two sizes."""
    rng = np.random.default_rng(0)
    values = rng.normal(0.05, 0.02, (12, 12, 4)).astype(np.float32)
    labels = np.zeros(values.shape, np.uint8)
    labels[:10, 0, 0], labels[:10, 1:11, 1] = 1, 2
    sd = np.full(values.shape, 0.006, np.float32)
    sd[5:] = 0.008
    return [Volume(a, AFFINE, unit=u) for a, u in ((values, "ppm"), (labels, ""), (sd, "ppm"))]


#: Root mean square of the two sizes, and what is left of it in 20 and in 200 mm³.
EXPECTED_PPB = np.sqrt((6**2 + 8**2) / 2) * np.array([0.5, 0.25])


@pytest.mark.parametrize("unit", ["ppm", "ppb"])
def test_the_error_is_the_noise_of_the_region_times_what_its_volume_leaves(maps, unit):
    values, labels, sd = maps
    noise = noise_map(sd, OF_MEANS, "the test")
    table = region_statistics(values, labels, unit=unit, also=["se"], noise=noise)
    scale = 1e-3 if unit == "ppm" else 1
    np.testing.assert_allclose(table[f"se_{unit}"], EXPECTED_PPB * scale, rtol=1e-6)
    plain = region_statistics(values, labels, unit=unit)
    assert "se_ppm" not in plain and list(plain) == list(table)[:-1]


def test_between_known_volumes_it_is_interpolated_and_beyond_it_stays(maps):
    noise = noise_map(maps[2], OF_MEANS, "the test")
    assert noise.part(np.sqrt(20 * 200)) == pytest.approx(np.sqrt(0.5 * 0.25))
    assert (noise.part(1.0), noise.part(1e6)) == (pytest.approx(1.0), pytest.approx(0.25))


@pytest.fixture(scope="module")
def files(maps, tmp_path_factory):
    folder = tmp_path_factory.mktemp("noise")
    for name, volume in zip(("chi", "labels", "chi_noise"), maps, strict=True):
        write_volume(volume, folder / f"{name}.nii.gz")
        write_sidecar(folder / f"{name}.nii.gz", {"Units": volume.unit} if volume.unit else {})
    write_sidecar(folder / "chi_noise.nii.gz", {"Units": "ppm", "NoiseOfMeans": OF_MEANS})
    return folder


def test_stats_takes_the_noise_map_that_lies_beside(files, capsys):
    paths = [str(files / f"{name}.nii.gz") for name in ("chi", "labels", "chi_noise")]
    out = files / "table.json"
    assert main(["stats", *paths[:2], "--noise", paths[2], "--unit", "ppb", "--out", str(out)]) == 0
    told = [row["se_ppb"] for row in json.loads(out.read_text())]
    np.testing.assert_allclose(told, EXPECTED_PPB, rtol=1e-6)
    values = read_noise(files / "chi_noise.nii.gz").sd.like(
        Volume(np.zeros((12, 12, 4), np.float32), AFFINE)
    )
    table = scripted(values, files / "labels.nii.gz", noise=files / "chi_noise.nii.gz")
    np.testing.assert_allclose(table["se_ppm"], EXPECTED_PPB / 1e3, rtol=1e-6)


def test_shapes_have_standard_errors_too(files, maps):
    from napari_qsm.rois.shape_table import shape_statistics
    from napari_qsm.rois.shapes import FixedShape

    shape = FixedShape(kind="rectangle", size_mm=(2.0, 4.0), centre_mm=(1.5, 9.0, 1.0))
    noise = noise_map(maps[2], OF_MEANS, "the test")
    table = shape_statistics(maps[0], [shape], unit="ppb", also=["se"], noise=noise)
    expected = 6 * noise.part(2.0 * table["voxels"][0])  # all where the noise is 6 ppb
    assert table["se_ppb"][0] == pytest.approx(expected)


def test_a_map_that_says_nothing_of_means_is_refused(files, maps, tmp_path, capsys):
    with pytest.raises(FileError, match="NoiseOfMeans"):
        read_noise(files / "chi.nii.gz")
    for bad in (
        {},
        {"volumes_mm3": [1, 2], "parts": [1]},
        {"volumes_mm3": [2, 1], "parts": [1, 1]},
    ):
        with pytest.raises(FileError, match="averages out"):
            noise_map(maps[2], bad, "the test")
    write_volume(maps[2], tmp_path / "alone.nii.gz")
    with pytest.raises(FileError, match=r"no .alone\.json"):
        read_noise(tmp_path / "alone.nii.gz")
    other = Volume(np.zeros((5, 5, 5), np.float32), AFFINE, unit="ppm")
    with pytest.raises(GeometryError):
        noise = noise_map(other, OF_MEANS, "the test")
        region_statistics(maps[0], maps[1], also=["se"], noise=noise)
