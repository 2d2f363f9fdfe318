"""Where a point of one visit's head lies at another, and how that is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from napari_qsm.arrays import Array

#: How the places of two heads are brought together.
Way = Literal["first", "study", "registration", "position"]


@dataclass(frozen=True, eq=False)
class VisitLink:
    """Where a point of the first visit's head lies at another visit.

    Attributes
    ----------
    case : str
        Id of the case of that visit.
    title : str
        What the visit is called.
    matrix : (4, 4) ndarray
        World RAS mm of the first visit to that of this one; rigid.
    way : {"first", "study", "registration", "position"}
        By the study's transform, by a registration made now, or by the scanner's millimetres
        alone, which is the head's own place only if it lay the same way.
    quality : dict of str to number
        Correlation, detail, overlap; as far as known.
    shift_mm, turn_deg : float
        How far the middle of the head moved since the first visit, and by what angle it turned.
    of : str
        What was registered: ``"magnitudes"`` or ``"maps"``; empty where nothing was.
    doubt : str
        A sentence, where it should be looked at.
    refusal : str
        A sentence on why the heads could not be registered; then it must not be used as it is.
    picture : bytes
        A PNG of both heads as squares of one board; empty where nothing was registered.
    """

    case: str
    title: str
    matrix: Array
    way: Way
    quality: Mapping[str, Any] = field(default_factory=dict)
    shift_mm: float = 0.0
    turn_deg: float = 0.0
    of: str = ""
    doubt: str = ""
    refusal: str = ""
    picture: bytes = field(default=b"", repr=False)

    @property
    def is_usable(self) -> bool:
        """Whether visits may be shown by it."""
        return not self.refusal

    def by_position(self) -> VisitLink:
        """The same visit by the scanner's millimetres, which somebody has asked for."""
        return replace(
            self, matrix=np.eye(4), way="position", quality={}, shift_mm=0.0, turn_deg=0.0,
            of="", doubt="", refusal="",
        )  # fmt: skip

    @property
    def words(self) -> str:
        """How it is linked and how good that is, in a sentence."""
        if self.refusal:
            return f"Not registered: {self.refusal}"
        if self.way == "first":
            return "The first: the others are brought to it."
        if self.way == "position":
            return "Linked by scanner position, not by the head."
        how = "by the study's transform" if self.way == "study" else f"by its {self.of}"
        quality = self.quality.get("correlation")
        fit = f" (correlation {quality:.2f})" if isinstance(quality, int | float) else ""
        moved = f"the head had moved by {self.shift_mm:.1f} mm and turned by {self.turn_deg:.1f}°"
        return " ".join(part for part in (f"Registered {how}{fit}; {moved}.", self.doubt) if part)
