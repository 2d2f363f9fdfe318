"""A scan of a study: one participant at one session, by the names of its files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from napari_qsm.errors import FileError
from napari_qsm.io.bids import DERIVATIVES, images_in
from napari_qsm.io.names import PHASE, REAL, bids_entities, part_of
from napari_qsm.study.identity import case_name, is_label

#: Ends the label of a rater's second, third ... reading of one scan: ``desc-AArep2``.
_REPEAT = re.compile(r"(?P<rater>[A-Za-z0-9]+?)rep(?P<reading>[2-9]|[1-9][0-9]+)")
_DESC = re.compile(r"desc-(?P<desc>[A-Za-z0-9]+)_shapes\.json")
#: Participant and session, without ``sub-`` and ``ses-``; the session may be empty.
Key = tuple[str, str]


@dataclass(frozen=True, order=True)
class StudyScan:
    """One participant at one session, and where its files lie.

    Attributes
    ----------
    participant, session : str
        BIDS labels without prefix; no session where the data have none.
    prefix : str
        How names of its files begin: ``"sub-01_ses-t0_"``, with further entities where the scan
        has them.
    folder : Path
        Its ``anat`` folder in the study.
    files : frozenset of str
        Names in that folder when the study was indexed.
    """

    participant: str
    session: str
    prefix: str
    folder: Path = field(compare=False)
    files: frozenset[str] = field(default=frozenset(), compare=False, repr=False)

    @property
    def key(self) -> Key:
        """Participant and session."""
        return self.participant, self.session

    @property
    def name(self) -> str:
        """For people: ``"sub-01 ses-t0"``."""
        return case_name(self.participant, self.session)

    @property
    def stem(self) -> str:
        """For names of files: ``"sub-01_ses-t0"``."""
        return self.prefix.rstrip("_")

    def path(self, name: str) -> Path:
        """A file of the scan by the end of its name, be it there or not."""
        return self.folder / f"{self.prefix}{name}"

    def image(self, quantity: str) -> Path:
        """The image of a result by a key of :data:`napari_qsm.io.bids.DERIVATIVES`."""
        stem = DERIVATIVES[quantity]
        if "{suffix}" in stem:
            pattern = re.compile(
                re.escape(self.prefix + stem).replace(r"\{suffix\}", "[A-Za-z0-9]+")
            )
            stems = (name.partition(".")[0] for name in sorted(self.files))
            found = next((each for each in stems if pattern.fullmatch(each)), None)
            stem = found.removeprefix(self.prefix) if found else stem.format(suffix="MEGRE")
        plain = f"{self.prefix}{stem}.nii"
        return self.path(f"{stem}.nii" if plain in self.files else f"{stem}.nii.gz")

    @property
    def map(self) -> Path:
        """The susceptibility map."""
        return self.image("chi_ppm")

    @property
    def is_reconstructed(self) -> bool:
        """Whether the map was there when the study was indexed."""
        return self.map.name in self.files

    @property
    def magnitude(self) -> Path:
        """The magnitude that a bundle keeps beside a map, as it has no raw data."""
        return self.path("part-mag_desc-combined_T2starw.nii")

    @property
    def provenance(self) -> Path:
        """How the map was made."""
        return self.path("provenance.json")

    @property
    def quality(self) -> Path:
        """Its numbers of quality."""
        return self.path("quality.json")

    @property
    def rating(self) -> Path:
        """What people said of its quality."""
        return self.path("rating.json")

    @property
    def report(self) -> Path:
        """The page on its quality."""
        return self.path("report.html")

    def shapes(self, rater: str, reading: int = 1) -> Path:
        """A rater's reading."""
        return self.path(f"desc-{rater_label(rater, reading)}_shapes.json")

    def suggestion(self) -> Path:
        """Suggested places, which are no reading."""
        return self.path("desc-suggested_shapes.json")

    def contours(self) -> Path:
        """Suggested first contours of painted regions, which are no reading."""
        return self.path("desc-suggested_dseg.nii.gz")

    def dseg(self, rater: str, reading: int = 1) -> Path:
        """A rater's shapes and painted regions as a label map; its table lies beside, ending in ``.tsv``."""
        return self.path(f"desc-{rater_label(rater, reading)}_dseg.nii.gz")

    def readings(self) -> list[tuple[str, int]]:
        """Rater and number of every reading that was there when the study was indexed."""
        found = []
        for name in self.files:
            match = _DESC.fullmatch(name.removeprefix(self.prefix))
            if match and match["desc"] != "suggested":
                found.append(rater_of(match["desc"]))
        return sorted(found)


def rater_label(rater: str, reading: int = 1) -> str:
    """The BIDS label of a reading: the rater, and the number of a repeat.

    Examples
    --------
    >>> rater_label("AA"), rater_label("AA", 2)
    ('AA', 'AArep2')
    """
    check_rater(rater)
    return rater if reading == 1 else f"{rater}rep{reading}"


def rater_of(label: str) -> tuple[str, int]:
    """Rater and number of the reading from a label; see :func:`rater_label`."""
    match = _REPEAT.fullmatch(label)
    return (match["rater"], int(match["reading"])) if match else (label, 1)


def check_rater(rater: str) -> str:
    """Refuse what cannot stand for a rater in a name of BIDS.

    Raises
    ------
    FileError
        Saying why.
    """
    if not rater or not rater.isascii() or not is_label(rater):
        raise FileError(
            f"'{rater}' is no label for a rater; use letters and digits only, such as AA."
        )
    if _REPEAT.fullmatch(rater) or rater in ("suggested", "brain", "local"):
        raise FileError(f"'{rater}' has another meaning in names of files; choose another label.")
    return rater


def scans_in(root: Path) -> Iterator[StudyScan]:
    """Scans of which a data set of derivatives holds files, from names alone."""
    for person in _folders(root, "sub-"):
        for visit in (*_folders(person, "ses-"), person):
            anat = visit / "anat"
            if not anat.is_dir():
                continue
            names = [entry.name for entry in os.scandir(anat) if entry.is_file()]
            yield from _scans_of(anat, person.name, visit.name if visit != person else "", names)


def _scans_of(anat: Path, person: str, visit: str, names: Sequence[str]) -> Iterator[StudyScan]:
    start = "_".join(part for part in (person, visit) if part) + "_"
    prefixes = {_prefix(name) for name in names if name.startswith(start)} - {""}
    for prefix in prefixes:
        own = frozenset(name for name in names if _prefix(name) == prefix)
        yield StudyScan(person[4:], visit[4:], prefix, anat, own)


def _prefix(name: str) -> str:
    """The entities of a name that tell its scan from others, as they stand there."""
    pieces = name.partition(".")[0].split("_")[:-1]
    kept = [piece for piece in pieces if not piece.startswith(("desc-", "part-", "echo-"))]
    return "".join(f"{piece}_" for piece in kept)


def _folders(folder: Path, start: str) -> list[Path]:
    with os.scandir(folder) as entries:
        found = [e.name for e in entries if e.name.startswith(start) and e.is_dir()]
    return [folder / name for name in sorted(found)]


def visits_in(raw: Path) -> tuple[Key, ...]:
    """Participant and session of every scan with phase in a raw data set, from names alone."""
    found = set()
    for path in images_in(raw, raw):
        entities, _ = bids_entities(path)
        if "sub" in entities and part_of(path, {}) in (PHASE, REAL):
            found.add((entities["sub"], entities.get("ses", "")))
    return tuple(sorted(found))
