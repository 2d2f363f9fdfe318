"""Where the heads of a person's visits lie in each other: as a study holds it, else found now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from napari_qsm.arrays import Array
from napari_qsm.errors import Cancelled, FileError, GeometryError, QsmError
from napari_qsm.recon.stages import Progress, no_progress
from napari_qsm.registration.checkerboard import checkerboard_png
from napari_qsm.registration.images import on_grid
from napari_qsm.registration.rigid import register_rigid
from napari_qsm.study.case import Case
from napari_qsm.study.entry import MapEntry
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.magnitudes import magnitude_of, scan_files
from napari_qsm.study.register import checkerboard_path, quality_of
from napari_qsm.study.transforms import points_between, read_transform, visits_of
from napari_qsm.study.visit_link import VisitLink
from napari_qsm.volume import Volume, same_grid

#: A map is made a positive picture of its contrast before it is registered: ``exp(4 χ)`` in ppm.
_CONTRAST, _HIGHEST_PPM = 4.0, 0.3


@dataclass(frozen=True, eq=False)
class VisitImages:
    """What a visit can be registered by.

    Attributes
    ----------
    case, title, participant, visit : str
        Whose it is.
    chi : Volume
        The map on show.
    echoes : tuple of Volume
        Magnitudes on one grid.
    brain : Volume or None
        A mask.
    """

    case: str
    title: str
    participant: str
    visit: str
    chi: Volume
    echoes: tuple[Volume, ...] = ()
    brain: Volume | None = None


def images_of(case: Case, entry: MapEntry, title: str = "") -> VisitImages:
    """What a case holds that it can be registered by; ``entry`` is its map, ``title`` its name."""
    masks = case.of_role("mask")
    return VisitImages(
        case.id,
        title or case.title,
        case.participant,
        case.visit,
        entry.shown,
        _echoes(case),
        masks[-1].volume if masks else None,
    )


def _echoes(case: Case) -> tuple[Volume, ...]:
    """The magnitudes that are open, else those of the scan."""
    echoes = [entry.volume for entry in case.of_role("magnitude")]
    if not echoes and case.scan is not None:
        echoes = list(case.scan.magnitude)
    return tuple(echo for echo in echoes if same_grid(echo, echoes[0]))


def _together(echoes: Sequence[Volume], name: str) -> Volume:
    """The root of the sum of squares of all echoes."""
    total = np.zeros(echoes[0].shape, np.float32)
    for echo in echoes:
        data = np.nan_to_num(np.asarray(echo.data, np.float32))
        total += np.square(data if data.ndim == 4 else data[..., None]).sum(axis=-1)
    return echoes[0].with_data(np.sqrt(total), name=name)


def study_of(chi: Volume, participant: str) -> StudyFolder | None:
    """The study that a map lies in, by its path; None if it lies in none."""
    if chi.origin is None or not participant:
        return None
    for folder in Path(chi.origin).absolute().parents:
        if folder.name == f"sub-{participant}":
            try:
                return StudyFolder(folder.parent)
            except FileError:
                return None
    return None


def link_visits(
    visits: Sequence[VisitImages],
    *,
    registered: bool = True,
    progress: Progress = no_progress,
) -> tuple[VisitLink, ...]:
    """Find where the first visit's head lies at each of the others.

    Parameters
    ----------
    visits : sequence of VisitImages
        The first one's head is what the others are brought to.
    registered : bool
        False to leave heads at their places in the scanner, because somebody said so.
    progress : callable
        Called with the fraction done; may raise to stop.

    Returns
    -------
    tuple of VisitLink
        One a visit, in their order. What could not be registered has a ``refusal``.
    """
    first = visits[0]
    links = [VisitLink(first.case, first.title, np.eye(4), "first")]
    for number, visit in enumerate(visits[1:]):
        base, part = number / (len(visits) - 1), 1 / (len(visits) - 1)

        def step(fraction: float, base: float = base, part: float = part) -> None:
            progress(base + part * fraction)

        progress(base)
        link = VisitLink(visit.case, visit.title, np.eye(4), "position")
        if registered:
            try:
                link = _from_study(first, visit) or _found(first, visit, step)
            except Cancelled:
                raise
            except QsmError as error:
                link = replace(link, refusal=str(error))
        links.append(link)
    return tuple(links)


def head_moved(matrix: Array, head: Volume) -> tuple[float, float]:
    """How far the middle of a head moved (mm) and by what angle it turned (degrees).

    Parameters
    ----------
    matrix : (4, 4) ndarray
        World RAS mm of ``head`` to that of the other visit.
    head : Volume
        Its middle is that of its values other than zero.
    """
    inside = np.argwhere(np.nan_to_num(np.asarray(head.data)) != 0)
    shape = np.array(head.shape[:3])
    middle = head.voxel_to_world(inside.mean(axis=0) if len(inside) else (shape - 1) / 2)
    shift = float(np.linalg.norm(matrix[:3, :3] @ middle + matrix[:3, 3] - middle))
    return shift, float(np.degrees(Rotation.from_matrix(matrix[:3, :3]).magnitude()))


def _from_study(first: VisitImages, visit: VisitImages) -> VisitLink | None:
    """By the transforms of the study that both maps lie in; None without such."""
    if first.participant != visit.participant:
        return None
    folder, other = (study_of(each.chi, each.participant) for each in (first, visit))
    if folder is None or other is None or folder.root != other.root:
        return None
    try:
        matrix = points_between(folder, visit.participant, first.visit, visit.visit)
    except (FileError, KeyError):
        return None  # not registered there: it is done now, with all its checks
    start = visits_of(folder)[visit.participant][0]
    later = visit.visit if visit.visit != start else first.visit
    path = folder.xfm(visit.participant, later, start)
    board = checkerboard_path(path)
    paths = [folder.xfm(visit.participant, each.visit, start) for each in (first, visit)]
    doubts = [read_transform(each).doubt for each in paths if each.is_file()]
    shift, turn = head_moved(matrix, first.chi)
    return VisitLink(
        visit.case,
        visit.title,
        matrix,
        "study",
        read_transform(path).quality if path.is_file() else {},
        shift,
        turn,
        doubt=" ".join(doubt for doubt in doubts if doubt),
        picture=board.read_bytes() if board.is_file() else b"",
    )


def _found(first: VisitImages, visit: VisitImages, progress: Progress) -> VisitLink:
    """By a registration of their magnitudes, or of the maps where a magnitude lacks."""
    if first.participant and visit.participant and first.participant != visit.participant:
        raise GeometryError(f"'{visit.title}' is another person than '{first.title}'.")
    pair = [_magnitude_anywhere(each) for each in (first, visit)]
    of = "magnitudes"
    one, other = pair
    if one is None or other is None:
        of, one, other = "maps", _picture(first), _picture(visit)
    brain = None
    if first.brain is not None:
        mask = first.brain.with_data(np.asarray(first.brain.data, np.float32))
        brain = on_grid(mask, one)[0] > 0.5
        brain = brain if brain.any() else None
    fit = register_rigid(one, other, brain=brain, progress=progress)
    shift, turn = head_moved(fit.matrix, first.chi)
    doubt = fit.doubt
    if of == "maps" and not doubt:
        doubt = (
            "no magnitude is open, so the maps themselves were registered: look at the checkerboard"
        )
    return VisitLink(
        visit.case,
        visit.title,
        fit.matrix,
        "registration",
        quality_of(fit),
        shift,
        turn,
        of,
        _sentence(doubt),
        _sentence(fit.problem),
        checkerboard_png(one, other, fit.matrix),
    )


def _magnitude_anywhere(visit: VisitImages) -> Volume | None:
    """The magnitude that is open, else that of the study's raw data; None if there is neither."""
    if visit.echoes:
        return _together(visit.echoes, f"magnitude of {visit.title}")
    folder = study_of(visit.chi, visit.participant)
    if folder is None:
        return None
    try:
        files = scan_files(folder, folder.scan(visit.participant, visit.visit))
        return magnitude_of(files, visit.title)
    except FileError:
        return None


def _picture(visit: VisitImages) -> Volume:
    """A map as a positive picture: iron bright, nothing outside the brain."""
    chi = np.nan_to_num(np.asarray(visit.chi.data, np.float32))
    ppm = chi / np.float32(1e3) if visit.chi.unit == "ppb" else chi
    bright = np.exp(_CONTRAST * np.clip(ppm, -_HIGHEST_PPM, _HIGHEST_PPM))
    return visit.chi.with_data(np.where(chi != 0, bright, 0).astype(np.float32), name=visit.title)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:].rstrip('.')}." if text else ""
