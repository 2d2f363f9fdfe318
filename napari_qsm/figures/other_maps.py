"""Maps beside χ in figures: what they are called, in which window they are shown, what they mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from napari_qsm.colormaps import Colouring
from napari_qsm.figures.parts import Display, Quantity, Source, Window
from napari_qsm.io.formats import stem
from napari_qsm.volume import Volume


@dataclass(frozen=True)
class OtherMap:
    """A map beside χ.

    Attributes
    ----------
    symbol : str
        As bars and captions write it.
    meaning : str
        What it stands for.
    files : str
        Expression for names of its files, without ending, in folders of results.
    window : (low, high) or None
        It is first shown in; None where it depends on the scanner's values.
    colouring : {"grey", "inverted"}
        In which much of it is bright.
    """

    symbol: str
    meaning: str
    files: str
    window: Window | None = None
    colouring: Colouring = "grey"


#: By the word that a source's ``quantity`` is.
OTHER_MAPS: Mapping[Quantity, OtherMap] = {
    "r2star": OtherMap(
        "R2*", "effective transverse relaxation rate", "r2star|.*_R2starmap", (0.0, 60.0)
    ),
    "chi_positive": OtherMap(
        "χ+",
        "estimated part of χ from paramagnetic sources",
        "chi_positive|.*_desc-positive_Chimap",
        (0.0, 0.2),
    ),
    "chi_negative": OtherMap(
        "χ−",
        "estimated part of χ from diamagnetic sources",
        "chi_negative|.*_desc-negative_Chimap",
        (-0.1, 0.0),
        "inverted",
    ),
    "swi": OtherMap("SWI", "susceptibility-weighted image", "swi|.*_desc-SWI_T2starw"),
    "tswi": OtherMap("tSWI", "magnitude weighted by χ", "tswi|.*_desc-tSWI_T2starw"),
    "mip": OtherMap("mIP", "minimum intensity projection of SWI", "mip|.*_desc-minIP_T2starw"),
}


def quantity_of(path: Path | None) -> Quantity | Literal[""]:
    """Which map beside χ a file of results is, by its name; empty for any other."""
    name = "" if path is None else stem(path)
    return next((key for key, m in OTHER_MAPS.items() if re.fullmatch(m.files, name)), "")


def symbol_of(source: Source | None) -> str:
    """``"R2*"``, or empty for what is no map beside χ."""
    return OTHER_MAPS[source.quantity].symbol if source is not None and source.quantity else ""


def display_of_values(quantity: Quantity, volume: Volume) -> Display:
    """How a map beside χ is shown before anybody chose; as spec values, in ppm where it has these."""
    known = OTHER_MAPS[quantity]
    if known.window is not None:
        return Display(colouring=known.colouring, window=known.window)
    positive = volume.data[volume.data > 0]
    high = float(np.percentile(positive, 99)) if positive.size else 1.0
    return Display(window=(0.0, float(f"{1.1 * high:.3g}")))
