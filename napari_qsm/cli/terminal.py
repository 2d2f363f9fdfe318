"""What commands say to the terminal, whatever it can show, and how they read numbers from it."""

from __future__ import annotations

import codecs
import contextlib
import logging
import re
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from napari_qsm.typed import Reading, ascending, number, numbers

#: Signs of our sentences and tables that old terminals lack, in signs that all of them have.
_PLAIN = {
    "χ": "chi", "±": "+/-", "²": "2", "³": "3", "µ": "u", "μ": "u", "−": "-", "–": "-", "—": "-",
    "…": "...", "°": " deg", "·": "-", "≤": "<=", "≥": ">=", "≈": "~", "×": "x", "→": "->",
    "✓": "ok", "Δ": "Delta", "π": "pi", "φ": "phi", "‘": "'", "’": "'", "“": '"', "”": '"',
}  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def prepare_terminal() -> None:
    """Let every sentence reach this terminal, in other signs where it lacks ours."""
    # What nibabel mends in a header in passing is either harmless or told by our own sentences.
    logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)
    codecs.register_error("napari-qsm", _in_plain_signs)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(errors="napari-qsm")  # type: ignore[union-attr]


def _in_plain_signs(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    out = ""
    for sign in error.object[error.start : error.end]:
        letters = unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode()
        out += _PLAIN.get(sign) or letters or "?"
    return out, error.end


def shown(text: str) -> str:
    """Text without signs that steer a terminal, which a file's name or content could hold."""
    return _CONTROL.sub("?", text)


def note(sentence: str) -> None:
    """Tell the user something on stderr."""
    print(f"Note: {shown(sentence)}", file=sys.stderr)  # noqa: T201


def say(text: str) -> None:
    """Print what was asked for."""
    print(shown(text), flush=True)  # noqa: T201


def one_number(text: str | float) -> float:
    """Value of an option that takes one number, with a decimal point or comma."""
    return text if isinstance(text, int | float) else number(text, "The option")


def several(texts: Sequence[str], option: str, count: int) -> Reading:
    """Value of an option that takes so many numbers."""
    return numbers(texts, option, count=count)


def echo_times_s(texts: Sequence[str], count: int | None = None) -> tuple[float, ...]:
    """Value of ``--echo-times-ms`` in seconds; of ``count`` echoes, where that is known.

    Raises
    ------
    MetadataError
        If it is no list of numbers, or could be meant in two ways.
    """
    from napari_qsm.scan import ECHO_TIME_LIMITS_S

    if not texts:
        return ()
    grow = ascending(*(limit * 1e3 for limit in ECHO_TIME_LIMITS_S))

    def possible(reading: Reading) -> bool:
        return grow(reading) and count in (None, len(reading))

    return tuple(t * 1e-3 for t in numbers(texts, "--echo-times-ms", unit="ms", possible=possible))


@contextmanager
def progress() -> Iterator[Any]:
    """A progress bar on stderr; yields ``report(what, fraction)``."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description:<14}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    tasks: dict[str, Any] = {}

    def report(what: str, fraction: float) -> None:
        if what not in tasks:
            tasks[what] = bar.add_task(what, total=1.0)
        bar.update(tasks[what], completed=fraction)

    with bar:
        yield report
