"""Volume: an array that knows where it lies in the head and what its numbers mean.

World coordinates are RAS millimetres (x to the patient's right, y to the front,
z to the top), as in NIfTI. The main field B0 points along world z.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_qsm.arrays import Array
from napari_qsm.errors import GeometryError

#: The main field in the world of a scanner.
SCANNER_Z = (0.0, 0.0, 1.0)
#: Parts of a voxel by which two grids may be apart and still count as one.
ALIGNED = 0.01


@dataclass(frozen=True, eq=False)
class StoredGrid:
    """The grid of the file a volume came from, kept so that results go back onto it bit by bit.

    Attributes
    ----------
    shape : tuple of int
        Spatial shape (3 values) in the file's own axis order.
    affine : (4, 4) ndarray
        Voxel to world, exactly as the file gave it.
    header : object or None
        The geometry part of the file's header, opaque here; :mod:`napari_qsm.io.nifti`
        writes it back unchanged.
    """

    shape: tuple[int, int, int]
    affine: Array
    header: Any = None


@dataclass(frozen=True, eq=False)
class Volume:
    """A 3-D (or 3-D + time/echo) array with its place in the world.

    The array is exposed read-only; no copy is made of it.

    Attributes
    ----------
    data : ndarray, shape (x, y, z) or (x, y, z, t)
        The values. Reading gives a read-only view.
    affine : (4, 4) ndarray of float64
        Voxel index to world RAS mm, for the array as it is held here.
    unit : str
        Unit of the values: ``"ppm"``, ``"rad"``, ``"1/s"``, ...; empty if unknown.
    name : str
        What the user calls it.
    origin : Path or None
        The file it was read from.
    stored : StoredGrid or None
        The grid of that file, if the array may have been reoriented since.
    orientation_known : bool
        False where the file records no orientation, so that sides cannot be told apart.
    b0_world : tuple of float
        Unit vector of the main field in this world. It is (0, 0, 1) unless the file was
        turned away from the scanner (to a template, say) and says how it lay there.

    Raises
    ------
    GeometryError
        For arrays that are not 3-D or 4-D or are empty, and for affines that are not
        4x4, not finite or singular.
    """

    data: Array
    affine: Array
    unit: str = ""
    name: str = ""
    origin: Path | None = None
    stored: StoredGrid | None = None
    orientation_known: bool = True
    b0_world: tuple[float, float, float] = SCANNER_Z

    def __post_init__(self) -> None:
        data = np.asarray(self.data)
        affine = np.array(self.affine, dtype=np.float64)
        who = f"'{self.name}'" if self.name else "The volume"
        if data.ndim not in (3, 4) or data.size == 0:
            raise GeometryError(
                f"{who} has shape {data.shape}; a 3-D volume is needed (or 4-D with echoes last)."
            )
        check_affine(affine, who)
        view = data.view()
        view.flags.writeable = False
        affine.flags.writeable = False
        object.__setattr__(self, "data", view)
        object.__setattr__(self, "affine", affine)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Spatial shape (x, y, z)."""
        return self.data.shape[:3]

    @cached_property
    def voxel_size_mm(self) -> tuple[float, float, float]:
        """Edge lengths of a voxel along the three array axes, in mm."""
        return voxel_size_mm(self.affine)

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel in mm³."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    @property
    def orientation(self) -> str:
        """Where each array axis leads, as three letters, for example ``"RAS"`` or ``"LPS"``."""
        return orientation_code(self.affine)

    @cached_property
    def b0_direction(self) -> tuple[float, float, float]:
        """Unit vector of the main field in voxel axes."""
        if self.b0_world == SCANNER_Z:
            return b0_direction(self.affine)
        # Forms that lead to a template may shear, so the inverse counts, not the transpose.
        axes = self.affine[:3, :3] / self.voxel_size_mm
        b = np.linalg.solve(axes, np.array(self.b0_world))
        b = b / np.linalg.norm(b) + 0.0
        return float(b[0]), float(b[1]), float(b[2])

    def voxel_to_world(self, ijk: npt.ArrayLike) -> Array:
        """World RAS mm of voxel indices; shape (..., 3) in and out."""
        ijk = np.asarray(ijk, dtype=np.float64)
        return ijk @ self.affine[:3, :3].T + self.affine[:3, 3]

    def world_to_voxel(self, xyz_mm: npt.ArrayLike) -> Array:
        """Fractional voxel indices of world RAS mm; shape (..., 3) in and out."""
        xyz = np.asarray(xyz_mm, dtype=np.float64)
        return (xyz - self.affine[:3, 3]) @ self._voxels_per_mm.T

    @cached_property
    def _voxels_per_mm(self) -> Array:
        """World mm to steps of voxels: asked for many times at each move of the mouse."""
        return np.linalg.inv(self.affine[:3, :3])

    def with_data(self, data: Array, *, unit: str | None = None, name: str | None = None) -> Volume:
        """Another array on the same grid; the spatial shape must agree."""
        if np.shape(data)[:3] != self.shape:
            raise GeometryError(
                f"Cannot put an array of shape {np.shape(data)} on the grid of "
                f"'{self.name or 'the volume'}' with shape {self.shape}."
            )
        return replace(
            self,
            data=data,
            unit=self.unit if unit is None else unit,
            name=self.name if name is None else name,
            origin=None,
        )

    def echo(self, index: int) -> Volume:
        """One 3-D volume out of a 4-D one, as a view."""
        if self.data.ndim == 3:
            if index not in (0, -1):
                raise GeometryError(f"'{self.name}' is 3-D and has no echo {index}.")
            return self
        return replace(self, data=self.data[..., index])

    def to_canonical(self) -> Volume:
        """The same volume with axes flipped and permuted to closest RAS; nothing is resampled.

        Returns
        -------
        Volume
            A view whose ``stored`` grid remembers where it came from.
        """
        stored = self.stored or StoredGrid(self.shape, self.affine)
        return replace(self._reoriented(axis_order(self.affine)), stored=stored)

    def to_stored(self) -> Volume:
        """Undo :meth:`to_canonical`: the file's own axis order, with its affine bit-equal."""
        if self.stored is None:
            return self
        order = relative_axis_order(self.affine, self.stored.affine)
        back = self._reoriented(order)
        if back.shape != self.stored.shape or not same_affine(back.affine, self.stored.affine):
            raise GeometryError(
                f"'{self.name or 'The volume'}' no longer lies on the grid of its file "
                f"({back.shape} against {self.stored.shape}), so it cannot be written back onto it."
            )
        return replace(back, affine=self.stored.affine)

    def like(self, other: Volume) -> Volume:
        """The same volume in the axis order of ``other``, if both lie on one grid.

        Raises
        ------
        GeometryError
            If the grids differ by more than flips and permutations.
        """
        turned = self._reoriented(relative_axis_order(self.affine, other.affine))
        check_same_grid(turned, other)
        return replace(turned, affine=other.affine)

    def _reoriented(self, order: Sequence[tuple[int, int]]) -> Volume:
        """Take array axis ``order[i][0]``, reversed if ``order[i][1]`` is -1, as new axis i."""
        axes = [axis for axis, _ in order]
        steps = tuple(slice(None, None, step) for _, step in order)
        data = self.data.transpose(*axes, *range(3, self.data.ndim))[steps]
        return replace(self, data=data, affine=self.affine @ _turn(order, self.shape))


def _turn(order: Sequence[tuple[int, int]], shape: Sequence[int]) -> Array:
    """What turns indices of the new axes into those of the old ones, 4 x 4."""
    turn = np.zeros((4, 4))
    turn[3, 3] = 1
    for new, (old, step) in enumerate(order):
        turn[old, new] = step
        turn[old, 3] = 0 if step > 0 else shape[old] - 1
    return turn


def check_affine(affine: Array, who: str) -> None:
    """Refuse an affine that cannot place voxels in the world.

    Raises
    ------
    GeometryError
        Naming ``who`` and what is wrong.
    """
    if affine.shape != (4, 4):
        raise GeometryError(f"{who} has an affine of shape {affine.shape}; 4x4 is needed.")
    if not np.isfinite(affine).all():
        raise GeometryError(f"{who} has an affine with NaN or infinite values.")
    with np.errstate(over="ignore", under="ignore"):
        sizes = np.linalg.norm(affine[:3, :3], axis=0)
    if (sizes <= 0).any():
        raise GeometryError(f"{who} has a voxel size of zero ({_mm(sizes)}).")
    if not np.isfinite(sizes).all():
        raise GeometryError(f"{who} has a voxel size that no number can hold ({_mm(sizes)}).")
    # det/product of sizes is the volume of the unit-edge cell: 1 when axes are perpendicular.
    if abs(np.linalg.det(affine[:3, :3] / sizes)) < 1e-3:
        raise GeometryError(f"{who} has a singular affine: two voxel axes point the same way.")


def _mm(sizes: Array) -> str:
    return " x ".join(f"{size:g}" for size in sizes) + " mm"


def voxel_size_mm(affine: Array) -> tuple[float, float, float]:
    """Edge lengths in mm along the three voxel axes of an affine."""
    sizes = np.linalg.norm(np.asarray(affine, dtype=np.float64)[:3, :3], axis=0)
    return float(sizes[0]), float(sizes[1]), float(sizes[2])


def b0_direction(affine: Array) -> tuple[float, float, float]:
    """Unit vector of world z in voxel axes.

    The affine's columns are divided by the voxel sizes *before* the transpose; with the
    scaled matrix an oblique anisotropic scan would get a wrong direction.
    """
    rotation = np.asarray(affine, dtype=np.float64)[:3, :3] / voxel_size_mm(affine)
    b = rotation.T @ np.array([0.0, 0.0, 1.0])
    b /= np.linalg.norm(b)
    b += 0.0  # turns -0.0 into 0.0
    return float(b[0]), float(b[1]), float(b[2])


def axis_order(affine: Array) -> list[tuple[int, int]]:
    """Which voxel axis, in which direction, runs closest to world R, A and S.

    Returns
    -------
    list of (axis, step)
        Three pairs; ``step`` is 1 or -1.

    Notes
    -----
    All six assignments are compared by the sum of cosines, so the result stays a
    permutation even at obliquities near 45 degrees.
    """
    return _best_match(np.asarray(affine)[:3, :3] / voxel_size_mm(affine))


def relative_axis_order(source: Array, target: Array) -> list[tuple[int, int]]:
    """Axes of ``source`` in the order and direction in which ``target`` holds them.

    The two are compared with each other, not each with the world: two oblique grids that are
    the same but for rounding may lie nearest to different axes of the world.
    """
    axes = [np.asarray(a)[:3, :3] / voxel_size_mm(a) for a in (source, target)]
    return _best_match(axes[1].T @ axes[0])


def _best_match(cosines: Array) -> list[tuple[int, int]]:
    """For each row the column that runs along it, each column once, and in which direction."""
    best = max(
        permutations(range(3)), key=lambda p: sum(abs(cosines[row, c]) for row, c in enumerate(p))
    )
    return [(column, 1 if cosines[row, column] >= 0 else -1) for row, column in enumerate(best)]


def orientation_code(affine: Array) -> str:
    """Three letters telling where each voxel axis leads, for example ``"LPS"``."""
    letters = [""] * 3
    for world, (axis, step) in enumerate(axis_order(affine)):
        letters[axis] = ("RAS" if step > 0 else "LPI")[world]
    return "".join(letters)


def same_affine(a: Array, b: Array, tolerance_mm: float = 1e-3) -> bool:
    """Whether two affines agree within a tolerance far below a voxel."""
    return bool(np.allclose(a, b, rtol=0, atol=tolerance_mm))


def check_same_grid(a: Volume, b: Volume) -> None:
    """Refuse two volumes that do not share shape and affine in the axis order they have now.

    Raises
    ------
    GeometryError
        Naming both volumes and both values, see :func:`grids_differ`.
    """
    differ = grids_differ(a.shape, a.affine, b.shape, b.affine, names=(_called(a), _called(b)))
    if differ:
        raise GeometryError(differ)


def same_grid(a: Volume, b: Volume) -> bool:
    """Whether two volumes lie on one grid, whatever the axis order of each."""
    return same_lattice(a.shape, a.affine, b.shape, b.affine)


def same_lattice(
    shape_a: Sequence[int], affine_a: Array, shape_b: Sequence[int], affine_b: Array
) -> bool:
    """As :func:`same_grid`, from shapes and affines alone."""
    order = relative_axis_order(affine_a, affine_b)
    turned = [shape_a[axis] for axis, _ in order]
    return not grids_differ(turned, affine_a @ _turn(order, shape_a), shape_b, affine_b)


def grids_differ(
    shape_a: Sequence[int],
    affine_a: Array,
    shape_b: Sequence[int],
    affine_b: Array,
    names: tuple[str, str] = ("One", "the other"),
) -> str:
    """In a sentence, how two grids of one axis order differ; empty where they are the same.

    The one comparison of grids: corners may be apart by at most a hundredth of a voxel, which
    is what headers with rounded numbers need.
    """
    name_a, name_b = names
    if tuple(shape_a[:3]) != tuple(shape_b[:3]):
        return (
            f"{name_a} has {_times(shape_a[:3])} voxels but {name_b} has {_times(shape_b[:3])}; "
            "they must come from the same scan."
        )
    corners = np.array([[i, j, k, 1] for i in (0, 1) for j in (0, 1) for k in (0, 1)], float)
    corners[:, :3] *= np.array(shape_a[:3]) - 1
    apart = np.linalg.norm((corners @ (affine_a - affine_b).T)[:, :3], axis=1).max()
    if apart <= max(ALIGNED * min(voxel_size_mm(affine_a)), 1e-3):
        return ""
    return (
        f"{name_a} ({_lies(affine_a)}) and {name_b} ({_lies(affine_b)}) do not lie on the same "
        f"grid: corners are up to {apart:.2f} mm apart."
    )


def _called(volume: Volume) -> str:
    return f"'{volume.origin.name if volume.origin else volume.name or 'volume'}'"


def _times(shape: Sequence[int]) -> str:
    return " x ".join(str(n) for n in shape)


def _lies(affine: Array) -> str:
    first = "({:.1f}, {:.1f}, {:.1f}) mm".format(*affine[:3, 3])
    sizes = _mm(np.array(voxel_size_mm(affine)))
    return f"axes {orientation_code(affine)}, voxels {sizes}, first voxel at {first}"
