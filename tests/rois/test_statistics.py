"""The region table against scipy, SimpleITK and numbers worked out by hand."""

import numpy as np
import pytest
from scipy import stats

from napari_qsm.errors import FileError, GeometryError, MetadataError
from napari_qsm.io.label_table import Region
from napari_qsm.rois.region import region_side
from napari_qsm.rois.statistics import columns, region_statistics
from napari_qsm.volume import Volume

AFFINE = np.diag([0.625, 0.625, 2.0, 1.0])


@pytest.fixture
def chi():
    rng = np.random.default_rng(3)
    return Volume(rng.gamma(2.0, 0.02, (12, 10, 8)).astype(np.float32), AFFINE, unit="ppm")


@pytest.fixture
def labels(chi):
    data = np.zeros(chi.shape, np.uint8)
    data[1:5, 2:8, 1:7] = 3
    data[7:10, 2:8, 1:7] = 1
    data[11, 9, 7] = 9
    return chi.with_data(data)


def test_columns_are_the_documented_ones():
    assert columns() == [
        "label",
        "name",
        "side",
        "voxels",
        "volume_mm3",
        "mean_ppm",
        "sd_ppm",
        "median_ppm",
        "min_ppm",
        "max_ppm",
        "p05_ppm",
        "p95_ppm",
        "skewness",
    ]


def test_every_number_against_scipy(chi, labels):
    table = region_statistics(chi, labels, {1: "Putamen L", 3: "Putamen R"})
    assert list(table.columns) == columns()
    assert list(table["label"]) == [1, 3, 9]
    assert list(table["side"]) == ["left", "right", ""]
    for row in table[table.voxels > 1].itertuples():
        inside = chi.data[labels.data == row.label].astype(np.float64)
        assert row.voxels == inside.size
        assert row.volume_mm3 == pytest.approx(inside.size * 0.78125)
        assert row.mean_ppm == pytest.approx(inside.mean(), rel=1e-12)
        assert row.sd_ppm == pytest.approx(stats.tstd(inside), rel=1e-12)
        assert row.median_ppm == pytest.approx(np.median(inside), rel=1e-12)
        assert (row.min_ppm, row.max_ppm) == (inside.min(), inside.max())
        assert row.p05_ppm == pytest.approx(np.percentile(inside, 5))
        assert row.p95_ppm == pytest.approx(np.percentile(inside, 95))
        assert row.skewness == pytest.approx(stats.skew(inside), rel=1e-9)


def test_agrees_with_itk(chi, labels):
    sitk = pytest.importorskip("SimpleITK")
    with np.errstate(all="ignore"):
        ours = region_statistics(chi, labels).set_index("label")
    image, regions = (sitk.GetImageFromArray(np.array(v.data)) for v in (chi, labels))
    for each in (image, regions):
        each.SetSpacing((2.0, 0.625, 0.625))
    filter_ = sitk.LabelStatisticsImageFilter()
    filter_.Execute(image, regions)
    for label in (1, 3):
        assert ours.voxels[label] == filter_.GetCount(label)
        assert ours.mean_ppm[label] == pytest.approx(filter_.GetMean(label), rel=1e-6)
        assert ours.sd_ppm[label] == pytest.approx(filter_.GetSigma(label), rel=1e-6)


def test_by_hand():
    data = np.zeros((4, 1, 1), np.float32)
    data[:, 0, 0] = [1, 2, 3, 10]
    row = region_statistics(
        Volume(data, np.eye(4), unit="ppm"), Volume(np.ones((4, 1, 1), np.uint8), np.eye(4))
    ).iloc[0]
    assert row["mean_ppm"] == 4
    assert row["sd_ppm"] == pytest.approx(np.sqrt((9 + 4 + 1 + 36) / 3))
    assert row["skewness"] == pytest.approx(((-27 - 8 - 1 + 216) / 4) / 12.5**1.5)


def test_ppb_is_a_thousand_times_ppm_whatever_the_map_is_stored_in(chi, labels):
    ppm = region_statistics(chi, labels)
    ppb = region_statistics(chi, labels, unit="ppb")
    stored_in_ppb = chi.with_data(chi.data * 1000, unit="ppb")
    back = region_statistics(stored_in_ppb, labels)
    for name in ("mean", "sd", "median", "min", "max", "p05", "p95"):
        np.testing.assert_allclose(ppb[f"{name}_ppb"], 1e3 * ppm[f"{name}_ppm"])
        np.testing.assert_allclose(back[f"{name}_ppm"], ppm[f"{name}_ppm"], rtol=1e-6)
    np.testing.assert_allclose(ppb["skewness"], ppm["skewness"])


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
@pytest.mark.parametrize("flip", [(1, 1, 1), (-1, 1, -1)])
def test_the_axis_order_of_either_file_does_not_matter(chi, labels, order, flip):
    turned = labels._reoriented(list(zip(order, flip, strict=True)))
    expected = region_statistics(chi, labels)
    assert region_statistics(chi, turned).equals(expected)


def test_a_named_region_without_voxels_has_a_row_of_nothing(chi, labels):
    table = region_statistics(chi, labels, {5: "Caudate L"}).set_index("label")
    assert table.voxels[5] == 0
    assert np.isnan(table.mean_ppm[5])
    assert np.isnan(table.sd_ppm[9])  # one voxel has no spread
    assert table.mean_ppm[9] == chi.data[11, 9, 7]


def test_no_region_at_all(chi):
    empty = region_statistics(chi, chi.with_data(np.zeros(chi.shape, np.uint8)))
    assert len(empty) == 0
    assert list(empty.columns) == columns()


def test_voxels_without_a_number_are_said_not_averaged(chi, labels):
    data = chi.data.copy()
    data[1, 2, 1] = np.nan
    said = []
    table = region_statistics(chi.with_data(data), labels, {3: "Putamen R"}, warn=said.append)
    row = table.set_index("label").loc[3]
    inside = data[labels.data == 3].astype(np.float64)
    assert row["voxels"] == inside.size
    assert row["mean_ppm"] == pytest.approx(np.nanmean(inside))
    assert said == ["Putamen R: 1 of 144 voxels hold no number."]


def test_refusals(chi, labels):
    with pytest.raises(GeometryError, match="voxels"):
        region_statistics(chi, Volume(np.ones((3, 3, 3), np.uint8), AFFINE))
    moved = AFFINE.copy()
    moved[0, 3] = 5
    with pytest.raises(GeometryError, match="same grid"):
        region_statistics(chi, Volume(labels.data, moved))
    with pytest.raises(MetadataError, match="rad"):
        region_statistics(chi.with_data(chi.data, unit="rad"), labels)
    with pytest.raises(FileError, match="whole numbers"):
        region_statistics(chi, chi.with_data(labels.data * 0.5))


def test_the_table_knows_the_side_better_than_the_name():
    assert region_side(Region(1, "Bleed", "right", "#c92a2a")) == "right"
    assert region_side(Region(1, "Putamen L", "", "#c92a2a")) == "left"
    assert region_side(None) == ""


def test_halves_round_as_in_the_papers_table():
    from napari_qsm.units import rounded

    assert [rounded(n * 0.78125, 1) for n in (1518, 1682, 1448, 1318)] == [
        "1185.9",
        "1314.1",
        "1131.3",
        "1029.7",
    ]
    assert rounded(-0.0125, 3) == "-0.013"


PAPER = {
    "control": {
        "Putamen L": ("1518", "1185.9", "0.034", "0.005"),
        "Putamen R": ("1682", "1314.1", "0.041", "0.005"),
    },
    "patient": {
        "Putamen L": ("1448", "1131.3", "0.068", "0.008"),
        "Putamen R": ("1318", "1029.7", "0.062", "0.007"),
    },
}


@pytest.mark.parametrize("subject", PAPER)
def test_the_papers_table_from_files(subject, tmp_path, capsys):
    from napari_qsm.cli import main
    from napari_qsm.io.label_table import write_label_table
    from napari_qsm.io.nifti import write_volume
    from napari_qsm.io.segmentation import write_labels
    from napari_qsm.phantom import make_anatomy, regions

    # The middle of the full grid: the same voxels, fewer of them.
    head = make_anatomy(subject, shape=(128, 128, 26), oversampling=(1, 1, 1))
    labels = head.labels
    write_volume(head.chi, tmp_path / "chi.nii")
    write_volume(labels, tmp_path / "labels.nii")
    write_label_table(tmp_path / "names.txt", regions())
    write_labels(labels, regions(), tmp_path / "labels.seg.nrrd")
    arguments = ["stats", str(tmp_path / "chi.nii")]
    table = ["--table", str(tmp_path / "names.txt")]
    printed = []
    for more in ([str(tmp_path / "labels.nii"), *table], [str(tmp_path / "labels.seg.nrrd")]):
        assert main([*arguments, *more]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    rows = {" ".join(line.split()[1:3]): line.split() for line in printed[0].splitlines()[1:]}
    for name, expected in PAPER[subject].items():
        assert tuple(rows[name][4:8]) == expected
