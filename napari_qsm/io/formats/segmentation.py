"""Segmentations of 3D Slicer: labels with their names and colours in one file."""

from napari_qsm.io.formats import ImageFormat, register
from napari_qsm.io.segmentation import read_segmentation, write_segmentation

register(
    ImageFormat(
        "3D Slicer segmentation",
        (".seg.nrrd", ".nrrd"),
        read=lambda path: read_segmentation(path)[0],
        read_labels=read_segmentation,
        write_labels=write_segmentation,
        only_labels=True,
    )
)
