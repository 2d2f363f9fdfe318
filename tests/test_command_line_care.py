"""What commands do before, while and after they write, and where they run."""

import importlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from napari_qsm.cli import main
from napari_qsm.cli.display import display_problem
from napari_qsm.errors import QsmError

AFFINE = np.diag([-1.0, 1, 2, 1])
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def pair(tmp_path):
    """A map and labels on its grid."""
    labels = np.zeros((20, 22, 12), np.uint8)
    labels[3:8, 4:9, 2:6] = 1
    labels[12:17, 4:9, 2:6] = 2
    chi = (0.05 * labels + 0.001 * np.arange(labels.size).reshape(labels.shape) % 7).astype("f4")
    for name, data in (("chi", chi), ("labels", labels)):
        nib.save(nib.Nifti1Image(data, AFFINE), tmp_path / f"{name}.nii.gz")
    return str(tmp_path / "chi.nii.gz"), str(tmp_path / "labels.nii.gz")


@pytest.fixture(scope="module")
def head(tmp_path_factory):
    folder = tmp_path_factory.mktemp("head") / "scan"
    arguments = ["--shape", "24;28;16", "--voxel-size-mm", "7,5 7,5 9"]
    assert main(["phantom", str(folder), *arguments]) == 0
    return folder


def run(*arguments, **environment):
    """The program as its own process."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(
        [sys.executable, "-m", "napari_qsm", *map(str, arguments)],
        capture_output=True,
        env={name: value for name, value in env.items() if value is not None},
        timeout=120,
        check=False,
    )


class TestNothingIsReplacedUnasked:
    def test_a_table(self, pair, tmp_path, capsys):
        out = tmp_path / "t.csv"
        assert main(["stats", *pair, "--out", str(out)]) == 0
        first = out.read_bytes()
        assert main(["stats", *pair, "--out", str(out)]) == 0  # the same again is no loss
        assert main(["stats", *pair, "--unit", "ppb", "--out", str(out)]) == 1
        assert "--overwrite" in capsys.readouterr().err
        assert out.read_bytes() == first
        assert main(["stats", *pair, "--unit", "ppb", "--out", str(out), "--overwrite"]) == 0
        assert b"mean_ppb" in out.read_bytes()

    @pytest.mark.parametrize("name", ["notes.csv", "chi.json"])
    def test_a_file_of_another_kind(self, pair, tmp_path, capsys, name):
        (tmp_path / name).write_text('{"Units": "ppm"}')
        assert main(["stats", *pair, "--out", str(tmp_path / name), "--overwrite"]) == 1
        assert "another kind" in capsys.readouterr().err
        assert (tmp_path / name).read_text() == '{"Units": "ppm"}'

    def test_the_scan_that_a_result_is_made_from(self, head, capsys):
        before = {path.name: path.read_bytes() for path in head.iterdir()}
        arguments = ["--phase", str(head / "phase.nii.gz"), "--mask", str(head / "mask.nii.gz")]
        status = main(["reconstruct", *arguments, "--out", str(head), "--overwrite"])
        assert status == 1 and "starts from" in capsys.readouterr().err
        status = main(["reconstruct", *arguments[:2], "--out", str(head), "--overwrite"])
        assert status == 1 and "no earlier result" in capsys.readouterr().err
        assert {path.name: path.read_bytes() for path in head.iterdir()} == before

    def test_a_demo_and_a_head(self, tmp_path, head, capsys, monkeypatch):
        monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
        display_problem.cache_clear()
        (tmp_path / "figure-1.png").write_text("mine")
        assert main(["demo", "--out", str(tmp_path)]) == 1
        assert main(["demo", "--out", str(tmp_path), "--overwrite"]) == 1
        assert main(["phantom", str(head)]) == 1
        assert "--overwrite" in capsys.readouterr().err


@pytest.mark.parametrize("out", ["file", "file/below", "link"])
def test_the_way_out_is_looked_at_before_the_work(head, tmp_path, capsys, monkeypatch, out):
    monkeypatch.setattr("napari_qsm.recon.pipeline.run", lambda *a, **k: pytest.fail("it worked"))
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    status = main(
        ["reconstruct", "--phase", str(head / "phase.nii.gz"), "--out", str(tmp_path / out)]
    )
    assert status == 1
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_full_disk_is_found_before_the_work(head, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("napari_qsm.recon.pipeline.run", lambda *a, **k: pytest.fail("it worked"))
    usage = type("usage", (), {"free": 1000})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    status = main(
        ["reconstruct", "--phase", str(head / "phase.nii.gz"), "--out", str(tmp_path / "r")]
    )
    assert status == 1 and "too little room" in capsys.readouterr().err


#: Stops itself with a signal while it writes the third image, or between two moves.
STOPPED = """
import os, signal, sys
import napari_qsm.outputs as outputs
import napari_qsm.io.moving as moving
from napari_qsm.cli import main
number, where, calls = int(sys.argv[1]), sys.argv[2], [0]
def stopping(real):
    def call(*arguments, **options):
        calls[0] += 1
        if calls[0] == 3:
            os.kill(os.getpid(), number)
        return real(*arguments, **options)
    return call
if where == "writing":
    outputs.write_volume = stopping(outputs.write_volume)
else:
    moving._move = stopping(moving._move)
sys.exit(main(sys.argv[3:]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("where", ["writing", "moving"])
def test_a_stop_says_so_and_leaves_nothing(head, tmp_path, number, where):
    if where == "moving":
        (tmp_path / "r").mkdir()
    arguments = ["reconstruct", "--total-field", head / "total_field.nii.gz", "--no-report"]
    arguments += ["--mask", head / "mask.nii.gz", "--set", "inversion.method=tkd"]
    arguments += ["background.method=lbv", "--out", tmp_path / "r"]
    done = subprocess.run(
        [sys.executable, "-c", STOPPED, str(int(number)), where, *map(str, arguments)],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=120,
        check=False,
    )
    assert done.stderr.decode().strip() == "Stopped."
    assert done.returncode == 130
    assert [p for p in tmp_path.rglob("*") if p.name != "r"] == []


class TestWhereItRuns:
    @pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437", "utf-8"])
    def test_every_sentence_reaches_every_console(self, pair, encoding):
        done = run("check", *pair, PYTHONIOENCODING=encoding, PYTHONUTF8="0")
        assert done.returncode in (0, 1) and b"Traceback" not in done.stderr
        done.stdout.decode(encoding)
        asked = run("check", "χ±.nii.gz", PYTHONIOENCODING=encoding)
        assert asked.returncode == 1 and b"Traceback" not in asked.stderr + asked.stdout

    def test_a_mended_header_is_no_noise(self, pair, tmp_path):
        content = bytearray(nib.load(pair[0]).to_bytes())
        content[344:348] = b"n+1X"  # nibabel has an opinion on this
        (tmp_path / "odd_chi.nii").write_bytes(content)
        done = run("check", tmp_path / "odd_chi.nii")
        assert done.stderr == b"" and b"odd_chi" in done.stdout

    def test_signs_that_steer_a_terminal_are_not_passed_on(self):
        done = run("check", "a\x1b[31mb\u202e.nii.gz")
        assert b"\x1b" not in done.stdout and "\u202e" not in done.stdout.decode()

    def test_a_reader_that_reads_no_further(self, pair):
        code = f"{sys.executable} -m napari_qsm stats {pair[0]} {pair[1]} | true"
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            code, shell=True, capture_output=True, env=env, timeout=60, check=False
        )
        assert b"Traceback" not in done.stderr

    @pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="X11")
    @pytest.mark.parametrize("display", [":4242", "nonsense", "localhost:9999.0", ":99999999"])
    def test_a_display_that_does_not_answer(self, pair, display):
        done = run("view", pair[0], DISPLAY=display, WAYLAND_DISPLAY=None, QT_QPA_PLATFORM=None)
        assert done.returncode == 1
        assert "no display" in done.stderr.decode() and len(done.stderr.splitlines()) == 1

    @pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a place nobody can write")
    def test_a_home_that_cannot_be_written_to(self, pair, tmp_path):
        spec = {
            "sources": {"a": {"path": pair[0]}},
            "panels": [{"kind": "image", "map": "a", "display": "grey", "slice_index": 5}],
        }
        (tmp_path / "s.json").write_text(json.dumps(spec))
        nowhere = dict.fromkeys(
            ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"), None
        )
        nowhere |= {"HOME": "/proc/nobody", "MPLCONFIGDIR": None, "NAPARI_CONFIG": None}
        done = run("figure", tmp_path / "s.json", "--out", tmp_path / "f.png", **nowhere)
        assert done.returncode == 0
        assert all(line.startswith(b"Note: ") for line in done.stderr.splitlines())
        told = run("view", pair[0], **nowhere, QT_QPA_PLATFORM="offscreen")
        assert b"home folder" in told.stderr and b"Traceback" not in told.stderr

    def test_no_qt_binding(self, monkeypatch):
        display_problem.cache_clear()
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        assert "Qt binding" in display_problem()
        display_problem.cache_clear()


def test_a_display_that_refuses_is_not_a_library_that_lacks(monkeypatch):
    """Qt 6 says that it lacks a library, whyever it cannot draw."""
    from napari_qsm.cli import display

    said = (
        b"Authorization required, but no authorization protocol specified\n\n"
        b"qt.qpa.xcb: could not connect to display :99\n"
        b"qt.qpa.plugin: From 6.5.0, xcb-cursor0 or libxcb-cursor0 is needed to load the Qt xcb "
        b"platform plugin.\n"
    )
    ended = type("ended", (), {"returncode": -6, "stderr": said})
    monkeypatch.setattr(display.subprocess, "run", lambda *a, **k: ended)
    monkeypatch.setattr(display, "_answers", lambda name: True)
    monkeypatch.setattr(display.importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("QT_QPA_PLATFORM", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", ":99")
    display_problem.cache_clear()
    assert display_problem().endswith("':99' (DISPLAY) does not let this user in.")
    ended.stderr = said.splitlines()[-1]
    display_problem.cache_clear()
    assert "apt install libxcb-cursor0" in display_problem()
    display_problem.cache_clear()


@pytest.mark.parametrize("variable", ["QT_QPA_PLATFORM", "DISPLAY"])
def test_a_script_is_told_that_there_is_no_display(variable):
    """Qt itself would end the interpreter."""
    env = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    env |= {"QT_QPA_PLATFORM": "offscreen"} if variable == "QT_QPA_PLATFORM" else {}
    if variable == "DISPLAY":
        env.pop("QT_QPA_PLATFORM", None)
        if sys.platform != "linux":
            pytest.skip("there is always a display")
    code = "import napari_qsm\ntry:\n napari_qsm.open_workspace(show=False)\nexcept napari_qsm.QsmError as e:\n print(e)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "There is no display to open a window on" in done.stdout


def test_a_script_is_told_that_there_is_no_qt_binding(monkeypatch):
    import napari_qsm.viewer

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(QsmError, match="No Qt binding"):
        importlib.reload(napari_qsm.viewer)


def test_commas_in_every_numeric_option(head, capsys):
    phase = str(head / "phase.nii.gz")
    status = main(
        ["reconstruct", "--phase", phase, "--dry-run", "--echo-times-ms", "21,5"]
        + ["--field-strength-t", "2,89", "--set", "inversion.method=tv"]
        + ["background.radius_max_mm=9,5"]
    )
    said = capsys.readouterr()
    assert status == 0, said.err
    assert "radius_max_mm=9.5" in said.out


def test_a_comma_that_could_divide_is_asked_about(head, capsys):
    arguments = ["--phase", str(head / "phase.nii.gz"), "--phase-difference", "--dry-run"]
    assert main(["reconstruct", *arguments, "--echo-times-ms", "2,46"]) == 1
    said = capsys.readouterr().err
    assert "2.46" in said and "can be read as" in said


def test_a_json_table_keeps_names_as_they_are(pair, tmp_path):
    names = tmp_path / "names.txt"
    names.write_text('1 9 9 9 1 1 1 "=1+1"\n2 9 9 9 1 1 1 "@b"\n')
    for ending in ("json", "csv"):
        out = tmp_path / f"t.{ending}"
        assert main(["stats", *pair, "--table", str(names), "--out", str(out)]) == 0
    assert [row["name"] for row in json.loads((tmp_path / "t.json").read_text())] == ["=1+1", "@b"]
    lines = (tmp_path / "t.csv").read_text().splitlines()
    assert [line.split(",")[1] for line in lines[1:]] == ["'=1+1", "'@b"]
