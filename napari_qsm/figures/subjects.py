"""The subjects of a template: their maps, regions and images, and where things lie in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from napari_qsm.anatomy import DisplayFrame, triple
from napari_qsm.arrays import Array
from napari_qsm.errors import FileError, QsmError
from napari_qsm.figures.annotations import Point
from napari_qsm.figures.gather import Given, Loaded, labels_like, load
from napari_qsm.figures.other_maps import OTHER_MAPS, quantity_of
from napari_qsm.figures.parts import Source
from napari_qsm.rois.region import region_side
from napari_qsm.volume import check_same_grid

#: Words that name a nucleus in label tables.
NUCLEI: Mapping[str, str] = {
    "putamen": "putamen|put",
    "pallidum": "globus[ _-]*pallidus|pallidum|pallidus|gp[ei]?",
    "caudate": "caudate|caudatus|cau|cn",
    "thalamus": "thalamus|tha",
}
_MAPS = ("chi.nii.gz", "chi.nii")
_LABELS = ("labels.nii.gz", "labels.nii", "rois.nii.gz", "regions.nii.gz")
_MAGNITUDES = ("magnitude.nii.gz", "magnitude.nii")


@dataclass(frozen=True)
class Subject:
    """Whose maps a template shows, by the keys of the figure's sources.

    Attributes
    ----------
    name : str
        What the figure calls it, ``"Control"``.
    map, labels, magnitude : str
        Keys; labels and magnitude may be empty.
    others : tuple of str
        Keys of maps beside χ, on its grid.
    """

    name: str
    map: str
    labels: str = ""
    magnitude: str = ""
    others: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Known:
    """A subject with its volumes."""

    subject: Subject
    map: Loaded
    labels: Loaded | None
    magnitude: Loaded | None
    others: Mapping[str, Loaded] = field(default_factory=dict)  # by quantity

    @cached_property
    def label_data(self) -> Array:
        """The label map in the axis order of the map.

        Raises
        ------
        QsmError
            If the subject has no regions.
        """
        if self.labels is None:
            raise QsmError(
                f"{self.subject.name} has no regions; give a label map (labels.nii.gz beside the "
                "map, or --labels)."
            )
        return labels_like(self.labels, self.map)

    @property
    def frame(self) -> DisplayFrame:
        """The frame in which its slices are drawn."""
        return DisplayFrame(self.map.volume)

    def nucleus(self, name: str) -> dict[str, int]:
        """Side to label of a nucleus, of those with voxels; empty if the table has none."""
        if self.labels is None:
            return {}
        words = re.compile(rf"(?i)(?<![a-z])({NUCLEI[name]})(?![a-z])")
        return {
            region_side(region): label
            for label, region in self.labels.regions.items()
            if label in self.labels.present and words.search(region.name)
        }

    def needed(self, name: str) -> dict[str, int]:
        """The same, or an error that says what the label table must hold.

        Raises
        ------
        QsmError
            If there is no such region.
        """
        _ = self.label_data
        found = self.nucleus(name)
        if not found:
            raise QsmError(
                f"The regions of {self.subject.name} hold no {name}; this template needs regions "
                f"whose names say it, such as '{name.capitalize()} L' and '{name.capitalize()} R'."
            )
        return found

    def area(self, labels: list[int], axis: int = 2) -> Array:
        """Voxels of regions on each slice along an axis."""
        others = tuple(a for a in range(3) if a != axis)
        return np.isin(self.label_data, labels).sum(axis=others)

    def areas(self) -> dict[int, Array]:
        """Voxels of every region on each axial slice, from one pass over the labels."""
        data = self.label_data
        length = int(data.max()) + 1
        rows = [np.bincount(data[:, :, k].ravel(), minlength=length) for k in range(data.shape[2])]
        table = np.array(rows).T
        return {label: table[label] for label in range(1, length) if table[label].any()}

    def two_slices(self, weights: Array) -> list[int]:
        """Two axial slices, a third and two thirds through a region and at least 4 mm apart.

        Parameters
        ----------
        weights : ndarray
            Its voxels on each slice.
        """
        total = np.cumsum(weights) / max(weights.sum(), 1)
        low, high = (int(np.searchsorted(total, part)) for part in (0.33, 0.67))
        apart = max(1, int(np.ceil(4.0 / self.map.volume.voxel_size_mm[2] - 1e-6)))
        while high - low < apart:
            if high + 1 < len(weights) and weights[high + 1] > 0.3 * weights.max():
                high += 1
            elif low > 0 and weights[low - 1] > 0.3 * weights.max():
                low -= 1
            else:
                break
        return [low] if low == high else [low, high]

    def reach(self, axis: int) -> tuple[float, float]:
        """Positions of the first and last slice that show a good part of the map."""
        data = self.map.volume.data
        others = tuple(a for a in range(3) if a != axis)
        filled = np.count_nonzero(data, axis=others)
        good = np.flatnonzero(filled >= 0.15 * filled.max()) if filled.any() else [0]
        return self.slice_mm(int(good[0]), axis), self.slice_mm(int(good[-1]), axis)

    def slice_mm(self, index: int, axis: int = 2) -> float:
        """World position of the middle of a slice, to a tenth of a mm."""
        voxel = (np.array(self.map.volume.shape) - 1) / 2
        voxel[axis] = index
        return round(float(self.map.volume.voxel_to_world(voxel)[axis]), 2)

    def on_slice(self, label: int, index: int) -> Array:
        """Display mm of a region's voxels on an axial slice; shape (n, 3)."""
        ij = np.argwhere(self.label_data[:, :, index] == label)
        voxels = np.column_stack([ij, np.full(len(ij), index)])
        return self.frame.origin_mm + voxels * self.frame.size_mm

    def world(self, display: Array) -> Point:
        """RAS mm of a display position, to a hundredth of a mm."""
        x, y, z = triple(np.round(self.frame.display_to_world(display), 2) + 0.0)
        return x, y, z


def know(
    subject: Subject,
    sources: Mapping[str, Source],
    given: Mapping[str, Given] | None = None,
    base: Path | str = ".",
    known: dict[str, Loaded] | None = None,
) -> Known:
    """Load a subject's volumes."""
    given, known = given or {}, {} if known is None else known

    def one(key: str) -> Loaded | None:
        if not key:
            return None
        return load(key, sources.get(key, Source()), given.get(key), Path(base), known)

    map_ = one(subject.map)
    assert map_ is not None
    others = {str(sources[key].quantity): other for key in subject.others if (other := one(key))}
    for other in others.values():
        check_same_grid(other.volume, map_.volume)
    return Known(subject, map_, one(subject.labels), one(subject.magnitude), others)


def subject_in(
    folder: Path, name: str, *, labels: Path | None = None
) -> tuple[Subject, dict[str, Source]]:
    """Find the map, the regions and the magnitude in a folder of results.

    Parameters
    ----------
    folder : Path
        What ``reconstruct`` wrote: ``chi.nii.gz`` or BIDS names. Regions and magnitude may lie
        in it, or in ``scan/``.
    name : str
        What the figure calls the subject.
    labels : Path, optional
        The label map, where it lies elsewhere.

    Raises
    ------
    FileError
        If there is no map, or several.
    """
    if not folder.is_dir():
        raise FileError(f"There is no folder '{folder}'.")
    key = name.lower()
    map_ = _one_of(folder, _MAPS, "*_Chimap.nii*", "susceptibility map (chi.nii.gz)")
    if map_ is None:
        raise FileError(
            f"'{folder}' holds no susceptibility map (chi.nii.gz); give a folder that "
            "'napari-qsm reconstruct' wrote."
        )
    if labels is not None and not labels.is_file():
        raise FileError(f"There is no file '{labels}'.")
    regions = labels or _beside(folder, _LABELS, "*_dseg.nii*", "label map")
    magnitude = _beside(folder, _MAGNITUDES, "*_part-mag*.nii*", "")
    # Absolute, so that the spec can be written anywhere; its file has relative ones.
    sources = {key: Source(path=_text(map_), role="map", name=name)}
    if regions is not None:
        sources[f"{key}-regions"] = Source(
            path=_text(regions), role="labels", name=f"{name}: regions"
        )
    if magnitude is not None:
        sources[f"{key}-magnitude"] = Source(
            path=_text(magnitude), role="magnitude", name=f"{name}: magnitude"
        )
    others = []
    for path in sorted(folder.rglob("*.nii*")):
        if quantity := quantity_of(path):
            others.append(f"{key}-{quantity}")
            sources[others[-1]] = Source(
                path=_text(path),
                role="other",
                name=f"{name}, {OTHER_MAPS[quantity].symbol}",
                quantity=quantity,
            )
    subject = Subject(
        name,
        key,
        f"{key}-regions" if regions is not None else "",
        f"{key}-magnitude" if magnitude is not None else "",
        tuple(others),
    )
    return subject, sources


def _text(path: Path) -> str:
    return path.absolute().as_posix()


def _beside(folder: Path, names: tuple[str, ...], pattern: str, what: str) -> Path | None:
    for place in (folder, folder / "scan"):
        found = _one_of(place, names, pattern, what) if place.is_dir() else None
        if found is not None:
            return found
    return None


def _one_of(folder: Path, names: tuple[str, ...], pattern: str, what: str) -> Path | None:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    found = sorted(folder.glob(pattern)) or sorted(folder.rglob(pattern))
    # Of noise, and of parts of χ.
    found = [path for path in found if not re.search("_desc-(noise|positive|negative)_", path.name)]
    if len(found) > 1 and what:
        raise FileError(
            f"'{folder}' holds {len(found)} files like '{found[0].name}'; give the folder of one "
            f"{what}."
        )
    return found[0] if found else None
