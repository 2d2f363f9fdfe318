"""Many visits imported at once, from a table that says which folder is whose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from napari_qsm.errors import Cancelled, FileError, QsmError
from napari_qsm.io.bids import check_subject, visit_place
from napari_qsm.io.dicom import import_dicom
from napari_qsm.io.participants import add_participant, with_participant
from napari_qsm.study.long_table import age_in
from napari_qsm.study.rows import plain_id, read_rows

_PERSON = ("group", "age", "sex")


@dataclass(frozen=True)
class Visit:
    """A row of the table.

    Attributes
    ----------
    line : int
        Where it stands.
    folder : Path
        The scanner's files; relative ones lie beside the table.
    subject, session, series : str
        Session and series may be empty.
    person : dict of str to str
        Group, age and sex, where the table tells them.
    """

    line: int
    folder: Path
    subject: str
    session: str = ""
    series: str = ""
    person: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """For people: ``"sub-01 ses-t0"``."""
        return visit_place(self.subject, self.session)[1].replace("_", " ")


@dataclass
class ImportedTable:
    """What an import of a table did.

    Attributes
    ----------
    done, skipped : list of str
        Visits that were imported, and that were there already.
    failed : dict of str to str
        Visits that could not be imported, with the reason.
    """

    done: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """A line for people."""
        parts = [f"{len(self.done)} imported", f"{len(self.skipped)} there already"]
        return ", ".join([*parts, f"{len(self.failed)} failed"]) + "."


def read_visits(path: Path) -> list[Visit]:
    """The rows of a table of visits.

    Parameters
    ----------
    path : Path
        Columns ``folder`` and ``subject``; ``session``, ``series``, ``group``, ``age`` and ``sex``
        where wanted.

    Raises
    ------
    QsmError
        For a table without these columns, an impossible label, and a visit or a folder that stands
        twice; nothing is imported then.
    """
    table = read_rows(path)
    table.need(["folder", "subject"])
    visits: list[Visit] = []
    seen: dict[tuple[str, ...], int] = {}
    for row in table.rows:
        where = f"'{path.name}', line {row.line}"
        if not row["folder"] or not row["subject"]:
            raise FileError(f"{where}: folder and subject are needed.")
        subject, session = plain_id(row["subject"]), plain_id(row["session"])
        try:
            check_subject(subject, session)
        except QsmError as error:
            raise FileError(f"{where}: {error}") from None
        folder = path.absolute().parent / Path(row["folder"]).expanduser()
        keys = [
            (subject.casefold(), session.casefold()),  # names of files differ by more than case
            ("folder", str(folder.resolve()), row["series"]),
        ]
        for key, what in zip(keys, (f"{subject} {session}".strip(), row["folder"]), strict=True):
            if key in seen:
                raise FileError(f"{where}: '{what}' stands in line {seen[key]} already.")
            seen[key] = row.line
        age_in(table, row)  # refuses what is none
        person = {name: row[name] for name in _PERSON if row[name]}
        if "age" in person:
            person["age"] = person["age"].replace(",", ".")
        visits.append(Visit(row.line, folder, subject, session, row["series"], person))
    both = {v.subject for v in visits if v.session} & {v.subject for v in visits if not v.session}
    if both:
        raise FileError(f"'{path.name}': {sorted(both)[0]} has rows with and without a session.")
    return visits


def import_table(
    table: Path,
    out: Path,
    *,
    overwrite: bool = False,
    progress: Callable[[float], None] = lambda fraction: None,
    say: Callable[[str], None] = lambda sentence: None,
) -> ImportedTable:
    """Import every visit of a table; what is there already is passed over, so that it resumes.

    Parameters
    ----------
    table : Path
        See :func:`read_visits`.
    out : Path
        The data set; each visit appears there whole or not at all.
    overwrite : bool
        Whether visits that are there are imported again.
    progress : callable
        Called with the fraction done; may raise to stop.
    say : callable
        Told in a sentence of each visit.

    Raises
    ------
    QsmError
        If the table cannot be used. A visit that fails does not stop the others.
    """
    visits = read_visits(table)
    result = ImportedTable()
    for number, visit in enumerate(visits):

        def part(fraction: float, number: int = number) -> None:
            progress((number + fraction) / len(visits))

        try:
            with_participant(out, visit.subject, **visit.person)  # refuses before any work
            if _is_there(out, visit) and not overwrite:
                result.skipped.append(visit.name)
            else:
                done = import_dicom(
                    visit.folder,
                    out,
                    series=visit.series or None,
                    subject=visit.subject,
                    session=visit.session,
                    overwrite=overwrite,
                    progress=part,
                )
                result.done.append(visit.name)
                notes = "".join(f" {note}" for note in done.warnings)
                say(f"{visit.name}: {done.scan.description}.{notes}")
            add_participant(out, visit.subject, **visit.person)
        except Cancelled:
            raise
        except QsmError as error:
            result.failed[visit.name] = str(error)
            say(f"{visit.name}: FAILED (line {visit.line}). {error}")
    progress(1.0)
    return result


def _is_there(out: Path, visit: Visit) -> bool:
    """Whether an image of the visit is there; imports are whole or absent."""
    folder = out / visit_place(visit.subject, visit.session)[0]
    return any(any(folder.glob(f"{kind}/*.nii*")) for kind in ("anat", "fmap"))
