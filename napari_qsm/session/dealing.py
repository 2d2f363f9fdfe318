"""Which case opened files belong to: by BIDS ids, by folder, or as the user says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from napari_qsm.session.model import Session
from napari_qsm.study.case import Case
from napari_qsm.study.entry import Role, guess_role
from napari_qsm.study.identity import Identity
from napari_qsm.volume import Volume, same_grid


class Newcomer(Protocol):
    """A volume that was read and belongs to somebody."""

    @property
    def volume(self) -> Volume:
        """What was read."""

    @property
    def role(self) -> Role | None:
        """What it holds, where that is known."""

    @property
    def who(self) -> Identity:
        """Whose its path says it is."""

    @property
    def case_name(self) -> str:
        """Name of its case, where it comes from no file."""


def unclear(newcomers: Sequence[Newcomer], session: Session) -> bool:
    """Whether the user has to say if files are of the patient on show or of another."""
    if session.case.is_empty:
        return False
    grids = {case.id: [entry.shown for entry in case.maps] for case in session.cases}
    return any(
        _known_case(each, session, grids) is None and _may_be(each, session) for each in newcomers
    )


def dealt(
    newcomers: Sequence[Newcomer], session: Session, same_case: bool | None
) -> tuple[list[Case], list[str]]:
    """The case of each of some volumes, made where there is none.

    Parameters
    ----------
    newcomers : sequence of Newcomer
        Opened together.
    session : Session
        Gets the new cases.
    same_case : bool or None
        The user's answer about those that are unclear; None where nobody was asked.

    Returns
    -------
    cases : list of Case
        In the order of the volumes.
    said : list of str
        Sentences about what was decided without asking.
    """
    found: list[Case] = []
    said: list[str] = []
    shown = session.case
    made: dict[tuple[str, ...], Case] = {}
    # Maps before what is drawn on them, so that a label map finds its map's case.
    order = sorted(range(len(newcomers)), key=lambda n: _drawn(newcomers[n]))
    by_place: dict[int, Case] = {}
    grids = {case.id: [entry.shown for entry in case.maps] for case in session.cases}
    for n in order:
        each = newcomers[n]
        case = _known_case(each, session, grids)
        if case is None and not shown.is_empty and _may_be(each, session):
            same_ids = bool(each.who.participant) and each.who.participant == shown.participant
            if same_ids if same_case is None else same_case:
                case = shown
        if case is None:
            key = (each.who.name, str(each.who.root or each.who.folder or ""), each.case_name)
            case = made.get(key)
            if case is None:
                case = made[key] = _new_case(each, session)
                if _drawn(each) and len(session.cases) > 1:
                    said.append(
                        f"'{each.volume.name}' lies on the grid of no map that is open; it is "
                        f"'{case.name}', a case of its own."
                    )
        case.belongs(each.who)
        grids.setdefault(case.id, []).append(each.volume)
        by_place[n] = case
    found = [by_place[n] for n in range(len(newcomers))]
    return found, said


def _drawn(each: Newcomer) -> bool:
    return (each.role or guess_role(each.volume)) in ("labels", "mask")


def _known_case(
    each: Newcomer, session: Session, grids: Mapping[str, Sequence[Volume]] | None = None
) -> Case | None:
    """The open case that a volume clearly belongs to."""
    if each.case_name:
        return session.study.case(each.case_name)
    who = each.who
    if not who.participant and who.folder is None:
        return None if session.case.is_empty else session.case
    shown_first = sorted(session.cases, key=lambda case: case is not session.case)
    sure = [case for case in shown_first if case.is_of(who)]
    if sure:
        return sure[0]
    if _drawn(each):
        fitting = [
            case
            for case in shown_first
            if case.is_of(who) is not False
            and any(same_grid(each.volume, grid) for grid in (grids or {}).get(case.id, ()))
        ]
        if fitting:
            return fitting[0]
    return None


def _may_be(each: Newcomer, session: Session) -> bool:
    """Whether a volume may be of the case on show for all that its path says."""
    return not each.case_name and session.case.is_of(each.who) is not False


def _new_case(each: Newcomer, session: Session) -> Case:
    who, case = each.who, session.case
    name = each.case_name or who.name
    if case.is_empty:
        if name:
            case.name = session.study.free_name(name, besides=case)
        case.participant, case.visit = who.participant, who.visit
        return case
    return session.study.new_case(name, participant=who.participant, visit=who.visit)


def grids_differ(cases: Iterable[Case]) -> list[str]:
    """Sentences about cases whose maps lie on several grids; all of them stay as they are."""
    said = []
    for case in cases:
        reference = case.reference
        others = [
            e for e in case.maps if reference is not None and not same_grid(e.shown, reference)
        ]
        if others:
            names = ", ".join(f"'{entry.name}'" for entry in others[:3])
            said.append(
                f"{names} {'lie' if len(others) > 1 else 'lies'} on another grid than "
                f"'{case.grid_name}'; numbers are taken under label maps of the map's own grid."
            )
    return said
