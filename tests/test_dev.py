"""dev.py's decisions; nothing here installs, opens a window or uses the network."""

import ast
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import dev

ON_DEBIAN = {"ID": "debian"}


@pytest.fixture(autouse=True)
def own_signals(monkeypatch):
    """Leave pytest's own signal handlers alone."""
    monkeypatch.setattr(dev.signal, "signal", lambda number, handler: None)


@pytest.fixture
def calls(monkeypatch):
    """Record the commands dev.py would run, all of which succeed."""
    made = []

    def record(command, **options):
        made.append(SimpleNamespace(command=[str(part) for part in command], options=options))
        return 0

    monkeypatch.setattr(dev, "run", record)
    return made


@pytest.fixture
def project(monkeypatch, tmp_path):
    """Give dev.py a project of its own, whose environments are healthy once made."""
    (tmp_path / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\n[project]\nname = "p"\n[tool.ruff]\nline-length = 100\n'
    )
    monkeypatch.setattr(dev, "ROOT", tmp_path)
    monkeypatch.setattr(dev, "is_healthy", lambda venv: venv.exists())
    monkeypatch.setattr(dev, "venv_python_version", lambda venv: dev.python_version())
    return tmp_path


def installed_extras(calls):
    """Return the extras of each pip install, in turn."""
    targets = [call.command[-1] for call in calls if "pip" in call.command]
    return [set(target[len(".[") : -len("]")].split(",")) for target in targets]


# --- an old Python -----------------------------------------------------------


def test_an_old_python_is_told_in_one_sentence():
    code = (
        "import sys; sys.version_info = (3, 8, 0);"
        "exec(compile(open(sys.argv[1]).read(), 'dev.py', 'exec'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, dev.__file__], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith("napari-qsm needs Python 3.11 or newer, and this is Python 3.8")
    assert "Traceback" not in done.stderr


def test_the_file_uses_no_syntax_an_old_python_cannot_parse():
    source = Path(dev.__file__).read_text(encoding="ascii")
    for node in ast.walk(ast.parse(source)):
        assert not isinstance(
            node, ast.JoinedStr | ast.AnnAssign | ast.NamedExpr | ast.Match | ast.Nonlocal
        ), ast.unparse(node)
        if isinstance(node, ast.arguments):
            arguments = [*node.args, node.vararg, node.kwarg]
            assert not node.kwonlyargs and not node.posonlyargs
            assert not any(argument and argument.annotation for argument in arguments)
        if isinstance(node, ast.FunctionDef):
            assert node.returns is None
        if isinstance(node, ast.Raise):
            assert node.cause is None
        # Unpacking is old in calls only.
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            assert not any(isinstance(item, ast.Starred) for item in node.elts)
        if isinstance(node, ast.Dict):
            assert None not in node.keys


# --- the environment ---------------------------------------------------------


def test_a_second_call_installs_nothing(project, calls):
    dev.ensure_venv("pyqt5", ["dicom"])
    made = len(calls)
    assert dev.ensure_venv("pyqt5", ["dicom"]) == project / ".venv"
    assert installed_extras(calls) == [{"pyqt5", "dicom"}]
    assert len(calls) == made


def test_each_binding_has_its_own_environment(project, calls):
    folders = {dev.ensure_venv(binding, []).name for binding in dev.VENVS}
    assert folders == {".venv", ".venv-pyqt6", ".venv-pyside6"}


def test_extras_add_up(project, calls):
    dev.ensure_venv("pyqt5", dev.TEST_EXTRAS)
    dev.ensure_venv("pyqt5", dev.PROGRAM_EXTRAS)
    assert len(installed_extras(calls)) == 1
    dev.ensure_venv("pyqt5", ["cluster"])
    dev.ensure_venv("pyqt5", dev.TEST_EXTRAS)
    assert installed_extras(calls)[1:] == [{"pyqt5", "cluster", *dev.TEST_EXTRAS}]


def test_a_new_dependency_is_installed_but_a_linter_setting_is_not(project, calls):
    pyproject = project / "pyproject.toml"
    dev.ensure_venv("pyqt5", [])
    pyproject.write_text(pyproject.read_text().replace("100", "99"))
    dev.ensure_venv("pyqt5", [])
    assert len(installed_extras(calls)) == 1
    pyproject.write_text(pyproject.read_text().replace('"p"', '"p"\ndependencies = ["q"]'))
    dev.ensure_venv("pyqt5", [])
    assert len(installed_extras(calls)) == 2


def test_a_killed_installation_is_made_anew(project, monkeypatch, calls):
    record = dev.run

    def killed(command, **options):
        if "pip" in command:
            raise KeyboardInterrupt
        return record(command, **options)

    monkeypatch.setattr(dev, "run", killed)
    with pytest.raises(KeyboardInterrupt):
        dev.ensure_venv("pyqt5", [])
    (project / ".venv" / "half").touch()
    monkeypatch.setattr(dev, "run", record)
    dev.ensure_venv("pyqt5", [])
    assert not (project / ".venv" / "half").exists()
    assert dev.read_stamp(project / ".venv")["complete"]


def test_when_pip_gives_up_the_environment_stays_as_it_was(project, monkeypatch, calls):
    dev.ensure_venv("pyqt5", [])
    before = dev.read_stamp(project / ".venv")
    monkeypatch.setattr(dev, "run", lambda command, **options: 1)
    with pytest.raises(dev.Refusal, match="pip"):
        dev.ensure_venv("pyqt5", ["dicom"])
    assert dev.read_stamp(project / ".venv") == before


def test_an_environment_of_somebody_elses_making_is_used(project, calls):
    (project / ".venv").mkdir()
    (project / ".venv" / "theirs").touch()
    dev.ensure_venv("pyqt5", [])
    assert (project / ".venv" / "theirs").exists()
    assert installed_extras(calls) == [{"pyqt5"}]


@pytest.mark.parametrize("change", [{"root": "/elsewhere"}, {"python": "3.10"}])
def test_a_moved_environment_or_another_python_is_made_anew(change):
    wanted = {"complete": True, "root": "/here", "python": "3.12", "project": "1", "extras": []}
    assert dev.decide(wanted, wanted) == "ready"
    assert dev.decide({**wanted, **change}, wanted) == "remake"


def test_a_package_cut_short_makes_an_environment_unhealthy(tmp_path, monkeypatch):
    purelib = tmp_path / "purelib"
    (purelib / "a-1.dist-info").mkdir(parents=True)
    code = f"import sysconfig; sysconfig.get_path = lambda name: {str(purelib)!r}\n"
    code = [sys.executable, "-c", code + dev.HEALTH_CHECK]
    assert subprocess.run(code).returncode == 1
    (purelib / "a-1.dist-info" / "RECORD").touch()
    assert subprocess.run(code).returncode == 0


def test_without_a_python_inside_an_environment_is_unhealthy(tmp_path):
    assert not dev.is_healthy(tmp_path)
    python = dev.in_venv(tmp_path, "python")
    python.parent.mkdir()
    python.write_text("not a program")
    assert not dev.is_healthy(tmp_path)


def test_a_second_dev_waits_for_the_first():
    with Path(dev.__file__).open("rb") as other:
        with dev.locked():
            assert not dev.try_lock(other)
        assert dev.try_lock(other)


def test_debians_python_without_ensurepip(project, monkeypatch):
    monkeypatch.setattr(dev.importlib.util, "find_spec", lambda name: None)
    asked = []
    monkeypatch.setattr(dev, "ensure_packages", asked.extend)
    monkeypatch.setattr(dev, "run", lambda command, **options: 0)
    monkeypatch.setattr(dev, "is_debian_like", lambda: True)
    dev.make_venv(project / ".venv")
    assert asked == [f"python{dev.python_version()}-venv"]
    monkeypatch.setattr(dev, "is_debian_like", lambda: False)
    with pytest.raises(dev.Refusal, match="ensurepip"):
        dev.make_venv(project / ".venv")


def test_programs_are_where_each_system_puts_them():
    venv = Path("v")
    assert dev.in_venv(venv, "python", windows=True) == Path("v/Scripts/python.exe")
    assert dev.in_venv(venv, "napari-qsm", windows=False) == Path("v/bin/napari-qsm")


# --- Debian's packages -------------------------------------------------------


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        (ON_DEBIAN, True),
        ({"ID": "ubuntu", "ID_LIKE": "debian"}, True),
        ({"ID": "linuxmint", "ID_LIKE": "ubuntu debian"}, True),
        ({"ID": "fedora"}, False),
        ({"ID": "rocky", "ID_LIKE": "rhel centos fedora"}, False),
        ({}, False),
    ],
)
def test_debian_and_its_relatives(release, expected):
    assert dev.is_debian_like(release) is expected


def answers(monkeypatch, **by_program):
    """Let the system's programs give prepared answers: (exit code, stdout)."""

    def answer(command, **options):
        code, text = by_program[command[0].replace("-", "_")]
        return subprocess.CompletedProcess(command, code, stdout=text)

    monkeypatch.setattr(dev.subprocess, "run", answer)


def test_missing_packages(monkeypatch):
    rows = "libgl1 installed\nxvfb config-files\nlibglib2.0-0t64 installed\n"
    answers(monkeypatch, dpkg_query=(1, rows))
    packages = ["libgl1", "libglib2.0-0", "xvfb", "xauth"]
    assert dev.missing_packages(packages) == ["xvfb", "xauth"]


def test_names_of_this_release(monkeypatch):
    policy = (
        "libgl1:\n  Installed: (none)\n  Candidate: 1.7\n"
        "libglib2.0-0:\n  Installed: (none)\n  Candidate: (none)\n"
        "libglib2.0-0t64:\n  Installed: (none)\n  Candidate: 2.80\n"
    )
    answers(monkeypatch, apt_cache=(0, policy))
    packages = ["libgl1", "libglib2.0-0", "unheard-of"]
    assert dev.names_here(packages) == ["libgl1", "libglib2.0-0t64", "unheard-of"]


@pytest.fixture
def xvfb_missing(monkeypatch):
    monkeypatch.setattr(dev, "missing_packages", lambda packages: ["xvfb"])
    monkeypatch.setattr(dev, "names_here", list)


def test_root_installs_after_one_update(monkeypatch, xvfb_missing, calls):
    monkeypatch.setattr(dev, "root_prefix", list)
    dev.ensure_packages(["xvfb", "libgl1"])
    update, install = (call.command for call in calls)
    assert update[-2:] == ["update", "-q"]
    assert install[:3] == ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    assert "install" in install and install[-1] == "xvfb"


def test_sudo_without_a_password_is_used(monkeypatch):
    monkeypatch.setattr(dev.os, "geteuid", lambda: 1000, raising=False)
    monkeypatch.setattr(dev.shutil, "which", lambda name: "/usr/bin/sudo")
    answers(monkeypatch, sudo=(0, ""))
    assert dev.root_prefix() == ["sudo", "-n"]
    answers(monkeypatch, sudo=(1, ""))
    assert dev.root_prefix() is None


def test_without_root_the_line_to_run_is_said(monkeypatch, xvfb_missing, calls, capsys):
    monkeypatch.setattr(dev.os, "geteuid", lambda: 1000, raising=False)
    monkeypatch.setattr(dev.shutil, "which", lambda name: None)
    monkeypatch.setattr(dev.sys, "platform", "linux")
    monkeypatch.setattr(dev, "is_debian_like", lambda: True)
    assert dev.main(["test"]) == 1
    line = "sudo apt-get update && sudo apt-get install -y --no-install-recommends xvfb\n"
    assert line in capsys.readouterr().err
    assert not calls


def test_nothing_is_done_when_nothing_is_missing(monkeypatch, calls):
    monkeypatch.setattr(dev, "missing_packages", lambda packages: [])
    dev.ensure_packages(["xvfb"])
    assert not calls


@pytest.fixture
def asked(monkeypatch):
    """Record the packages a Debian without a display is asked for."""
    packages = []
    monkeypatch.setattr(dev.sys, "platform", "linux")
    monkeypatch.setattr(dev, "is_debian_like", lambda: True)
    monkeypatch.setattr(dev, "ensure_packages", packages.extend)
    monkeypatch.setattr(dev, "ensure_venv", lambda binding, extras: Path("venv"))
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    return packages


def test_the_demo_needs_qt_only_where_it_opens_a_window(monkeypatch, asked, calls):
    dev.demo("pyqt5", [])
    assert asked == []
    monkeypatch.setenv("DISPLAY", ":7")
    dev.demo("pyqt5", [])
    assert "libegl1" in asked and "xvfb" not in asked


@pytest.mark.parametrize(
    ("args", "window"), [([], True), (["view", "a"], True), (["stats"], False)]
)
def test_which_programs_open_a_window(monkeypatch, asked, calls, args, window):
    monkeypatch.setenv("DISPLAY", ":7")
    dev.run_program("pyqt5", args)
    assert bool(asked) is window


def test_a_linux_without_apt_is_told_about_xvfb(monkeypatch, asked):
    monkeypatch.setattr(dev, "is_debian_like", lambda: False)
    monkeypatch.setattr(dev.shutil, "which", lambda name: None)
    with pytest.raises(dev.Refusal, match="Xvfb"):
        dev.ensure_system(window=True, own_display=True)


# --- the display -------------------------------------------------------------


@pytest.mark.parametrize(
    ("platform", "env", "expected"),
    [
        ("linux", {}, False),
        ("linux", {"DISPLAY": ""}, False),
        ("linux", {"DISPLAY": ":1"}, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("darwin", {}, True),
        ("win32", {}, True),
    ],
)
def test_where_a_window_can_be_shown(monkeypatch, platform, env, expected):
    monkeypatch.setattr(dev.sys, "platform", platform)
    assert dev.has_display(env) is expected


def test_a_display_that_is_there_is_used():
    env = {"DISPLAY": ":7", "WAYLAND_DISPLAY": ""}
    with dev.display(env) as found:
        assert found is env


@pytest.mark.skipif(
    sys.platform != "linux" or not dev.shutil.which("Xvfb"), reason="there is no Xvfb"
)
@pytest.mark.parametrize("error", [None, KeyboardInterrupt, SystemExit])
def test_the_display_ends_with_the_tests(monkeypatch, error):
    started = []
    popen = subprocess.Popen

    def remember(*args, **options):
        started.append(popen(*args, **options))
        return started[-1]

    monkeypatch.setattr(dev.subprocess, "Popen", remember)
    try:
        with dev.display({"PATH": os.environ["PATH"]}) as env:
            assert env["DISPLAY"].startswith(":")
            assert started[0].poll() is None
            if error:
                raise error
    except BaseException as caught:
        if error is None or not isinstance(caught, error):
            raise
    assert started[0].poll() is not None


# --- commands ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "binding", "rest"),
    [
        ([], "pyqt5", []),
        (["-k", "x"], "pyqt5", ["-k", "x"]),
        (["--qt", "pyqt6", "-x"], "pyqt6", ["-x"]),
        (["-x", "--qt=PySide6"], "pyside6", ["-x"]),
    ],
)
def test_the_binding_is_taken_from_the_arguments(args, binding, rest):
    assert dev.take_binding(args) == (binding, rest)


@pytest.mark.parametrize("args", [["--qt"], ["--qt", "gtk"], ["--qt="]])
def test_an_unknown_binding_is_refused(args, capsys):
    assert dev.main(["test", *args]) == 1
    assert "pyqt5, pyqt6, pyside6" in capsys.readouterr().err


def test_two_workers_unless_the_user_chose():
    assert dev.test_arguments(["-x"]) == ["-n", "2", "--dist", "loadgroup", "-x"]
    for own in (["-n0"], ["-n", "4"], ["--pdb"], ["-p", "no:xdist"]):
        assert dev.test_arguments(own) == own


def test_pytest_gets_the_binding_and_the_arguments(asked, calls, monkeypatch):
    monkeypatch.setenv("DISPLAY", ":7")
    monkeypatch.setenv("QT_API", "pyside6")
    dev.main(["test", "--qt", "pyqt6", "tests/test_dev.py"])
    (call,) = calls
    assert call.command[1:3] == ["-m", "pytest"]
    assert call.command[-1] == "tests/test_dev.py"
    assert call.options["cwd"] == dev.ROOT
    assert call.options["env"]["QT_API"] == call.options["env"]["PYTEST_QT_API"] == "pyqt6"


def test_the_program_runs_in_the_users_folder(asked, calls):
    dev.main(["run", "stats", "map.nii", "labels.nii"])
    (call,) = calls
    assert Path(call.command[0]).stem == "napari-qsm"
    assert call.command[1:] == ["stats", "map.nii", "labels.nii"]
    assert "cwd" not in call.options


def test_lint_runs_every_check_and_fails_if_one_fails(asked, monkeypatch):
    commands = []

    def fail_first(command, **options):
        commands.append(command[2])
        return 1 if len(commands) == 1 else 0

    monkeypatch.setattr(dev, "run", fail_first)
    assert dev.main(["lint"]) == 1
    assert commands == ["ruff", "ruff", "mypy"]


def test_exit_codes_are_passed_on():
    assert dev.run([sys.executable, "-c", "raise SystemExit(5)"]) == 5


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
def test_a_program_ended_by_a_signal_does_not_look_fine():
    assert dev.run([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]) == 128 + 9


def test_ctrl_c_ends_in_one_line(monkeypatch, capsys):
    def interrupted(binding, args):
        raise KeyboardInterrupt

    monkeypatch.setitem(dev.COMMANDS, "lint", interrupted)
    assert dev.main(["lint"]) == 130
    assert capsys.readouterr().err == "dev.py: stopped\n"


def test_help_and_unknown_commands(capsys):
    assert dev.main(["--help"]) == 0
    assert dev.main([]) == 2
    assert capsys.readouterr().out.count("python dev.py bench") == 2
    assert dev.main(["tset"]) == 2
    assert "'tset'" in capsys.readouterr().err
