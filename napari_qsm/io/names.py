"""What the names of images tell: BIDS entities, echoes, and which part of the signal they hold."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm.errors import QsmError
from napari_qsm.io.formats import read_image, stem
from napari_qsm.quantities import filled_range

if TYPE_CHECKING:
    from napari_qsm.io.series import ImageFile


PHASE, MAGNITUDE, REAL, IMAGINARY = "phase", "magnitude", "real", "imaginary"

_BIDS_PARTS = {"mag": MAGNITUDE, "phase": PHASE, "real": REAL, "imag": IMAGINARY}
_WORDS = {
    "ph": PHASE,
    "pha": PHASE,
    "phase": PHASE,
    "phase1": PHASE,
    "phase2": PHASE,
    "phasediff": PHASE,
    "mag": MAGNITUDE,
    "magn": MAGNITUDE,
    "magnitude": MAGNITUDE,
    "magnitude1": MAGNITUDE,
    "magnitude2": MAGNITUDE,
    "real": REAL,
    "imag": IMAGINARY,
    "imaginary": IMAGINARY,
}
_IMAGE_TYPES = (
    (PHASE, {"P", "PHASE", "PHASE MAP", "PHASE_MAP"}),
    (REAL, {"R", "REAL"}),
    (IMAGINARY, {"I", "IMAGINARY"}),
    (MAGNITUDE, {"M", "MAGNITUDE", "M_FFE"}),
)
#: Images computed from a scan; susceptibility-weighted ones are no magnitudes.
_DERIVED_TYPES = {"SWI", "MNIP", "MIP", "MINIP", "PROJECTION IMAGE", "SUBTRACTION"}
#: Names of results and masks, which are no scan whatever else the name says.
_RESULTS = {"mask", "unwrapped", "labels", "dseg", "chi", "chimap", "probseg", "fieldmap"}
#: Longest word that may also be somebody's initials.
_INITIALS = 4
#: What a BIDS name says of the subject, the session, the acquisition and so on.
_ENTITY = re.compile(
    r"(?:sub|ses|sample|task|tracksys|acq|ce|trc|stain|rec|dir|run|mod|echo|flip|inv|mt|part|proc"
    r"|hemi|space|split|recording|chunk|seg|res|den|label|desc)-[a-z0-9]+"
)
_ECHO = re.compile(r"(?:e|echo-?)(\d{1,3})[a-z]?")


def bids_entities(path: Path | str) -> tuple[dict[str, str], str]:
    """Entities and suffix of a BIDS name.

    Examples
    --------
    >>> bids_entities("sub-01_echo-2_part-phase_MEGRE.nii.gz")
    ({'sub': '01', 'echo': '2', 'part': 'phase'}, 'MEGRE')
    """
    *pairs, suffix = _bare(path).split("_")
    entities = dict(pair.split("-", 1) for pair in pairs if "-" in pair)
    return entities, suffix


def part_of(path: Path | str, metadata: Mapping[str, Any]) -> str:
    """Which part of the signal an image holds: phase, magnitude, real or imaginary.

    Parameters
    ----------
    path : Path or str
        The image.
    metadata : mapping
        Its sidecar entries.

    Returns
    -------
    str
        Empty where neither the BIDS name, nor ImageType, nor the last word of the name says so,
        and for images that are computed from others.
    """
    entities, _ = bids_entities(path)
    last = last_word(path)
    types = image_types(metadata)
    if types & _DERIVED_TYPES or last in _RESULTS:
        return ""
    if entities.get("part") in _BIDS_PARTS:
        return _BIDS_PARTS[entities["part"]]
    for part, known in _IMAGE_TYPES:
        if types & known:
            return part
    return _WORDS.get(last, "")


def part_words(path: Path | str) -> list[tuple[int, str]]:
    """Words anywhere in a name that may tell a part, with their places; they are only hints.

    ``PH_01`` may be a phase or the scan of a person with these initials: what lies beside such
    an image, and its values, decide; see :func:`napari_qsm.io.names.with_parts`.
    """
    words = name_words(path)
    return [(place, _WORDS[word]) for place, word in enumerate(words) if word in _WORDS]


def image_types(metadata: Mapping[str, Any]) -> set[str]:
    """The words of ImageType, in capitals."""
    said = metadata.get("ImageType", ())
    if isinstance(said, str):
        said = said.split("\\")
    return {str(word).strip().upper() for word in said}


def echo_of(path: Path | str) -> int | None:
    """Number of the echo that a name tells (``echo-2``, ``_e2``)."""
    for word in _bare(path).lower().split("_"):
        match = _ECHO.fullmatch(word)
        if match:
            return int(match.group(1))
    return None


def base_of(path: Path | str) -> str:
    """The name without echo and part: what all images of one series share."""
    kept = [
        word
        for word in _bare(path).split("_")
        if not (_ECHO.fullmatch(word.lower()) or word.lower().startswith("part-"))
    ]
    if kept and kept[-1].lower() in _WORDS:
        kept.pop()
    return "_".join(kept)


def by_echo(paths: Sequence[Path]) -> list[Path]:
    """Paths in the order of the echoes that their names tell, else of their names."""
    return sorted(paths, key=lambda path: (echo_of(path) or 0, path.name))


def is_difference_name(path: Path | str) -> bool:
    """Whether the name says phase difference, as BIDS has it."""
    return last_word(path) == "phasediff"


def _bare(path: Path | str) -> str:
    return stem(path)


def name_words(path: Path | str) -> list[str]:
    """The words of a name in lower case, without echoes and what BIDS entities say."""
    words = []
    for piece in _bare(path).lower().split("_"):
        if _ENTITY.fullmatch(piece) or _ECHO.fullmatch(piece):
            continue
        words += [word for word in re.split(r"\W+", piece) if word and not _ECHO.fullmatch(word)]
    return words


def last_word(path: Path | str) -> str:
    """The word of a name that says what the image is: the last one, or the only one but numbers.

    Examples
    --------
    >>> last_word("sub-01_acq-phase_e2_Chimap.nii.gz"), last_word("phase_01.nii"), last_word("PH_01")
    ('chimap', 'phase', '01')
    """
    words = name_words(path)
    if len(words) == 2 and words[1].isdigit() and len(words[0]) > _INITIALS:
        return words[0]
    return words[-1] if words else ""


_SIGNAL = (PHASE, REAL, IMAGINARY)


def with_parts(images: Sequence[ImageFile]) -> list[ImageFile]:
    """The same images, with their parts where they can be told; see the module's text."""
    return [
        image if image.part or image.metadata.get("ImageType") else replace(image, part=part)
        for image, part in zip(images, _parts(images), strict=True)
    ]


def _parts(images: Sequence[ImageFile]) -> list[str]:
    told = {(i.path.parent, base_of(i.path)) for i in images if i.part in _SIGNAL}
    paired = _pairs(images)
    out = []
    for place, image in enumerate(images):
        part = image.part or paired.get(place, "")
        if not part and (image.path.parent, base_of(image.path)) in told:
            part = MAGNITUDE
        if not part and part_words(image.path) and not image.metadata.get("ImageType"):
            part = part_of_values(image)
        out.append(part)
    return out


def _pairs(images: Sequence[ImageFile]) -> dict[int, str]:
    """Parts of images whose names differ from one another in nothing but a word for the part."""
    found: dict[tuple[object, ...], dict[int, str]] = {}
    for place, image in enumerate(images):
        words = name_words(image.path)
        for at, part in part_words(image.path):
            key = (image.path.parent, *words[:at], None, *words[at + 1 :])
            found.setdefault(key, {})[place] = part
    return {
        place: part
        for parts in found.values()
        if len(set(parts.values())) > 1
        for place, part in parts.items()
    }


def part_of_values(image: ImageFile) -> str:
    """Phase or magnitude by the values; empty if they tell neither, or cannot be read."""
    try:
        data = read_image(image.path).data
    except QsmError:
        return ""
    finite = data[np.isfinite(data)] if data.dtype.kind == "f" else data
    if not finite.size:
        return ""
    return part_of_range(float(finite.min()), float(finite.max()))


def part_of_range(low: float, high: float) -> str:
    """As :func:`part_of_values`, from the lowest and the highest value."""
    filled = filled_range(low, high)
    if filled is not None and (low < 0 or filled.scale == 1.0):
        return PHASE
    # Magnitudes of 12 bits fill 0 to 4095 as phase does: that tells neither.
    return MAGNITUDE if 0 <= low < high and filled is None else ""
