"""Which part of the signal each image of a folder holds, where its own name leaves that open.

Sidecars and BIDS names decide first (:func:`napari_qsm.io.names.part_of`). Then the images beside
it: ``scan`` is the magnitude of ``scan_ph``, and ``gre_mag_3T`` that of ``gre_phase_3T``. Last its
values: wrapped phase fills a known range to both ends, a magnitude is nowhere negative. A word
somewhere in a name never decides alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_qsm.errors import QsmError
from napari_qsm.io.formats import read_image
from napari_qsm.io.names import IMAGINARY, MAGNITUDE, PHASE, REAL, base_of, name_words, part_words
from napari_qsm.quantities import filled_range

if TYPE_CHECKING:
    from napari_qsm.io.series import ImageFile

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
