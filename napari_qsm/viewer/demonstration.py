"""The built-in control and patient in the window: reconstructed, measured, as figures.

They come with the program reconstructed; on request they are made and reconstructed anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm.errors import FileError
from napari_qsm.phantom.finished import FinishedHead, read_finished
from napari_qsm.recon.recipe import load_recipe
from napari_qsm.rois.region import RegionTable
from napari_qsm.scan import Scan
from napari_qsm.session import MapEntry
from napari_qsm.volume import Volume

if TYPE_CHECKING:
    from napari_qsm.figures.spec import FigureSpec
    from napari_qsm.phantom import Head
    from napari_qsm.recon.pipeline import Result
    from napari_qsm.viewer.workspace import Workspace

#: Makes and reconstructs a subject; told how far it is by ``progress(what, fraction)``.
Maker = Callable[[str, Callable[[str, float], None]], "tuple[Head, Result]"]
#: Parts of the time that the steps take for one subject, about.
_SHARES = {
    "head": 0.45,
    "phase": 0.01,
    "mask": 0.05,
    "unwrap": 0.01,
    "echoes": 0.01,
    "background": 0.06,
    "inversion": 0.40,
}
_SUBJECTS = ("control", "patient")


@dataclass(frozen=True, eq=False)
class ShownSubject:
    """What the window keeps of one subject; no scan where it was reconstructed beforehand."""

    subject: str
    magnitude: Volume
    chi: Volume
    labels: Volume
    regions: RegionTable
    scan: Scan | None
    provenance: Mapping[str, Any]


def open_demonstration(
    workspace: Workspace, make: Maker | None = None, *, anew: bool = False
) -> None:
    """Show both heads with the figures of the case report.

    Parameters
    ----------
    workspace : Workspace
        Stays free meanwhile.
    make : callable
        Makes and reconstructs one subject; as ``napari-qsm demo`` does unless given.
    anew : bool
        Make and reconstruct them, which takes minutes, even where they came with the program.
    """
    if workspace.services.jobs.busy:
        workspace.services.message(
            "Something is being worked on. Wait for it, or cancel it at the foot of the window."
        )
        return
    for subject in _SUBJECTS:
        earlier = workspace.session.study.case(subject)
        if earlier is not None and not workspace.saving.close_case(earlier):
            return
    if anew or make is not None:
        _next(workspace, make, list(_SUBJECTS))
        return

    def work(progress: Any, cancelled: Any) -> list[ShownSubject]:
        found = []
        for number, subject in enumerate(_SUBJECTS):
            progress(number / len(_SUBJECTS), f"Reading the {subject}'s head")
            head = read_finished(subject)
            check_recipe(head)
            found.append(finished_subject(head))
        return found

    def done(found: list[ShownSubject]) -> None:
        for made in found:
            show_subject(workspace, made)
        show_figures(workspace)

    def failed(error: Exception) -> None:
        if not isinstance(error, FileError):
            workspace.services.failed(error)
            return
        _next(workspace, None, list(_SUBJECTS))

    workspace.services.jobs.run("Opening the demonstration", work, done=done, failed=failed)


def check_recipe(head: FinishedHead) -> None:
    """See that a head was reconstructed as the program would do it now.

    Raises
    ------
    FileError
        If the recipe has become another one since.
    """
    then, now = head.provenance["recipe"]["stages"], load_recipe("case-report").to_dict()["stages"]
    if then != now:
        raise FileError(f"The {head.subject}'s head was reconstructed by an earlier recipe.")


def finished_subject(head: FinishedHead) -> ShownSubject:
    """What the window keeps of a head that was reconstructed beforehand."""
    return _shown(head.subject, head.magnitude, head.chi, head.labels, head, head.provenance)


def _next(workspace: Workspace, make: Maker | None, left: list[str]) -> None:
    """Make the next subject, show it, and go on; the figures come last.

    One after the other, so that the first map is there to be looked at early and one
    reconstruction at a time takes memory.
    """
    subject = left.pop(0)
    number = len(_SUBJECTS) - len(left)

    def work(progress: Any, cancelled: Any) -> ShownSubject:
        from napari_qsm.demo import reconstruct_subject

        steps = _Steps(progress, f"Head {number} of {len(_SUBJECTS)}")
        head, result = (make or reconstruct_subject)(subject, steps.report)
        made = _shown(
            subject,
            head.scan.magnitude[0],
            result.volume("chi_ppm"),
            head.labels,
            head,
            result.provenance,
        )
        return replace(made, scan=head.scan)

    def done(made: ShownSubject) -> None:
        show_subject(workspace, made)
        if left:
            _next(workspace, make, left)
        else:
            show_figures(workspace)

    workspace.services.run(f"Making the {subject}'s head and map", work, done)


class _Steps:
    """Turns the progress of stages into that of the whole, which never goes back."""

    def __init__(self, progress: Any, title: str) -> None:
        self._progress, self._title = progress, title
        self._done = 0.0
        self._now = ""

    def report(self, what: str, fraction: float) -> None:
        """One step (``"control: head"``) has come so far."""
        step = what.rpartition(": ")[2]
        if step != self._now:
            self._done += _SHARES.get(self._now, 0.0)
            self._now = step
        part = min(self._done + _SHARES.get(step, 0.0) * fraction, 1.0)
        self._progress(part, f"{self._title}, {what}")


def _shown(
    subject: str,
    magnitude: Volume,
    chi: Volume,
    labels: Volume,
    head: Head | FinishedHead,
    provenance: Mapping[str, Any],
) -> ShownSubject:
    return ShownSubject(
        subject,
        replace(magnitude, name=f"magnitude {subject}"),
        replace(chi, name=f"χ {subject}"),
        replace(labels, name=f"regions {subject}"),
        {region.index: region for region in head.label_names},
        None,
        provenance,
    )


def show_subject(workspace: Workspace, made: ShownSubject) -> None:
    """Put a subject into the session, with the crosshair in the left putamen.

    It is nobody's work: it can be had again at any time.
    """
    session = workspace.session
    with session.no_work():
        case = session.case_called(made.subject)
        session.add(made.magnitude, role="magnitude", case=case)
        chi = session.add(made.chi, role="map", case=case)
        labels = session.add(made.labels, role="labels", regions=dict(made.regions), case=case)
        chi.provenance = dict(made.provenance)
        case.scan = made.scan
        session.selected = chi.id
    _to_putamen(workspace, labels)


def show_figures(workspace: Workspace) -> None:
    """Have both figures of the case report made; the first one stays on show."""
    figure = workspace.panels.figure
    workspace.tabs.setCurrentWidget(figure)

    def to_marks(spec: FigureSpec) -> None:
        """Bring the views to a slice with arrows and circles."""
        chosen = workspace.session.selected_entry
        labels = workspace.session.labels_of(chosen) if chosen is not None else None
        marks = [mark for panel in spec.panels for mark in getattr(panel, "annotations", ())]
        if marks and labels is not None:
            _to_putamen(workspace, labels, marks[-1].at_mm)

    # The second one first: its arrows and circles then stand over the views too.
    figure.templates.choose("case-report-2", to_marks, is_work=False)
    figure.templates.choose("case-report-1", is_work=False)


def _to_putamen(
    workspace: Workspace, labels: MapEntry, level_mm: tuple[float, float, float] | None = None
) -> None:
    """Put the crosshair into the left putamen: its middle, or on the slice through a point."""
    index = next((k for k, r in labels.regions.items() if r.name == "Putamen L"), 0)
    voxels = np.argwhere(labels.volume.data == index) if index else np.empty((0, 3))
    if level_mm is not None:
        level = round(float(labels.volume.world_to_voxel(level_mm)[2]))
        voxels = voxels[voxels[:, 2] == level]
    if len(voxels):
        workspace.controller.go_to(labels.volume.voxel_to_world(voxels.mean(axis=0)))
