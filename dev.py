"""Everything a developer does, from one file that needs nothing but Python.

    python dev.py demo [args...]    open the program on its built-in head
    python dev.py test [args...]    run the tests; the arguments go to pytest
    python dev.py lint              ruff, mypy, and the documentation's site, built into site/
    python dev.py bench [args...]   run the benchmarks
    python dev.py run ARGS...       any napari-qsm command

Each command first makes (or brings up to date) a virtual environment in this folder, so the
first call takes minutes and the next ones start at once. --qt pyqt5|pyqt6|pyside6 chooses the Qt
binding, each in an environment of its own; pyqt5 is the default.
"""

# Any old Python must *parse* this and say so: no f-strings, annotations or keyword-only arguments.
import sys

if sys.version_info < (3, 11):
    sys.exit(
        "napari-qsm needs Python 3.11 or newer, and this is Python {0}.{1}: "
        "run dev.py with a newer one, for example python3.12 dev.py.".format(*sys.version_info)
    )

import argparse
import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENVS = {"pyqt5": ".venv", "pyqt6": ".venv-pyqt6", "pyside6": ".venv-pyside6"}
STAMP, EXE = "napari-qsm.json", ".exe" if os.name == "nt" else ""
PROGRAM, TESTS = ["dicom"], ["dicom", "docs", "test"]

# What Qt's wheels expect to find on Debian and its relatives, and a display for the tests.
QT_PACKAGES = """libgl1 libegl1 libgl1-mesa-dri libglib2.0-0 libdbus-1-3 libfontconfig1
    libxkbcommon-x11-0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0
    libxcb-render-util0 libxcb-xinerama0 libxcb-shape0 libxcb-xfixes0 libxcb-cursor0""".split()
DISPLAY_PACKAGES = ["xvfb", "xauth"]


class Refusal(Exception):
    """Something the user has to put right; its text says what and how."""


def say(text):
    """Write one line to stderr: stdout belongs to the program that is run."""
    sys.stderr.write("dev.py: " + text + "\n")


def run(command, **options):
    """Run a program, never a shell line, and return its exit code."""
    child = subprocess.Popen([str(part) for part in command], **options)
    try:
        return child.wait()
    except BaseException as stop:
        if isinstance(stop, SystemExit):  # Ctrl-C reaches it by itself, a signal does not
            child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(timeout=10)
        raise
    finally:
        child.kill()


def answer(command):
    """Return what a program prints; nothing if it is not there."""
    with contextlib.suppress(OSError):
        quiet = {"stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, **quiet).stdout
    return ""


def has_display():
    """Say whether a window can be shown."""
    shown = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return sys.platform != "linux" or bool(shown)


def ensure_packages(packages):
    """Install the packages that a Debian lacks, or refuse with the line that does."""
    if sys.platform != "linux" or not shutil.which("dpkg-query"):
        return
    # Newer releases renamed libraries for 64-bit time; apt still knows the old names.
    names = [name + end for name in packages for end in ("", "t64")]
    rows = answer(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n"] + names)
    there = {row.split()[0] for row in rows.splitlines() if row.endswith(" installed")}
    missing = [name for name in packages if not there.intersection((name, name + "t64"))]
    install = ["apt-get", "install", "-qy", "--no-install-recommends"] + missing
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if missing and (not root or answer(root + ["echo", "may"])):
        say("installing system packages: " + " ".join(missing))
        run(root + ["apt-get", "update", "-q"], stdout=sys.stderr)  # old lists may do
        missing = run(root + install, stdout=sys.stderr, stdin=subprocess.DEVNULL) != 0
    if missing:
        line = "sudo apt-get update && sudo " + " ".join(install)
        raise Refusal("system packages are missing; install them and call again:\n    " + line)


def ensure_venv(binding, extras):
    """Make sure the environment of a Qt binding holds the project; return its programs' folder."""
    folder = ROOT / VENVS[binding]
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    python, note = programs / ("python" + EXE), folder / STAMP
    here = {"root": str(ROOT), "python": "{0}.{1}".format(*sys.version_info)}  # it fits no other
    try:
        stamp = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        stamp = {}  # of somebody else's making, and used as it is
    moved = any(stamp.get(name, value) != value for name, value in here.items())
    version = answer([str(python), "-c", "import pip, sys; print('%d.%d' % sys.version_info[:2])"])
    if moved or stamp.get("half made") or version.strip() != here["python"]:
        if importlib.util.find_spec("ensurepip") is None:
            ensure_packages(["python{0}-venv".format(here["python"])])
        say("making {0} with Python {1}".format(folder.name, here["python"]))
        base = getattr(sys, "_base_executable", None) or sys.executable
        if run([base, "-m", "venv", "--clear", folder], stdout=sys.stderr) != 0:
            raise Refusal("the environment could not be made; the message is above.")
        stamp = {}
    # Extras add up: the demo after the tests must not take pytest away.
    together = sorted(set([binding] + extras + stamp.get("extras", [])))
    project = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    wanted = dict(here, project=project, extras=together)
    if stamp != wanted:
        target = ".[{0}]".format(",".join(together))
        say("installing napari-qsm{0} into {1}; it takes minutes".format(target[1:], folder.name))
        note.write_text(json.dumps({"half made": True}), encoding="utf-8")
        pip = [python, "-m", "pip", "install", "--no-compile", "--disable-pip-version-check"]
        pip += ["--editable", target]  # not compiled: most of what it brings is never imported
        code = run(pip, cwd=ROOT, stdout=sys.stderr, stdin=subprocess.DEVNULL)
        # Where pip gives up by itself, things are as they were.
        note.write_text(json.dumps(stamp if code else wanted, indent=1), encoding="utf-8")
        if code != 0:
            raise Refusal("pip could not install the project; its message is above.")
    return programs


def test(binding, args):
    """Run the tests with three workers unless the user chose; each starts its own display."""
    ensure_packages(QT_PACKAGES + DISPLAY_PACKAGES)
    python = ensure_venv(binding, TESTS) / ("python" + EXE)
    chosen = any(arg.startswith(("-n", "--numprocesses", "--dist", "--pdb", "-p")) for arg in args)
    workers = [] if chosen else ["-n", "3", "--dist", "loadgroup"]  # two work while one waits
    # The test processes share the machine: threads inside each only get in the way.
    for name in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
        os.environ.setdefault(name + "_NUM_THREADS", "1")
    return run([python, "-m", "pytest"] + workers + args, cwd=ROOT)


def lint(binding, args):
    """Run every check, and fail if one fails."""
    python = ensure_venv(binding, TESTS) / ("python" + EXE)
    checks = "ruff check .", "ruff format --check .", "mypy", "zensical build --strict"
    return max([run([python, "-m"] + check.split(), cwd=ROOT) for check in checks])


def bench(binding, args):
    """Run the benchmarks with all the machine's threads."""
    ensure_packages(QT_PACKAGES + DISPLAY_PACKAGES)
    python = ensure_venv(binding, TESTS) / ("python" + EXE)
    display = [] if has_display() else ["xvfb-run", "-a", "-s", "-screen 0 1920x1200x24"]
    return run(display + [python, "-m", "benchmarks"] + args, cwd=ROOT)


def program(binding, args):
    """Run the program in the folder the user is in; only its window needs what Qt needs."""
    if has_display() and (not args or args[0] in ("view", "demo")):
        ensure_packages(QT_PACKAGES)
    return run([ensure_venv(binding, PROGRAM) / ("napari-qsm" + EXE)] + args)


COMMANDS = {"demo": program, "test": test, "lint": lint, "bench": bench, "run": program}


def main(argv):
    """Run one command and return the exit code."""
    if not argv or argv[0] not in COMMANDS:
        print(__doc__)
        return 0 if argv in (["-h"], ["--help"], ["help"]) else 2
    parser = argparse.ArgumentParser("dev.py", add_help=False, allow_abbrev=False)
    parser.add_argument("--qt", choices=list(VENVS), default="pyqt5", type=str.lower)
    chosen, args = parser.parse_known_args(argv[1:])
    os.environ.update(QT_API=chosen.qt, PYTEST_QT_API=chosen.qt)
    # Being asked to end must still end the children: turn it into an exception.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        return COMMANDS[argv[0]](chosen.qt, argv[:1] * (argv[0] == "demo") + args)
    except Refusal as refusal:
        say(str(refusal))
    except KeyboardInterrupt:
        say("stopped")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
