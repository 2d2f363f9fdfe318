"""What the names of images tell: BIDS entities, echoes, and which part of the signal they hold."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_qsm.io.formats import stem

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
        Empty where neither the BIDS name, nor ImageType, nor a word in the name says so, and
        for images that are computed from others.
    """
    entities, suffix = bids_entities(path)
    words = image_words(path)
    types = image_types(metadata)
    if types & _DERIVED_TYPES or _RESULTS & set(words[-1:]):
        return ""
    if entities.get("part") in _BIDS_PARTS:
        return _BIDS_PARTS[entities["part"]]
    for part, known in _IMAGE_TYPES:
        if types & known:
            return part
    if suffix.lower() in _WORDS:
        return _WORDS[suffix.lower()]
    found = [_WORDS[word] for word in words if word in _WORDS]
    return found[-1] if found else ""


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
        if not (
            _ECHO.fullmatch(word.lower())
            or word.lower() in _WORDS
            or word.lower().startswith("part-")
        )
    ]
    return "_".join(kept)


def by_echo(paths: Sequence[Path]) -> list[Path]:
    """Paths in the order of the echoes that their names tell, else of their names."""
    return sorted(paths, key=lambda path: (echo_of(path) or 0, path.name))


def is_difference_name(path: Path | str) -> bool:
    """Whether the name says phase difference, as BIDS has it."""
    return "phasediff" in image_words(path)


def _bare(path: Path | str) -> str:
    return stem(path)


def image_words(path: Path | str) -> list[str]:
    """The words of a name, in lower case."""
    return [word for word in re.split(r"[\W_]+", _bare(path).lower()) if word]
