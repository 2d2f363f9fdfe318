"""Everything a developer does, from one file that needs nothing but Python.

    python dev.py demo [args...]    open the program on its built-in head
    python dev.py test [args...]    run the tests; the arguments go to pytest
    python dev.py lint              ruff check, ruff format --check, mypy
    python dev.py bench [args...]   run the benchmarks
    python dev.py run ARGS...       any napari-qsm command

Each command first makes (or brings up to date) a virtual environment in this
folder, so the first call takes minutes and the next ones start at once.
--qt pyqt5|pyqt6|pyside6 chooses the Qt binding, each in an environment of its
own; pyqt5 is the default.
"""

# This file has to *parse* on any old Python, Python 2 included, so that the
# sentence below can be said: no f-strings, annotations or keyword-only
# arguments here.
import sys

if sys.version_info < (3, 11):
    sys.exit(
        "napari-qsm needs Python 3.11 or newer, and this is Python {0}.{1}: "
        "run dev.py with a newer one, for example python3.12 dev.py.".format(*sys.version_info)
    )

import contextlib
import ctypes
import hashlib
import importlib.util
import json
import os
import platform
import select
import shlex
import shutil
import signal
import subprocess
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENVS = {"pyqt5": ".venv", "pyqt6": ".venv-pyqt6", "pyside6": ".venv-pyside6"}
STAMP = "napari-qsm.json"

PROGRAM_EXTRAS = ("dicom",)
TEST_EXTRAS = ("dicom", "test")

# What Qt's wheels expect to find on Debian and its relatives.
QT_PACKAGES = (
    "libgl1",
    "libegl1",
    "libgl1-mesa-dri",
    "libglib2.0-0",
    "libdbus-1-3",
    "libfontconfig1",
    "libxkbcommon-x11-0",
    "libxcb-icccm4",
    "libxcb-image0",
    "libxcb-keysyms1",
    "libxcb-randr0",
    "libxcb-render-util0",
    "libxcb-xinerama0",
    "libxcb-shape0",
    "libxcb-xfixes0",
    "libxcb-cursor0",
)
# A display of our own for the tests, and a hand that moves its mouse.
DISPLAY_PACKAGES = ("xvfb", "xauth", "xdotool")

PR_SET_PDEATHSIG = 1  # from Linux's sys/prctl.h

# Two test processes share the machine: threads inside each only get in the way.
ONE_THREAD_EACH = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}

# Run by the environment's own Python. pip writes a package's RECORD last, so a
# package without one is a package whose installation was cut short.
HEALTH_CHECK = """
import pathlib, sys, sysconfig
import pip
infos = pathlib.Path(sysconfig.get_path("purelib")).glob("*.dist-info")
cut_short = [info.name for info in infos if not (info / "RECORD").is_file()]
sys.exit(1 if cut_short else 0)
"""


class Refusal(Exception):
    """Something the user has to put right; its text says what and how."""


def say(text):
    """Write one line to stderr: stdout belongs to the program that is run."""
    sys.stderr.write("dev.py: " + text + "\n")
    sys.stderr.flush()


# --- child processes ---------------------------------------------------------


def end(child):
    """End a process we started, gently first."""
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(timeout=5)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def run(command, **options):
    """Run a command to its end and return its exit code.

    Parameters
    ----------
    command : list of str
        The program and its arguments; never a shell line.
    **options
        Passed to :class:`subprocess.Popen`.

    Returns
    -------
    int
        The exit code; 128 + n for a program that signal n ended.
    """
    child = subprocess.Popen([str(part) for part in command], **options)
    try:
        code = child.wait()
    except KeyboardInterrupt:
        # A terminal sends Ctrl-C to the child too: give it time to tidy up.
        with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            child.wait(timeout=10)
        raise
    finally:
        end(child)
    return code if code >= 0 else 128 - code


# --- Debian's packages -------------------------------------------------------


def is_debian_like(release=None):
    """Say whether this system installs its packages with apt.

    Parameters
    ----------
    release : dict, optional
        The fields of os-release; read from this system when not given.
    """
    if release is None:
        if sys.platform != "linux":
            return False
        try:
            release = platform.freedesktop_os_release()
        except OSError:
            return False
    family = [release.get("ID", "")] + release.get("ID_LIKE", "").split()
    return bool({"debian", "ubuntu"}.intersection(family))


def spellings(package):
    """Return the names a package may go by.

    Newer releases renamed many libraries for 64-bit time: libglib2.0-0 is
    libglib2.0-0t64 there.
    """
    return (package, package + "t64")


def missing_packages(packages):
    """Return those of the Debian packages that are not installed."""
    names = [name for package in packages for name in spellings(package)]
    # dpkg-query's exit code only says that some name is unknown to it.
    answer = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n"] + names,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ).stdout
    rows = [line.split() for line in answer.splitlines()]
    installed = {row[0] for row in rows if row[1:] == ["installed"]}
    return [package for package in packages if not installed.intersection(spellings(package))]


def names_here(packages):
    """Return each package's name in this release, as apt knows it."""
    names = [name for package in packages for name in spellings(package)]
    answer = subprocess.run(
        ["apt-cache", "policy"] + names,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=dict(os.environ, LC_ALL="C"),
    ).stdout
    available = set()
    name = None
    for line in answer.splitlines():
        if not line.startswith(" "):
            name = line.rstrip(":")
        elif line.strip().startswith("Candidate:") and "(none)" not in line:
            available.add(name)
    return [
        next((name for name in spellings(package) if name in available), package)
        for package in packages
    ]


def root_prefix():
    """Return what to put before a command to run it as root.

    Returns
    -------
    list of str or None
        Empty for root itself; None if there is no way without a password.
    """
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo"):
        allowed = subprocess.run(
            ["sudo", "-n", "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        if allowed.returncode == 0:
            return ["sudo", "-n"]
    return None


def install_line(packages):
    """Return the line a person types to install the packages."""
    sudo = "" if os.geteuid() == 0 else "sudo "
    return "{0}apt-get update && {0}apt-get install -y --no-install-recommends {1}".format(
        sudo, " ".join(packages)
    )


def ensure_packages(packages):
    """Install the Debian packages that are missing.

    Raises
    ------
    Refusal
        If they cannot be installed from here; the text is the line to run.
    """
    missing = missing_packages(packages)
    if not missing:
        return
    prefix = root_prefix()
    if prefix is None:
        raise Refusal(
            "these system packages are missing; install them and call again:\n    "
            + install_line(names_here(missing))
        )
    say("installing system packages: " + " ".join(missing))
    apt = prefix + ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    apt += ["-o", "DPkg::Lock::Timeout=300"]
    # Without fresh lists the packages may still be found; let install decide.
    run(apt + ["update", "-q"], stdout=sys.stderr, stdin=subprocess.DEVNULL)
    names = names_here(missing)
    command = apt + ["install", "-q", "-y", "--no-install-recommends"] + names
    if run(command, stdout=sys.stderr, stdin=subprocess.DEVNULL) != 0:
        raise Refusal(
            "the system packages could not be installed; this is the line that has to work:\n    "
            + install_line(names)
        )


# --- the virtual environment -------------------------------------------------


def in_venv(venv, program, windows=None):
    """Return the path of a program inside a virtual environment."""
    if windows is None:
        windows = os.name == "nt"
    if windows:
        return venv / "Scripts" / (program + ".exe")
    return venv / "bin" / program


def python_version():
    """Return this Python's version as far as an environment depends on it."""
    return "{0}.{1}".format(*sys.version_info)


def project_hash(pyproject):
    """Return a hash of everything in pyproject.toml that an installation uses.

    The settings of linters and tests may change without installing anew.
    """
    table = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    used = [table["build-system"], table["project"], table.get("tool", {}).get("hatch")]
    return hashlib.sha256(json.dumps(used, sort_keys=True).encode()).hexdigest()


def read_stamp(venv):
    """Return what the last call wrote about the environment, or None."""
    try:
        stamp = json.loads((venv / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return stamp if isinstance(stamp, dict) else None


def write_stamp(venv, stamp):
    """Write the stamp; None removes it."""
    if stamp is None:
        (venv / STAMP).unlink(missing_ok=True)
    else:
        (venv / STAMP).write_text(json.dumps(stamp, indent=1), encoding="utf-8")


def is_healthy(venv):
    """Say whether the environment's Python runs and no package is cut short."""
    python = in_venv(venv, "python")
    if not python.is_file():
        return False
    try:
        check = subprocess.run(
            [str(python), "-I", "-c", HEALTH_CHECK],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return check.returncode == 0


def venv_python_version(venv):
    """Return the Python version an environment says it was made with."""
    with contextlib.suppress(OSError):
        for line in (venv / "pyvenv.cfg").read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition("=")
            if key.strip() in ("version", "version_info"):
                return ".".join(value.strip().split(".")[:2])
    return None


def decide(stamp, wanted):
    """Choose what to do with a healthy environment.

    Parameters
    ----------
    stamp : dict or None
        What the last call left; None if the environment is not of our making.
    wanted : dict
        The stamp the environment should have.

    Returns
    -------
    {'ready', 'install', 'remake'}
    """
    if stamp is None:
        return "install"
    # A moved folder breaks the scripts and the editable install inside it.
    same_place = stamp.get("root") == wanted["root"] and stamp.get("python") == wanted["python"]
    if not same_place or not stamp.get("complete"):
        return "remake"
    has_all = set(wanted["extras"]) <= set(stamp.get("extras", []))
    return "ready" if has_all and stamp.get("project") == wanted["project"] else "install"


def make_venv(venv):
    """Make an empty virtual environment, in place of any that is there."""
    if importlib.util.find_spec("ensurepip") is None:
        if not is_debian_like():
            raise Refusal(
                "this Python ({0}) comes without ensurepip, so it cannot make a virtual "
                "environment: install its venv package, or use another Python.".format(
                    sys.executable
                )
            )
        ensure_packages(["python{0}-venv".format(python_version())])
    if venv.is_symlink() or venv.is_file():
        venv.unlink()
    elif venv.exists():
        shutil.rmtree(venv)
    venv.mkdir()
    # From here until the stamp says "complete", the environment is half made.
    write_stamp(venv, {"complete": False})
    # Not sys.executable: that may be the very environment just removed.
    base = getattr(sys, "_base_executable", None) or sys.executable
    say("making {0} with Python {1}".format(venv.name, platform.python_version()))
    if run([base, "-m", "venv", venv], stdout=sys.stderr) != 0:
        raise Refusal("{0} -m venv {1} failed; its message is above.".format(base, venv))


@contextlib.contextmanager
def locked():
    """Let one dev.py at a time change the environments of this folder.

    Yields
    ------
    int
        The lock's file descriptor. A child that inherits it keeps the lock,
        so that a pip left alone by a killed dev.py is waited for.
    """
    # The lock is on this file itself, far behind its end: nothing to clean up,
    # and on Windows, where locks keep readers out, nobody reads there.
    with Path(__file__).open("rb") as handle:
        waiting = False
        while not try_lock(handle):
            if not waiting:
                say("another dev.py is preparing an environment here; waiting for it")
                waiting = True
            time.sleep(0.5)
        yield handle.fileno()


def try_lock(handle):
    """Take the lock if it is free; it goes with the last open handle."""
    try:
        if os.name == "nt":
            import msvcrt

            handle.seek(1 << 30)
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def ensure_venv(binding, extras):
    """Make sure the environment of a Qt binding holds the project and the extras.

    Parameters
    ----------
    binding : str
        'pyqt5', 'pyqt6' or 'pyside6'.
    extras : sequence of str
        The project's extras, beside the binding itself.

    Returns
    -------
    pathlib.Path
        The environment's folder.
    """
    venv = ROOT / VENVS[binding]
    wanted = {
        "complete": True,
        "root": str(ROOT),
        "python": python_version(),
        "project": project_hash(ROOT / "pyproject.toml"),
        "extras": sorted(set(extras).union([binding])),
    }
    with locked() as lock:
        stamp = read_stamp(venv)
        healthy = is_healthy(venv) and venv_python_version(venv) == wanted["python"]
        choice = decide(stamp, wanted) if healthy else "remake"
        if choice == "ready":
            return venv
        if choice == "remake":
            if venv.exists():
                say("{0} is half made, or not for this Python: making it anew".format(venv.name))
            make_venv(venv)
            stamp = None
        # Extras add up: the demo after the tests must not take pytest away.
        earlier = stamp["extras"] if stamp else []
        wanted["extras"] = sorted(set(wanted["extras"]).union(earlier))
        install(venv, wanted, stamp, lock)
    return venv


def install(venv, wanted, before, lock):
    """Install the project, editable, with the extras of the stamp wanted."""
    extras = ",".join(wanted["extras"])
    say(
        "installing napari-qsm[{0}] into {1}; the first time takes minutes".format(
            extras, venv.name
        )
    )
    write_stamp(venv, dict(wanted, complete=False))
    command = [in_venv(venv, "python"), "-m", "pip", "install", "--disable-pip-version-check"]
    command += ["--editable", ".[{0}]".format(extras)]
    keep_lock = {"pass_fds": (lock,)} if os.name == "posix" else {}
    if run(command, cwd=ROOT, stdout=sys.stderr, stdin=subprocess.DEVNULL, **keep_lock) != 0:
        # pip gave up by itself and left things as they were; only an
        # installation that was killed leaves "complete: false" behind.
        write_stamp(venv, before)
        raise Refusal("pip could not install the project; its message is above.")
    write_stamp(venv, wanted)


# --- a display ---------------------------------------------------------------


def has_display(env=None):
    """Say whether a window can be shown."""
    env = os.environ if env is None else env
    if sys.platform != "linux":
        return True
    return bool(env.get("DISPLAY") or env.get("WAYLAND_DISPLAY"))


def ensure_system(window, own_display):
    """Make sure Linux has what Qt, and a display of our own, need.

    Parameters
    ----------
    window : bool
        A window will be opened.
    own_display : bool
        Tests or benchmarks run, with an Xvfb where there is no display.
    """
    if sys.platform != "linux" or not (window or own_display):
        return
    if is_debian_like():
        ensure_packages(QT_PACKAGES + (DISPLAY_PACKAGES if own_display else ()))
    elif own_display and not has_display() and not shutil.which("Xvfb"):
        raise Refusal(
            "there is no display here and no Xvfb to stand in for one: install Xvfb "
            "(Fedora: sudo dnf install xorg-x11-server-Xvfb) and call again."
        )


@contextlib.contextmanager
def display(env):
    """Start an Xvfb if Linux has no display, and end it afterwards.

    Parameters
    ----------
    env : dict
        The environment of the program to run.

    Yields
    ------
    dict
        The same with DISPLAY set where we had to start one.
    """
    if has_display(env):
        yield env
        return
    libc = ctypes.CDLL(None)

    def end_with_parent():
        # Even if we are killed outright, the kernel ends the server.
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

    reader, writer = os.pipe()
    command = ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1920x1200x24"]
    # A session of its own: Ctrl-C in the terminal is for the tests, which
    # still need their display while they end.
    server = subprocess.Popen(
        command + ["-nolisten", "tcp"],
        pass_fds=(writer,),
        start_new_session=True,
        preexec_fn=end_with_parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        os.close(writer)
        with os.fdopen(reader, "rb") as answer:
            started = select.select([answer], [], [], 30)[0]
            number = answer.readline().decode().strip() if started else ""
        if not number:
            raise Refusal("Xvfb did not start, so there is no display to run on.")
        yield dict(env, DISPLAY=":" + number)
    finally:
        end(server)


# --- commands ----------------------------------------------------------------


def environment(binding, extra=None):
    """Return the environment variables for a program of a virtual environment."""
    env = dict(os.environ, QT_API=binding, PYTEST_QT_API=binding)
    # Another Python's home would make the environment's own Python stumble.
    env.pop("PYTHONHOME", None)
    for name, value in (extra or {}).items():
        env.setdefault(name, value)
    return env


def test_arguments(args):
    """Return pytest's arguments, with two workers unless the user chose.

    On the user's own display the window tests all go to one of them: they share a mouse.
    """
    own = ("-n", "--numprocesses", "--dist", "--pdb", "--trace", "-p")
    if any(arg.startswith(own) for arg in args):
        return list(args)
    return ["-n", "2", "--dist", "loadgroup"] + list(args)


def test(binding, args):
    """Run the tests, on a display of their own where there is none."""
    ensure_system(window=True, own_display=True)
    venv = ensure_venv(binding, TEST_EXTRAS)
    plain = environment(binding, ONE_THREAD_EACH)
    with display(plain) as first, display(plain) as second:
        env = dict(first)
        if not has_display(plain):
            # Each worker's windows have a display, its mouse and its focus for themselves.
            env["NAPARI_QSM_TEST_DISPLAYS"] = first["DISPLAY"] + " " + second["DISPLAY"]
        command = [in_venv(venv, "python"), "-m", "pytest"] + test_arguments(args)
        return run(command, cwd=ROOT, env=env)


def lint(binding, args):
    """Run every check, and fail if one fails."""
    python = in_venv(ensure_venv(binding, TEST_EXTRAS), "python")
    checks = (
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
    )
    codes = []
    for check in checks:
        say(shlex.join(check))
        codes.append(run([python, "-m"] + check, cwd=ROOT, env=environment(binding)))
    return max(codes)


def bench(binding, args):
    """Run the benchmarks with all the machine's threads."""
    ensure_system(window=True, own_display=True)
    venv = ensure_venv(binding, TEST_EXTRAS)
    with display(environment(binding)) as env:
        command = [in_venv(venv, "python"), "-m", "benchmarks"] + list(args)
        return run(command, cwd=ROOT, env=env)


def run_program(binding, args):
    """Run the program itself, in the folder the user is in."""
    opens_window = not args or args[0] in ("view", "demo")
    ensure_system(window=opens_window and has_display(), own_display=False)
    venv = ensure_venv(binding, PROGRAM_EXTRAS)
    return run([in_venv(venv, "napari-qsm")] + list(args), env=environment(binding))


def demo(binding, args):
    """Run the demo; without a display the program itself works headless."""
    return run_program(binding, ["demo"] + list(args))


COMMANDS = {"demo": demo, "test": test, "lint": lint, "bench": bench, "run": run_program}


def take_binding(args):
    """Take --qt out of the arguments.

    Returns
    -------
    str
        The Qt binding.
    list of str
        The other arguments.
    """
    rest, binding = [], "pyqt5"
    args = iter(args)
    for arg in args:
        name, equals, value = arg.partition("=")
        if name != "--qt":
            rest.append(arg)
            continue
        binding = (value if equals else next(args, "")).lower()
        if binding not in VENVS:
            raise Refusal("--qt is one of " + ", ".join(VENVS) + ".")
    return binding, rest


def main(argv):
    """Run one command and return the exit code."""
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(__doc__)
        return 0 if argv else 2
    if argv[0] not in COMMANDS:
        say("no command {0!r}; there are: {1}".format(argv[0], ", ".join(COMMANDS)))
        return 2
    # Being asked to end must still end the children: turn it into an exception.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        binding, args = take_binding(argv[1:])
        return COMMANDS[argv[0]](binding, args)
    except Refusal as refusal:
        say(str(refusal))
        return 1
    except KeyboardInterrupt:
        say("stopped")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
