"""Whose files these are: participant and visit as BIDS names tell them, and the folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_PARTICIPANT = re.compile(r"(?:^|_)sub-([A-Za-z0-9]+)(?=$|_)")
_VISIT = re.compile(r"(?:^|_)ses-([A-Za-z0-9]+)(?=$|_)")
#: Characters of a BIDS label.
_NO_LABEL = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True)
class Identity:
    """What a path tells about the patient and the visit.

    Attributes
    ----------
    participant, visit : str
        BIDS labels without ``sub-`` and ``ses-``; empty where the path tells none.
    folder : Path or None
        Where the file lies, or the folder itself; None for what came from no file.
    root : Path or None
        The folder that holds all participants of its data set; None without BIDS names.
    """

    participant: str = ""
    visit: str = ""
    folder: Path | None = None
    root: Path | None = None

    @property
    def name(self) -> str:
        """``"sub-01 ses-t0"``; empty where nothing tells who it is."""
        return case_name(self.participant, self.visit)


def identity_of(path: Path | str, *, is_folder: bool | None = None) -> Identity:
    """Whose file or folder a path is.

    The name of the file counts before those of its folders; nothing is read.

    Parameters
    ----------
    path : Path or str
        A file or a folder.
    is_folder : bool, optional
        Which of the two it is; looked up unless given.

    Examples
    --------
    >>> identity_of("/data/sub-01/ses-t0/anat/sub-01_ses-t0_Chimap.nii.gz", is_folder=False).name
    'sub-01 ses-t0'
    """
    path = Path(path).absolute()
    if is_folder is None:
        is_folder = path.is_dir()
    folder = path if is_folder else path.parent
    parts = [path.name.partition(".")[0], *reversed(path.parent.parts)]
    participant = next((m.group(1) for m in map(_PARTICIPANT.search, parts) if m), "")
    if not participant:
        return Identity(folder=folder)
    visit = next((m.group(1) for m in map(_VISIT.search, parts) if m), "")
    return Identity(participant, visit, folder, _root(folder))


def identity_named(head: str) -> Identity:
    """Whose something is by a word for the head: a case's name, a BIDS label, or a folder.

    Examples
    --------
    >>> identity_named("sub-01 ses-t0").visit, identity_named("control").participant
    ('t0', 'control')
    """
    if is_label(head):
        return Identity(participant=head)
    named = identity_of(Path(head.replace(" ", "_")), is_folder=False)
    if named.participant and named.name == head:
        return Identity(named.participant, named.visit)
    return Identity(folder=Path(head))


def case_name(participant: str, visit: str) -> str:
    """Participant and visit as one name.

    Examples
    --------
    >>> case_name("01", "t0"), case_name("01", "")
    ('sub-01 ses-t0', 'sub-01')
    """
    words = [f"sub-{participant}" if participant else "", f"ses-{visit}" if visit else ""]
    return " ".join(word for word in words if word)


def is_label(text: str) -> bool:
    """Whether a text can be a BIDS label: letters and digits, or nothing."""
    return not _NO_LABEL.search(text)


def _root(folder: Path) -> Path:
    """What lies above the participants; derivatives belong to the data set they came from."""
    parts = folder.parts
    at = next((i for i, part in enumerate(parts) if part.startswith("sub-")), len(parts))
    if "derivatives" in parts[:at]:
        at = parts.index("derivatives")
    return Path(*parts[:at])
