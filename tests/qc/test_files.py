"""The report on the command line, and read back from folders."""

import json
import re
import shutil

import numpy as np
import pytest

from napari_qsm.cli import main
from napari_qsm.errors import Cancelled, FileError
from napari_qsm.outputs import PLAIN
from napari_qsm.qc.files import read_stored, rebuild_report, write_judged
from napari_qsm.qc.judge import measure
from napari_qsm.qc.rating import add_rating, make_rating
from napari_qsm.recon.pipeline import Inputs
from tests.bids_validator import errors_of

QUICK = ["--set", "inversion.method=tkd", "background.method=sharp"]
GRID = ["--shape", "64,72,36", "--voxel-size-mm", "2.8,2.8,4"]


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scan")
    assert main(["phantom", str(folder), *GRID]) == 0
    return folder


@pytest.fixture(scope="module")
def written(scan, tmp_path_factory):
    out = tmp_path_factory.mktemp("results") / "one"
    assert main(command(scan, out)) == 0
    return out


def command(scan, out, *more):
    return ["reconstruct", "--phase", str(scan / "phase.nii.gz"), "--magnitude",
            str(scan / "magnitude.nii.gz"), "--out", str(out), *QUICK, *more]  # fmt: skip


def text_of(html):
    return re.sub(r"data:image[^\"]*", "", html)


def test_reconstruct_writes_the_report_and_its_numbers(written):
    html = (written / "report.html").read_text("utf-8")
    numbers = json.loads((written / "quality.json").read_text("utf-8"))
    assert html.count("data:image/png") == 9 * 4 - 1 + 2 * 3 and "nii" not in text_of(html)
    assert numbers["dark_share"] is not None and isinstance(numbers["findings"], list)
    stored = read_stored(written)
    assert stored.quality["dark_share"] == numbers["dark_share"]
    again = measure(stored.result).to_dict()
    for name in ("chi_sha256", "mask_ml", "wraps_left", "chi_noise_ppm", "residual_rms_ppm"):
        assert again[name] == pytest.approx(numbers[name]), name


def test_report_can_be_left_out_and_an_old_one_does_not_stay(scan, written, tmp_path):
    out = tmp_path / "copy"
    shutil.copytree(written, out)
    assert main(command(scan, out, "--no-report", "--overwrite")) == 0
    assert not (out / "report.html").exists() and not (out / "quality.json").exists()
    assert (out / "chi.nii.gz").exists()
    assert main(["report", str(out)]) == 0
    assert "Numbers" in (out / "report.html").read_text("utf-8")


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.8])
def test_stopped_in_the_middle_of_writing_nothing_has_changed(written, tmp_path, share):
    """Images, measures and pictures all give a chance to stop."""
    out = tmp_path / "copy"
    shutil.copytree(written, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    told = []

    def stop(fraction):
        told.append(fraction)
        if fraction >= share:
            raise Cancelled("Stopped.")

    stored = read_stored(written)
    with pytest.raises(Cancelled):
        write_judged(stored.result, Inputs(), out, PLAIN, overwrite=True, progress=stop)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert told == sorted(told) and told[-1] < share + 0.25


def test_the_report_is_rebuilt_with_ratings_and_the_numbers_of_the_run(written, tmp_path):
    stored = read_stored(written)
    sha = stored.quality.chi_sha256
    add_rating(written, make_rating("fail", rater="AB", comment="streaks", chi_sha256=sha))
    target = tmp_path / "judged.html"
    assert main(["report", str(written), "--out", str(target)]) == 0
    html = target.read_text("utf-8")
    assert "<b>Fail</b>" in html and "Mask without signal" in html
    # Another map in the folder: the old numbers and the old verdict are not passed on to it.
    import nibabel as nib

    image = nib.load(written / "chi.nii.gz")
    other = tmp_path / "other"
    shutil.copytree(written, other)
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj) * 0.9, image.affine), other / "chi.nii.gz")
    path, _ = rebuild_report(other, overwrite=True)
    html = path.read_text("utf-8")
    assert "of an earlier map" in html and "Mask without signal" not in html


def test_a_report_that_is_there_is_replaced_only_with_leave(written, tmp_path, capsys):
    out = tmp_path / "copy"
    shutil.copytree(written, out)
    page = out / "report.html"
    page.write_text(page.read_text("utf-8") + "<!-- my notes -->", "utf-8")
    for more in ([], ["--out", str(page)]):
        assert main(["report", str(out), *more]) == 1
        assert "--overwrite" in capsys.readouterr().err
        assert "my notes" in page.read_text("utf-8")
    assert main(["report", str(out), "--overwrite"]) == 0
    assert "my notes" not in page.read_text("utf-8")


def test_bids_results_are_bids_and_keep_their_names(tmp_path):
    raw, out = tmp_path / "raw", tmp_path / "derived"
    assert main(["phantom", str(raw), "--bids", *GRID]) == 0
    assert main(["reconstruct", str(raw), "--out", str(out), *QUICK]) == 0
    [made] = out.rglob("*_report.html")
    assert made.parent.name == "anat" and made.name.startswith("sub-control_")
    first = made.read_text("utf-8")
    assert "sub-control" not in text_of(first)
    assert [errors_of(f) for f in (raw, raw / "derivatives" / "truth", out)] == [[], [], []]
    path, _ = rebuild_report(out, overwrite=True)
    assert path == made
    assert read_stored(out).result.arrays["unwrapped"].ndim == 4
    # A second result in the dataset: which one is meant must be said.
    shutil.copytree(out / "sub-control", out / "sub-two")
    with pytest.raises(FileError, match="2 results"):
        read_stored(out)
    assert rebuild_report(out / "sub-control", overwrite=True)[0] == made


@pytest.mark.parametrize("case", ["none", "empty", "torn", "ending"])
def test_what_is_no_result_is_said_in_a_sentence(case, written, tmp_path, capsys):
    folder = tmp_path / "folder"
    more = []
    if case == "empty":
        folder.mkdir()
    elif case in ("torn", "ending"):
        shutil.copytree(written, folder)
    if case == "torn":
        (folder / "provenance.json").write_text("{", encoding="utf-8")
    if case == "ending":
        more = ["--out", str(tmp_path / "report.pdf")]
    assert main(["report", str(folder), *more]) == 1
    said = capsys.readouterr().err
    assert len(said.strip().splitlines()) == 1 and "Traceback" not in said


def test_starting_from_a_local_field_gives_a_report_too(written, tmp_path):
    out = tmp_path / "late"
    status = main(
        ["reconstruct", "--local-field", str(written / "local_field.nii.gz"), "--out", str(out)]
        + ["--set", "inversion.method=tkd"]
    )
    assert status == 0 and "Field left unexplained" in (out / "report.html").read_text("utf-8")


def test_named_regions_settle_the_sign(scan, written, tmp_path, capsys):
    page = tmp_path / "r.html"
    line = ["report", str(written), "--out", str(page), "--labels", str(scan / "labels.nii.gz")]
    assert main([*line, "--table", str(scan / "labels.txt")]) == 0
    html = page.read_text("utf-8")
    assert "Iron-rich regions" in html and "Mask without signal" in html
    assert main([*line, "--overwrite"]) == 1
    assert "--table" in capsys.readouterr().err
