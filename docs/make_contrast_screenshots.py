"""Makes the pictures of maps beside χ, from a small built-in head with five echoes.

Needs a display (``xvfb-run -s "-screen 0 1600x1200x24" python docs/make_contrast_screenshots.py``).
"""

from __future__ import annotations

import os
import tempfile

from make_quality_screenshots import press, scroll_to, shoot_screen, wait
from make_screenshots import IMAGES, at_putamen, settle
from matplotlib.figure import Figure
from PIL import Image
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox

from napari_qsm.phantom import make_head
from napari_qsm.recon.recipe import load_recipe, with_settings
from napari_qsm.session.stage_results import show_result
from napari_qsm.study.entry import MapEntry
from napari_qsm.viewer.workspace import open_workspace

_HEAD = {"shape": (112, 132, 64), "voxel_size_mm": (1.5, 1.5, 2.2)}
_ECHOES_S = (0.005, 0.011, 0.017, 0.023, 0.029)
#: Quick ways of the steps that take longest: the picture is not of them.
_QUICK = os.environ.get("QUICK", "").split()


def main() -> None:
    """Make both pictures."""
    head = make_head("patient", **_HEAD, echo_times_s=_ECHOES_S)
    workspace = open_workspace()
    workspace.viewer.window.resize(1600, 1000)
    session = workspace.session
    case = session.case_called("patient")
    session.add(head.scan.magnitude[0], role="magnitude", name="magnitude", case=case)
    session.add(
        head.labels, role="labels", name="regions patient", regions=head.label_names, case=case
    )
    session.case.scan = head.scan
    panel = workspace.panels.reconstruct
    workspace.tabs.setCurrentWidget(panel)
    panel.recon.use_recipe(with_settings(load_recipe("case-report"), _QUICK))
    settle()
    press(workspace, "qsm.reconstruct.run_all")
    wait(workspace)
    panel.contrasts.set_open(True)
    for name in ("r2star", "swi", "tswi", "mip", "chi-separation"):
        panel.contrasts.asked_box(name).click()
    panel.findChild(QDoubleSpinBox, "qsm.contrasts.chi-separation.set.r2").setValue(14)
    press(workspace, "qsm.contrasts.make")
    wait(workspace)
    at_putamen(workspace, "patient")
    window = workspace.viewer.window._qt_window
    maps = window.findChild(QComboBox, "qsm.stats.map")
    maps.setCurrentIndex(maps.findText("χ+"))
    maps.activated.emit(maps.currentIndex())
    scroll_to(panel, panel.contrasts)
    entries = {entry.name: entry for entry in case.maps}
    show_result(session, entries["χ+"])
    maps.setCurrentIndex(maps.findText("χ+"))
    wait(workspace)
    shoot_screen("contrasts")
    draw_side_by_side(entries)
    workspace.close()


def draw_side_by_side(entries: dict[str, MapEntry]) -> None:
    """One slice of each map, in the window it is first shown in."""
    shown = ("magnitude", "SWI", "tSWI", "SWI projection", "R2*", "χ reconstructed", "χ+", "χ−")
    figure = Figure(figsize=(11, 6.6), dpi=100, facecolor="black", layout="constrained")
    for axes, name in zip(figure.subplots(2, 4).ravel(), shown, strict=True):
        entry = entries[name]
        unit = f" ({entry.volume.unit})" if entry.volume.unit else ""
        axes.imshow(
            entry.shown.data[::-1, ::-1, 27].T,
            cmap="gray_r" if entry.display.colouring == "inverted" else "gray",
            vmin=entry.display.window[0],
            vmax=entry.display.window[1],
            interpolation="nearest",
        )
        low, high = (f"{end:.3g}".replace("-", "−") for end in entry.display.window)
        axes.set_title(f"{name}{unit}\n{low} to {high}", color="white", fontsize=11)
        axes.set_axis_off()
    path = IMAGES / "contrast-maps.png"
    figure.savefig(path)
    Image.open(path).convert("L").save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        os.environ["XDG_CONFIG_HOME"] = os.environ["APPDATA"] = home
        os.environ["XDG_STATE_HOME"] = os.environ["XDG_DATA_HOME"] = home
        main()
