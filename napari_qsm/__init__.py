"""Quantitative susceptibility mapping, from a scanner's files to a published figure.

Importing the package is cheap: every name below is loaded when it is first used, and neither
napari nor Qt before :func:`open_workspace` is called. ``docs/api.md`` describes them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from napari_qsm._version import __version__

if TYPE_CHECKING:
    from napari_qsm.errors import QsmError
    from napari_qsm.io.maps import read_volume
    from napari_qsm.io.nifti import write_volume
    from napari_qsm.io.segmentation import read_labels, write_labels
    from napari_qsm.outputs import write_result
    from napari_qsm.phantom import make_head
    from napari_qsm.recon.inputs import Inputs
    from napari_qsm.recon.recipe import Recipe, load_recipe
    from napari_qsm.recon.result import Result
    from napari_qsm.scan import Scan
    from napari_qsm.scripting import read_scan, reconstruct, region_statistics, render_figure
    from napari_qsm.viewer.workspace import open_workspace
    from napari_qsm.volume import Volume

#: Where each public name is defined; a test keeps it equal to the imports above.
_HOME = {
    "Inputs": "recon.inputs",
    "QsmError": "errors",
    "Recipe": "recon.recipe",
    "Result": "recon.result",
    "Scan": "scan",
    "Volume": "volume",
    "load_recipe": "recon.recipe",
    "make_head": "phantom",
    "open_workspace": "viewer.workspace",
    "read_labels": "io.segmentation",
    "read_scan": "scripting",
    "read_volume": "io.maps",
    "reconstruct": "scripting",
    "region_statistics": "scripting",
    "render_figure": "scripting",
    "write_labels": "io.segmentation",
    "write_result": "outputs",
    "write_volume": "io.nifti",
}

__all__ = [
    "Inputs",
    "QsmError",
    "Recipe",
    "Result",
    "Scan",
    "Volume",
    "__version__",
    "load_recipe",
    "make_head",
    "open_workspace",
    "read_labels",
    "read_scan",
    "read_volume",
    "reconstruct",
    "region_statistics",
    "render_figure",
    "write_labels",
    "write_result",
    "write_volume",
]


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
