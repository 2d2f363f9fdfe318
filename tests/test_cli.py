"""The command line keeps its contracts, and says plainly what is wrong."""

import json
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest

from napari_qsm._version import __version__
from napari_qsm.cli import main


@pytest.fixture(scope="module")
def phantom_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("head") / "patient"
    status = main(
        ["phantom", str(folder), "--subject", "patient", "--shape", "80,96,40"]
        + ["--voxel-size-mm", "2.4,2.3,3.5", "--seed", "5"]
    )
    assert status == 0
    return folder


def reconstruct(folder, out, *extra):
    return main(
        ["reconstruct", "--phase", str(folder / "phase.nii.gz")]
        + ["--magnitude", str(folder / "magnitude.nii.gz"), "--out", str(out), *map(str, extra)]
    )


def test_version_and_help(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"napari-qsm {__version__}"
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    for command in ("view", "demo", "phantom", "import", "reconstruct", "stats", "check"):
        assert command in said


def test_an_unknown_command_is_said_on_stderr_with_status_2(capsys):
    assert main(["reconstrct"]) == 2
    assert "reconstrct" in capsys.readouterr().err


def test_phantom_writes_what_the_contract_names(phantom_folder):
    for name in ("phase", "magnitude", "mask", "chi", "labels"):
        image = nib.load(phantom_folder / f"{name}.nii.gz")
        assert image.shape == (80, 96, 40)
        assert (phantom_folder / f"{name}.json").is_file()
    sidecar = json.loads((phantom_folder / "phase.json").read_text())
    assert sidecar["EchoTime"] == 0.021 and sidecar["MagneticFieldStrength"] == 3
    lines = (phantom_folder / "labels.txt").read_text(encoding="utf-8").splitlines()
    assert lines[1] == "# ITK-SnAP Label Description File"


def test_itk_sees_the_same_geometry_and_the_same_side(phantom_folder):
    sitk = pytest.importorskip("SimpleITK")
    ours = nib.load(phantom_folder / "labels.nii.gz")
    image = sitk.ReadImage(str(phantom_folder / "labels.nii.gz"))
    data = np.asarray(ours.dataobj)
    names = dict(
        line.split('"')[0].split()[:1] + [line.split('"')[1]]
        for line in (phantom_folder / "labels.txt").read_text(encoding="utf-8").splitlines()
        if '"' in line and not line.startswith("#")
    )
    for index, name in names.items():
        voxels = np.argwhere(data == int(index))
        if len(voxels) == 0 or name[-2:] not in (" L", " R"):
            continue
        # ITK points are LPS: x grows to the patient's left.
        x = np.mean(
            [image.TransformIndexToPhysicalPoint([int(n) for n in v])[0] for v in voxels[::5]]
        )
        assert (x > 0) == name.endswith(" L"), name
    corner = image.TransformIndexToPhysicalPoint((79, 95, 39))
    expected = ours.affine @ [79, 95, 39, 1]
    np.testing.assert_allclose(corner, expected[:3] * [-1, -1, 1], atol=1e-3)


def test_reconstruct_takes_times_and_field_from_sidecars_and_writes_the_contract(
    phantom_folder, tmp_path, capsys
):
    out = tmp_path / "result"
    assert reconstruct(phantom_folder, out, "--set", "inversion.method=tkd") == 0
    source = nib.load(phantom_folder / "phase.nii.gz")
    for name in ("mask", "unwrapped", "total_field", "local_field", "local_mask", "chi"):
        image = nib.load(out / f"{name}.nii.gz")
        assert image.shape == source.shape
        np.testing.assert_array_equal(image.affine, source.affine)
    provenance = json.loads((out / "provenance.json").read_text(encoding="utf-8"))
    assert provenance["echo_times_s"] == [0.021]
    assert "phase.nii" not in json.dumps(provenance)
    said = (out / "methods.txt").read_text(encoding="utf-8")
    assert said.startswith("Gradient-echo images were acquired at 3 T: TE 21 ms")
    # Again: refused before any work, unless asked for.
    assert reconstruct(phantom_folder, out) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert reconstruct(phantom_folder, out, "--set", "inversion.method=l2", "--overwrite") == 0


def test_values_on_the_line_win_and_several_follow_one_option(phantom_folder, capsys):
    status = main(
        ["reconstruct", "--phase", str(phantom_folder / "phase.nii.gz"), "--dry-run"]
        + ["--echo-times-ms", "20", "--field-strength-t", "3"]
        + ["--set", "inversion.method=tv", "background.radius_max_mm=9"]
        + ["--mask", str(phantom_folder / "mask.nii.gz")]
    )
    assert status == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in said][:2] == ["phase", "mask"]
    (inversion,) = [line for line in said if line.startswith("inversion   tv")]
    assert "updates=3" in inversion  # those that the recipe gives its own method
    assert any("radius_max_mm=9" in line for line in said)


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--echo-times-ms", "0.021"], "unit"),
        (["--echo-times-ms", "21000"], "unit"),
        (["--field-strength-t", "30000"], "field strength"),
        (["--echo-times-ms", "10", "20"], "echo times"),
        (["--recipe", "nonsense"], "case-report"),
        (["--set", "background.radius=1"], "radius_max_mm"),
        (["--mask", "missing.nii.gz"], "missing.nii.gz"),
    ],
)
def test_a_mistake_gives_one_sentence_and_leaves_nothing(
    phantom_folder, tmp_path, capsys, extra, words
):
    out = tmp_path / "result"
    assert reconstruct(phantom_folder, out, *extra) == 1
    said = capsys.readouterr().err.strip()
    assert words in said
    assert "Traceback" not in said and len(said.splitlines()) <= 2
    assert list(tmp_path.iterdir()) == []


def test_missing_echo_time_is_asked_for(phantom_folder, tmp_path, capsys):
    bare = tmp_path / "phase.nii.gz"
    bare.write_bytes((phantom_folder / "phase.nii.gz").read_bytes())
    assert main(["reconstruct", "--phase", str(bare), "--out", str(tmp_path / "r")]) == 1
    assert "echo time" in capsys.readouterr().err.lower()


def test_two_starts_are_refused(phantom_folder, tmp_path, capsys):
    chi = str(phantom_folder / "chi.nii.gz")
    status = main(
        ["reconstruct", "--local-field", chi, "--total-field", chi, "--out", str(tmp_path / "r")]
    )
    assert status == 1
    assert "only one" in capsys.readouterr().err


def test_start_from_a_local_field(phantom_folder, tmp_path):
    out = tmp_path / "result"
    status = main(
        ["reconstruct", "--local-field", str(phantom_folder / "local_field.nii.gz")]
        + ["--mask", str(phantom_folder / "mask.nii.gz"), "--out", str(out)]
        + ["--set", "inversion.method=tkd"]
    )
    assert status == 0
    chi = np.asarray(nib.load(out / "chi.nii.gz").dataobj)
    truth = np.asarray(nib.load(phantom_folder / "chi.nii.gz").dataobj)
    labels = np.asarray(nib.load(phantom_folder / "labels.nii.gz").dataobj)
    assert np.corrcoef(chi[labels > 0], truth[labels > 0])[0, 1] > 0.8
    assert not (out / "unwrapped.nii.gz").exists()


def test_stats_prints_and_writes_the_table(phantom_folder, tmp_path, capsys):
    arguments = ["stats", str(phantom_folder / "chi.nii.gz"), str(phantom_folder / "labels.nii.gz")]
    arguments += ["--table", str(phantom_folder / "labels.txt")]
    assert main(arguments) == 0
    assert "mean_ppm" in capsys.readouterr().out
    import pandas as pd

    assert main([*arguments, "--out", str(tmp_path / "t.csv")]) == 0
    frame = pd.read_csv(tmp_path / "t.csv")
    assert (
        list(frame.columns)
        == (
            "label name side voxels volume_mm3 mean_ppm sd_ppm median_ppm min_ppm max_ppm "
            "p05_ppm p95_ppm skewness"
        ).split()
    )
    chi = np.asarray(nib.load(phantom_folder / "chi.nii.gz").dataobj, dtype=np.float64)
    labels = np.asarray(nib.load(phantom_folder / "labels.nii.gz").dataobj)
    row = frame.iloc[0]
    inside = chi[labels == row["label"]]
    assert row["voxels"] == inside.size
    assert row["mean_ppm"] == pytest.approx(inside.mean(), abs=1e-9)
    assert row["sd_ppm"] == pytest.approx(inside.std(ddof=1), abs=1e-9)
    assert main([*arguments, "--unit", "ppb", "--out", str(tmp_path / "t.json")]) == 0
    ppb = pd.read_json(tmp_path / "t.json")
    assert ppb["mean_ppb"].iloc[0] == pytest.approx(1000 * inside.mean(), abs=1e-6)
    assert main([*arguments, "--out", str(tmp_path / "t.docx")]) == 1
    assert ".csv" in capsys.readouterr().err


def test_without_a_display_view_says_so(monkeypatch, capsys):
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    assert main(["view"]) == 1
    assert "no display" in capsys.readouterr().err


def test_python_m_is_the_same_program():
    done = subprocess.run(
        [sys.executable, "-m", "napari_qsm", "--version"], capture_output=True, text=True
    )
    assert done.returncode == 0 and __version__ in done.stdout


def test_visits_of_the_built_in_head_join_one_dataset(tmp_path, capsys):
    raw = tmp_path / "RAW"
    size = ["--shape", "24,20,8", "--voxel-size-mm", "8,8,16"]
    for participant, session in (("01", "t0"), ("01", "t1"), ("02", "")):
        labels = ["--participant", participant, "--session", session]
        assert main(["phantom", str(raw), "--bids", *labels, *size]) == 0
    names = {path.name for path in raw.glob("sub-*/**/*part-phase*.nii.gz")}
    stems = ("sub-01_ses-t0", "sub-01_ses-t1", "sub-02")
    assert names == {f"{stem}_part-phase_T2starw.nii.gz" for stem in stems}
    assert (raw / "derivatives/truth/sub-01/ses-t1/anat/sub-01_ses-t1_Chimap.nii.gz").is_file()
    capsys.readouterr()
    assert (
        main(["phantom", str(raw), "--bids", "--participant", "01", "--session", "t0", *size]) == 1
    )
    assert "exists already" in capsys.readouterr().err
    assert main(["phantom", str(tmp_path / "x"), "--participant", "01"]) == 1
    assert "add --bids" in capsys.readouterr().err


def test_a_folder_or_file_alone_is_opened(tmp_path, monkeypatch, capsys):
    opened = []
    monkeypatch.setattr("napari_qsm.cli.window.display_problem", lambda: "")
    monkeypatch.setattr("napari_qsm.viewer.program.run_program", opened.append)
    assert main([str(tmp_path)]) == 0
    assert opened == [[tmp_path]]
    assert main([str(tmp_path / "no such")]) == 2
    monkeypatch.chdir(tmp_path)
    (tmp_path / "check").mkdir()  # a command all the same
    assert main(["check"]) == 2
    assert len(opened) == 1
