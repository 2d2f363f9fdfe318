"""One volume of a session, its role and its name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal
from uuid import uuid4

from psygnal import EventedModel
from pydantic import ConfigDict, Field

from napari_qsm.io.whole_numbers import is_whole
from napari_qsm.session.display import MapDisplay
from napari_qsm.volume import Volume

Role = Literal["map", "magnitude", "phase", "mask", "labels", "other"]

#: Words in a file's name that say what it holds, tried in this order.
_ROLE_WORDS: dict[Role, str] = {
    "labels": "labels?|dseg|seg|segmentation|parcellation|rois?|regions?",
    "mask": "[a-z]*mask",
    "map": "chi|chimap|qsm|susceptibility|χ",
    "phase": "phase|ph|unwrapped",
    "magnitude": "mag|magn|magnitude|t1w|t2w|t2starw|swi|gre",
}


class MapEntry(EventedModel):
    """One volume of the session with the way it is shown.

    Attributes
    ----------
    id : str
        Stays the same for the life of the entry.
    name : str
        What the user calls it; unique within a session.
    role : str
        What the values are: ``"map"``, ``"magnitude"``, ``"phase"``, ``"mask"``,
        ``"labels"`` or ``"other"``.
    volume : Volume
        In closest-canonical RAS order; may be 4-D.
    echo : int
        Which 3-D part of a 4-D volume is shown.
    editable : ndarray or None
        For label maps and masks, the writable array (x, y, z) behind ``volume``, on which
        brushes work; None for everything else.
    regions : dict
        What the values of a label map mean: names, or rows of a label table with ``name``,
        ``side`` and ``color``.
    group : str
        What belongs together, for example one subject; of several groups one is drawn at a
        time. Entries without a group are drawn with all.
    linked : bool
        Whether it takes part in the link between windows; a difference map does not.
    display : MapDisplay
        How it is coloured.
    provenance : dict
        How a result of this program was made, ready for JSON; empty for what was opened.
    preview : bool
        There to be looked at for a while, never saved.
    """

    model_config = ConfigDict(
        extra="forbid", arbitrary_types_allowed=True, validate_assignment=True
    )

    id: str = Field(default_factory=lambda: uuid4().hex, frozen=True)
    name: str
    role: Role = "other"
    volume: Volume
    echo: int = 0
    editable: Any = None
    regions: dict[int, Any] = Field(default_factory=dict)
    group: str = ""
    linked: bool = True
    display: MapDisplay = Field(default_factory=MapDisplay)
    provenance: dict[str, Any] = Field(default_factory=dict)
    preview: bool = False

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    @property
    def shown(self) -> Volume:
        """The 3-D volume on show."""
        return self.volume.echo(self.echo) if self.volume.data.ndim == 4 else self.volume

    @property
    def follows_link(self) -> bool:
        """Whether its window is one with that of the other susceptibility maps."""
        return self.linked and self.is_susceptibility

    @property
    def is_susceptibility(self) -> bool:
        """Whether the values are susceptibilities."""
        return self.role == "map" and self.in_ppm

    @property
    def in_ppm(self) -> bool:
        """Whether the values follow the ppm/ppb switch; fields do as well as susceptibilities."""
        return self.volume.unit in ("ppm", "ppb")


def together(a: MapEntry, b: MapEntry) -> bool:
    """Whether two entries may be drawn in one picture: same group, or one without any."""
    return not a.group or not b.group or a.group == b.group


def unique_name(name: str, taken: Iterable[str]) -> str:
    """The name, with a number behind it if it is taken."""
    taken = set(taken)
    if name not in taken:
        return name
    number = 2
    while f"{name} {number}" in taken:
        number += 1
    return f"{name} {number}"


def guess_role(volume: Volume) -> Role:
    """What a volume holds, from its unit and its name, never from its values alone."""
    name = volume.name.lower().replace("_", " ")
    if volume.unit in ("ppm", "ppb"):
        return "other" if "field" in name else "map"
    if volume.unit == "rad":
        return "phase"
    for role, words in _ROLE_WORDS.items():
        if re.search(rf"(?<![a-z])({words})(?![a-z])", name):
            if role == "labels" and not (volume.data.ndim == 3 and is_whole(volume)):
                continue
            return role
    return "other"
