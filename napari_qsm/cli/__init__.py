"""The same things as in the window, without a window."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from napari_qsm._version import __version__
from napari_qsm.cli import batch, hospital, reconstruction, results, scans, study, window
from napari_qsm.cli.display import settle_home
from napari_qsm.cli.terminal import note, prepare_terminal, say, shown
from napari_qsm.errors import Cancelled, QsmError
from napari_qsm.io.atomic import reason

app = typer.Typer(
    name="napari-qsm",
    help="Quantitative susceptibility mapping: from a scanner's files to a map of brain iron.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

#: Options that take several values after one flag: ``--phase a.nii b.nii``.
_MANY = (
    "--phase", "--magnitude", "--echo-times-ms", "--set", "--labels", "--participant-label",
    "--session-label",
)  # fmt: skip

#: Exit status after Ctrl-C, as shells have it.
_STOPPED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    Errors become one or two plain sentences on stderr.
    """
    prepare_terminal()
    arguments = _spread(_with_view(list(sys.argv[1:] if argv is None else argv)))
    told = settle_home()
    if told and arguments[:1] in ([], ["view"], ["demo"], ["read"]):
        note(told)
    try:
        with _stopped_like_ctrl_c():
            status = int(app(args=arguments, standalone_mode=False) or 0)
        return _fail("Stopped.", status) if status == _STOPPED else status
    except typer.Exit as exit_:
        return int(exit_.exit_code)
    except (typer.Abort, KeyboardInterrupt, Cancelled):
        return _fail("Stopped.", _STOPPED)
    except QsmError as error:
        return _fail(str(error), 1)
    except MemoryError:
        return _fail("This computer's memory is too small for that; close other programs.", 1)
    except RecursionError:
        return _fail("A file is nested too deeply to be read; it is damaged or made to harm.", 1)
    except BrokenPipeError:  # "napari-qsm stats ... | head": nobody reads on
        sys.stdout = None
        return 1
    except OSError as error:
        where = f": '{error.filename}'" if error.filename else ""
        return _fail(f"{reason(error)}{where}.", 1)
    except Exception as error:
        if type(error).__module__.startswith(("click", "typer")):
            message = error.format_message() if hasattr(error, "format_message") else str(error)
            return _fail(f"{message} (napari-qsm --help shows what there is.)", 2)
        raise


@contextlib.contextmanager
def _stopped_like_ctrl_c() -> Iterator[None]:
    """Let a request to end (from a scheduler, or a closed terminal) clean up as Ctrl-C does."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (getattr(signal, name) for name in names):
            if signal.getsignal(number) == signal.SIG_DFL:
                before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _fail(sentence: str, status: int) -> int:
    print(shown(sentence), file=sys.stderr)  # noqa: T201
    return status


def _with_view(arguments: list[str]) -> list[str]:
    """``napari-qsm FOLDER`` as ``napari-qsm view FOLDER``, where it is there and no command."""
    first = arguments[0] if arguments else "-"
    is_command = first.startswith("-") or first in typer.main.get_command(app).commands  # type: ignore[attr-defined]
    return arguments if is_command or not Path(first).exists() else ["view", *arguments]


def _spread(arguments: list[str]) -> list[str]:
    """``--phase a b`` as ``--phase a --phase b``, and ``--slurm`` without a file as with none."""
    out: list[str] = []
    flag = ""
    for argument, after in zip(arguments, [*arguments[1:], ""], strict=True):
        if argument == "--slurm" and not after.lower().endswith((".yaml", ".yml")):
            argument = "--slurm="
        if argument in _MANY:
            flag = argument
            continue
        if argument.startswith("-"):
            flag = ""
        out.extend([flag, argument] if flag else [argument])
    return out


def _version(wanted: bool) -> None:
    if wanted:
        say(f"napari-qsm {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _start(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        window.view([])


app.command()(window.view)
app.command()(window.demo)
app.command()(window.read)
app.command()(scans.phantom)
app.command()(scans.check)
app.command("import")(scans.import_)
app.command()(reconstruction.reconstruct)
app.command()(batch.batch)
app.command("report")(reconstruction.report_)
app.command()(results.stats)
app.command()(results.propose)
app.command()(results.figure)
app.command("export-dicom")(hospital.export_dicom)
app.add_typer(study.app, name="study")
