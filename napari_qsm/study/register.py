"""Registration of a study: every visit to the participant's first, with a page to look at."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files as package_files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import Cancelled, FileError, QsmError
from napari_qsm.io.atomic import atomic_path, write_text
from napari_qsm.io.maps import read_volume
from napari_qsm.registration.checkerboard import checkerboard_png
from napari_qsm.registration.images import on_grid
from napari_qsm.registration.rigid import RigidFit, register_rigid
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.identity import case_name
from napari_qsm.study.magnitudes import checksums, magnitude_of, scan_files
from napari_qsm.study.transforms import (
    Transform,
    read_transform,
    visits_of,
    write_transform,
)
from napari_qsm.volume import Volume

if TYPE_CHECKING:
    from jinja2 import Template

#: The page of checkerboards, in ``group/``.
PAGE = "registration.html"


@dataclass(frozen=True)
class Registered:
    """What became of one visit.

    Attributes
    ----------
    participant, session, to : str
        Labels; ``to`` is the first visit.
    state : {"done", "kept", "refused", "failed"}
        Kept: registered before, from the same images.
    message : str
        Why it was refused or failed, or what to look at; empty if nothing.
    quality : dict of str to number
        Correlation, detail, overlap, shift in mm, turn in degrees; empty where it failed.
    png : bytes
        The checkerboard; empty where it failed.
    """

    participant: str
    session: str
    to: str
    state: str
    message: str = ""
    quality: dict[str, Any] = field(default_factory=dict)
    png: bytes = field(default=b"", repr=False)

    @property
    def name(self) -> str:
        """The visit, for people."""
        return case_name(self.participant, self.session)

    @property
    def is_usable(self) -> bool:
        """Whether there is a transform now."""
        return self.state in ("done", "kept")


def register_study(
    root: Path | str,
    *,
    participants: Iterable[str] = (),
    overwrite: bool = False,
    report: Callable[[Registered, int, int], None] = lambda done, number, count: None,
) -> list[Registered]:
    """Register every visit of a study to the participant's first, and write the page.

    Parameters
    ----------
    root : Path or str
        The study.
    participants : iterable of str
        Labels without ``sub-``; all unless given.
    overwrite : bool
        Also visits that were registered from the same images before.
    report : callable
        Called after each visit with what became of it, its number and how many there are.

    Returns
    -------
    list of Registered
        Of every visit but the first ones. A visit that is refused or fails leaves no transform,
        and the others go on.

    Raises
    ------
    FileError
        If it is no study, or has no such participant.
    """
    folder = StudyFolder(root)
    visits = visits_of(folder)
    wanted = [label.removeprefix("sub-") for label in participants] or list(visits)
    missing = [label for label in wanted if label not in visits]
    if missing:
        raise FileError(f"'{folder.root.name}' has no participant '{missing[0]}'.")
    tasks = [(label, visits[label][0], visit) for label in wanted for visit in visits[label][1:]]
    found = []
    for number, (participant, first, session) in enumerate(tasks, 1):
        done = _registered(folder, participant, session, first, overwrite)
        found.append(done)
        report(done, number, len(tasks))
    if tasks:
        write_page(folder, found)
    return found


def _registered(
    folder: StudyFolder, participant: str, session: str, first: str, overwrite: bool
) -> Registered:
    path = folder.xfm(participant, session, first)
    picture = checkerboard_path(path)
    try:
        names = [case_name(participant, visit) for visit in (first, session)]
        scans = [folder.scan(participant, visit) for visit in (first, session)]
        files = [scan_files(folder, scan) for scan in scans]
        inputs = {name: value for each in files for name, value in checksums(each).items()}
        if not overwrite and path.is_file() and picture.is_file():
            before = read_transform(path)
            if before.inputs == inputs:
                return Registered(
                    participant, session, first, "kept", before.doubt, dict(before.quality),
                    picture.read_bytes(),
                )  # fmt: skip
        fixed, moving = (magnitude_of(f, name) for f, name in zip(files, names, strict=True))
        fit = register_rigid(fixed, moving, brain=_brain(scans[0].image("mask"), fixed))
    except (Cancelled, KeyboardInterrupt):
        raise
    except QsmError as error:
        path.unlink(missing_ok=True)
        return Registered(participant, session, first, "failed", _sentence(str(error)))
    png = checkerboard_png(fixed, moving, fit.matrix)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(picture) as staged:
        staged.write_bytes(png)
    quality = quality_of(fit)
    if fit.problem:
        path.unlink(missing_ok=True)
        return Registered(
            participant, session, first, "refused", _sentence(fit.problem), quality, png
        )
    # The search went from the first visit to this one; what is kept leads back to the first.
    write_transform(
        folder,
        Transform(
            participant, session, first, np.linalg.inv(fit.matrix), quality, _sentence(fit.doubt),
            inputs,
        ),
    )  # fmt: skip
    return Registered(participant, session, first, "done", _sentence(fit.doubt), quality, png)


def checkerboard_path(xfm: Path) -> Path:
    """Where the picture of a transform lies, beside it."""
    return xfm.with_name(xfm.name.replace("_mode-image_xfm.json", "_desc-checkerboard.png"))


def quality_of(fit: RigidFit) -> dict[str, Any]:
    """The numbers of a fit as they are kept."""
    return {
        "correlation": round(fit.correlation, 4),
        "detail": round(fit.detail, 4),
        "overlap": round(fit.overlap, 4),
        "shift_mm": round(fit.shift_mm, 3),
        "turn_deg": round(fit.turn_deg, 3),
    }


def _brain(path: Path, magnitude: Volume) -> Array | None:
    """The brain mask of a scan on its magnitude's grid; None where there is none."""
    if not path.is_file():
        return None
    mask = read_volume(path)
    inside = on_grid(mask.with_data(np.asarray(mask.data, np.float32)), magnitude)[0] > 0.5
    return inside if inside.any() else None


def _sentence(text: str) -> str:
    if not text:
        return ""
    start = text if text.startswith("sub-") else f"{text[0].upper()}{text[1:]}"
    return f"{start.rstrip('.')}."


def write_page(folder: StudyFolder, found: Iterable[Registered]) -> Path:
    """Write the page of checkerboards into the study's ``group`` folder: what was refused first."""
    order = {"failed": 0, "refused": 1}
    rows = sorted(found, key=lambda r: order.get(r.state, 2 if r.message else 3))
    html = _template().render(rows=rows, usable=sum(row.is_usable for row in rows))
    folder.group.mkdir(exist_ok=True)
    write_text(folder.group / PAGE, html)
    return folder.group / PAGE


@lru_cache(maxsize=1)
def _template() -> Template:
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["base64"] = lambda data: base64.b64encode(data).decode("ascii")
    text = package_files("napari_qsm.study").joinpath("registration.html.j2").read_text("utf-8")
    return environment.from_string(text)
