"""First outlines of the deep nuclei in a susceptibility map, and how good they are."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import ndimage

from napari_qsm._version import __version__
from napari_qsm.arrays import Array, bounding_box
from napari_qsm.errors import GeometryError, MetadataError, QsmError
from napari_qsm.outlines.bending import BentAtlas, bend_atlas
from napari_qsm.outlines.edges import follow_edges
from napari_qsm.outlines.seeds import SEED_MARK, SEEDS, SIDES, draw_seeds
from napari_qsm.recon.mask.extraction import brain_mask
from napari_qsm.recon.provenance import software_versions
from napari_qsm.recon.stages import Progress, no_progress
from napari_qsm.registration.atlas import CITATION, NUCLEI
from napari_qsm.registration.images import on_grid, points_of, smoothed
from napari_qsm.registration.nuclei import AtlasFit, fit_atlas
from napari_qsm.rois.region import Region
from napari_qsm.volume import Volume

#: What is outlined, in the order of the labels: name in lists, abbreviation, colours left and right.
OUTLINED: tuple[tuple[str, str, str, str], ...] = (
    ("Caudate", "Cau", "#ff99e9", "#c05eac"),
    ("Putamen", "Put", "#49c39b", "#008763"),
    ("Globus pallidus externus", "GPe", "#e080fc", "#a144bd"),
    ("Globus pallidus internus", "GPi", "#fc8a40", "#b75100"),
    ("Nucleus accumbens", "NAc", "#dcea52", "#9cad00"),
    ("Subthalamic nucleus", "STN", "#a0f4ff", "#62b6c1"),
    ("Red nucleus", "RN", "#9d9cff", "#5f64c0"),
    ("Substantia nigra", "SN", "#f9a36a", "#b76934"),
)
#: Slices thicker than this hold too little of a nucleus.
THICKEST_MM = 4.0
#: Nuclei of which more lies outside the view or the brain are left out.
_CUT_PART = 0.03
#: Nuclei that stand out less from what lies round them, ppm, or whose edges lie so far from the
#: atlas's that less than this part of both is common, are left out.
LOWEST_CONTRAST_PPM, LOWEST_COMMON = 0.004, 0.5
#: The part of the nuclei in view that must be found.
LOWEST_FOUND = 0.7
_RING_MM = (1.5, 4.0)
#: A map in which so much is exactly zero says itself where the brain is.
_MASKED_PART = 0.05


@dataclass(frozen=True)
class Found:
    """How good one outline is.

    Attributes
    ----------
    contrast_ppm : float
        Median within, less that of what lies 1.5 to 4 mm away.
    common : float
        Dice of the outline with that of the bent atlas, before it followed the map's edges.
    """

    contrast_ppm: float
    common: float

    @property
    def problem(self) -> str:
        """Why it is not proposed; empty if it is."""
        if self.contrast_ppm < LOWEST_CONTRAST_PPM:
            return "it does not stand out from what lies round it"
        if self.common < LOWEST_COMMON:
            return "the map's edges lie far from where the atlas has them"
        return ""


@dataclass(frozen=True, eq=False)
class Proposal:
    """Proposed outlines.

    Attributes
    ----------
    labels : Volume
        uint8 on the grid of the map, in its axis order.
    regions : tuple of Region
        What its labels mean.
    fit : AtlasFit
        Where the nuclei of the atlas lie as wholes.
    found : dict of str to Found
        How good each outline is, by the region's name.
    without : dict of str to str
        Regions that are not proposed, and why.
    """

    labels: Volume
    regions: tuple[Region, ...]
    fit: AtlasFit
    found: Mapping[str, Found]
    without: Mapping[str, str]

    def record(self) -> dict[str, Any]:
        """Plain data for the provenance: what was made of what, and how good it is."""
        return {
            "state": "proposed",
            "software": {"napari-qsm": __version__, **software_versions()},
            "atlas": CITATION,
            "seeds": [region.name for region in self.regions if is_seed(region)],
            "fit": self.fit.to_dict(),
            "match": round(self.fit.match, 3),
            "nuclei": {
                name: {
                    "contrast_ppb": round(1e3 * each.contrast_ppm, 1),
                    "common": round(each.common, 3),
                }
                for name, each in self.found.items()
            },
            "left_out": dict(self.without),
        }


def region_list() -> tuple[Region, ...]:
    """All regions that may be proposed, in the order of their labels."""
    rows = [(name, short, colors) for name, short, *colors in OUTLINED]
    rows += [(f"{name} {SEED_MARK}", short, colors) for name, short, *colors, _ in SEEDS]
    return tuple(
        Region(2 * row + number + 1, f"{name} {side[0].upper()}", side, colors[number], short)
        for row, (name, short, colors) in enumerate(rows)
        for number, side in enumerate(SIDES)
    )


def is_seed(region: Region) -> bool:
    """Whether a proposed region is a ball to start from, and no outline."""
    return region.index > 2 * len(OUTLINED)


def propose_outlines(
    chi: Volume,
    *,
    mask: Volume | None = None,
    magnitude: Volume | None = None,
    progress: Progress = no_progress,
) -> Proposal:
    """Propose outlines of the deep nuclei in a map.

    Parameters
    ----------
    chi : Volume
        Susceptibility in ppm; what counts as zero does not matter.
    mask : Volume, optional
        The brain, in the world of the map. Unless given, what a masked map is not zero in, or
        else the brain in the magnitude.
    magnitude : Volume, optional
        In the world of the map, any grid.
    progress : callable
        Called with the fraction done; may raise to stop.

    Returns
    -------
    Proposal

    Raises
    ------
    QsmError
        Where nothing can be proposed: the sentence says why.

    Notes
    -----
    Sides are those of the header's frame, nothing else.
    """
    image = _checked(chi)
    inside = _brain(image, mask, magnitude)
    progress(0.05)
    fit = fit_atlas(image, image.with_data(inside), progress=lambda f: progress(0.05 + 0.45 * f))
    if fit.problem:
        raise _poor(fit.problem, image, inside)
    bent = bend_atlas(fit, image, inside, progress=lambda f: progress(0.5 + 0.3 * f))
    start = bent.labels_on(image)
    progress(0.85)
    without = {
        region.name: reason
        for region, labels in _outlined()
        if (reason := _cut(bent, labels, image, inside))
    }
    edges = follow_edges(image, start, progress=lambda f: progress(0.85 + 0.07 * f))
    found = _all_measured(image, edges, start)
    lost = {name: f.problem for name, f in found.items() if f.problem and name not in without}
    if lost:  # what it held is free for its neighbours
        gone = [label for region, labels in _outlined() if region.name in lost for label in labels]
        start = np.where(np.isin(start, gone), 0, start)
        edges = follow_edges(image, start, progress=lambda f: progress(0.92 + 0.06 * f))
        found = {**_all_measured(image, edges, start), **{name: found[name] for name in lost}}
        without.update(lost)
    out = np.zeros(image.shape, np.uint8)
    kept: list[Region] = []
    absent: set[int] = set()
    for region, labels in _outlined():
        if region.name in without:
            absent.update(labels)
            continue
        out[np.isin(edges, labels)] = region.index
        kept.append(region)
    fit = replace(fit, middles=_middles(image, edges, absent))
    if len(kept) < LOWEST_FOUND * len(_outlined()):
        raise _too_few(without, image, inside)
    kept += draw_seeds(bent, image, inside, out, region_list(), without)
    progress(1.0)
    labels_volume = image.with_data(out, unit="", name="proposed").to_stored()
    return Proposal(labels_volume, tuple(kept), fit, found, without)


def with_middles(
    fit: AtlasFit, chi: Volume, mask: Volume, *, progress: Progress = no_progress
) -> AtlasFit:
    """A fit whose middles of nuclei are those of their outlines in the map, where they are found.

    Parameters
    ----------
    fit : AtlasFit
        Of this map, without a problem.
    chi, mask : Volume
        As for :func:`~napari_qsm.registration.nuclei.fit_atlas`.
    progress : callable
        Called with the fraction done; may raise to stop.
    """
    image = chi.to_canonical()
    inside = _there(mask, image) > 0.5
    bent = bend_atlas(fit, image, inside, progress=lambda f: progress(0.7 * f))
    start = bent.labels_on(image)
    edges = follow_edges(image, start, progress=lambda f: progress(0.7 + 0.3 * f))
    found = _all_measured(image, edges, start)
    lost = {
        label
        for region, labels in _outlined()
        if found[region.name].problem or _cut(bent, labels, image, inside)
        for label in labels
    }
    return replace(fit, middles=_middles(image, edges, lost))


def _middles(
    image: Volume, edges: Array, lost: Collection[int]
) -> dict[str, tuple[float, float, float]]:
    """Middles of the nuclei no part of which is lost, world RAS mm, by name and side."""
    middles = {}
    for name, left in NUCLEI.items():
        for side in SIDES:
            labels = [label + (side == "right") for label in left]
            if not set(labels) & set(lost):
                at = image.voxel_to_world(np.argwhere(np.isin(edges, labels)).mean(axis=0))
                middles[f"{name} {side}"] = (float(at[0]), float(at[1]), float(at[2]))
    return middles


def _checked(chi: Volume) -> Volume:
    who = f"'{chi.name}'" if chi.name else "The map"
    if chi.data.ndim != 3:
        raise GeometryError(f"{who} has several images; outlines are proposed in one map.")
    if not chi.orientation_known:
        raise MetadataError(
            f"{who} records no orientation, so left and right cannot be told apart and no outlines "
            "are proposed."
        )
    if max(chi.voxel_size_mm) > THICKEST_MM:
        raise GeometryError(
            f"{who} has voxels of {max(chi.voxel_size_mm):.3g} mm; the nuclei are too small for "
            f"outlines there. {THICKEST_MM:g} mm is the most."
        )
    if np.ptp(np.nan_to_num(chi.data)) == 0:
        raise QsmError(f"{who} is the same everywhere; there is nothing to outline.")
    return chi.to_canonical()


def _brain(chi: Volume, mask: Volume | None, magnitude: Volume | None) -> Array:
    """The brain on the grid of the map."""
    if mask is not None:
        return _there(mask, chi) > 0.5
    values = np.nan_to_num(np.asarray(chi.data))
    if np.mean(values == 0) > _MASKED_PART:
        return _whole(values != 0, chi)
    if magnitude is None:
        raise QsmError(
            "This map is not masked, so where the brain is cannot be told from it: give a mask or "
            "a magnitude as well."
        )
    return _whole(brain_mask(_there(magnitude, chi), chi.voxel_size_mm), chi)


def _there(other: Volume, chi: Volume) -> Array:
    """A mask or magnitude on the grid of the map; several echoes as one."""
    data = np.asarray(other.data, np.float32)
    if data.ndim == 4:
        data = np.sqrt((data**2).sum(axis=-1))
    return on_grid(other.with_data(data), chi)[0]


def _whole(inside: Array, chi: Volume) -> Array:
    """The largest piece, without holes of vessels and of places that a map leaves out."""
    pieces, count = ndimage.label(inside)
    if count > 1:
        voxels = np.bincount(pieces.ravel())
        voxels[0] = 0
        inside = pieces == voxels.argmax()
    blurred = smoothed(chi.with_data(inside.astype(np.float32)), 2.0)
    return np.asarray(ndimage.binary_fill_holes(inside | (blurred > 0.6)))


def _outlined() -> list[tuple[Region, tuple[int, ...]]]:
    """Regions that are outlined, and the labels of the atlas that each is."""
    pairs = []
    for region in region_list()[: 2 * len(OUTLINED)]:
        name, step = OUTLINED[(region.index - 1) // 2][0], region.side == "right"
        pairs.append((region, tuple(label + step for label in NUCLEI[name])))
    return pairs


def _cut(bent: BentAtlas, labels: tuple[int, ...], chi: Volume, inside: Array) -> str:
    """Whether a nucleus lies partly outside of what is seen, in words."""
    points = bent.to_map(points_of(bent.grid, np.isin(bent.grid.data, labels)))
    index = np.round(chi.world_to_voxel(points)).astype(int)
    seen = np.all((index >= 0) & (index < chi.shape), axis=1)
    if 1 - seen.mean() > _CUT_PART:
        return "the field of view cuts it"
    if 1 - inside[tuple(index[seen].T)].mean() > 5 * _CUT_PART:
        return "part of it lies outside the brain mask"
    return ""


def _all_measured(chi: Volume, edges: Array, start: Array) -> dict[str, Found]:
    """How good each outline is, by the region's name."""
    return {region.name: _measured(chi, edges, start, labels) for region, labels in _outlined()}


def _measured(chi: Volume, edges: Array, start: Array, labels: tuple[int, ...]) -> Found:
    whole, before = np.isin(edges, labels), np.isin(start, labels)
    if not whole.any():
        return Found(0.0, 0.0)
    box = bounding_box(whole, [int(n) for n in np.ceil(_RING_MM[1] / np.array(chi.voxel_size_mm))])
    mine = whole[box]
    away = ndimage.distance_transform_edt(~mine, sampling=chi.voxel_size_mm)
    ring = (away > _RING_MM[0]) & (away < _RING_MM[1]) & (edges[box] == 0)
    values = np.nan_to_num(np.asarray(chi.data[box]))
    contrast = float(np.median(values[mine]) - np.median(values[ring])) if ring.any() else 0.0
    common = 2 * (whole & before).sum() / (whole.sum() + before.sum())
    return Found(contrast, float(common))


def _poor(problem: str, chi: Volume, inside: Array) -> QsmError:
    """What to say of a fit that must not be used; looks whether the map's sign is why."""
    if _inverted(chi, inside):
        return QsmError(
            "The deep nuclei are dark in this map where iron makes them bright: its sign seems to be "
            "inverted. No outlines are proposed."
        )
    return QsmError(f"No outlines are proposed: {problem}. Draw them by hand, or check the map.")


def _inverted(chi: Volume, inside: Array) -> bool:
    other = fit_atlas(chi.with_data(-np.nan_to_num(chi.data)), chi.with_data(inside))
    return not other.problem


def _too_few(without: Mapping[str, str], chi: Volume, inside: Array) -> QsmError:
    cut = [name for name, reason in without.items() if "view" in reason or "mask" in reason]
    if len(cut) > len(without) / 2:
        return QsmError(
            f"No outlines are proposed: the field of view or the brain mask cuts {len(cut)} of the "
            f"{len(_outlined())} nuclei, among them {cut[0]}."
        )
    return _poor(
        f"{len(without)} of {len(_outlined())} nuclei were not found where the atlas puts them",
        chi,
        inside,
    )
