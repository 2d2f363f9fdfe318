"""A rater at work on a worklist: what is read, what comes next, and the next scan fetched ahead."""

from __future__ import annotations

import getpass
import platform
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from napari_qsm.errors import FileError, QsmError
from napari_qsm.io.atomic import reason as reason_of
from napari_qsm.rois.shape_checks import Numbers, numbers_of, numbers_under
from napari_qsm.session.locks import FolderLock, InUseError
from napari_qsm.session.reading.kept import scan_of
from napari_qsm.session.reading.opened import Images, fetch, first_visit, open_scan, problem_of
from napari_qsm.session.reading.work import ReadingWork
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.reading_log import read_events, write_event
from napari_qsm.study.readings import read_reading
from napari_qsm.study.worklist import Item, mark, read_worklist
from napari_qsm.units import to_shown

_SAT_DOWN = "rater began"


class Desk:
    """Opens a rater's scans one after the other; no other window can while this one does.

    Parameters
    ----------
    study : StudyFolder or path
    rater : str

    Attributes
    ----------
    rater : str
    notes : list of str
        What the rater should know, by code: scans that are passed over, a label that somebody
        else has used.

    Raises
    ------
    QsmError
        If the protocol was changed after it was frozen, the rater has no worklist or another's,
        or reads in another window.
    """

    def __init__(self, study: StudyFolder | Path | str, rater: str) -> None:
        self._study = study if isinstance(study, StudyFolder) else StudyFolder(study)
        self._study.refresh()
        _ = self._study.protocol
        self.rater = rater
        self._items = read_worklist(self._study, rater)
        self.notes: list[str] = []
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="qsm: next scan")
        self._ahead: tuple[str, Future[Images]] | None = None
        self._lock = self._locked()
        try:
            self._note_account()
            self._passed = self._passed_over()
            self._catch_up()
        except QsmError:
            self.close()
            raise
        self.notes += [f"{code} {problem}; it is passed over." for code, problem in self._passed]

    def close(self) -> None:
        """Let others read under this label again."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    # -- the list -------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """How many readings are on the list."""
        return len(self._items)

    @property
    def read(self) -> int:
        """How many are handed in."""
        return len(self.submitted)

    @property
    def submitted(self) -> tuple[str, ...]:
        """Codes of what is handed in, in the order of the list."""
        return tuple(item.code for item in self._items if item.state == "submitted")

    @property
    def next_code(self) -> str:
        """The scan to be read next, the one that was begun first of all; empty at the end."""
        passed = {code for code, _ in self._passed}
        left = [item for item in self._items if item.state != "submitted"]
        begun = [item for item in left if item.state == "open"]
        ordered = reading_order(left, self._first_visits())
        codes = [item.code for item in (*begun, *ordered) if item.code not in passed]
        return codes[0] if codes else ""

    @property
    def words(self) -> str:
        """Where the rater stands: ``"AA, 41 of 124 read. Next scan: K7Q2."``."""
        told = f"{self.rater}, {self.read} of {self.count} read."
        code = self.next_code
        if code:
            return f"{told} Next scan: {code}."
        left = self.count - self.read
        return f"{told} {f'{left} cannot be read now.' if left else 'All are handed in.'}"

    @property
    def shows_values(self) -> bool:
        """Whether the protocol lets a rater see the numbers of what is handed in."""
        return self._study.protocol.show_values_after_submit

    # -- scans ----------------------------------------------------------------------------

    def fetch_ahead(self, after: str = "") -> None:
        """Begin to read the images of the next scan in a thread.

        Parameters
        ----------
        after : str
            The code of a scan that counts as read already; it is being read.
        """
        code = self._next_after(after)
        if not code or (self._ahead is not None and self._ahead[0] == code):
            return
        self._ahead = (code, self._thread.submit(fetch, self._study, self._item(code)))

    def open_next(self) -> ReadingWork:
        """The next scan, waited for if it is not fetched yet.

        Raises
        ------
        QsmError
            If there is none, or it cannot be opened.
        """
        self._look_again()
        code = self.next_code
        if not code:
            raise QsmError(self.words)
        ahead, self._ahead = self._ahead, None
        images = ahead[1].result() if ahead is not None and ahead[0] == code else None
        return ReadingWork(open_scan(self._study, self._item(code), images))

    def open_submitted(self, code: str) -> ReadingWork:
        """A reading that was handed in, to be changed with a reason.

        Raises
        ------
        QsmError
            If it is not handed in, or cannot be opened.
        """
        if code not in self.submitted:
            raise QsmError(f"{self.rater} has not handed in {code}.")
        return ReadingWork(open_scan(self._study, self._item(code), amending=True))

    def handed_in(self, work: ReadingWork) -> None:
        """Take note that a scan was handed in."""
        self._look_again()

    def values(self, work: ReadingWork) -> list[tuple[str, Numbers, str]]:
        """What was measured, by region, in the protocol's unit.

        Raises
        ------
        QsmError
            If the protocol does not show values, or the reading is not handed in.
        """
        if not self.shows_values:
            raise QsmError("The protocol of this study shows no values to its raters.")
        if work.reading.record.state != "submitted":
            raise QsmError(f"{work.code} shows its values once it is handed in.")
        unit = self._study.protocol.unit
        rows: list[tuple[str, Numbers, str]] = []
        chi = work.opened.chi
        found = [(s.region_name, numbers_under(s, chi)) for s in work.reading.shapes]
        for name in work.reading.record.painted:
            inside = work.painted.values == work.painted.numbers[name]
            found.append((name, numbers_of(chi.data[inside])))
        for name, numbers in found:
            mean, sd = (to_shown(value, "ppm", unit) for value in (numbers.mean, numbers.sd))
            rows.append((name, Numbers(numbers.voxels, numbers.finite, mean, sd), unit))
        return rows

    # -- inside ---------------------------------------------------------------------------

    def _item(self, code: str) -> Item:
        return next(item for item in self._items if item.code == code)

    def _look_again(self) -> None:
        self._items = read_worklist(self._study, self.rater)

    def _next_after(self, code: str) -> str:
        kept = self._items
        try:
            self._items = [item for item in kept if item.code != code]
            return self.next_code
        finally:
            self._items = kept

    def _first_visits(self) -> dict[str, str]:
        people = {item.participant for item in self._items if item.placement == "carried"}
        return {person: first_visit(self._study, person) for person in people}

    def _catch_up(self) -> None:
        """Note in the list what was handed in just before the window was killed."""
        passed = {code for code, _ in self._passed}
        begun = [item for item in self._items if item.state == "open" and item.code not in passed]
        for item in begun:
            path = scan_of(self._study, item).shapes(item.rater, item.reading)
            if path.is_file() and read_reading(path).record.state == "submitted":
                self._items = mark(self._study, item, "submitted")

    def _passed_over(self) -> list[tuple[str, str]]:
        found = []
        for item in self._items:
            if item.state != "submitted":
                try:
                    problem = problem_of(self._study, item)
                except QsmError:
                    problem = "cannot be read as it is"
                if problem:
                    found.append((item.code, problem))
        return found

    def _locked(self) -> FolderLock | None:
        place = self._study.reading / "open" / self.rater
        try:
            place.mkdir(parents=True, exist_ok=True)
            return FolderLock(place)
        except InUseError:
            raise QsmError(
                f"{self.rater} is reading in another window. If that is somebody else, two people have "
                "one label: each rater needs a label and a worklist of their own."
            ) from None
        except FileError:  # a disk that knows no locks
            return None
        except OSError as error:
            raise FileError(
                f"Cannot write into '{self._study.reading}': {reason_of(error)}."
            ) from None

    def _note_account(self) -> None:
        """Two people with one label show as two accounts."""
        account = f"{_account()} on {platform.node() or 'a computer without a name'}"
        before = [
            str(event.get("account", "").partition(" on ")[0])
            for event in read_events(self._study.root)
            if event["event"] == _SAT_DOWN and event.get("rater") == self.rater
        ]
        others = sorted(set(before) - {_account()})
        if others:
            self.notes.append(
                f"{self.rater} has read under the account '{others[0]}' before; this is '{_account()}'. "
                "If you are another person, close this and ask for a label of your own."
            )
        write_event(self._study.root, _SAT_DOWN, rater=self.rater, account=account)


def reading_order(items: Sequence[Item], first_visits: dict[str, str]) -> list[Item]:
    """Items so that nobody's later visit waits for a first visit that comes after it.

    Shapes are carried from the rater's own reading of the first visit, which has to be read
    before. The two change places, so that visits of a person stay as far apart as they were.

    Parameters
    ----------
    items : sequence of Item
        What is left to read, in the order of the list.
    first_visits : dict of str to str
        The first session of each participant.
    """
    ordered = list(items)
    for at, item in enumerate(ordered):
        start = first_visits.get(item.participant)
        if item.placement != "carried" or item.session == start:
            continue
        later = (
            n
            for n in range(at + 1, len(ordered))
            if ordered[n].key == (item.participant, start) and ordered[n].reading == 1
        )
        first = next(later, None)
        if first is not None:
            ordered[at], ordered[first] = ordered[first], ordered[at]
    return ordered


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "somebody without a name"
