"""Study: patients at visits (cases), what is open of each, and how each is reconstructed.

Nothing here knows Qt, napari or the window. A case holds what belongs to one patient at one
visit, so that two patients are never mixed: scan, maps, masks, label maps by rater, midline,
fixed shapes, marks, reconstruction and ratings.
"""

from napari_qsm.study.case import Case, Study
from napari_qsm.study.display import (
    LINKED_FIELDS,
    MapDisplay,
    auto_window,
    first_display,
    sampled,
)
from napari_qsm.study.entry import (
    MapEntry,
    Role,
    copy_display,
    guess_role,
    same_case,
    unique_name,
)
from napari_qsm.study.identity import Identity, identity_of

__all__ = [
    "LINKED_FIELDS",
    "Case",
    "Identity",
    "MapDisplay",
    "MapEntry",
    "Role",
    "Study",
    "auto_window",
    "copy_display",
    "first_display",
    "guess_role",
    "identity_of",
    "same_case",
    "sampled",
    "unique_name",
]
