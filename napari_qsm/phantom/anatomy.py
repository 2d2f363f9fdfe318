"""The head on a grid: tissues, labels and the true susceptibility."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import GeometryError
from napari_qsm.phantom import nuclei, skull, vessels
from napari_qsm.phantom.grid import Box, Grid, block_mean, blocks, for_each, make_grid, spread
from napari_qsm.phantom.shapes import Point, coverage, tube
from napari_qsm.phantom.subjects import (
    BLEED_INDEX,
    CALCIFICATION_INDEX,
    CASE_REPORT_VOXEL_MM3,
    LEFT,
    RIGHT,
    Region,
    Subject,
    get_subject,
    region_index,
    regions,
)
from napari_qsm.phantom.tissue import (
    BLOOD,
    CSF,
    DEEP_GREY,
    R2STAR_PER_PPM,
    Maps,
    Tissue,
    mix,
)
from napari_qsm.recon.stages import Progress, no_progress
from napari_qsm.volume import Volume

#: How far a nucleus's susceptibility swings about its middle, ppm per unit of its pattern.
_SWING_PPM = {
    "Caudate": 0.005,
    "Thalamus": 0.006,
    "Pulvinar": 0.004,
    "Red nucleus": 0.005,
    "Substantia nigra": 0.010,
    "Dentate nucleus": 0.007,
}
#: The lowest susceptibility in the globus pallidus against the highest.
_PALLIDUM_FLOOR = 0.60
#: Grey matter without a label: its name, and which nucleus's susceptibility it has a share of.
_UNLABELLED = (
    ("Hypothalamus", "Caudate", 0.3),
    ("Mammillary body", "Caudate", -0.3),
    ("Habenula", "Caudate", 0.8),
    ("Nucleus accumbens", "Caudate", 0.8),
    ("Ventral pallidum", "Globus pallidus", 0.6),
    ("Ventral tegmentum", "Substantia nigra", 0.4),
)
_CLAUSTRUM_PPM = 0.020

BLEED = Tissue(1.0, 0.55, 1.2, 90.0)
CALCIUM = Tissue(-2.0, 0.25, 1.0, 120.0)


@dataclass(frozen=True, eq=False)
class Anatomy:
    """A head before it is scanned.

    Attributes
    ----------
    subject : Subject
        Whose head it is.
    grid : Grid
        The voxels.
    factors : tuple of int
        Cells per voxel along each axis.
    cells : Maps
        Tissue properties of the cells.
    chi, labels, mask, r2star : Volume
        Truth on the voxels: susceptibility in ppm (means over cells, against the mean of
        the whole brain), label map (uint8), brain mask (uint8) and decay rate in 1/s.
    label_names : tuple of Region
        The label table.
    """

    subject: Subject
    grid: Grid
    factors: tuple[int, int, int]
    cells: Maps
    chi: Volume
    labels: Volume
    mask: Volume
    r2star: Volume
    label_names: tuple[Region, ...]


def default_oversampling(voxel_size_mm: Sequence[float]) -> tuple[int, int, int]:
    """Cells per voxel that make them close to cubes: 1 along the shortest side, at most 3."""
    shortest = min(voxel_size_mm)
    a, b, c = (int(np.clip(round(size / shortest), 1, 3)) for size in voxel_size_mm)
    return a, b, c


def make_anatomy(
    subject: str = "control",
    *,
    shape: Sequence[int] = (384, 312, 72),
    voxel_size_mm: Sequence[float] = (0.625, 0.625, 2.0),
    b0_direction: Sequence[float] = (0.0, 0.0, 1.0),
    bleed: bool = False,
    calcification: bool = False,
    oversampling: Sequence[int] | None = None,
    progress: Progress = no_progress,
) -> Anatomy:
    """Build the head's tissues and truth without scanning it.

    Parameters are those of :func:`~napari_qsm.phantom.make_head`.
    """
    person = get_subject(subject)
    grid = make_grid(shape, voxel_size_mm, b0_direction)
    factors = _check_factors(oversampling, voxel_size_mm)
    fine = grid.finer(factors)
    cells = _lay_tissues(fine, person, lambda f: progress(0.8 * f))
    painter = _Painter(person, grid, fine, factors, cells, np.zeros(grid.shape, np.uint8))
    painter.ventricles()
    painter.deep_nuclei()
    painter.veins()
    if bleed:
        painter.lesion((nuclei.BLEED,), BLEED, BLEED_INDEX)
    if calcification:
        painter.lesion(nuclei.CALCIFICATIONS, CALCIUM, CALCIFICATION_INDEX)
    chi = block_mean(cells.chi, factors)
    painter.settle(chi)
    progress(0.95)

    def volume(data: Array, unit: str, name: str) -> Volume:
        return Volume(np.ascontiguousarray(data), grid.affine, unit=unit, name=name)

    mask = block_mean(cells.brain.astype(np.float32), factors) > 0.5
    anatomy = Anatomy(
        subject=person,
        grid=grid,
        factors=factors,
        cells=cells,
        chi=volume(chi, "ppm", "chi"),
        labels=volume(painter.labels, "", "labels"),
        mask=volume(mask.astype(np.uint8), "", "mask"),
        r2star=volume(block_mean(cells.r2star, factors), "1/s", "R2*"),
        label_names=regions(bleed=bleed, calcification=calcification),
    )
    progress(1.0)
    return anatomy


def _check_factors(
    oversampling: Sequence[int] | None, voxel_size_mm: Sequence[float]
) -> tuple[int, int, int]:
    if oversampling is None:
        return default_oversampling(voxel_size_mm)
    if len(oversampling) != 3 or any(int(n) != n or not 1 <= n <= 8 for n in oversampling):
        raise GeometryError(
            f"Oversampling must be three whole numbers from 1 to 8, not {tuple(oversampling)}."
        )
    a, b, c = (int(n) for n in oversampling)
    return a, b, c


def _lay_tissues(grid: Grid, subject: Subject, progress: Progress) -> Maps:
    """Everything but deep nuclei, ventricles and veins."""
    maps = Maps(
        chi=np.empty(grid.shape, np.float32),
        signal=np.empty(grid.shape, np.float32),
        r2star=np.empty(grid.shape, np.float32),
        brain=np.zeros(grid.shape, bool),
    )
    cell_mm = float(np.mean(grid.size_mm))

    def fill(box: Box) -> None:
        x, y, z = grid.coordinates(box)
        skull.lay_head(x, y, z, cell_mm, subject, maps, box)

    for_each(blocks(grid), fill, progress)
    return maps


@dataclass(frozen=True, eq=False)
class _Painter:
    """Lays the small structures over the tissues and keeps the labels."""

    subject: Subject
    grid: Grid
    fine: Grid
    factors: tuple[int, int, int]
    cells: Maps
    labels: Array

    def _boxes(self, shape: nuclei.Shape) -> tuple[Box, Box] | None:
        """The voxels around a shape, and the same region in cells."""
        box = self.grid.box_around(shape.low, shape.high)
        if box is None:
            return None
        fine = tuple(slice(s.start * f, s.stop * f) for s, f in zip(box, self.factors, strict=True))
        return box, (fine[0], fine[1], fine[2])

    @cached_property
    def _cell_mm(self) -> float:
        return float(np.mean(self.fine.size_mm))

    def _weight(self, distance: nuclei.Distance, fine: Box) -> Array:
        return coverage(distance(*self.fine.coordinates(fine)), self._cell_mm)

    def _label(self, box: Box, inside: Array, index: int) -> None:
        self.labels[box][inside] = index

    def ventricles(self) -> None:
        """The lateral ventricles; the third and the fourth came with the tissues."""
        for side in (LEFT, RIGHT):
            where = self._boxes(shape := nuclei.ventricle(side, self.subject))
            if where:
                box, fine = where
                weight = self._weight(shape.distance, fine)
                self.cells.paint(fine, weight, CSF, CSF.chi_ppm)
                inside = block_mean(weight, self.factors) > 0.9
                self._label(box, inside, region_index("Lateral ventricle", side))

    def deep_nuclei(self) -> None:
        """The deep nuclei, each with its iron; those without a label first."""
        for side in (LEFT, RIGHT):
            for name, like, share in _UNLABELLED:
                shape = nuclei.nucleus(name, side, self.subject)
                self._grey(shape, share * self.subject.chi(like, side))
            self._grey(nuclei.claustrum(side, self.subject), _CLAUSTRUM_PPM)
            for name in nuclei.NUCLEI:
                self._nucleus(name, side, nuclei.nucleus(name, side, self.subject))
            shape = nuclei.nucleus("Subthalamic nucleus", side, self.subject)
            self._grey(shape, 0.8 * self.subject.chi("Substantia nigra", side))

    def _grey(self, shape: nuclei.Shape, chi_ppm: float) -> None:
        where = self._boxes(shape)
        if where:
            self._paint_iron(where[1], self._weight(shape.distance, where[1]), chi_ppm)

    def _nucleus(self, name: str, side: str, shape: nuclei.Shape) -> None:
        where = self._boxes(shape)
        if where is None:
            return
        box, fine = where
        weight = self._weight(shape.distance, fine)
        inside = block_mean(weight, self.factors)
        iron = nuclei.pattern(name, side, self.subject, *self.fine.coordinates(fine))
        iron = np.broadcast_to(iron, weight.shape)
        mean_iron = block_mean(np.ascontiguousarray(iron), self.factors)
        if name == "Putamen":
            label = self._painted_putamen(side, box, inside)
            row = self.subject.putamen(side)
            here = mean_iron[label].astype(np.float64)
            middle, spread_of = (here.mean(), here.std(ddof=1)) if here.size > 2 else (0.0, 1.0)
            chi = row.mean_ppm + row.sd_ppm * (iron - float(middle)) / float(max(spread_of, 1e-3))
        elif name == "Globus pallidus":
            label = inside > 0.5
            highest = self.subject.chi(name, side)
            top = float(mean_iron[label].max()) if label.any() else 1.0
            chi = highest * (_PALLIDUM_FLOOR + (1 - _PALLIDUM_FLOOR) * iron / top)
        else:
            label = inside > 0.5
            chi = self.subject.chi(name, side) + _SWING_PPM[name] * iron
        self._paint_iron(fine, weight, chi.astype(np.float32))
        self._label(box, label, region_index(name, side))

    def _paint_iron(self, fine: Box, weight: Array, chi: Array | float) -> None:
        """Lay deep grey matter whose decay rate follows its iron."""
        self.cells.paint(fine, weight, DEEP_GREY, chi)
        mix(self.cells.r2star[fine], weight, DEEP_GREY.r2star + R2STAR_PER_PPM * np.maximum(chi, 0))

    def _painted_putamen(self, side: str, box: Box, inside: Array) -> Array:
        """The voxels a reader would paint: just as many as in the case report's table.

        The middle of the nucleus, clear of its edge; on grids of other voxels the count is
        that of the same volume.
        """
        soon = nuclei.painted_first(side, self.subject, *self.grid.coordinates(box))
        level = np.broadcast_to(-soon, inside.shape).astype(np.float64)
        # Voxels that reach over the edge of the nucleus come after all that do not.
        order = np.argsort((level + 100 * (1 - inside)).ravel(), kind="stable")
        volume = self.subject.putamen(side).voxels * CASE_REPORT_VOXEL_MM3
        voxel = float(abs(np.linalg.det(self.grid.affine[:3, :3])))
        count = min(round(volume / voxel), int((inside > 0.5).sum()))
        painted = np.zeros(inside.size, bool)
        painted[order[:count]] = True
        return painted.reshape(inside.shape)

    def veins(self) -> None:
        """Veins, which keep clear of labelled nuclei and ventricles."""
        # Rod by rod, as the box of a whole curved vein is mostly empty.
        for vein in vessels.all_veins(self.subject, self._cell_mm):
            for ends, radii in zip(pairwise(vein.points), pairwise(vein.radii), strict=True):
                self._rod(ends, radii, vein.chi_ppm)

    def _rod(self, ends: tuple[Point, Point], radii: tuple[float, float], chi_ppm: float) -> None:
        # Of a cell that is wider than the vein, no more than the vein can fill.
        share = min(1.0, 3.1 * max(radii) ** 2 / self._cell_mm**2)
        if share < 0.1:
            return
        reach = max(radii) + 2 * self._cell_mm
        low, high = np.min(ends, axis=0) - reach, np.max(ends, axis=0) + reach
        shape = nuclei.Shape(tuple(low), tuple(high), lambda x, y, z: tube(x, y, z, ends, radii))
        where = self._boxes(shape)
        if where is None:
            return
        box, fine = where
        weight = self._weight(shape.distance, fine) * np.float32(share)
        held = self.labels[box] > 0
        if held.any():
            weight = weight * ~spread(held, self.factors)
        self.cells.paint(fine, weight, BLOOD, chi_ppm)

    def lesion(self, shapes: Sequence[nuclei.Shape], tissue: Tissue, index: int) -> None:
        """A lesion in one or more places under one label."""
        for shape in shapes:
            where = self._boxes(shape)
            if where:
                box, fine = where
                weight = self._weight(shape.distance, fine)
                self.cells.paint(fine, weight, tissue, tissue.chi_ppm)
                self._label(box, block_mean(weight, self.factors) > 0.5, index)

    def settle(self, chi: Array) -> None:
        """Bring the truth of the regions of the case report to the last digit, in place.

        Moves voxels by rounding errors where cells are fine; on coarse grids also by what
        neighbouring tissue in the same voxel has taken away.
        """
        for side in (LEFT, RIGHT):
            row = self.subject.putamen(side)
            painted = np.nonzero(self.labels == region_index("Putamen", side))
            if painted[0].size:
                self._shift(chi, painted, row.mean_ppm - chi[painted].mean(dtype=np.float64))
            pallidum = np.nonzero(self.labels == region_index("Globus pallidus", side))
            if pallidum[0].size:
                top = self.subject.chi("Globus pallidus", side)
                self._shift(chi, pallidum, top - float(chi[pallidum].max()))

    def _shift(self, chi: Array, index: tuple[Array, ...], by_ppm: float) -> None:
        """Add to the truth of some voxels, and to their cells."""
        delta = np.float32(by_ppm)
        chi[index] += delta
        fx, fy, fz = self.factors
        for i in range(fx):
            for j in range(fy):
                for k in range(fz):
                    self.cells.chi[index[0] * fx + i, index[1] * fy + j, index[2] * fz + k] += delta
