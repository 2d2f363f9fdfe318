"""A digital head made by formula: the demonstration, the sample data, the truth for tests.

No file is read: outlines, folds, nuclei and vessels are ellipsoids, tubes and sums of sines.
Two subjects carry the numbers of a published case report (see :data:`TABLE_1`).
"""

from napari_qsm.phantom.anatomy import Anatomy, make_anatomy
from napari_qsm.phantom.head import SMALL, Head, make_head
from napari_qsm.phantom.subjects import SUBJECTS, TABLE_1, Measured, Region, regions

__all__ = [
    "SMALL",
    "SUBJECTS",
    "TABLE_1",
    "Anatomy",
    "Head",
    "Measured",
    "Region",
    "make_anatomy",
    "make_head",
    "regions",
]
