"""The brain mask as it is painted on: what the reconstruction learns of it."""

from __future__ import annotations

from qtpy.QtCore import QTimer

from napari_qsm.arrays import Box
from napari_qsm.errors import QsmError
from napari_qsm.session.stage_results import Results
from napari_qsm.study.reconstruction import Reconstruction
from napari_qsm.viewer.services import Services

#: Strokes of a brush are gathered so long before the lights follow.
_SETTLE_MS = 150


class MaskPainting:
    """Follow strokes on the mask of the reconstruction on show."""

    def __init__(self, context: Services) -> None:
        self._context = context
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SETTLE_MS)
        self._timer.timeout.connect(self.take)

    def follow(self, recon: Reconstruction, results: Results) -> None:
        """Turn to another reconstruction."""
        self._recon, self._results = recon, results

    def take(self) -> None:
        """Tell the reconstruction what the mask looks like now."""
        self._timer.stop()
        entry = self._results.entry("mask")
        if entry is not None and entry.editable is not None:
            self._recon.paint_mask(entry.editable)

    def on_labels(self, key: str, box: Box) -> None:
        """Take the mask when the hand rests, if it is the mask that was edited."""
        entry = self._context.session.entry(key)
        ours = entry is not None and entry is self._results.entry("mask")
        if ours and not self._results.writing:
            self._timer.start()

    def begin(self) -> None:
        """Give the brushes the mask.

        Raises
        ------
        QsmError
            If there is no mask yet.
        """
        entry = self._results.entry("mask")
        if entry is None:
            raise QsmError("There is no mask to paint on; run the step Mask first.")
        session, controller = self._context.session, self._context.controller
        self._results.look("mask")
        session.painted = entry.id
        session.active_region = 1
        session.selected = entry.id
        layer = controller.layers[entry.id]
        controller.viewer.layers.selection.active = layer
        layer.selected_label = 1

    def dispose(self) -> None:
        """Stop following."""
        self._timer.stop()
