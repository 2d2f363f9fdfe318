"""The desktop program: a workspace and napari's event loop."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from pathlib import Path

import napari

from napari_qsm.viewer.workspace import open_workspace


def run_program(paths: Sequence[Path]) -> None:
    """Open the window with files or folders, until it is closed."""
    open_workspace(paths or None)
    _run()


def run_demo() -> None:
    """Open the window, make the built-in heads in it up to both figures, until it is closed."""
    workspace = open_workspace()
    workspace.open_head()
    _run()


def _run() -> None:
    # napari collects garbage whenever a layer leaves a view. What is there now stays until the
    # end, so it need not be gone through each time (0.2 s in every view).
    gc.collect()
    gc.freeze()
    napari.run()
