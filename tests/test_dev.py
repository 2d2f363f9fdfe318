"""dev.py's decisions; nothing here installs, opens a window or uses the network."""

import ast
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import dev

PYTHON = "{}.{}".format(*sys.version_info)


@pytest.fixture(autouse=True)
def untouched(monkeypatch):
    """Leave pytest's own signal handlers and environment alone."""
    monkeypatch.setattr(dev.signal, "signal", lambda number, handler: None)
    for name in ("QT_API", "PYTEST_QT_API", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, os.environ.get(name, ""))


@pytest.fixture
def calls(monkeypatch):
    """Record the commands dev.py would run, all of which succeed."""
    made = []

    def record(command, **options):
        made.append(SimpleNamespace(command=[str(part) for part in command], options=options))
        if "venv" in command:
            python = Path(command[-1]) / dev.STAMP
            python.parent.mkdir(exist_ok=True)
        return 0

    monkeypatch.setattr(dev, "run", record)
    return made


@pytest.fixture
def project(monkeypatch, tmp_path):
    """Give dev.py a project of its own, whose environments work once they are made."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "p"\n')
    monkeypatch.setattr(dev, "ROOT", tmp_path)

    def version(command):
        return f"{PYTHON}\n" if Path(command[0]).parents[1].is_dir() else ""

    monkeypatch.setattr(dev, "answer", version)
    return tmp_path


def stamp_of(project):
    return json.loads((project / ".venv" / dev.STAMP).read_text())


def installed_extras(calls):
    """Return the extras of each pip install, in turn."""
    targets = [call.command[-1] for call in calls if "pip" in call.command]
    return [set(target[len(".[") : -len("]")].split(",")) for target in targets]


def environments_made(calls):
    return sum("venv" in call.command for call in calls)


# --- an old Python -----------------------------------------------------------


def test_it_is_short():
    assert len(Path(dev.__file__).read_text().splitlines()) <= 200


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
    dev.ensure_venv("pyqt5", ["fast"])
    made = len(calls)
    programs = dev.ensure_venv("pyqt5", ["fast"])
    assert programs.parent == project / ".venv"
    assert installed_extras(calls) == [{"pyqt5", "fast"}]
    assert len(calls) == made


def test_each_binding_has_its_own_environment(project, calls):
    folders = {dev.ensure_venv(binding, []).parent.name for binding in dev.VENVS}
    assert folders == {".venv", ".venv-pyqt6", ".venv-pyside6"}


def test_extras_add_up(project, calls):
    dev.ensure_venv("pyqt5", dev.TESTS)
    dev.ensure_venv("pyqt5", dev.PROGRAM)
    assert len(installed_extras(calls)) == 1
    dev.ensure_venv("pyqt5", ["cluster"])
    dev.ensure_venv("pyqt5", dev.TESTS)
    assert installed_extras(calls)[1:] == [{"pyqt5", "cluster", *dev.TESTS}]


def test_a_changed_project_is_installed_again_in_the_same_environment(project, calls):
    dev.ensure_venv("pyqt5", [])
    (project / "pyproject.toml").write_text('[project]\nname = "p"\ndependencies = ["q"]\n')
    dev.ensure_venv("pyqt5", [])
    assert len(installed_extras(calls)) == 2 and environments_made(calls) == 1


def test_a_killed_installation_is_made_anew(project, monkeypatch, calls):
    record = dev.run

    def killed(command, **options):
        if "pip" in command:
            raise KeyboardInterrupt
        return record(command, **options)

    monkeypatch.setattr(dev, "run", killed)
    with pytest.raises(KeyboardInterrupt):
        dev.ensure_venv("pyqt5", [])
    monkeypatch.setattr(dev, "run", record)
    dev.ensure_venv("pyqt5", [])
    made = [call.command for call in calls if "venv" in call.command]
    assert len(made) == 2 and all("--clear" in command for command in made)
    assert stamp_of(project)["extras"] == ["pyqt5"]


def test_when_pip_gives_up_the_environment_stays_as_it_was(project, monkeypatch, calls):
    dev.ensure_venv("pyqt5", [])
    before = stamp_of(project)
    monkeypatch.setattr(dev, "run", lambda command, **options: 1)
    with pytest.raises(dev.Refusal, match="pip"):
        dev.ensure_venv("pyqt5", ["fast"])
    assert stamp_of(project) == before


def test_an_environment_of_somebody_elses_making_is_used(project, calls):
    (project / ".venv").mkdir()
    dev.ensure_venv("pyqt5", [])
    assert environments_made(calls) == 0 and installed_extras(calls) == [{"pyqt5"}]


@pytest.mark.parametrize("change", [{"root": "/elsewhere"}, {"python": "3.10"}])
def test_a_moved_environment_or_another_python_is_made_anew(project, calls, change):
    dev.ensure_venv("pyqt5", [])
    (project / ".venv" / dev.STAMP).write_text(json.dumps({**stamp_of(project), **change}))
    dev.ensure_venv("pyqt5", [])
    assert environments_made(calls) == 2


def test_an_environment_whose_python_does_not_run_is_made_anew(project, monkeypatch, calls):
    dev.ensure_venv("pyqt5", [])
    monkeypatch.setattr(dev, "answer", lambda command: "")
    dev.ensure_venv("pyqt5", [])
    assert environments_made(calls) == 2


def test_what_is_no_program_answers_nothing(tmp_path):
    (tmp_path / "python").write_text("not a program")
    (tmp_path / "python").chmod(0o755)
    assert dev.answer([str(tmp_path / "python")]) == dev.answer([str(tmp_path / "none")]) == ""
    assert dev.answer([sys.executable, "-c", "print(1)"]) == "1\n"


def test_debians_python_without_ensurepip(project, monkeypatch, calls):
    asked = []
    monkeypatch.setattr(dev.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(dev, "ensure_packages", asked.extend)
    dev.ensure_venv("pyqt5", [])
    assert asked == [f"python{PYTHON}-venv"]


# --- Debian's packages -------------------------------------------------------


@pytest.fixture
def debian(monkeypatch):
    """Return a function that makes this a Debian, with these packages, as this user."""

    def make(installed, *, root=False, sudo=False):
        def answer(command):
            if command[0] == "dpkg-query":
                return "".join(f"{name} installed\n" for name in installed) + "xvfb config-files\n"
            return "may\n" if sudo else ""

        monkeypatch.setattr(dev.sys, "platform", "linux")
        monkeypatch.setattr(dev.shutil, "which", lambda name: f"/usr/bin/{name}")
        monkeypatch.setattr(dev.os, "geteuid", lambda: 0 if root else 1000, raising=False)
        monkeypatch.setattr(dev, "answer", answer)

    return make


def test_root_installs_what_is_missing_after_one_update(debian, calls):
    debian(["libgl1", "libglib2.0-0t64"], root=True)
    dev.ensure_packages(["libgl1", "libglib2.0-0", "xvfb", "xauth"])
    update, install = (call.command for call in calls)
    assert update == ["apt-get", "update", "-q"]
    assert install[:2] == ["apt-get", "install"] and install[-2:] == ["xvfb", "xauth"]


def test_sudo_without_a_password_is_used(debian, calls):
    debian([], sudo=True)
    dev.ensure_packages(["xvfb"])
    assert [call.command[:3] for call in calls] == [["sudo", "-n", "apt-get"]] * 2


def test_without_root_the_line_to_run_is_said(debian, calls, capsys):
    debian([])
    assert dev.main(["test"]) == 1
    said = capsys.readouterr().err
    assert "sudo apt-get update && sudo apt-get install" in said and " xvfb" in said
    assert not calls


def test_nothing_is_done_when_nothing_is_missing_or_the_system_is_another(
    debian, calls, monkeypatch
):
    debian(["xvfb"], root=True)
    dev.ensure_packages(["xvfb"])
    monkeypatch.setattr(dev.shutil, "which", lambda name: None)
    dev.ensure_packages(["xauth"])
    assert not calls


# --- commands ----------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch):
    """Record the packages that are asked for; the environment is there."""
    packages = []
    monkeypatch.setattr(dev.sys, "platform", "linux")
    monkeypatch.setattr(dev, "ensure_packages", packages.extend)
    monkeypatch.setattr(dev, "ensure_venv", lambda binding, extras: Path("venv"))
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    return packages


@pytest.mark.parametrize(
    ("line", "window"),
    [("demo", True), ("run", True), ("run view a", True), ("run stats", False)],
)
def test_only_windows_need_qts_packages(monkeypatch, asked, calls, line, window):
    dev.main(line.split())
    assert asked == []  # without a display there is none
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    dev.main(line.split())
    assert bool(asked) is window and "xvfb" not in asked


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
    monkeypatch.setattr(dev.os, "environ", env)
    assert dev.has_display() is expected


@pytest.mark.parametrize(
    ("args", "binding", "rest"),
    [
        ([], "pyqt5", []),
        (["-k", "x", "-h"], "pyqt5", ["-k", "x", "-h"]),
        (["--qt", "pyqt6", "-x"], "pyqt6", ["-x"]),
        (["-x", "--qt=PySide6", "a", "--q"], "pyside6", ["-x", "a", "--q"]),
    ],
)
def test_the_binding_is_taken_from_the_arguments(monkeypatch, args, binding, rest):
    seen = []
    monkeypatch.setitem(dev.COMMANDS, "bench", lambda *given: seen.append(given))
    dev.main(["bench", *args])
    assert seen == [(binding, rest)]
    assert os.environ["QT_API"] == os.environ["PYTEST_QT_API"] == binding


@pytest.mark.parametrize("args", [["--qt"], ["--qt", "gtk"], ["--qt="]])
def test_an_unknown_binding_is_refused(args, capsys):
    with pytest.raises(SystemExit):
        dev.main(["test", *args])
    assert "--qt" in capsys.readouterr().err


@pytest.mark.parametrize("own", [[], ["-n0"], ["-n", "4"], ["--pdb"], ["-p", "no:xdist"]])
def test_three_workers_unless_the_user_chose(asked, calls, own):
    dev.main(["test", *own, "-x"])
    (call,) = calls
    assert call.command[1:3] == ["-m", "pytest"] and call.options["cwd"] == dev.ROOT
    three = [] if own else ["-n", "3", "--dist", "loadgroup"]
    assert call.command[3:] == [*three, *own, "-x"]


def test_the_program_runs_in_the_users_folder(asked, calls):
    dev.main(["run", "stats", "map.nii", "labels.nii"])
    dev.main(["demo", "--out", "x"])
    assert [Path(call.command[0]).stem for call in calls] == ["napari-qsm"] * 2
    assert calls[0].command[1:] == ["stats", "map.nii", "labels.nii"]
    assert calls[1].command[1:] == ["demo", "--out", "x"]
    assert all("cwd" not in call.options for call in calls)


def test_lint_runs_every_check_and_fails_if_one_fails(asked, monkeypatch):
    commands = []

    def fail_first(command, **options):
        commands.append(command[2])
        return 1 if len(commands) == 1 else 0

    monkeypatch.setattr(dev, "run", fail_first)
    assert dev.main(["lint"]) == 1
    assert commands == ["ruff", "ruff", "mypy", "zensical"]


def test_exit_codes_are_passed_on():
    assert dev.run([sys.executable, "-c", "raise SystemExit(5)"]) == 5


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
def test_a_program_ended_by_a_signal_does_not_look_fine():
    assert dev.run([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]) != 0


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_child_ends_with_it(tmp_path, number):
    mark = tmp_path / "pid"
    child = f"import os, time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    code = (
        "import dev, sys; dev.COMMANDS['lint'] = lambda *a: dev.run([sys.executable, '-c', "
        f"{child!r}]); sys.exit(dev.main(['lint']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=dev.ROOT, start_new_session=True, stderr=subprocess.PIPE
    )
    while not (mark.exists() and mark.read_text()):
        assert process.poll() is None
    if number == signal.SIGINT:  # a terminal sends it to both
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode != 0
    assert number != signal.SIGINT or said.decode().endswith("dev.py: stopped\n")
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)


def test_help_and_unknown_commands(capsys):
    assert dev.main(["--help"]) == 0
    assert dev.main([]) == dev.main(["tset"]) == 2
    assert capsys.readouterr().out.count("python dev.py bench") == 3
