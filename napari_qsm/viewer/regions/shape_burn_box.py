"""Writing fixed shapes into the label map, and what happens to what lies there."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtWidgets import QCheckBox, QWidget

from napari_qsm.session import Session
from napari_qsm.session.shape_burning import burn
from napari_qsm.viewer import ui
from napari_qsm.viewer.regions.shape_work import ShapeWork


class BurnBox(QWidget):
    """The button that burns the shapes of the map on show, with its choices.

    Parameters
    ----------
    session : Session
    work : ShapeWork
    guarded : callable
        Makes a sentence in the window of errors of what it is given.
    tell : callable
        Says a sentence in the window.
    """

    def __init__(
        self,
        session: Session,
        work: ShapeWork,
        guarded: Callable[[Callable[[], None]], Callable[[], None]],
        tell: Callable[[str], None],
    ) -> None:
        super().__init__()
        self._session = session
        self._work = work
        self._tell = tell
        self.button = ui.button(
            "Burn into regions",
            "qsm.shapes.burn",
            guarded(self._on_burn),
            tip="Write the shapes into the label map as painted regions; one undo takes it back",
        )
        self._clear, self._over, self._keep = (
            ui.named(QCheckBox(text), f"qsm.shapes.burn_{name}", tip)
            for text, name, tip in (
                (
                    "clear these regions first",
                    "clear",
                    "Take away what was painted in the regions of these shapes before",
                ),
                (
                    "overwrite other regions",
                    "over",
                    "Voxels that belong to another region change hands, unless that one is locked",
                ),
                (
                    "keep the shapes as well",
                    "keep",
                    "The shapes stay as objects beside the painted regions",
                ),
            )
        )
        self.setLayout(ui.column(self.button, self._clear, self._over, self._keep, spacing=5))

    def _on_burn(self) -> None:
        entry = self._work.entry
        if entry is None:
            return
        done = burn(
            self._session,
            entry,
            self._work.labels,
            self._work.shapes,
            clear_first=self._clear.isChecked(),
            over_others=self._over.isChecked(),
            keep_shapes=self._keep.isChecked(),
        )
        said = f"Wrote {done.shapes} shapes into the regions ({done.voxels} voxels changed)."
        self._tell(" ".join([said, *done.notes]))
