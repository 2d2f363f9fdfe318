"""The work on a study in its order: how far each step is, and why one cannot be done now."""

from __future__ import annotations

from dataclasses import dataclass

from napari_qsm.errors import QsmError
from napari_qsm.study.bundle_card import CARD_FILE
from napari_qsm.study.collected import LONG, collected
from napari_qsm.study.overview import Overview
from napari_qsm.study.study_scan import rater_of


@dataclass(frozen=True)
class StudyStep:
    """One step.

    Attributes
    ----------
    id : str
    title : str
        On its button; ends in ``…`` where something is asked first.
    words : str
        How far it is.
    why_not : str
        Why it cannot be done now; empty where it can.
    is_done : bool
        Whether nothing is left to do.
    """

    id: str
    title: str
    words: str = ""
    why_not: str = ""
    is_done: bool = False


def study_steps(overview: Overview) -> tuple[StudyStep, ...]:
    """Every step, in the order of the work."""
    table = _table_problem(overview)
    return tuple(
        step(overview)
        for step in (
            _import, _batch, _group_page, _register, _suggest, _assign, _read, _bundle, _merge,
            lambda o: _collect(o, table), lambda o: _agree(o, table), lambda o: _analyse(o, table),
            _unblind,
        )
    )  # fmt: skip


def _import(overview: Overview) -> StudyStep:
    count = sum(bool(row.imported) for row in overview.rows)
    return StudyStep("import", "Import …", f"{count} scans" if count else "", "", bool(count))


def _batch(overview: Overview) -> StudyStep:
    known = [row for row in overview.rows if row.imported or row.reconstructed]
    done = sum(row.reconstructed == "done" for row in known)
    why = ""
    if overview.study.raw is None:
        why = "The study knows no raw data that are there; import scans first."
    elif not any(row.imported for row in overview.rows):
        why = "The raw data set holds no scan with phase; import scans first."
    left = [row for row in known if row.reconstructed not in ("done", "failed", "skipped")]
    return StudyStep("batch", "Reconstruct all …", f"{done} of {len(known)}" if known else "", why,
                     bool(known) and not left)  # fmt: skip


def _group_page(overview: Overview) -> StudyStep:
    page = overview.study.group / "index.html"
    tried = any(row.reconstructed for row in overview.rows)
    why = "" if tried else "There is no map yet; reconstruct first."
    judged = sum(bool(row.qc) for row in overview.rows if row.reconstructed == "done")
    made = sum(row.reconstructed == "done" for row in overview.rows)
    words = f"{judged} of {made} judged" if made else ""
    return StudyStep("group", "Quality page", words, why, page.is_file())


def _register(overview: Overview) -> StudyStep:
    first = {row.participant for row in overview.rows if row.registered == "first"}
    later = [row for row in overview.rows if row.participant in first and row.registered != "first"]
    done = sum(row.registered == "yes" for row in later)
    why = ""
    if not later:
        why = "Nobody has a second visit, so there is nothing to register."
    elif overview.study.raw is None:
        why = "Registration needs the magnitudes in the raw data set, which is not there."
    elif overview.is_changed:
        why = _CHANGED
    return StudyStep("register", "Register visits", f"{done} of {len(later)}" if later else "", why,
                     bool(later) and done == len(later))  # fmt: skip


_CHANGED = "The protocol was changed after it was frozen; state the change first."


def _no_protocol(overview: Overview) -> str:
    """Why nothing can be done that stands in the protocol."""
    if overview.is_changed:
        return _CHANGED
    if overview.protocol is None:
        there = overview.study.protocol_file.is_file()
        return "The protocol cannot be read." if there else "The study has no protocol yet."
    return ""


def _made(overview: Overview) -> int:
    return sum(row.reconstructed == "done" for row in overview.rows)


def _suggest(overview: Overview) -> StudyStep:
    made = _made(overview)
    done = sum(scan.suggestion().name in scan.files for scan in overview.study.scans)
    why = _no_protocol(overview)
    if not why and overview.protocol is not None and overview.protocol.placement == "independent":
        why = "By the protocol readers place every shape without a suggestion."
    why = why or ("" if made else "There is no map yet; reconstruct first.")
    words = f"{done} of {made}" if made and (done or not why) else ""
    return StudyStep("suggest", "Suggest places", words, why, bool(made) and done >= made)


def _assign(overview: Overview) -> StudyStep:
    why = _no_protocol(overview) or ("" if _made(overview) else "There is no map yet to read.")
    if is_bundle(overview):
        why = "This is a bundle; who reads what is kept in the study that it was made from."
    listed = [rater for rater in overview.raters if overview.study.worklist(rater).is_file()]
    return StudyStep("assign", "Assign readers …", ", ".join(listed), why, bool(listed))


def _read(overview: Overview) -> StudyStep:
    unread = [
        (rater, overview.counts(rater))
        for rater in overview.raters
        if overview.study.worklist(rater).is_file()
    ]
    left = sum(of - done for _, (done, of) in unread)
    why = _no_protocol(overview)
    if not why and not unread:
        why = _NO_LISTS
    elif not why and not left:
        why = "Every list is read to its end."
    words = f"{sum(done for _, (done, _) in unread)} of {sum(of for _, (_, of) in unread)}"
    return StudyStep("read", "Read as …", words if unread else "", why, bool(unread) and not left)


def _bundle(overview: Overview) -> StudyStep:
    if is_bundle(overview):
        count = _submitted(overview)
        why = _no_protocol(overview) or ("" if count else "Nothing is handed in yet.")
        return StudyStep("bundle", "Send back …", f"{count} handed in" if count else "", why)
    listed = to_send(overview)
    why = _no_protocol(overview)
    if not why and not listed:
        made = any(overview.study.worklist(rater).is_file() for rater in overview.raters)
        why = "Every list is read to its end." if made else _NO_LISTS
    return StudyStep("bundle", "Send a bundle …", "", why)


_NO_LISTS = "Nobody has a list yet; assign readers first."


def is_bundle(overview: Overview) -> bool:
    """Whether the study is a bundle that somebody else has sent to be read."""
    return (overview.study.root / CARD_FILE).is_file()


def to_send(overview: Overview) -> list[str]:
    """Raters with a list that is not read to its end."""
    listed = [rater for rater in overview.raters if overview.study.worklist(rater).is_file()]
    return [r for r in listed if overview.counts(r)[0] < overview.counts(r)[1]]


def _merge(overview: Overview) -> StudyStep:
    listed = any(overview.study.worklist(rater).is_file() for rater in overview.raters)
    why = _no_protocol(overview) or ("" if listed else "Nobody has a list, so nothing was sent.")
    if is_bundle(overview):
        why = "This is a bundle; its readings are sent back to the study."
    return StudyStep("merge", "Take a bundle back …", "", why)


def _submitted(overview: Overview) -> int:
    return sum(overview.counts(rater)[0] for rater in overview.raters)


def _table_problem(overview: Overview) -> str:
    """Why the collected table cannot be used; empty where it can."""
    if _no_protocol(overview):
        return _no_protocol(overview)
    if not (overview.study.group / LONG).is_file():
        return "There is no table of readings yet; collect first."
    try:
        collected(overview.study)
    except QsmError as error:
        return str(error).partition("; make it anew")[0] + "; collect again."
    return ""


def _collect(overview: Overview, table: str) -> StudyStep:
    count = _submitted(overview)
    why = _no_protocol(overview) or ("" if count else "Nobody has handed in a reading yet.")
    there = (overview.study.group / LONG).is_file()
    words = ("older than its sources" if table else "up to date") if there else ""
    return StudyStep("collect", "Collect", words, why, there and not table)


def _agree(overview: Overview, table: str) -> StudyStep:
    twice = _read_twice(overview)
    why = table or ("" if twice else "No scan was read twice, by two readers or one.")
    there = (overview.study.group / "agreement.tsv").is_file()
    return StudyStep("agree", "Agreement", f"{twice} scans read twice" if twice else "", why, there)


def _read_twice(overview: Overview) -> int:
    return sum(
        sum(state == "submitted" for state in row.raters.values()) > 1 for row in overview.rows
    )


def _analyse(overview: Overview, table: str) -> StudyStep:
    there = (overview.study.group / "report.txt").is_file()
    return StudyStep("analyse", "Analyse", "done" if there else "", table, there)


def _unblind(overview: Overview) -> StudyStep:
    stated = overview.unblinded
    listed = overview.study.key_file.is_file()
    why = "" if listed else "Nothing was assigned, so there are no codes."
    if is_bundle(overview):
        why = "This is a bundle; the study that it was made from keeps what the codes stand for."
    words = f"stated on {str(stated.get('at', ''))[:10]}" if stated else ""
    if listed and not stated:
        words = f"{overview.unread} unread" if overview.unread else "all read"
    return StudyStep("unblind", "Unblind …", words, why, stated is not None)


def results_of(overview: Overview) -> list[tuple[str, str]]:
    """Files and folders of results that are there: title, path within the study."""
    root = overview.study.root
    listed = [
        ("Folder of the study", "."),
        ("Quality of all scans", "group/index.html"),
        ("Checkerboards of the registration", "group/registration.html"),
        ("Table of readings", "group/roi_long.tsv"),
        ("Workbook of readings", "group/roi_wide.xlsx"),
        ("Agreement", "group/agreement.txt"),
        ("Report of the analysis", "group/report.txt"),
        ("Statistics", "group/statistics.tsv"),
        ("Figures", "group/figures"),
        ("Methods section", "group/methods.txt"),
        ("Checklist for reporting", "group/checklist.tsv"),
        ("Protocol", "study.yaml"),
    ]
    return [(title, place) for title, place in listed if (root / place).exists()]


def label_problem(overview: Overview, label: str, *, adds: bool) -> str:
    """What is wrong with a label that is to get a list; empty if nothing is.

    Parameters
    ----------
    overview : Overview
    label : str
    adds : bool
        Whether scans are to be added to a list that is there.
    """
    from napari_qsm.study.study_scan import check_rater

    try:
        check_rater(label)
    except QsmError as error:
        return str(error)
    if rater_of(label)[0] in overview.raters:
        done, of = overview.counts(label)
        return (
            ""
            if adds
            else (
                f"{label} has a list already ({done} of {of} read). Two people must not have one label; "
                "tick 'add scans' if this is the same reader."
            )
        )
    return f"{label} has no list yet to add to." if adds else ""
