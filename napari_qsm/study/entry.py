"""One volume of a session, its role and its name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any
from uuid import uuid4

import numpy as np
from psygnal import EventedModel
from pydantic import BeforeValidator, ConfigDict, Field

from napari_qsm.io.whole_numbers import is_whole
from napari_qsm.rois.region import RegionTable, region_table
from napari_qsm.study.display import LINKED_FIELDS, MapDisplay, Role
from napari_qsm.volume import Volume

__all__ = ["MapEntry", "Role", "copy_display", "guess_role", "same_case", "unique_name"]

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
    regions : dict of int to Region
        What the values of a label map mean; a plain name is taken as a region of that name.
    case : str
        Id of the case that it belongs to; of several cases one is drawn at a time.
    rater : str
        Who drew a label map; empty where nobody has said.
    linked : bool
        Whether it takes part in the link between windows; a difference map does not.
    display : MapDisplay
        How it is coloured.
    provenance : dict
        How a result of this program was made, ready for JSON; empty for what was opened.
    facts : dict
        Sidecar entries of an image whose file says nothing, such as the echo time of a layer.
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
    editable: np.ndarray | None = None
    regions: Annotated[RegionTable, BeforeValidator(region_table)] = Field(default_factory=dict)
    case: str = ""
    rater: str = ""
    linked: bool = True
    display: MapDisplay = Field(default_factory=MapDisplay)
    provenance: dict[str, Any] = Field(default_factory=dict)
    facts: dict[str, float | str] = Field(default_factory=dict)
    preview: bool = False

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    @property
    def labels(self) -> np.ndarray:
        """The writable array of a label map or mask.

        Raises
        ------
        TypeError
            For an image, which is not drawn on.
        """
        if self.editable is None:
            raise TypeError(f"'{self.name}' is neither a label map nor a mask.")
        return self.editable

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


def same_case(a: MapEntry, b: MapEntry) -> bool:
    """Whether two entries belong to one patient at one visit."""
    return a.case == b.case


def copy_display(
    source: MapEntry, target: MapEntry, fields: tuple[str, ...] = LINKED_FIELDS
) -> None:
    """Give one susceptibility map the window, colours and thresholds of another.

    Values are converted where one map is in ppm and the other in ppb.
    """
    factor = 1.0
    if source.volume.unit != target.volume.unit:
        factor = 1e3 if target.volume.unit == "ppb" else 1e-3
    values: dict[str, Any] = {}
    for field in fields:
        value = getattr(source.display, field)
        if field == "window":
            value = (value[0] * factor, value[1] * factor)
        elif field == "other_thresholds":
            value = {
                key: tuple(None if v is None else v * factor for v in ends)
                for key, ends in value.items()
            }
        elif field.startswith("threshold") and value is not None:
            value = value * factor
        values[field] = value
    target.display.update(values)


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
        other = r"field|(?<![a-z])(noise|positive|negative)(?![a-z])"
        return "other" if re.search(other, name) else "map"
    if volume.unit == "rad":
        return "phase"
    for role, words in _ROLE_WORDS.items():
        if re.search(rf"(?<![a-z])({words})(?![a-z])", name):
            if role == "labels" and not (volume.data.ndim == 3 and is_whole(volume)):
                continue
            return role
    return "other"
