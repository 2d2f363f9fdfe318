"""Quantitative susceptibility mapping, from a scanner's files to a published figure.

Importing the package is cheap: neither napari nor Qt is loaded before
:func:`open_workspace` is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_qsm.viewer.workspace import open_workspace

__version__ = "0.1.0"
__all__ = ["__version__", "open_workspace"]


def __getattr__(name: str) -> Any:
    if name == "open_workspace":
        from napari_qsm.viewer.workspace import open_workspace

        return open_workspace
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
