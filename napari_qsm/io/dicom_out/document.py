"""A page as a PDF within DICOM."""

from __future__ import annotations

from typing import Any

from napari_qsm.io.dicom_out.images import common, named
from napari_qsm.io.dicom_out.whose import Whose

ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"


def encapsulated(pdf: bytes, whose: Whose, *, series: int, title: str) -> Any:
    """A PDF as a DICOM document of the study.

    Parameters
    ----------
    pdf : bytes
    whose : Whose
    series : int
        Number of the series.
    title : str
        Of the document.
    """
    ds = named(common(whose, modality="DOC", series=series, title=title), ENCAPSULATED_PDF)
    for name in (
        "BodyPartExamined",
        "FrameOfReferenceUID",
        "PositionReferenceIndicator",
        "PatientPosition",
    ):
        if name in ds:
            del ds[name]
    ds.InstanceNumber = 1
    ds.ConversionType = "WSD"
    ds.AcquisitionDateTime = ""
    ds.BurnedInAnnotation = "NO"
    ds.DocumentTitle = title
    ds.ConceptNameCodeSequence = []
    ds.MIMETypeOfEncapsulatedDocument = "application/pdf"
    ds.EncapsulatedDocumentLength = len(pdf)
    ds.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    return ds
