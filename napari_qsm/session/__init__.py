"""Session: the evented state of one piece of work. Views observe it, tools change it.

Nothing here knows Qt or napari. Positions are RAS millimetres; values keep the unit of
their volume (``"ppm"``, ``"rad"``, ...), whatever unit the window shows.
"""

from napari_qsm.session.history import History
from napari_qsm.session.model import Layout, Mix, Session
from napari_qsm.session.open_cases import CaseEvents
from napari_qsm.study import (
    LINKED_FIELDS,
    Case,
    MapDisplay,
    MapEntry,
    Role,
    auto_window,
    copy_display,
    first_display,
    guess_role,
    same_case,
    sampled,
    unique_name,
)

__all__ = [
    "LINKED_FIELDS",
    "Case",
    "CaseEvents",
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
    "same_case",
    "sampled",
    "unique_name",
]
