"""The built-in control and patient in the window: reconstructed, measured, as figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm.scan import Scan
from napari_qsm.session import MapEntry
from napari_qsm.volume import Volume

if TYPE_CHECKING:
    from napari_qsm.phantom import Head
    from napari_qsm.recon.pipeline import Result
    from napari_qsm.viewer.workspace import Workspace

#: Makes and reconstructs a subject; told how far it is by ``progress(what, fraction)``.
Maker = Callable[[str, Callable[[str, float], None]], "tuple[Head, Result]"]
#: Parts of the work that the head takes, and each stage of the reconstruction.
_HEAD, _STAGE = 0.3, 0.1
_SUBJECTS = ("control", "patient")


@dataclass(frozen=True, eq=False)
class Made:
    """What the window keeps of one subject."""

    subject: str
    magnitude: Volume
    chi: Volume
    labels: Volume
    regions: Mapping[int, Any]
    scan: Scan
    provenance: Mapping[str, Any]


def open_demonstration(workspace: Workspace, make: Maker | None = None) -> None:
    """Make both heads, reconstruct them and show them with both figures of the case report.

    Parameters
    ----------
    workspace : Workspace
        Works on in the background; the window stays free.
    make : callable
        Makes and reconstructs one subject; as ``napari-qsm demo`` does unless given.
    """
    if workspace.stage.jobs.busy:
        workspace.say("Something is being worked on. Wait for it, or cancel it below the views.")
        return

    def work(progress: Any, cancelled: Any) -> list[Made]:
        from napari_qsm.demo import reconstruct_subject

        made = []
        for number, subject in enumerate(_SUBJECTS):
            steps = _Steps(progress, number / len(_SUBJECTS), 1 / len(_SUBJECTS))
            head, result = (make or reconstruct_subject)(subject, steps.told)
            made.append(_kept(subject, head, result))
        return made

    workspace.run(
        "Making two heads and their maps", work, lambda made: show_demonstration(workspace, made)
    )


class _Steps:
    """Turns the progress of stages into that of the whole, which never goes back."""

    def __init__(self, progress: Any, start: float, share: float) -> None:
        self._progress, self._start, self._share = progress, start, share
        self._stages: list[str] = []

    def told(self, what: str, fraction: float) -> None:
        """One stage has come so far."""
        if what not in self._stages:
            self._stages.append(what)
        before = len(self._stages) - 1
        done = _HEAD * fraction if before == 0 else _HEAD + _STAGE * (before - 1 + fraction)
        self._progress(self._start + self._share * min(done, 1.0), f"Built-in {what}")


def _kept(subject: str, head: Head, result: Result) -> Made:
    chi = replace(result.volume("chi_ppm"), name=f"χ {subject}")
    return Made(
        subject,
        replace(head.scan.magnitude[0], name=f"magnitude {subject}"),
        chi,
        replace(head.labels, name=f"regions {subject}"),
        {region.index: region for region in head.label_names},
        head.scan,
        result.provenance,
    )


def show_demonstration(workspace: Workspace, made: list[Made]) -> None:
    """Put the subjects into the session and have both figures made."""
    session = workspace.session
    figure = workspace.panel("Figure")
    for one in made:
        session.add(one.magnitude, role="magnitude", group=one.subject)
        chi = session.add(one.chi, role="map", group=one.subject)
        labels = session.add(
            one.labels, role="labels", regions=dict(one.regions), group=one.subject
        )
        chi.provenance = dict(one.provenance)
        session.scan = one.scan
        session.selected = chi.id
    _to_putamen(workspace, labels)
    workspace.tabs.setCurrentWidget(figure)
    # The second one first: its arrows and circles then stand over the views too.
    for template in ("case-report-2", "case-report-1"):
        figure.templates.choose(template)


def _to_putamen(workspace: Workspace, labels: MapEntry) -> None:
    """Put the crosshair into the middle of the left putamen."""
    for index, region in labels.regions.items():
        if region.name == "Putamen L":
            voxels = np.argwhere(labels.volume.data == index)
            if len(voxels):
                workspace.controller.go_to(labels.volume.voxel_to_world(voxels.mean(axis=0)))
