"""Session: the evented state of one piece of work. Views observe it, tools change it.

Nothing here knows Qt or napari. Positions are RAS millimetres; values keep the unit of
their volume (``"ppm"``, ``"rad"``, ...), whatever unit the window shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, ClassVar, Literal
from uuid import uuid4

import numpy as np
from psygnal import EventedModel, Signal
from psygnal.containers import EventedList
from pydantic import ConfigDict, Field

from napari_qsm.io.nifti import as_labels
from napari_qsm.scan import Scan
from napari_qsm.volume import Volume

Role = Literal["map", "magnitude", "phase", "mask", "labels", "other"]
Colouring = Literal["grey", "inverted", "colour", "both sides"]
SusceptibilityUnit = Literal["ppm", "ppb"]
Layout = Literal["three", "one", "volume", "compare"]
Plane = Literal["axial", "coronal", "sagittal"]
Mix = Literal["side by side", "checkerboard", "curtain"]

#: Words in a file's name that say what it holds, tried in this order.
_ROLE_WORDS: dict[Role, str] = {
    "labels": "labels?|dseg|seg|segmentation|parcellation|rois?|regions?",
    "mask": "[a-z]*mask",
    "map": "chi|chimap|qsm|susceptibility|χ",
    "phase": "phase|ph|unwrapped",
    "magnitude": "mag|magn|magnitude|t1w|t2w|t2starw|swi|gre",
}


class MapDisplay(EventedModel):
    """How one map is coloured.

    Attributes
    ----------
    colouring : {"grey", "inverted", "colour", "both sides"}
        ``"both sides"`` colours negative and positive values with ramps of their own.
    colormap : str
        Name of the ramp used by ``"colour"``.
    window : (low, high)
        Values at the two ends of the ramp, in the volume's own unit.
    threshold_low, threshold_high : float or None
        Values below and above which the map is transparent; with ``"both sides"`` they
        act on the absolute value.
    opacity : float
        0 to 1.
    visible : bool
        Whether the map is drawn at all.
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    colouring: Colouring = "grey"
    colormap: str = "magma"
    window: tuple[float, float] = (0.0, 1.0)
    threshold_low: float | None = None
    threshold_high: float | None = None
    opacity: float = Field(default=1.0, ge=0, le=1)
    visible: bool = True


#: What the link button keeps equal between maps: all that turns a number into a colour.
LINKED_FIELDS = ("colouring", "colormap", "window", "threshold_low", "threshold_high")


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


class Session(EventedModel):
    """One piece of work: the maps that are loaded and how they are looked at.

    Attributes
    ----------
    maps : EventedList of MapEntry
        Bottom first, as they are drawn.
    scan : Scan or None
        The scan that a reconstruction starts from.
    selected : str
        Id of the map that tools and panels act on; empty if there is none.
    active_group : str
        The group of entries that is drawn.
    crosshair_mm : (x, y, z)
        RAS mm of the linked cursor.
    unit : {"ppm", "ppb"}
        Unit in which susceptibilities are written, everywhere.
    radiological : bool
        True where the patient's right is drawn on the left.
    views_linked : bool
        Whether zoom and pan are shared by the views.
    windows_linked : bool
        Whether all susceptibility maps share window, colours and thresholds.
    layout : {"three", "one", "volume", "compare"}
        What the view area shows.
    large_plane : {"axial", "coronal", "sagittal"}
        The plane of the large view.
    compared : tuple of str
        Ids of the maps put side by side, first the one in the large view.
    mix : {"side by side", "checkerboard", "curtain"}
        How they are compared.
    """

    model_config = ConfigDict(
        extra="forbid", arbitrary_types_allowed=True, validate_assignment=True
    )

    #: The values of a label map changed, by painting, undo or code; sends the entry's id.
    labels_edited: ClassVar[Signal] = Signal(str)

    maps: EventedList = Field(default_factory=EventedList)
    scan: Scan | None = None
    selected: str = ""
    active_group: str = ""
    crosshair_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    crosshair_visible: bool = True
    unit: SusceptibilityUnit = "ppm"
    radiological: bool = True
    views_linked: bool = True
    windows_linked: bool = True
    layout: Layout = "three"
    large_plane: Plane = "axial"
    compared: tuple[str, ...] = ()
    mix: Mix = "side by side"

    def __iter__(self) -> Iterator[MapEntry]:  # type: ignore[override]
        return iter(list(self.maps))

    def entry(self, key: str) -> MapEntry | None:
        """The entry with this id or, failing that, this name."""
        for entry in self.maps:
            if entry.id == key:
                return entry
        return next((entry for entry in self.maps if entry.name == key), None)

    @property
    def selected_entry(self) -> MapEntry | None:
        """The entry that panels act on."""
        return self.entry(self.selected) if self.selected else None

    @property
    def reference(self) -> Volume | None:
        """The volume whose grid the views are laid out in: the bottom one."""
        return self.maps[0].shown if self.maps else None

    def is_shown(self, entry: MapEntry) -> bool:
        """Whether an entry is ticked and belongs to what is drawn now."""
        return entry.display.visible and entry.group in ("", self.active_group)

    def labels_for(self, entry: MapEntry) -> MapEntry | None:
        """The label map that goes with a map: one of its own group before any other."""
        candidates = [e for e in self.of_role("labels") if together(e, entry)]
        own = [e for e in candidates if e.group == entry.group]
        return next(iter(own or candidates), None)

    def of_role(self, *roles: Role) -> list[MapEntry]:
        """Entries with one of these roles, in drawing order."""
        return [entry for entry in self.maps if entry.role in roles]

    def add(
        self,
        volume: Volume,
        *,
        role: Role | None = None,
        name: str = "",
        regions: dict[int, Any] | None = None,
        display: MapDisplay | None = None,
        group: str = "",
        linked: bool = True,
    ) -> MapEntry:
        """Add a volume; the entry is selected if it is the first or a map.

        Parameters
        ----------
        volume : Volume
            In any axis order; it is turned to canonical order without a copy.
        role : str, optional
            Guessed from the unit and the name unless given.
        name : str
            The volume's own name unless given; made unique with a number.
        regions : dict, optional
            What label values mean.
        display : MapDisplay, optional
            Chosen from the role and the values unless given.
        group : str
            What it belongs to; see :class:`MapEntry`.
        linked : bool
            Whether its window follows the link between susceptibility maps.

        Returns
        -------
        MapEntry
            The new entry, on top of ``maps`` but below label maps and masks.

        Raises
        ------
        FileError
            If a label map or mask holds fractions or negative values.
        """
        role = role or guess_role(volume)
        if role == "map" and not volume.unit:
            volume = replace(volume, unit="ppm")
        volume = volume.to_canonical()
        editable = None
        if role in ("labels", "mask"):
            editable = np.array(as_labels(volume))  # its own copy, in the file's memory order
            volume = replace(volume, data=editable)
        entry = MapEntry(
            name=unique_name(name or volume.name or role, (e.name for e in self.maps)),
            role=role,
            volume=volume,
            editable=editable,
            regions=dict(regions or {}),
            group=group,
            linked=linked,
            display=display or first_display(volume, role),
        )
        if display is None and entry.follows_link and self.windows_linked:
            other = next((e for e in self.maps if e.follows_link), None)
            if other is not None:
                copy_display(other, entry)
        self.maps.insert(self._place_for(role), entry)
        if group:
            self.active_group = group
        if not self.selected or role == "map":
            self.selected = entry.id
        return entry

    def _place_for(self, role: Role) -> int:
        """Where a new entry goes in the drawing order: images stay below label maps."""
        if role in ("labels", "mask"):
            return len(self.maps)
        drawn_over = (i for i, e in enumerate(self.maps) if e.role in ("labels", "mask"))
        return next(drawn_over, len(self.maps))

    def remove(self, entry: MapEntry) -> None:
        """Take an entry out; the selection moves to another map."""
        if entry not in self.maps:
            return
        self.maps.remove(entry)
        self.compared = tuple(key for key in self.compared if key != entry.id)
        if self.selected == entry.id:
            rest = self.of_role("map") or list(self.maps)
            self.selected = rest[-1].id if rest else ""

    def set_display(self, entry: MapEntry, **changes: Any) -> None:
        """Change how an entry is shown and, while windows are linked, all maps like it."""
        entry.display.update(changes)
        shared = {key: value for key, value in changes.items() if key in LINKED_FIELDS}
        if not (shared and self.windows_linked and entry.follows_link):
            return
        for other in self.maps:
            if other is not entry and other.follows_link:
                copy_display(entry, other, fields=tuple(shared))


def together(a: MapEntry, b: MapEntry) -> bool:
    """Whether two entries may be drawn in one picture: same group, or one without any."""
    return not a.group or not b.group or a.group == b.group


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
    whole = volume.data.dtype.kind in "iub"
    if volume.unit in ("ppm", "ppb"):
        return "other" if "field" in name else "map"
    if volume.unit == "rad":
        return "phase"
    for role, words in _ROLE_WORDS.items():
        if re.search(rf"(?<![a-z])({words})(?![a-z])", name):
            if role == "labels" and not (whole and volume.data.ndim == 3):
                continue
            return role
    return "other"


def sampled(volume: Volume, limit: int = 400_000) -> np.ndarray:
    """Finite, non-zero values of a volume, thinned evenly to about ``limit``."""
    data = volume.data[..., 0] if volume.data.ndim == 4 else volume.data
    step = max(1, round((data.size / limit) ** (1 / 3)))
    values = np.asarray(data[::step, ::step, ::step]).ravel()
    if values.dtype.kind == "f":
        values = values[np.isfinite(values)]
    return values[values != 0]


def auto_window(
    volume: Volume, *, symmetric: bool = False, percentiles: tuple[float, float] = (1.0, 99.0)
) -> tuple[float, float]:
    """A window from percentiles of the finite, non-zero values, in the volume's unit.

    Parameters
    ----------
    volume : Volume
        May hold NaN, zeros only, or huge values.
    symmetric : bool
        Put zero in the middle.
    percentiles : (low, high)
        In percent.

    Returns
    -------
    (low, high)
        Always ``low < high``; (0, 1) where there is no value to go by.
    """
    values = sampled(volume)
    if values.size == 0:
        return (0.0, 1.0)
    low, high = (float(v) for v in np.percentile(values.astype(np.float64), percentiles))
    if symmetric:
        high = max(abs(low), abs(high))
        low = -high
    if not high > low:
        spread = abs(low) * 0.5 or 1.0
        low, high = low - spread, high + spread
    return low, high


def first_display(volume: Volume, role: Role) -> MapDisplay:
    """How a volume is shown before anybody chose."""
    if role == "map":
        scale = 1e3 if volume.unit == "ppb" else 1.0
        return MapDisplay(window=(-0.1 * scale, 0.2 * scale))
    if role in ("mask", "labels"):
        return MapDisplay(window=(0.0, 1.0), opacity=0.5)
    if role == "phase":
        return MapDisplay(window=auto_window(volume, symmetric=True))
    low, high = auto_window(volume)
    if role == "magnitude":  # head room above white matter, so that its folds stay visible
        return MapDisplay(window=(min(0.0, low), 1.25 * high if high > 0 else high))
    return MapDisplay(window=(low, high))
