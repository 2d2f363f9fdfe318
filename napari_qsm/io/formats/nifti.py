"""NIfTI: images of any kind, with names of labels in a table beside them."""

from napari_qsm.io.formats import ImageFormat, register
from napari_qsm.io.nifti import ENDINGS, PAIR_ENDINGS, is_pair, read_volume, write_volume

register(ImageFormat("NIfTI", ENDINGS, read=read_volume, write=write_volume))
# Scanners name DICOM files .img too, so only those that have a header beside them count.
register(
    ImageFormat("NIfTI pair", PAIR_ENDINGS[1:], read_volume, accepts=is_pair, also=PAIR_ENDINGS[:1])
)
