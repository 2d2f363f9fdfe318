"""The deep nuclei of a map, enlarged, next to those of a map that is known to be good."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from napari_qsm.anatomy import Plane
from napari_qsm.arrays import Array, bounding_box
from napari_qsm.errors import FileError
from napari_qsm.figures.draw import render
from napari_qsm.figures.gather import Given
from napari_qsm.figures.panels import ImagePanel
from napari_qsm.figures.parts import BoxCrop, Cell, Display
from napari_qsm.figures.spec import FigureSpec, Style
from napari_qsm.qc.thumbnail import WINDOW_PPM
from napari_qsm.qc.tiles import Tile, tiles_of
from napari_qsm.volume import Volume

Point = tuple[float, float, float]

#: Names that nuclei begin with: those that the upper slices go through, and the lower one.
BASAL = ("putamen", "globus pallidus", "pallidum", "gp")
MIDBRAIN = ("substantia nigra", "red nucleus")
#: What is drawn, mm across and up: the deep nuclei of both sides with some room.
SIZE_MM = (92.0, 76.0)
_STYLE = Style(width_mm=160, dpi=143, size_pt=7.5, ground="dark", gap_mm=0)
#: How far a brain may differ in size from the atlas's along an axis and still be placed by it.
_SIZES = (0.8, 1.25)
#: Voxels of the mask are counted about so far apart; the middle of thousands is exact enough.
_APART_MM = 4.0


@dataclass(frozen=True)
class Place:
    """Where the deep nuclei lie, world RAS mm.

    Attributes
    ----------
    basal, midbrain : (x, y, z)
        Middle of the lentiform nuclei, and of red nuclei and substantia nigra.
    how : str
        How that was found, as the end of a sentence.
    """

    basal: Point
    midbrain: Point
    how: str


#: Title and plane of each of the three pictures, and which place they go through.
VIEWS: tuple[tuple[str, Plane, str], ...] = (
    ("putamen and pallidum, axial", "axial", "basal"),
    ("putamen and pallidum, coronal", "coronal", "basal"),
    ("red nucleus and substantia nigra, axial", "axial", "midbrain"),
)


def nuclei_zoom(chi: Volume, place: Place) -> tuple[Tile, ...]:
    """Three slices through the deep nuclei, side by side at one scale.

    Parameters
    ----------
    chi : Volume
        Susceptibility, ppm.
    place : Place
        See :func:`place_of`.
    """
    panels = []
    for number, (_, plane, which) in enumerate(VIEWS):
        centre: Point = getattr(place, which)
        panels.append(
            ImagePanel(
                map="map",
                plane=plane,
                through_mm=centre,
                crop=BoxCrop(centre_mm=centre, size_mm=SIZE_MM),
                cell=Cell(row=0, column=number),
                scale_bar=number == len(VIEWS) - 1,
            )
        )
    spec = FigureSpec(
        panels=tuple(panels),
        columns=len(panels),
        displays={"grey": Display(window=WINDOW_PPM, interpolation="linear")},
        style=_STYLE,
        same_scale=False,
    )
    return tiles_of(render(spec, {"map": Given(chi)}))


def place_of(
    grid: Volume,
    mask: Array,
    labels: Array | None = None,
    label_names: Mapping[int, str] | None = None,
) -> Place:
    """Where the deep nuclei lie: by regions, else by the form of the brain, else in its middle.

    Parameters
    ----------
    grid : Volume
        Whose grid the arrays lie on.
    mask : (x, y, z) bool ndarray
        The brain, or where the map is known.
    labels : (x, y, z) ndarray, optional
        Label map.
    label_names : dict, optional
        Names of its values.
    """
    if labels is not None:
        found = by_regions(grid, labels, label_names or {})
        if found is not None:
            return found
    return by_form(grid, mask)


def by_regions(grid: Volume, labels: Array, names: Mapping[int, str]) -> Place | None:
    """From regions whose names tell them; None without putamen and pallidum."""

    def middle(wanted: Iterable[str]) -> Point | None:
        which = [k for k, name in names.items() if name.strip().lower().startswith(tuple(wanted))]
        inside = np.isin(labels, which) & (labels != 0)
        if not inside.any():
            return None
        box = bounding_box(inside)
        at = np.argwhere(inside[box]) + [part.start for part in box]
        return _point(grid.voxel_to_world(at.mean(axis=0)))

    basal = middle(BASAL)
    if basal is None:
        return None
    midbrain = middle(MIDBRAIN)
    if midbrain is None:
        midbrain = _point(np.array(basal) + _below())
        return Place(basal, midbrain, "by its regions; the midbrain by an average head's")
    return Place(basal, midbrain, "by its regions")


def by_form(grid: Volume, mask: Array) -> Place:
    """From the middle and the size of the brain and an average head's nuclei (CIT168)."""
    steps = [max(int(_APART_MM // mm), 1) for mm in grid.voxel_size_mm]
    at = np.argwhere(mask[tuple(slice(None, None, step) for step in steps)]) * steps
    if len(at) < 10:
        box = bounding_box(mask)
        middle = _point(grid.voxel_to_world([(s.start + s.stop - 1) / 2 for s in box]))
        return Place(middle, middle, "in the middle of the map, which is too small to tell more")
    points = grid.voxel_to_world(at)
    centre, spread = points.mean(axis=0), points.std(axis=0)
    own_centre, own_spread, basal, midbrain = _average()
    size = spread / own_spread
    if not ((size > _SIZES[0]) & (size < _SIZES[1])).all():
        middle = _point(centre)
        return Place(
            middle,
            middle,
            "in the middle of the mask, as the map isn't of the size of a whole brain",
        )
    return Place(
        _point(centre + (basal - own_centre) * size),
        _point(centre + (midbrain - own_centre) * size),
        "by the size and place of the brain and the nuclei of an average head (CIT168)",
    )


@lru_cache(maxsize=1)
def _average() -> tuple[Array, Array, Array, Array]:
    """Middle and spread of the atlas's brain, middles of its nuclei; mm in the atlas."""
    from napari_qsm.registration.atlas import load_atlas
    from napari_qsm.registration.images import points_of

    atlas = load_atlas()
    brain = points_of(atlas.brain, atlas.brain.data > 0)

    def middle(*names: str) -> Array:
        inside = [atlas.inside(name, side) for name in names for side in ("left", "right")]
        return points_of(atlas.labels, np.any(inside, axis=0)).mean(axis=0)

    return (
        brain.mean(axis=0),
        brain.std(axis=0),
        middle("Putamen", "Globus pallidus"),
        middle("Red nucleus", "Substantia nigra"),
    )


def _below() -> Array:
    """From the lentiform nuclei to the midbrain, mm."""
    _, _, basal, midbrain = _average()
    return midbrain - basal


@lru_cache(maxsize=1)
def known_good() -> tuple[Tile, ...]:
    """The built-in control's deep nuclei, by their own regions; none where its files lack."""
    from napari_qsm.phantom.finished import read_finished

    try:
        head = read_finished("control")
    except FileError:
        return ()
    names = {region.index: region.name for region in head.label_names}
    place = by_regions(head.chi, np.asarray(head.labels.data), names)
    return () if place is None else nuclei_zoom(head.chi, place)


def _point(values: Array) -> Point:
    return float(values[0]), float(values[1]), float(values[2])
