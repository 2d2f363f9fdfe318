"""Echoes that lack, files that are not there, magnitudes that do not fit: named in every case."""

import json

import nibabel as nib
import numpy as np
import pytest

from napari_qsm.errors import QsmError
from napari_qsm.inspect import inspect_paths
from napari_qsm.io.nifti import read_volume
from napari_qsm.io.sources import open_source
from tests.io.test_sources import AFFINE, notes, put, said, values

TIMES = (0.005, 0.011, 0.017, 0.023)
ANNEX = "../../.git/annex/objects/aa/bb/MD5E-s1--0.nii.gz/MD5E-s1--0.nii.gz"


def plain(folder, phases=(1, 2, 3, 4), magnitudes=(1, 2, 3, 4)):
    for part, echoes in (("_ph", phases), ("", magnitudes)):
        for echo in echoes:
            put(
                folder / f"scan_e{echo}{part}.nii.gz", echo / 10, said(TIMES[echo - 1], Units="rad")
            )
    return folder


def bids(folder, phases=(1, 2, 3, 4), magnitudes=(1, 2, 3, 4)):
    (folder / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.8.0"}')
    for part, echoes in (("phase", phases), ("mag", magnitudes)):
        for echo in echoes:
            name = f"sub-01/anat/sub-01_echo-{echo}_part-{part}_MEGRE.nii.gz"
            put(folder / name, echo / 10, said(TIMES[echo - 1], Units="rad"))
    return folder


def outcome(folder):
    """What reading the scan says: the refusal, or the notes; and what ``check`` says."""
    report = inspect_paths([folder])
    try:
        scan = open_source(folder)
    except QsmError as error:
        return str(error), None, report
    return notes(scan), scan, report


def damaged(path, how):
    """Make of an image what transfers, downloads and DataLad leave of one."""
    content = path.read_bytes()
    path.unlink()
    if how == "empty":
        path.write_bytes(b"")
    elif how == "link":
        path.symlink_to("../elsewhere/gone.nii.gz")
    elif how == "annex":
        path.symlink_to(ANNEX)
    elif how == "pointer":
        path.write_text("/annex/objects/MD5E-s1--0.nii.gz\n")
    elif how == "lfs":
        path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    elif how == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif how == "text":
        path.write_text("<html>not found</html>" * 40)
    elif how == "flat":
        nib.save(nib.Nifti1Image(np.zeros((5, 6), "f4"), AFFINE), path)


WAYS = ("empty", "link", "annex", "pointer", "lfs", "cut", "text", "flat")


@pytest.mark.parametrize("make", [plain, bids])
@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("part", ["phase", "magnitude"])
def test_an_echo_without_content_is_named_and_the_scan_refused(tmp_path, make, how, part):
    folder = make(tmp_path)
    word = {plain: {"phase": "_e3_ph.", "magnitude": "_e3."}}.get(
        make, {"phase": "echo-3_part-phase", "magnitude": "echo-3_part-mag"}
    )[part]
    path = next(p for p in folder.rglob("*.nii.gz") if word in p.name)
    damaged(path, how)
    sentence, scan, report = outcome(folder)
    assert scan is None and path.name in sentence
    assert any(path.name in problem for problem in report.problems)
    # No cause is named that was not looked at.
    assert ("annex" in sentence) == (how in ("annex", "pointer"))
    assert ("fetched" in sentence) == (how in ("annex", "pointer", "lfs"))
    assert "scanner" not in sentence


@pytest.mark.parametrize("make", [plain, bids])
def test_nothing_fetched(tmp_path, make):
    folder = make(tmp_path)
    for path in list(folder.rglob("*.nii.gz")):
        damaged(path, "annex")
    sentence, scan, report = outcome(folder)
    assert scan is None and "fetched" in sentence and "scanner" not in sentence
    assert report.problems and "scanner" not in report.text()


@pytest.mark.parametrize("make", [plain, bids])
@pytest.mark.parametrize("lacking", [(1,), (2,), (3,), (2, 3)])
def test_a_gap_in_the_numbers_is_noted_by_both(tmp_path, make, lacking):
    echoes = tuple(e for e in (1, 2, 3, 4) if e not in lacking)
    sentence, scan, report = outcome(make(tmp_path, echoes, echoes))
    assert scan is not None and values(scan.phase) == pytest.approx([e / 10 for e in echoes])
    for text in (sentence, report.text()):
        assert f"Echo{'es' if len(lacking) > 1 else ''} {', '.join(map(str, lacking))} of" in text
    assert not report.problems


@pytest.mark.parametrize("make", [plain, bids])
def test_the_last_echo_is_missed_by_its_sidecar_or_its_magnitude(tmp_path, make):
    (tmp_path / "a").mkdir()
    folder = make(tmp_path / "a")
    next(p for p in folder.rglob("*.nii.gz") if "4_" in p.name and "ph" in p.name).unlink()
    sentence, scan, _ = outcome(folder)
    assert "Echo 4 of the phase" in sentence  # by the sidecar that is left
    assert len(scan.phase) == len(scan.magnitude) == 3
    (tmp_path / "b").mkdir()
    sentence, scan, report = outcome(make(tmp_path / "b", (1, 2, 3)))
    assert "magnitude at 23 ms has no phase" in sentence
    assert values(scan.magnitude) == pytest.approx([0.1, 0.2, 0.3])
    assert "magnitude at 23 ms has no phase" in report.text()


@pytest.mark.parametrize("make", [plain, bids])
def test_a_magnitude_that_lacks_is_named(tmp_path, make):
    sentence, scan, report = outcome(make(tmp_path, magnitudes=(1, 2, 4)))
    assert scan is None and "17 ms" in sentence
    assert any("17 ms" in problem for problem in report.problems)


def test_magnitudes_on_another_grid_are_said_to_be_left_out(tmp_path):
    folder = plain(tmp_path, magnitudes=())
    for echo in (1, 2, 3, 4):
        put(folder / f"scan_e{echo}.nii.gz", 1, said(TIMES[echo - 1]), shape=(9, 9, 9))
    sentence, scan, report = outcome(folder)
    assert not scan.magnitude
    for text in (sentence, report.text()):
        assert "9 x 9 x 9" in text and "not used" in text


def test_real_images_without_all_their_partners_are_refused(tmp_path):
    for echo in (1, 2, 3):
        put(tmp_path / f"s_e{echo}_real.nii", 1, said(TIMES[echo - 1]))
        if echo != 2:
            put(tmp_path / f"s_e{echo}_imaginary.nii", 1, said(TIMES[echo - 1]))
    sentence, scan, report = outcome(tmp_path)
    assert scan is None and "3 real but 2 imaginary" in sentence and report.problems


def test_sidecars_alone_do_not_send_anybody_to_the_scanner(tmp_path):
    folder = bids(tmp_path)
    for path in folder.rglob("*part-phase*.nii.gz"):
        path.unlink()
    sentence, scan, report = outcome(folder)
    assert scan is None and "tells of one that is not there" in sentence
    assert "scanner" not in sentence + report.text()


def test_without_any_trace_of_phase_the_scanner_is_the_place_to_ask(tmp_path):
    sentence, scan, _ = outcome(plain(tmp_path, phases=()))
    assert scan is None and "scanner" in sentence


def test_a_phase_difference_is_no_gap(tmp_path):
    both = {"EchoTime1": 0.005, "EchoTime2": 0.0075}
    put(tmp_path / "map_2_e1.nii", 11, said(0.005, ImageType=["M"], SeriesNumber=2))
    put(tmp_path / "map_2_e2.nii", 12, said(0.0075, ImageType=["M"], SeriesNumber=2))
    put(tmp_path / "map_3_e2_ph.nii", 1, said(0.0075, ImageType=["P"], SeriesNumber=3, **both))
    sentence, scan, _ = outcome(tmp_path)
    assert scan.phase_difference and "missing" not in sentence


def test_the_sidecars_count_echoes_too(tmp_path):
    path = put(tmp_path / "phase.nii.gz", 1, said(0.005, NumberOfEchoes=4, Units="rad"))
    sentence, _, _ = outcome(path)
    assert "4 echoes" in sentence


@pytest.mark.parametrize("how", WAYS[:5])
def test_one_file_named_by_itself(tmp_path, how):
    path = put(tmp_path / "phase.nii.gz", 1, said(0.005))
    damaged(path, how)
    with pytest.raises(QsmError, match=r"phase\.nii\.gz"):
        read_volume(path)
    assert inspect_paths([path]).problems
    assert json.loads((tmp_path / "phase.json").read_text())["EchoTime"] == 0.005
