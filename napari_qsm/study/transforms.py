"""From one visit's head to another's, as kept in ``sub-01/xfm``.

::

    {
      "format": "napari-qsm transform", "version": 1,
      "participant": "01", "from": "t1", "to": "t0",
      "kind": "rigid", "unit": "mm", "frame": "RAS",
      "meaning": "matrix takes points of session 'from' to points of session 'to'",
      "matrix": [[...], [...], [...], [0, 0, 0, 1]], "inverse": [...],
      "quality": {"correlation": 0.93, "detail": 0.78, ...}, "doubt": "",
      "inputs": {"sub-01_ses-t0_..._part-mag_T2starw.nii.gz": "sha256 ..."},
      "software": {"napari-qsm": "0.1.0", "numpy": "2.4.6", "scipy": "1.17.1"}
    }
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_qsm._version import __version__
from napari_qsm.arrays import Array
from napari_qsm.errors import FileError, QsmError
from napari_qsm.io.atomic import write_text
from napari_qsm.io.plain_data import PlainDataError, parse_json
from napari_qsm.io.text import read_text
from napari_qsm.recon.provenance import software_versions
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.identity import case_name
from napari_qsm.study.visit_names import visit_order

FORMAT, VERSION = "napari-qsm transform", 1
#: How far a stored matrix may be from a rotation and a shift.
_RIGID = 1e-4


@dataclass(frozen=True, eq=False)
class Transform:
    """A rigid transform between two visits of a participant.

    Attributes
    ----------
    matrix : (4, 4) ndarray
        Points of ``session`` (RAS mm) to points of ``to``.
    quality : dict of str to number
        Correlation, detail, overlap, shift in mm, turn in degrees.
    doubt : str
        A sentence, where it should be looked at.
    inputs : dict of str to str
        Names of the images and their checksums.
    """

    participant: str
    session: str
    to: str
    matrix: Array
    quality: Mapping[str, Any] = field(default_factory=dict)
    doubt: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def inverse(self) -> Array:
        """Points of ``to`` to points of ``session``."""
        return np.linalg.inv(self.matrix)

    def to_json(self) -> str:
        """The text of its file; the same transform gives the same text."""
        whole = {
            "format": FORMAT,
            "version": VERSION,
            "participant": self.participant,
            "from": self.session,
            "to": self.to,
            "kind": "rigid",
            "unit": "mm",
            "frame": "RAS",
            "meaning": "matrix takes points of session 'from' to points of session 'to'",
            "matrix": _rows(self.matrix),
            "inverse": _rows(self.inverse),
            "quality": dict(self.quality),
            "doubt": self.doubt,
            "inputs": dict(self.inputs),
            "software": {"napari-qsm": __version__, **software_versions()},
        }
        return json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _rows(matrix: Array) -> list[list[float]]:
    return [[round(float(value), 9) + 0.0 for value in row] for row in matrix]


def write_transform(folder: StudyFolder, transform: Transform) -> Path:
    """Write a transform into its place in a study, atomically."""
    path = folder.xfm(transform.participant, transform.session, transform.to)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, transform.to_json())
    return path


def read_transform(path: Path) -> Transform:
    """Read a transform.

    Raises
    ------
    FileError
        If it is missing, damaged, or no rigid transform.
    """
    try:
        said = parse_json(read_text(path, "transform"))
    except PlainDataError as error:
        raise FileError(f"'{path}' {error}.") from None
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        raise FileError(f"'{path}' holds no transform of napari-qsm.")
    if said.get("version") != VERSION:
        raise FileError(f"'{path}' is of another version ({said.get('version')!r}).")
    matrix = rigid_matrix(said.get("matrix"))
    if matrix is None:
        raise FileError(f"'{path}': the matrix is no rigid transform of 4 x 4 numbers.")
    quality, inputs = said.get("quality"), said.get("inputs")
    return Transform(
        participant=str(said.get("participant", "")),
        session=str(said.get("from", "")),
        to=str(said.get("to", "")),
        matrix=matrix,
        quality=quality if isinstance(quality, dict) else {},
        doubt=str(said.get("doubt", "")),
        inputs=inputs if isinstance(inputs, dict) else {},
    )


def rigid_matrix(said: object) -> Array | None:
    """Rows of numbers as a rigid 4 x 4 matrix; None for anything else."""
    try:
        matrix = np.array(said, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        return None
    turn = matrix[:3, :3]
    rigid = np.allclose(turn @ turn.T, np.eye(3), atol=_RIGID) and np.linalg.det(turn) > 0
    return matrix if rigid and np.allclose(matrix[3], (0, 0, 0, 1), atol=_RIGID) else None


def points_between(folder: StudyFolder, participant: str, source: str, target: str) -> Array:
    """Points of a participant's visit to points of another.

    Parameters
    ----------
    folder : StudyFolder
        The study.
    participant, source, target : str
        Labels without prefix.

    Returns
    -------
    (4, 4) ndarray
        RAS mm, through the first visit, to which all others are registered.

    Raises
    ------
    FileError
        If one of them is not registered.
    """
    first = visits_of(folder)[participant][0]
    return np.linalg.inv(_to_first(folder, participant, target, first)) @ _to_first(
        folder, participant, source, first
    )


def _to_first(folder: StudyFolder, participant: str, session: str, first: str) -> Array:
    if session == first:
        return np.eye(4)
    path = folder.xfm(participant, session, first)
    if not path.is_file():
        raise FileError(
            f"{case_name(participant, session)} is not registered to ses-{first}; run "
            f"'napari-qsm study register {folder.root}', and look at what it refuses."
        )
    return read_transform(path).matrix


def doubts_of(folder: StudyFolder, participant: str, sessions: Iterable[str]) -> list[str]:
    """What is doubted about the registration of some visits, in sentences."""
    first = visits_of(folder)[participant][0]
    paths = {session: folder.xfm(participant, session, first) for session in sessions}
    doubts = {v: read_transform(path).doubt for v, path in paths.items() if path.is_file()}
    return [f"{case_name(participant, v)}: {doubt}" for v, doubt in doubts.items() if doubt]


def visits_of(folder: StudyFolder, *, as_it_is: bool = False) -> dict[str, list[str]]:
    """Every participant's visits, imported or reconstructed, in the order of the protocol's plan.

    By what their names tell of time, where the plan names none.

    Parameters
    ----------
    folder : StudyFolder
    as_it_is : bool
        Take a protocol that was changed after it was frozen, and go without one that cannot be
        read: to show how far a study is, not to work on it.

    Raises
    ------
    FileError
        If the protocol cannot be read or was changed after it was frozen.
    """
    planned: list[str] = []
    if folder.protocol_file.is_file():
        try:
            planned = list(folder.protocol.plan().visits)
        except QsmError:
            if not as_it_is:
                raise
    rank = {name: number for number, name in enumerate(planned)}
    found: dict[str, set[str]] = {}
    for participant, session in {*folder.imported, *(scan.key for scan in folder.scans)}:
        found.setdefault(participant, set()).add(session)
    return {
        participant: sorted(
            found[participant], key=lambda v: (rank.get(v, len(rank)), visit_order(v))
        )
        for participant in sorted(found, key=visit_order)
    }
