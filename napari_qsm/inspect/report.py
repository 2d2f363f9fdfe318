"""What was found, as data and as text."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Item:
    """One file, folder or scan.

    Attributes
    ----------
    path : Path
        Where it is.
    kind : str
        What it is: ``"phase"``, ``"magnitude"``, ``"mask"``, ``"labels"``, ...
    title : str
        What the report calls it; its path unless given.
    lines : list of str
        What is known about it.
    hints : list of str
        What may harm a result but is no error.
    problems : list of str
        What is wrong with it, or missing.
    readable : bool
        Whether its values could be read.
    """

    path: Path
    kind: str
    title: str = ""
    lines: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    readable: bool = False

    def text(self) -> str:
        """A block of lines for people."""
        out = [f"{self.title or self.path}: {self.kind}"]
        out += [f"  {line}" for line in self.lines]
        out += [f"  Note: {hint}" for hint in self.hints]
        out += [f"  PROBLEM: {problem}" for problem in self.problems]
        return "\n".join(out)


@dataclass(frozen=True)
class Report:
    """Everything that was looked at."""

    items: tuple[Item, ...]

    @property
    def problems(self) -> list[str]:
        """What is wrong, each with the name of its file."""
        return [f"{item.title or item.path}: {p}" for item in self.items for p in item.problems]

    def text(self) -> str:
        """All blocks, and a last line with the count of problems."""
        count = len(self.problems)
        end = "No problem found." if not count else f"{count} problem{'s' if count > 1 else ''}."
        return "\n\n".join([*(item.text() for item in self.items), end])
