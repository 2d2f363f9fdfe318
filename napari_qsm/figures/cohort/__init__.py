"""Panels of a cohort: visits, groups, changes, agreement, effects, and the flow of participants.

Each kind holds its numbers itself, so that a figure can be drawn again without the study; none
holds a participant's label.
"""

from napari_qsm.figures.cohort import (  # noqa: F401  registers the kinds
    agreement,
    changes,
    flow,
    forest,
    raincloud,
    scatter,
    visits,
)
