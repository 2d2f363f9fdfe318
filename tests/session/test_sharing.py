"""A session that is passed on opens anywhere and tells nothing about where it came from."""

import shutil

import nibabel as nib
import numpy as np
import pytest

from napari_qsm.errors import FileError
from napari_qsm.figures.parts import Source
from napari_qsm.figures.spec import FigureSpec
from napari_qsm.io.nifti import read_volume
from napari_qsm.recon.recipe import load_recipe
from napari_qsm.rois.region import Region
from napari_qsm.scan import Scan
from napari_qsm.session import Session
from napari_qsm.session.folder import save_session
from napari_qsm.session.sharing import share_session
from napari_qsm.session.store import read_session
from napari_qsm.study.reconstruction import Reconstruction
from napari_qsm.volume import Volume

AFFINE = np.diag([-2.0, 2.0, 3.0, 1.0])


def image(folder, name, values, **said):
    folder.mkdir(parents=True, exist_ok=True)
    made = nib.Nifti1Image(values, AFFINE)
    made.header["descrip"] = b"Mueller Hans"
    nib.save(made, folder / f"{name}.nii.gz")
    return read_volume(folder / f"{name}.nii.gz", **said)


@pytest.fixture
def told(tmp_path):
    """Return a session whose files and folders all name a person, and the values of its map."""
    home = tmp_path / "Mueller_Hans_1951"
    values = np.random.default_rng(0).normal(0, 0.05, (6, 7, 5)).astype(np.float32)
    session = Session()
    chi = session.add(image(home, "Mueller_chi", values, unit="ppm"))
    phase = image(home, "Mueller_e1_ph", values * 20, unit="rad")
    magnitude = image(home, "Mueller_e1", np.abs(values))
    case = session.case
    case.name, case.folders = "Mueller_Hans_1951", (home,)
    case.scan = Scan(
        (phase,),
        (0.02,),
        3.0,
        (magnitude,),
        metadata={"Manufacturer": "GE", "Notes": ["'Mueller_e1.nii.gz' was turned."]},
    )
    work = Reconstruction()
    case.reconstruction = work
    work.use_recipe(load_recipe("consensus"))
    work.use_scan(case.scan_sources()[0])
    labels = np.zeros(values.shape, np.uint8)
    labels[2:4, 2:4, 2] = 3
    drawn = session.add(
        Volume(labels, AFFINE, name="Mueller_rois"),
        role="labels",
        regions={3: Region(3, "Putamen R", "right", "#ff8800")},
        name="my regions",
    )
    chi.provenance = {"software": "x", "warnings": [f"'{home}/Mueller_e1.nii.gz' is odd."]}
    outside = home / "Mueller_other.nii.gz"
    image(home, "Mueller_other", values, unit="ppm")
    session.figure = FigureSpec(
        sources={
            chi.id: Source(name=chi.name, unit="ppm"),
            "file a": Source(path=outside.as_posix(), name="Control", unit="ppm"),
        },
        caption="a draft",
    )
    session.notes = "seen twice"
    case.use_labels(chi, drawn)
    return session, values


def test_nothing_in_the_folder_names_anybody(tmp_path, told):
    session, _ = told
    written = share_session(session, tmp_path / "shared")
    assert sorted((tmp_path / "shared").iterdir()) == sorted(written)
    for path in written:
        assert "Mueller" not in path.name
        held = path.read_bytes()
        if path.suffix == ".gz":
            held = bytes(nib.load(path).header.binaryblock)
        assert b"Mueller" not in held and str(tmp_path).encode() not in held, path.name


def test_it_opens_elsewhere_with_everything(tmp_path, told):
    session, values = told
    share_session(session, tmp_path / "shared")
    shutil.rmtree(tmp_path / "Mueller_Hans_1951")
    shutil.move(tmp_path / "shared", tmp_path / "far" / "away")
    saved = read_session(tmp_path / "far" / "away")
    back = Session()
    assert saved.problems + saved.into(back) == []
    chi, labels = back.entry("susceptibility map"), back.entry("my regions")
    np.testing.assert_array_equal(chi.volume.to_stored().data, values)
    assert chi.volume.unit == "ppm" and (labels.volume.to_stored().data == 3).sum() == 4
    assert labels.regions[3].name == "Putamen R"
    assert back.case.name == "Case 1" and back.case.folders == () and back.notes == "seen twice"
    assert back.case.scan.echo_times_s == (0.02,) and back.case.reconstruction.source is not None
    np.testing.assert_allclose(back.case.scan.phase[0].to_stored().data, values * 20, rtol=1e-6)
    first, second = back.figure.sources.values()
    assert (first.name, second.name) == ("susceptibility map", "Control")
    np.testing.assert_array_equal(nib.load(second.path).get_fdata(), values)


def test_the_session_stays_tied_to_its_own_folder(tmp_path, told):
    session, _ = told
    save_session(session, tmp_path / "work")
    share_session(session, tmp_path / "shared")
    save_session(session, tmp_path / "work")  # unasked: nobody else wrote there
    assert session.entry("Mueller_chi") is not None


def test_only_into_a_folder_of_its_own(tmp_path, told):
    session, _ = told
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(FileError, match="not empty"):
        share_session(session, tmp_path / "full")
    (tmp_path / "empty").mkdir()
    assert share_session(session, tmp_path / "empty")


def test_files_that_a_figure_reads_itself_are_found_after_a_move(tmp_path, told):
    session, values = told
    home = tmp_path / "Mueller_Hans_1951"
    session.entry("Mueller_chi").provenance = {}
    save_session(session, home / "work")
    assert str(tmp_path) not in (home / "work" / "session.json").read_text(encoding="utf-8")
    shutil.move(home, tmp_path / "moved")
    back = Session()
    read_session(tmp_path / "moved" / "work").into(back)
    path = back.figure.sources["file a"].path
    np.testing.assert_array_equal(nib.load(path).get_fdata(), values)
