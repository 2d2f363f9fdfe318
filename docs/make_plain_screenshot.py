"""The picture of plain napari in the user guide: ``python docs/make_plain_screenshot.py`` (needs a display)."""

from pathlib import Path

import napari
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_qsm.viewer.compat import no_binding_warning


def main():
    """Open a sample in napari as it comes, with its table of regions beside."""
    no_binding_warning()
    viewer = napari.Viewer()
    viewer.window.resize(1066, 655)
    viewer.open_sample("napari-qsm", "head_control")
    viewer.window.add_plugin_dock_widget("napari", "Features table widget")
    viewer.layers.selection.active = viewer.layers["regions control"]
    for _ in range(100):  # napari puts its status line in place bit by bit
        QApplication.processEvents()
        QTest.qWait(20)
    target = Path(__file__).parent / "images" / "plain-napari.png"
    viewer.screenshot(str(target), canvas_only=False, flash=False)
    viewer.close()


if __name__ == "__main__":
    main()
