"""Numbers of regions for tables and charts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

from napari_qsm.errors import QsmError
from napari_qsm.figures.gather import Loaded, labels_like, wanted_labels
from napari_qsm.figures.kinds import PanelPlan, Setting
from napari_qsm.figures.other_maps import symbol_of
from napari_qsm.figures.panels import Numbers
from napari_qsm.figures.spec import FigureSpec
from napari_qsm.rois.region import Region, RegionTable, region_side
from napari_qsm.rois.statistics import region_statistics
from napari_qsm.rois.sums import measures_of
from napari_qsm.units import factor

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class NumbersPlan(PanelPlan):
    """A panel with numbers of regions.

    Attributes
    ----------
    frame : DataFrame
        The region table with a first column ``subject``, in the figure's unit.
    percentiles : dict
        Subject and label to the 5th, 25th, 50th, 75th and 95th percentile; for boxes only.
    words : dict
        Regions that are called otherwise than they are named.
    """

    panel: Numbers
    frame: pd.DataFrame
    unit: str
    percentiles: Mapping[tuple[str, int], tuple[float, ...]] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, panel: Numbers, who: str, setting: Setting) -> Self:
        """Measure what it shows.

        Raises
        ------
        QsmError
            If regions do not fit their map, one asked for has no voxel, or the map is of
            another quantity than susceptibility.
        """
        import pandas as pd

        spec, sources = setting.spec, setting.sources
        frames = []
        percentiles: dict[tuple[str, int], tuple[float, ...]] = {}
        for measured in panel.measured:
            map_, labels = sources[measured.map], sources[measured.labels]
            which = wanted_labels(labels, panel.which)
            labels_like(labels, map_)
            symbol = symbol_of(spec.sources.get(measured.map))
            if symbol and map_.volume.unit not in ("ppm", "ppb"):
                raise QsmError(
                    f"{who} measures '{map_.name}', which is {symbol}; tables and charts of figures "
                    "are of susceptibility. The region table and its export have other maps' numbers."
                )
            names = {label: row for label, row in labels.regions.items() if label in which}
            frame, said = _statistics(map_, labels, names, spec, cls.also(panel))
            setting.notes.extend(f"{who}: {note}" for note in said)
            frame = frame[frame["label"].isin(which)].copy()
            subject = measured.subject or map_.name
            frame.insert(0, "subject", subject)
            frames.append(frame)
            if cls.needs_percentiles(panel):
                percentiles |= {(subject, n): _percentiles(map_, labels, n, spec) for n in which}
        table = pd.concat(frames, ignore_index=True)
        return cls(who, panel, table, spec.unit, percentiles, spec.called)

    @classmethod
    def also(cls, panel: Numbers) -> tuple[str, ...]:
        """Statistics that are shown beside those of every file."""
        return ()

    @classmethod
    def needs_percentiles(cls, panel: Numbers) -> bool:
        """Whether quartiles and more are drawn."""
        return False

    def phrase(self) -> str:
        """``"table of regions of A and B"``."""
        subjects = " and ".join(dict.fromkeys(str(s) for s in self.frame["subject"]))
        return f"{self.panel.noun} of {subjects}"

    def sentence(self) -> str:
        """How SD is meant."""
        return (
            "SD is that of a sample (n − 1), n being a region's voxels; each subject is one person."
        )

    def table(self) -> pd.DataFrame:
        """The numbers it shows."""
        return self.frame


def _percentiles(map_: Loaded, labels: Loaded, label: int, spec: FigureSpec) -> tuple[float, ...]:
    key = (spec.unit, label)
    kept = map_.measured.get(key)
    if kept is None or kept[0] is not labels:
        told = measures_of(map_.volume.data[labels_like(labels, map_) == label])
        scale = factor(map_.volume.unit, spec.unit)
        found = tuple(told.value(name) * scale for name in ("p05", "p25", "median", "p75", "p95"))
        kept = map_.measured[key] = (labels, found)
    return tuple(kept[1])


def _statistics(
    map_: Loaded, labels: Loaded, names: RegionTable, spec: FigureSpec, also: tuple[str, ...]
) -> tuple[pd.DataFrame, list[str]]:
    """The region table and its notes, kept with the map: previews ask for it again and again."""
    key = (spec.unit, repr((sorted(names.items()), also)))
    kept = map_.measured.get(key)
    if kept is None or kept[0] is not labels:
        said: list[str] = []
        frame = region_statistics(
            map_.volume, labels.volume, names, unit=spec.unit, warn=said.append, also=also
        )
        kept = map_.measured[key] = (labels, frame, said)
    return kept[1], kept[2]


_SIDE_WORDS = re.compile(r"(?i)[\s_-]*(?<![a-z])(left|right|lh|rh|lt|rt|l|r)(?![a-z])[\s_-]*")


def plain_region(name: str, side: str) -> str:
    """A region's name without its side.

    Examples
    --------
    >>> plain_region("Putamen L", "left"), plain_region("right-Caudate", "right")
    ('Putamen', 'Caudate')
    """
    if not side:
        return name
    bare = " ".join(_SIDE_WORDS.sub(" ", name).replace("_", " ").split()).strip(" ,-")
    return bare or name


def regions_told(spec: FigureSpec, tables: Mapping[str, RegionTable]) -> list[str]:
    """The regions that a figure draws or measures, as label tables name them, without sides.

    Parameters
    ----------
    spec : FigureSpec
    tables : mapping
        Region tables of label maps, by the figure's keys.
    """
    found: dict[str, None] = {}
    for panel in spec.panels:
        drawn = getattr(panel, "regions", None)
        which = getattr(panel if drawn is None else drawn, "which", ())
        keys = [key for key, part in panel.sources() if part == "regions"]
        for key in keys if drawn is not None or isinstance(panel, Numbers) else ():
            for label, region in tables.get(key, {}).items():
                if not which or label in which:
                    found[plain_region(region.name, region_side(region))] = None
    return list(found)


def abbreviations(
    regions: Iterable[Region], words: Mapping[str, str] = MappingProxyType({})
) -> str:
    """What the short names of regions mean, without their sides: ``"GP, globus pallidus"``.

    ``words`` are what a figure calls regions otherwise than they are named.
    """
    found = {}
    for region in regions:
        short, full = (
            plain_region(text, region_side(region)) for text in (region.abbreviation, region.name)
        )
        full = words.get(region.name) or words.get(full) or full
        if short and short.lower() != full.lower():
            found[short] = full if full[1:2].isupper() else full[0].lower() + full[1:]
    return "; ".join(f"{short}, {full}" for short, full in sorted(found.items()))


def region_words(name: str, side: str, words: Mapping[str, str]) -> str:
    """What a figure calls a region, without its side."""
    bare = plain_region(name, side)
    return words.get(name) or words.get(bare) or bare


def sided_region(name: str, side: str, words: Mapping[str, str] = MappingProxyType({})) -> str:
    """``"Left putamen"``: side first, as papers write it.

    Parameters
    ----------
    name, side : str
    words : dict
        What a figure calls regions, without their sides, otherwise than they are named.

    Examples
    --------
    >>> sided_region("Putamen L", "left"), sided_region("GP R", "right"), sided_region("Pons", "")
    ('Left putamen', 'Right GP', 'Pons')
    """
    bare = region_words(name, side, words)
    if not side:
        return bare
    if (len(bare) > 1 and bare[1:].islower()) or not bare[1:2].isupper():
        bare = bare[0].lower() + bare[1:]
    return f"{side.capitalize()} {bare}"
