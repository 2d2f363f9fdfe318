"""The same things as in the window, without a window."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from napari_qsm._version import __version__
from napari_qsm.cli import reconstruction, results, scans, window
from napari_qsm.cli.terminal import say
from napari_qsm.errors import QsmError

app = typer.Typer(
    name="napari-qsm",
    help="Quantitative susceptibility mapping: from a scanner's files to a map of brain iron.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

#: Options that take several values after one flag: ``--phase a.nii b.nii``.
_MANY = ("--phase", "--magnitude", "--echo-times-ms", "--set", "--labels")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    Errors become one or two plain sentences on stderr.
    """
    arguments = _spread(list(sys.argv[1:] if argv is None else argv))
    try:
        status = app(args=arguments, standalone_mode=False)
        return int(status or 0)
    except typer.Exit as exit_:
        return int(exit_.exit_code)
    except typer.Abort:
        return _fail("Stopped.", 130)
    except KeyboardInterrupt:
        return _fail("Stopped.", 130)
    except QsmError as error:
        return _fail(str(error), 1)
    except MemoryError:
        return _fail("This computer's memory is too small for that; close other programs.", 1)
    except OSError as error:
        return _fail(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "), 1)
    except Exception as error:
        if type(error).__module__.startswith(("click", "typer")):
            message = error.format_message() if hasattr(error, "format_message") else str(error)
            return _fail(f"{message} (napari-qsm --help shows what there is.)", 2)
        raise


def _fail(sentence: str, status: int) -> int:
    print(sentence, file=sys.stderr)  # noqa: T201
    return status


def _spread(arguments: list[str]) -> list[str]:
    """``--phase a b`` as ``--phase a --phase b``."""
    out: list[str] = []
    flag = ""
    for argument in arguments:
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
app.command()(scans.phantom)
app.command()(scans.check)
app.command("import")(scans.import_)
app.command()(reconstruction.reconstruct)
app.command("report")(reconstruction.report_)
app.command()(results.stats)
app.command()(results.figure)
