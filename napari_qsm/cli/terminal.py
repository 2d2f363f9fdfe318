"""What commands say to the terminal, and how they read numbers from it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from napari_qsm.errors import MetadataError


def note(sentence: str) -> None:
    """Tell the user something on stderr."""
    print(f"Note: {sentence}", file=sys.stderr)  # noqa: T201


def say(text: str) -> None:
    """Print what was asked for."""
    print(text, flush=True)  # noqa: T201


def numbers(texts: list[str], option: str, count: int | None = None) -> list[float]:
    """Numbers from an option's words, divided by commas or spaces.

    Raises
    ------
    MetadataError
        Naming the option, if they are no numbers or not ``count`` of them.
    """
    words = [word for text in texts for word in text.replace(",", " ").split()]
    try:
        found = [float(word) for word in words]
    except ValueError:
        raise MetadataError(f"{option} takes numbers, not '{' '.join(words)}'.") from None
    if count is not None and len(found) != count:
        raise MetadataError(f"{option} takes {count} numbers, not {len(found)}.")
    return found


def has_display() -> bool:
    """Whether a window can be opened here."""
    if os.environ.get("QT_QPA_PLATFORM") in ("offscreen", "minimal"):
        return False
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


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
