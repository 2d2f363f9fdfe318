"""A digital head whose truth is known: the demonstration, the sample data, the truth for tests.

Where nuclei and tissues end comes from the CIT168 atlas and its template; what they are worth, and
veins, skull and all around, is made by formula. Two subjects carry the numbers of a published
case report (see :data:`TABLE_1`).
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
