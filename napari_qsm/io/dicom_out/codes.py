"""Codes of what is named in DICOM: nuclei, sides, statistics, units.

Numbers of SNOMED CT are those that DICOM itself lists (PS3.16, CID 7140 and 7153), as pydicom's
dictionary holds them. Structures that DICOM does not list get a code of our own scheme, with their
name as its meaning, rather than a number that nobody checked.
"""

from __future__ import annotations

import re
from typing import Any

from napari_qsm.rois.pairs import place_of

#: Designator of our own codes; "99" begins private schemes.
OWN_SCHEME = "99NAPARIQSM"
#: Name of a structure, lower case and without its side, to its code and meaning in SNOMED CT.
SNOMED: dict[str, tuple[str, str]] = {
    "amygdala": ("4958002", "Amygdala"),
    "brainstem": ("119238007", "Brain Stem"),
    "caudate": ("11000004", "Caudate Nucleus"),
    "caudate nucleus": ("11000004", "Caudate Nucleus"),
    "corpus callosum": ("88442005", "Corpus callosum"),
    "globus pallidus": ("14738005", "Globus Pallidus"),
    "pallidum": ("14738005", "Globus Pallidus"),
    "hippocampus": ("5366008", "Hippocampus"),
    "insula": ("36169008", "Insula"),
    "internal capsule": ("85637007", "internal capsule"),
    "lateral ventricle": ("66720007", "Lateral Ventricle"),
    "accumbens": ("427667007", "Nucleus Accumbens"),
    "nucleus accumbens": ("427667007", "Nucleus Accumbens"),
    "putamen": ("89278009", "Putamen"),
    "substantia nigra": ("70007007", "Substantia nigra"),
    "thalamus": ("42695009", "Thalamus"),
}
LEFT, RIGHT = ("7771000", "Left"), ("24028007", "Right")


def code(value: str, scheme: str, meaning: str) -> Any:
    """One coded concept."""
    from pydicom.sr.coding import Code

    return Code(value, scheme, meaning)


def structure_code(name: str, side: str = "") -> Any:
    """The code of a region by its name; of our own scheme where SNOMED's is not known here."""
    plain, _ = place_of(name, side)
    known = SNOMED.get(plain)
    if known is not None:
        return code(known[0], "SCT", known[1])
    value = re.sub(r"[^A-Z0-9]+", "-", plain.upper()).strip("-")[:16] or "REGION"
    return code(value, OWN_SCHEME, plain[:64].capitalize() or "Region")


def own_scheme() -> Any:
    """Whose our own codes are, for objects that hold some."""
    from pydicom.dataset import Dataset

    item = Dataset()
    item.CodingSchemeDesignator = OWN_SCHEME
    item.CodingSchemeName = "Names of napari-qsm for what DICOM lists no code of"
    item.CodingSchemeResponsibleOrganization = "napari-qsm developers"
    return item


def side_code(side: str) -> Any | None:
    """Left or right in SNOMED CT; None for regions without a side."""
    told = {"left": LEFT, "right": RIGHT}.get(side)
    return None if told is None else code(told[0], "SCT", told[1])


def ppm() -> Any:
    """Parts per million, in UCUM."""
    return code("[ppm]", "UCUM", "parts per million")


def cubic_mm() -> Any:
    """mm³, in UCUM."""
    return code("mm3", "UCUM", "cubic millimeter")


def susceptibility() -> Any:
    """Magnetic susceptibility, which DICOM has a code for."""
    return code("126396", "DCM", "Magnetic Susceptibility")
