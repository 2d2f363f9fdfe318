"""Session: the evented state of one piece of work. Views observe it, tools change it.

Nothing here knows Qt or napari. Positions are RAS millimetres; values keep the unit of
their volume (``"ppm"``, ``"rad"``, ...), whatever unit the window shows.
"""

from napari_qsm.session.display import (
    LINKED_FIELDS,
    MapDisplay,
    auto_window,
    copy_display,
    first_display,
    sampled,
)
from napari_qsm.session.entries import MapEntry, Role, guess_role, together, unique_name
from napari_qsm.session.history import History
from napari_qsm.session.model import Layout, Mix, Session

__all__ = [
    "LINKED_FIELDS",
    "History",
    "Layout",
    "MapDisplay",
    "MapEntry",
    "Mix",
    "Role",
    "Session",
    "auto_window",
    "copy_display",
    "first_display",
    "guess_role",
    "sampled",
    "together",
    "unique_name",
]
