"""The session itself: what is loaded, drawn on and looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from pydantic import PrivateAttr

from napari_qsm.anatomy import Plane
from napari_qsm.figures.spec import FigureSpec
from napari_qsm.io.whole_numbers import as_labels
from napari_qsm.rois.region import Region, region_table
from napari_qsm.rois.repeatability import Repeatability
from napari_qsm.session.drawn_cases import DrawnCases
from napari_qsm.session.references import SavedAs
from napari_qsm.study.case import Case
from napari_qsm.study.display import LINKED_FIELDS, MapDisplay, first_display
from napari_qsm.study.entry import MapEntry, Role, copy_display, guess_role, unique_name
from napari_qsm.study.identity import case_name
from napari_qsm.study.visit_link import VisitLink
from napari_qsm.units import SusceptibilityUnit
from napari_qsm.volume import Volume

Layout = Literal["three", "one", "volume", "compare"]
Mix = Literal["side by side", "checkerboard", "curtain"]


class Session(DrawnCases):
    """One piece of work: the cases that are open, their maps, and how they are looked at.

    What it knows of cases and entries is told by :class:`~napari_qsm.session.open_cases.OpenCases`,
    how label values change by :class:`~napari_qsm.session.drawn_cases.DrawnCases`.

    Attributes
    ----------
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
    mix : {"side by side", "checkerboard", "curtain"}
        How they are compared.
    visits : tuple of VisitLink
        Where the heads of a person's visits lie in each other, first the visit that the others
        are brought to; empty unless they were put side by side.
    change_limit : Repeatability or None
        What changes between visits are judged by; None until somebody has chosen.
    figure : FigureSpec or None
        The figure being made.
    blinded : bool
        Whether values are hidden until a region is locked.
    notes : str
        The user's own words.
    """

    crosshair_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    crosshair_visible: bool = True
    unit: SusceptibilityUnit = "ppm"
    radiological: bool = True
    views_linked: bool = True
    windows_linked: bool = True
    layout: Layout = "three"
    large_plane: Plane = "axial"
    mix: Mix = "side by side"
    visits: tuple[VisitLink, ...] = ()
    change_limit: Repeatability | None = None
    figure: FigureSpec | None = None
    blinded: bool = False
    notes: str = ""

    #: Where it was saved last; :mod:`napari_qsm.session.folder` keeps it.
    _saved: SavedAs | None = PrivateAttr(default=None)

    # -- entries --------------------------------------------------------------------------

    def add(
        self,
        volume: Volume,
        *,
        role: Role | None = None,
        name: str = "",
        regions: Mapping[int, Region | str] | None = None,
        display: MapDisplay | None = None,
        case: Case | None = None,
        rater: str = "",
        linked: bool = True,
        select: bool = True,
        key: str = "",
    ) -> MapEntry:
        """Add a volume; the entry is selected if it is the first or a map, and its case shown.

        Parameters
        ----------
        volume : Volume
            In any axis order; it is turned to canonical order without a copy.
        role : str, optional
            Guessed from the unit and the name unless given.
        name : str
            The volume's own name unless given; made unique with the case's ids, or a number.
        regions : dict, optional
            What label values mean.
        display : MapDisplay, optional
            Chosen from the role and the values unless given.
        case : Case, optional
            The case that it belongs to; the active one unless given.
        rater : str
            Who drew a label map.
        linked : bool
            Whether its window follows the link between susceptibility maps.
        select : bool
            Whether selection and active case may change.
        key : str
            Id that it had when it was saved, kept where no other entry has it.

        Returns
        -------
        MapEntry
            The new entry, on top of ``maps`` but below label maps and masks.

        Raises
        ------
        FileError
            If a label map or mask holds fractions or negative values.
        """
        case = case or self.case
        role = role or guess_role(volume)
        if role == "map" and not volume.unit:
            volume = replace(volume, unit="ppm")
        volume = volume.to_canonical()
        editable = None
        if role in ("labels", "mask"):
            kind = np.uint16 if role == "labels" else np.uint8  # room for regions to come
            # Its own copy; x fastest, so that axial slices are whole pieces of memory.
            editable = np.array(as_labels(volume), dtype=kind, order="F")
            volume = replace(volume, data=editable)
        known: dict[str, Any] = {"id": key} if key and all(e.id != key for e in self.maps) else {}
        entry = MapEntry(
            **known,
            name=self._free_name(name or volume.name or role, case),
            role=role,
            volume=volume,
            editable=editable,
            regions=region_table(regions),
            case=case.id,
            rater=rater,
            linked=linked,
            display=display or first_display(volume, role),
        )
        if display is None and entry.follows_link and self.windows_linked:
            other = next((e for e in self.maps if e.follows_link), None)
            if other is not None:
                copy_display(other, entry)
        self.maps.insert(self._place_for(role), entry)
        if editable is not None:
            self.watch(entry)
        if select:
            self.active_case = case.id
            if not self.selected or role == "map":
                self.selected = entry.id
        return entry

    def _free_name(self, name: str, case: Case) -> str:
        """The name wanted, with the case's ids where only other cases have it, else with a number."""
        who = case_name(case.participant, case.visit)
        alike = [entry for entry in self.maps if entry.name == name]
        if who and alike and all(entry.case != case.id for entry in alike):
            name = f"{who} {name}"
        return unique_name(name, (entry.name for entry in self.maps))

    def _place_for(self, role: Role) -> int:
        """Where a new entry goes in the drawing order: images stay below label maps."""
        if role in ("labels", "mask"):
            return len(self.maps)
        drawn_over = (i for i, e in enumerate(self.maps) if e.role in ("labels", "mask"))
        return next(drawn_over, len(self.maps))

    def close_case(self, case: Case) -> None:
        """Take a case and everything of it out of the session; its files stay where they are."""
        if case not in self.study.cases:
            return
        at = self.study.cases.index(case)
        others = [each for each in self.study.cases if each is not case]
        if case is self.case and others:
            self.active_case = others[min(at, len(others) - 1)].id
        with self.no_work():
            for entry in case.maps:
                self.remove(entry)
        if case in self.study.cases:
            fresh = None if others else self.study.new_case()
            self.study.cases.remove(case)
            if fresh is not None:
                fresh.name = self.study.free_name(besides=fresh)
        self.history.forget_case(case)

    def forget_folder(self) -> None:
        """The folder it was saved in is no longer its own; the next save needs a place."""
        self._saved = None

    def set_display(self, entry: MapEntry, **changes: Any) -> None:
        """Change how an entry is shown and, while windows are linked, all maps like it.

        Thresholds belong to a colouring: another one has its own, none at first.
        """
        display = entry.display
        before, after = display.colouring, changes.get("colouring", display.colouring)
        if after != before:
            known = {
                **display.other_thresholds,
                before: (display.threshold_low, display.threshold_high),
            }
            low, high = known.pop(after, (None, None))
            changes = {"threshold_low": low, "threshold_high": high, **changes}
            changes["other_thresholds"] = known
        display.update(changes)
        shared = {key: value for key, value in changes.items() if key in LINKED_FIELDS}
        if not (shared and self.windows_linked and entry.follows_link):
            return
        for other in self.maps:
            if other is not entry and other.follows_link:
                copy_display(entry, other, fields=tuple(shared))
