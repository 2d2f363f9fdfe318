"""The folder of a case's scan is gone: the case stays, and it is said what is missing."""

import shutil

import numpy as np
import pytest

from napari_qsm.errors import QsmError
from napari_qsm.io.nifti import read_volume, write_volume
from napari_qsm.scan import Scan
from napari_qsm.session import Session
from napari_qsm.session.folder import save_session
from napari_qsm.session.opening import load
from napari_qsm.session.store import read_session
from napari_qsm.study.reconstruction import Reconstruction
from napari_qsm.study.scan_source import sources_among
from napari_qsm.volume import Volume

SHAPE = (8, 9, 7)


def values(high):
    return np.random.default_rng(4).uniform(0, high, SHAPE).astype(np.float32)


@pytest.fixture
def scan_folder(tmp_path):
    """A scan of two images with their sidecars, in a folder of its own."""
    folder = tmp_path / "scan"
    folder.mkdir()
    for part, high, unit in (("phase", 3.0, "rad"), ("mag", 100.0, "")):
        write_volume(Volume(values(high), np.eye(4), unit=unit), folder / f"{part}.nii.gz")
        text = '{"EchoTime": 0.02, "MagneticFieldStrength": 3}'
        (folder / f"{part}.json").write_text(text)
    return folder


@pytest.fixture
def work(scan_folder):
    """A case with a scan whose images are its maps, and a drawing."""
    session = Session()
    phase = read_volume(scan_folder / "phase.nii.gz", unit="rad")
    magnitude = read_volume(scan_folder / "mag.nii.gz")
    case = session.case_called("patient")
    case.scan = Scan((phase,), (0.02,), 3.0, (magnitude,))
    session.add(magnitude, role="magnitude", case=case)
    drawn = np.zeros(SHAPE, np.uint16)
    drawn[2:4, 3:5, 2:6] = 1
    session.add(Volume(drawn, np.eye(4), name="regions"), role="labels", case=case)
    return session, drawn


def test_a_saved_case_opens_without_its_scan_and_says_so(work, scan_folder, tmp_path):
    session, drawn = work
    save_session(session, tmp_path / "work")
    shutil.rmtree(scan_folder)
    saved = read_session(tmp_path / "work")
    back = Session()
    said = " ".join(saved.problems + saved.into(back))
    assert "mag.nii.gz" in said and "scan" in said
    assert [case.name for case in back.cases] == ["patient"] and back.case.scan is None
    np.testing.assert_array_equal(back.entry("regions").editable, drawn)


def test_what_is_in_memory_is_saved_whole_when_its_files_are_gone(work, scan_folder, tmp_path):
    session, drawn = work
    shutil.rmtree(scan_folder)
    save_session(session, tmp_path / "work")
    saved = read_session(tmp_path / "work")
    back = Session()
    assert saved.problems + saved.into(back) == []
    np.testing.assert_array_equal(back.case.scan.phase[0].data, values(3.0))
    np.testing.assert_array_equal(back.entry("regions").editable, drawn)


def test_a_reconstruction_whose_files_are_gone_is_refused_in_a_sentence(scan_folder):
    session = Session()
    loaded = load([scan_folder / "phase.nii.gz", scan_folder / "mag.nii.gz"])
    loaded.into(session)
    (source,) = sources_among(list(session))
    recon = Reconstruction()
    recon.use_scan(source)
    recon.set_facts(echo_times_s=(0.02,), field_strength_t=3.0)
    assert recon.missing() == []
    shutil.rmtree(scan_folder)
    with pytest.raises(QsmError) as caught:
        recon.inputs()
    said = str(caught.value)
    assert said.startswith("There is no file") and str(scan_folder) in said and "Errno" not in said


def test_opening_the_folder_again_is_refused_in_a_sentence(scan_folder):
    shutil.rmtree(scan_folder)
    loaded = load([scan_folder])
    assert loaded.maps == [] and loaded.problems == [f"There is no file or folder '{scan_folder}'."]
