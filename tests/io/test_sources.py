import json
import shutil

import nibabel as nib
import numpy as np
import pytest

from napari_qsm.errors import FileError, GeometryError, MetadataError, QsmError
from napari_qsm.io.choosing import AmbiguousSeries
from napari_qsm.io.names import base_of, bids_entities, echo_of, part_of
from napari_qsm.io.sources import load_scan, open_source
from napari_qsm.recon.phase import decide_phase_unit

AFFINE = np.array([[-2.0, 0, 0, 10], [0, 2, 0, -5], [0, 0, 3, 1], [0, 0, 0, 1]])
SHAPE = (5, 6, 4)


def put(path, value=1.0, said=None, *, affine=AFFINE, shape=SHAPE):
    """Write an image that is ``value`` everywhere but in one voxel, and its sidecar."""
    data = np.full(shape, value, dtype=np.float32)
    data.flat[0] = 0.25
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(data, affine), path)
    if said is not None:
        path.with_name(path.name.removesuffix(".gz").removesuffix(".nii") + ".json").write_text(
            json.dumps(said)
        )
    return path


def said(te=None, b0=3.0, **more):
    out = {} if b0 is None else {"MagneticFieldStrength": b0}
    return out | ({} if te is None else {"EchoTime": te}) | more


def values(volumes):
    return [float(v.data.flat[-1]) for v in volumes]


def notes(scan):
    return " ".join(scan.metadata.get("Notes", []))


@pytest.fixture
def difference(tmp_path):
    """Two magnitudes and their phase difference, as dcm2niix names them."""
    put(tmp_path / "map_2_e1.nii", 11, said(0.005, ImageType=["M"], SeriesNumber=2))
    put(tmp_path / "map_2_e2.nii", 12, said(0.0075, ImageType=["M"], SeriesNumber=2))
    both = {"EchoTime1": 0.005, "EchoTime2": 0.0075}
    put(tmp_path / "map_3_e2_ph.nii", 1, said(0.0075, ImageType=["P"], SeriesNumber=3, **both))
    return tmp_path


class TestLoadScan:
    def test_times_and_field_come_from_the_sidecars(self, tmp_path):
        phase = [put(tmp_path / f"p{i}.nii", i, said(i * 0.005)) for i in (1, 2, 3)]
        magnitude = [put(tmp_path / f"m{i}.nii", 10 + i, said(i * 0.005)) for i in (1, 2, 3)]
        scan = load_scan(phase, magnitude)
        assert scan.echo_times_s == pytest.approx((0.005, 0.010, 0.015))
        assert scan.field_strength_t == 3
        assert not scan.phase_difference
        assert "Notes" not in scan.metadata

    def test_echoes_are_put_in_order_with_their_images(self, tmp_path):
        phase = [put(tmp_path / f"p{i}.nii", i, said(i * 0.005)) for i in (3, 1, 2)]
        magnitude = [put(tmp_path / f"m{i}.nii", 10 + i, said(i * 0.005)) for i in (2, 3, 1)]
        scan = load_scan(phase, magnitude)
        assert values(scan.phase) == [1, 2, 3]
        assert values(scan.magnitude) == [11, 12, 13]
        assert scan.magnitude_echo_times_s == scan.echo_times_s

    def test_one_4d_file(self, tmp_path):
        path = put(tmp_path / "p.nii.gz", 1, said([0.004, 0.008]), shape=(*SHAPE, 2))
        assert load_scan([path]).echo_times_s == (0.004, 0.008)
        assert load_scan([path], echo_times_s=[0.005, 0.009]).echo_times_s == (0.005, 0.009)

    def test_given_values_win_and_a_difference_is_noted(self, tmp_path):
        path = put(tmp_path / "p.nii", 1, said(0.021, 3))
        scan = load_scan([path], echo_times_s=[0.02], field_strength_t=7)
        assert scan.echo_times_s == (0.02,) and scan.field_strength_t == 7
        assert "20 ms" in notes(scan) and "21 ms" in notes(scan)
        assert "7 T" in notes(scan) and "3 T" in notes(scan)
        same = load_scan([path], echo_times_s=[0.021], field_strength_t=3)
        assert "Notes" not in same.metadata

    def test_nominal_and_exact_field_do_not_contradict(self, tmp_path):
        path = put(tmp_path / "p.nii", 1, said(0.021, 2.89))
        assert "Notes" not in load_scan([path], field_strength_t=3).metadata

    @pytest.mark.parametrize(
        ("entries", "missing", "how"),
        [
            (said(None), "echo time", "--echo-times-ms"),
            (said(0.02, None), "field strength", "--field-strength-t"),
        ],
    )
    def test_what_is_missing_is_named_with_how_to_give_it(self, tmp_path, entries, missing, how):
        path = put(tmp_path / "scan_ph.nii", 1, entries)
        with pytest.raises(MetadataError, match=missing) as caught:
            load_scan([path])
        assert how in str(caught.value) and "scan_ph.nii" in str(caught.value)

    def test_no_sidecar_at_all(self, tmp_path):
        path = put(tmp_path / "p.nii")
        with pytest.raises(MetadataError):
            load_scan([path], echo_times_s=[0.02])
        with pytest.raises(MetadataError):
            load_scan([path], field_strength_t=3)
        scan = load_scan([path], echo_times_s=[0.02], field_strength_t=3)
        assert scan.echo_times_s == (0.02,)

    def test_milliseconds_for_seconds_are_refused(self, tmp_path):
        with pytest.raises(MetadataError, match="wrong unit"):
            load_scan([put(tmp_path / "p.nii", 1, said(21))])

    def test_sidecars_of_two_scanners(self, tmp_path):
        paths = [put(tmp_path / f"p{b}.nii", 1, said(0.01 * b, b)) for b in (1, 3)]
        with pytest.raises(MetadataError, match=r"1, 3 T"):
            load_scan(paths)

    def test_names_stay_out_of_the_notes(self, tmp_path):
        path = put(tmp_path / "Jane_Doe_ph.nii", 1, said(0.021, PatientName="Jane"))
        scan = load_scan([path], echo_times_s=[0.03])
        assert notes(scan) and "Jane" not in repr(scan.metadata)

    def test_grids_must_agree(self, tmp_path):
        phase = put(tmp_path / "p.nii", 1, said(0.02))
        moved = AFFINE + np.array([[0, 0, 0, 2.0], [0] * 4, [0] * 4, [0] * 4])
        magnitude = put(tmp_path / "m.nii", 1, said(0.02), affine=moved)
        with pytest.raises(GeometryError, match=r"'p\.nii'") as caught:
            load_scan([phase], [magnitude])
        assert "'m.nii'" in str(caught.value) and "2.00 mm" in str(caught.value)

    def test_entries_on_which_echoes_disagree_are_left_out(self, tmp_path):
        paths = [
            put(tmp_path / f"p{i}.nii", 1, said(i / 100, EchoNumber=i, Manufacturer="GE"))
            for i in (1, 2)
        ]
        metadata = load_scan(paths).metadata
        assert metadata["Manufacturer"] == "GE" and "EchoNumber" not in metadata

    def test_orientation_that_is_not_recorded_is_noted(self, tmp_path):
        image = nib.Nifti1Image(np.random.default_rng(0).random(SHAPE), None)
        image.header["sform_code"] = image.header["qform_code"] = 0
        nib.save(image, tmp_path / "p.nii")
        scan = load_scan([tmp_path / "p.nii"], echo_times_s=[0.02], field_strength_t=3)
        assert "left and right cannot be told apart" in notes(scan)

    def test_forms_that_are_mirror_images_are_noted(self, tmp_path):
        image = nib.Nifti1Image(np.random.default_rng(0).random(SHAPE), AFFINE)
        image.set_sform(AFFINE, 1)
        image.set_qform(np.diag([-1, 1, 1, 1]) @ AFFINE, 1)
        nib.save(image, tmp_path / "p.nii")
        scan = load_scan([tmp_path / "p.nii"], echo_times_s=[0.02], field_strength_t=3)
        assert "disagree on left and right" in notes(scan)


class TestPhaseDifference:
    def test_a_folder_of_dcm2niix(self, difference):
        scan = open_source(difference)
        assert scan.phase_difference
        assert scan.echo_times_s == (0.0025,)
        assert scan.magnitude_echo_times_s == (0.005, 0.0075)
        assert values(scan.magnitude) == [11, 12]
        assert "5 and 7.5 ms" in notes(scan) and "2.5 ms" in notes(scan)

    def test_files_by_name(self, difference):
        phase = difference / "map_3_e2_ph.nii"
        magnitude = [difference / f"map_2_e{i}.nii" for i in (1, 2)]
        for order in (magnitude, magnitude[::-1]):
            scan = load_scan([phase], order)
            assert scan.echo_times_s == (0.0025,)
            assert values(scan.magnitude) == [11, 12]

    def test_one_time_given_is_the_difference_and_two_are_the_echoes(self, tmp_path):
        phase = put(tmp_path / "p.nii")
        magnitude = [put(tmp_path / f"m{i}.nii", i) for i in (1, 2)]
        given = {"field_strength_t": 3, "phase_difference": True}
        one = load_scan([phase], magnitude, echo_times_s=[0.0025], **given)
        assert one.echo_times_s == (0.0025,) and one.magnitude_echo_times_s == ()
        two = load_scan([phase], magnitude, echo_times_s=[0.005, 0.0075], **given)
        assert two.echo_times_s == (0.0025,) and two.magnitude_echo_times_s == (0.005, 0.0075)
        with pytest.raises(MetadataError, match="3 echo times"):
            load_scan([phase], magnitude, echo_times_s=[0.005, 0.0075, 0.01], **given)

    @pytest.mark.parametrize("te", [0.005, 0.0075])
    def test_one_echos_time_is_refused(self, difference, te):
        with pytest.raises(MetadataError, match=r"difference between 5, 7.5 ms.*2.5 ms"):
            open_source(difference, echo_times_s=[te])

    def test_another_time_is_taken_and_noted(self, difference):
        scan = open_source(difference, echo_times_s=[0.003])
        assert scan.echo_times_s == (0.003,)
        assert "3 ms" in notes(scan) and "differs" in notes(scan)

    def test_two_times_for_one_image_ask(self, tmp_path):
        path = put(tmp_path / "p.nii")
        with pytest.raises(MetadataError, match="--phase-difference"):
            load_scan([path], echo_times_s=[0.005, 0.0075], field_strength_t=3)

    def test_stated_otherwise(self, difference):
        phase = difference / "map_3_e2_ph.nii"
        scan = load_scan([phase], phase_difference=False)
        assert scan.echo_times_s == (0.0075,) and not scan.phase_difference
        assert "as stated" in notes(scan)

    def test_times_from_the_magnitudes(self, tmp_path):
        phase = put(tmp_path / "p.nii", 1, said())
        magnitude = [put(tmp_path / f"m{i}.nii", i, said(0.004 * i)) for i in (1, 2)]
        scan = load_scan([phase], magnitude, phase_difference=True)
        assert scan.echo_times_s == (0.004,)
        with pytest.raises(MetadataError, match="TE2 - TE1"):
            load_scan([phase], phase_difference=True)

    def test_several_phase_echoes_are_no_difference(self, tmp_path):
        """Some converters give EchoTime1 and EchoTime2 for every image of a scan."""
        both = {"EchoTime1": 0.005, "EchoTime2": 0.01}
        for echo, te in ((1, 0.005), (2, 0.01)):
            put(tmp_path / f"s_e{echo}_ph.nii", echo, said(te, **both))
        scan = open_source(tmp_path)
        assert scan.echo_times_s == (0.005, 0.01) and not scan.phase_difference

    def test_real_scan(self, shared_data):
        folder = shared_data / "gre-wholehead-lowres"
        scan = open_source(folder)
        assert scan.phase_difference
        assert scan.echo_times_s == pytest.approx((0.00246,))
        assert scan.magnitude_echo_times_s == pytest.approx((0.00519, 0.00765))
        assert scan.field_strength_t == 3
        assert scan.grid.b0_direction == pytest.approx((0, 0.0558, 0.9984), abs=1e-4)
        assert decide_phase_unit(scan.phase[0].data, scan.metadata).scale == np.pi / 4096


class TestFolders:
    def test_dcm2niix_names_without_image_type(self, tmp_path):
        for echo in (1, 2):
            put(tmp_path / f"gre_7_e{echo}.nii.gz", 10 + echo, said(0.01 * echo))
            put(tmp_path / f"gre_7_e{echo}_ph.nii.gz", echo, said(0.01 * echo))
        scan = open_source(tmp_path)
        assert values(scan.phase) == [1, 2] and values(scan.magnitude) == [11, 12]

    def test_echoes_are_ordered_by_time_not_by_name(self, tmp_path):
        for echo, te in ((1, 0.02), (2, 0.01), (10, 0.03)):
            put(tmp_path / f"gre_e{echo}_ph.nii", echo, said(te))
        assert values(open_source(tmp_path).phase) == [2, 1, 10]

    def test_real_and_imaginary(self, tmp_path):
        rng = np.random.default_rng(1)
        signal = rng.normal(size=SHAPE) + 1j * rng.normal(size=SHAPE)
        for name, part in (("real", signal.real), ("imaginary", signal.imag)):
            nib.save(nib.Nifti1Image(part.astype(np.float32), AFFINE), tmp_path / f"s_5_{name}.nii")
            (tmp_path / f"s_5_{name}.json").write_text(json.dumps(said(0.02)))
        scan = open_source(tmp_path)
        np.testing.assert_allclose(scan.phase[0].data, np.angle(signal), atol=1e-6)
        np.testing.assert_allclose(scan.magnitude[0].data, np.abs(signal), rtol=1e-6)
        assert scan.metadata["Units"] == "rad" and scan.magnitude_echo_times_s == (0.02,)
        np.testing.assert_array_equal(scan.grid.to_stored().affine, AFFINE)

    def test_plain_words(self, tmp_path):
        put(tmp_path / "Phase.nii", 1, said(0.02))
        put(tmp_path / "Mag.nii", 5)
        put(tmp_path / "mask.nii", 1)
        put(tmp_path / "phase_unwrapped.nii", 9)
        scan = open_source(tmp_path)
        assert values(scan.phase) == [1] and values(scan.magnitude) == [5]

    def test_the_magnitude_of_the_nearest_series_on_the_same_grid(self, tmp_path):
        put(tmp_path / "a_8.nii", 8, said(0.02, ImageType=["M"], SeriesNumber=8))
        put(tmp_path / "a_4.nii", 4, said(0.02, ImageType=["M"], SeriesNumber=4))
        put(tmp_path / "a_6.nii", 6, said(0.02, ImageType=["M"], SeriesNumber=6), shape=(9, 9, 9))
        put(tmp_path / "swi_5.nii", 5, said(0.02, ImageType=["M", "SWI"], SeriesNumber=5))
        put(tmp_path / "t_3.nii", 3, said(0.005, ImageType=["M"], SeriesNumber=3))
        put(tmp_path / "a_5_ph.nii", 1, said(0.02, ImageType=["P"], SeriesNumber=5))
        assert values(open_source(tmp_path).magnitude) == [4]

    def test_several_scans_are_listed(self, tmp_path):
        put(tmp_path / "swi_3_ph.nii", 3, said(0.02))
        put(tmp_path / "gre_5_ph.nii", 5, said(0.01))
        with pytest.raises(AmbiguousSeries) as caught:
            open_source(tmp_path)
        assert [c.label for c in caught.value.candidates] == ["gre_5", "swi_3"]
        assert isinstance(caught.value, QsmError)
        for text in ("gre_5", "TE 10 ms", "swi_3", "--series"):
            assert text in str(caught.value)
        for series, value in (("swi_3", 3), ("SWI", 3), ("gre_5", 5)):
            assert values(open_source(tmp_path, series=series).phase) == [value]
        with pytest.raises(QsmError, match="no series 'x'"):
            open_source(tmp_path, series="x")

    def test_files_instead_of_a_folder(self, difference):
        files = [difference / n for n in ("map_3_e2_ph.nii", "map_2_e1.nii", "map_2_e2.nii")]
        scan = open_source(files)
        assert scan.echo_times_s == (0.0025,) and len(scan.magnitude) == 2
        assert len(open_source(files[0]).magnitude) == 0

    def test_no_phase_is_said_plainly(self, tmp_path):
        put(tmp_path / "T1w.nii")
        with pytest.raises(FileError, match="no phase"):
            open_source(tmp_path)

    def test_nothing_there(self, tmp_path):
        with pytest.raises(FileError, match="no file or folder"):
            open_source(tmp_path / "nowhere")
        (tmp_path / "a.txt").write_text("hello")
        with pytest.raises(FileError, match="neither"):
            open_source(tmp_path / "a.txt")

    def test_a_broken_sidecar_is_named(self, tmp_path):
        put(tmp_path / "s_ph.nii", 1)
        (tmp_path / "s_ph.json").write_text("{")
        with pytest.raises(FileError, match=r"'s_ph\.json'"):
            open_source(tmp_path)

    def test_the_order_of_files_does_not_matter(self, tmp_path, shared_data):
        source = shared_data / "gre-wholehead-lowres"
        for path in sorted(source.glob("me_*"), reverse=True):
            shutil.copy(path, tmp_path / path.name)
        a, b = open_source(source), open_source(tmp_path)
        for one, other in zip(a.magnitude, b.magnitude, strict=True):
            np.testing.assert_array_equal(one.data, other.data)


@pytest.mark.parametrize(
    ("name", "types", "part"),
    [
        ("sub-01_part-phase_MEGRE.nii.gz", [], "phase"),
        ("sub-01_part-mag_MEGRE.nii.gz", ["P"], "magnitude"),
        ("sub-01_phasediff.nii.gz", [], "phase"),
        ("sub-01_magnitude2.nii.gz", [], "magnitude"),
        ("s_e2_ph.nii", [], "phase"),
        ("s_imaginary.nii", [], "imaginary"),
        ("s_real.nii", [], "real"),
        ("s.nii", ["ORIGINAL", "PRIMARY", "M", "ND"], "magnitude"),
        ("s.nii", ["ORIGINAL", "PRIMARY", "PHASE MAP", "P", "FFE"], "phase"),
        ("gre_phase_opt.nii", ["ORIGINAL", "PRIMARY", "M"], "magnitude"),
        ("s.nii", ["ORIGINAL", "PRIMARY", "M", "SWI"], ""),
        ("s.nii", ["DERIVED", "PRIMARY", "MNIP"], ""),
        ("phase_mask.nii", [], ""),
        ("T1w.nii", [], ""),
    ],
)
def test_part_of(name, types, part):
    assert part_of(name, {"ImageType": types}) == part


def test_names():
    assert echo_of("sub-01_echo-12_part-mag_MEGRE.nii.gz") == 12
    assert echo_of("gre_e3_ph.nii") == 3
    assert echo_of("scene_2.nii") is None
    assert base_of("gre_7_e3_ph.nii") == base_of("gre_7_e1.nii") == "gre_7"
    assert base_of("sub-01_echo-1_part-mag_MEGRE.nii") == "sub-01_MEGRE"
    assert bids_entities("sub-01_ses-b_part-mag_T2starw.nii.gz") == (
        {"sub": "01", "ses": "b", "part": "mag"},
        "T2starw",
    )
