"""Which of several scans is meant: the only one, or the one that the user names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from napari_qsm.errors import QsmError

_LISTED = 20


class Candidate(Protocol):
    """Something to choose from."""

    @property
    def label(self) -> str:
        """What it is chosen by."""

    @property
    def description(self) -> str:
        """One line on what it is."""


_C = TypeVar("_C", bound=Candidate)


class AmbiguousSeries(QsmError):
    """Several scans could be meant; :attr:`candidates` lists them, and the user must choose."""

    def __init__(self, where: str, candidates: Sequence[Candidate]) -> None:
        self.candidates = tuple(candidates)
        listed = [f"  {c.label}: {c.description}" for c in self.candidates[:_LISTED]]
        if len(self.candidates) > _LISTED:
            listed.append(f"  ... and {len(self.candidates) - _LISTED} more")
        super().__init__(
            f"'{where}' holds {len(self.candidates)} scans; choose one with --series:\n"
            + "\n".join(listed)
        )


def choose(scans: Sequence[_C], series: str | None, where: str) -> _C:
    """The scan that is meant.

    Parameters
    ----------
    scans : sequence of ScanFiles, or of anything with ``label`` and ``description``
        At least one.
    series : str or None
        A label, or any part of one that no other label has.
    where : str
        The folder, for the message.

    Raises
    ------
    AmbiguousSeries
        If several could be meant.
    QsmError
        If none has that label.
    """
    if series is None:
        if len(scans) > 1:
            raise AmbiguousSeries(where, scans)
        return scans[0]
    exact = [scan for scan in scans if scan.label.lower() == series.lower()]
    partly = exact or [scan for scan in scans if series.lower() in scan.label.lower()]
    if not partly:
        known = ", ".join(f"'{scan.label}'" for scan in scans[:_LISTED])
        raise QsmError(f"'{where}' holds no series '{series}'; there is {known}.")
    if len(partly) > 1:
        raise AmbiguousSeries(where, partly)
    return partly[0]
