"""Which scans of a study's grid are shown, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from napari_qsm.study.identity import case_name
from napari_qsm.study.overview import Column, Kind, Overview
from napari_qsm.study.status import ScanStatus
from napari_qsm.study.study_scan import Key, rater_of


@dataclass(frozen=True)
class Filter:
    """Which scans are wanted.

    Attributes
    ----------
    what : str
        ``"all"``, ``"failed"`` (reconstruction or quality), ``"stale"``, ``"missing"``, ``"not judged"``,
        or ``"unread:AA"`` for scans that a rater has still to hand in.
    group, text : str
        Of the participant; empty for all. The text is searched for in the names of scans.
    """

    what: str = "all"
    group: str = ""
    text: str = ""

    def takes(self, overview: Overview, row: ScanStatus) -> bool:
        """Whether a scan is wanted."""
        if self.group and row.group != self.group:
            return False
        text = self.text.strip().casefold()
        if text and text not in case_name(*row.key).casefold():
            return False
        if self.what == "failed":
            return row.reconstructed == "failed" or row.qc in ("fail", "damaged")
        if self.what == "stale":
            return any((row.key, label) in overview.stale for label in row.raters)
        if self.what == "not judged":
            return row.reconstructed == "done" and not row.qc
        if self.what.startswith("unread:"):
            rater = self.what.removeprefix("unread:")
            states = [s for label, s in row.raters.items() if rater_of(label)[0] == rater]
            return any(state in ("waiting", "open") for state in states)
        return self.what != "missing"


def filters_of(overview: Overview) -> list[tuple[str, str]]:
    """What can be filtered for: key of :class:`Filter`, text."""
    return [
        ("all", "All scans"),
        ("failed", "Only failed"),
        ("not judged", "Quality not judged"),
        *((f"unread:{rater}", f"Not read by {rater}") for rater in overview.raters),
        ("stale", "Read on an earlier map"),
        ("missing", "With missing visits"),
    ]


def shown(
    overview: Overview,
    wanted: Filter,
    order: Column | str = "participant",
    *,
    falling: bool = False,
) -> tuple[list[str], set[Key]]:
    """Participants that have a scan that is wanted, in order, and the scans that are.

    Parameters
    ----------
    overview : Overview
    wanted : Filter
    order : Column or {"participant", "group"}
        What they are put in order by; what fails comes first in a column.
    falling : bool
        The other way round.
    """
    keys = {row.key for row in overview.rows if wanted.takes(overview, row)}
    people = {person for person, _ in keys}
    if wanted.what == "missing":
        lacking = {person for person, _ in overview.missing}
        rest = replace(wanted, what="all")
        keys = {
            r.key for r in overview.rows if r.participant in lacking and rest.takes(overview, r)
        }
        people = {person for person, _ in keys}
    listed = [person for person in overview.participants if person in people]
    if isinstance(order, Column):
        rank: Sequence[Kind] = (
            "failed", "stale", "doubtful", "begun", "waiting", "not done", "done", "no scan",
        )  # fmt: skip
        column = order
        listed.sort(key=lambda p: rank.index(overview.cell(p, column).kind), reverse=falling)
    elif order == "group":
        groups = {row.participant: row.group for row in overview.rows}
        listed.sort(key=lambda person: groups[person], reverse=falling)
    elif falling:
        listed.reverse()
    return listed, keys
