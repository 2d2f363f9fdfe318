"""Fourier tools shared by the stages: fast sizes, crops, kernels and forward fields.

All transforms are ``scipy.fft.rfftn`` on the last axis halved; kernels are returned on
that half grid, float32 unless asked otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import scipy.fft

from napari_qsm.arrays import Array, margin_voxels
from napari_qsm.quantities import GAMMA_BAR_HZ_PER_T
from napari_qsm.recon.parallel import threads


def rfftn(a: Array) -> Array:
    """Forward real transform, in :func:`threads`; float32 stays single precision."""
    return scipy.fft.rfftn(a, workers=threads())


def irfftn(a: Array, shape: Sequence[int]) -> Array:
    """Inverse of :func:`rfftn` to an array of the given shape; may overwrite ``a``."""
    return scipy.fft.irfftn(a, s=tuple(shape), workers=threads(), overwrite_x=True)


def fast_shape(shape: Sequence[int], margin: Sequence[int] | int = 0) -> tuple[int, ...]:
    """Smallest transform-friendly shape that holds ``shape`` plus a total margin per axis."""
    margins = [margin] * len(shape) if isinstance(margin, int) else list(margin)
    return tuple(
        scipy.fft.next_fast_len(int(n) + int(m), real=True)
        for n, m in zip(shape, margins, strict=True)
    )


def pad_to(a: Array, shape: Sequence[int]) -> Array:
    """The array at the low corner of a zero array of the given shape."""
    out = np.zeros(tuple(shape), dtype=a.dtype)
    out[tuple(slice(0, n) for n in a.shape)] = a
    return out


def frequencies(
    shape: Sequence[int], voxel_size_mm: Sequence[float], dtype: npt.DTypeLike = np.float64
) -> tuple[Array, Array, Array]:
    """Spatial frequencies in cycles per mm along the three axes, ready to broadcast."""
    kx = np.fft.fftfreq(shape[0], d=voxel_size_mm[0]).astype(dtype)[:, None, None]
    ky = np.fft.fftfreq(shape[1], d=voxel_size_mm[1]).astype(dtype)[None, :, None]
    kz = np.fft.rfftfreq(shape[2], d=voxel_size_mm[2]).astype(dtype)[None, None, :]
    return kx, ky, kz


def dipole_kernel(
    shape: Sequence[int],
    voxel_size_mm: Sequence[float],
    b0_direction: Sequence[float],
    dtype: npt.DTypeLike = np.float32,
) -> Array:
    """Dipole response ``D(k) = 1/3 - (k.b)²/|k|²`` with ``D(0) = 0``, on the half grid.

    References
    ----------
    Salomir, de Senneville, Moonen 2003, Concepts Magn Reson 19B:26.
    Marques, Bowtell 2005, Concepts Magn Reson 25B:65.
    """
    k = frequencies(shape, voxel_size_mm)
    # At an even axis's Nyquist frequency the sign is ambiguous: the mean of both is taken, so
    # that cross terms vanish there. Without this the kernel of an oblique scan is not that of
    # any real image, and mirrored scans give maps that are not quite mirrored.
    bx, by, bz = (b * f for b, f in zip(b0_direction, k, strict=True))
    crossing = []
    for axis, part in enumerate((bx, by, bz)):
        part = part.copy()
        if shape[axis] % 2 == 0:
            part.flat[shape[axis] // 2] = 0
        crossing.append(part)
    cx, cy, cz = crossing
    out = np.empty((shape[0], shape[1], shape[2] // 2 + 1), dtype=dtype)
    for i in range(shape[0]):  # plane by plane: no float64 copy of the whole grid
        k2 = k[0][i] ** 2 + k[1][0] ** 2 + k[2][0] ** 2
        along2 = bx[i] ** 2 + by[0] ** 2 + bz[0] ** 2
        along2 = along2 + 2 * (cx[i] * cy[0] + cx[i] * cz[0] + cy[0] * cz[0])
        with np.errstate(invalid="ignore"):
            out[i] = 1 / 3 - along2 / k2
    out[0, 0, 0] = 0
    return out


def forward_field(
    chi_ppm: Array, voxel_size_mm: Sequence[float], b0_direction: Sequence[float]
) -> Array:
    """Field in ppm that a susceptibility map in ppm makes, without wrap-round.

    The map is zero-padded to twice its size, so opposite faces do not see each other.
    """
    shape = fast_shape([2 * n for n in chi_ppm.shape])
    kernel = dipole_kernel(shape, voxel_size_mm, b0_direction)
    spectrum = rfftn(pad_to(chi_ppm, shape))
    spectrum *= kernel
    field = irfftn(spectrum, shape)
    return np.ascontiguousarray(field[tuple(slice(0, n) for n in chi_ppm.shape)])


def quick_forward_field(
    chi_ppm: Array, voxel_size_mm: Sequence[float], b0_direction: Sequence[float]
) -> Array:
    """:func:`forward_field` in less than half the time, with other last digits.

    The built-in head is made by the other, and must stay as it is.
    """
    shape = fast_shape([2 * n for n in chi_ppm.shape])
    spectrum = rfftn_of_padded(chi_ppm, shape)
    spectrum *= dipole_kernel(shape, voxel_size_mm, b0_direction)
    inside = [slice(0, n) for n in chi_ppm.shape]
    return np.ascontiguousarray(irfftn_of_box(spectrum, shape, inside))


def rfftn_of_padded(a: Array, shape: Sequence[int]) -> Array:
    """``rfftn(pad_to(a, shape))`` that leaves out the lines of zeros: half the work at twice the size."""
    part = scipy.fft.rfft(a, n=shape[2], axis=2, workers=threads())
    part = scipy.fft.fft(part, n=shape[1], axis=1, workers=threads())
    return scipy.fft.fft(part, n=shape[0], axis=0, workers=threads())


def irfftn_of_box(spectrum: Array, shape: Sequence[int], box: Sequence[slice]) -> Array:
    """A box of ``irfftn(spectrum, shape)`` without the lines beside it; may overwrite the spectrum."""
    x, y, z = box
    part = scipy.fft.ifft(spectrum, axis=0, workers=threads(), overwrite_x=True)[x]
    part = scipy.fft.ifft(part, axis=1, workers=threads())[:, y]
    return scipy.fft.irfft(part, n=shape[2], axis=2, workers=threads())[..., z]


def ball(radius_mm: float, voxel_size_mm: Sequence[float]) -> Array:
    """Voxels whose centres lie within a radius, as a float64 array summing to one, odd-sized."""
    margin_voxels(radius_mm, voxel_size_mm)  # refuses radii of absurdly many voxels
    reach = [int(radius_mm / size) for size in voxel_size_mm]
    axes = [np.arange(-n, n + 1) * size for n, size in zip(reach, voxel_size_mm, strict=True)]
    r2 = axes[0][:, None, None] ** 2 + axes[1][None, :, None] ** 2 + axes[2][None, None, :] ** 2
    inside = (r2 <= radius_mm**2 * (1 + 1e-9)).astype(np.float64)
    return inside / inside.sum()


def kernel_spectrum(
    kernel: Array, shape: Sequence[int], dtype: npt.DTypeLike = np.float32
) -> Array:
    """Real transfer function of a small symmetric kernel centred on the origin of a grid."""
    placed = np.zeros(tuple(shape), dtype=dtype)
    index = np.ix_(
        *[(np.arange(n) - n // 2) % full for n, full in zip(kernel.shape, shape, strict=True)]
    )
    np.add.at(placed, index, kernel.astype(dtype))
    return np.ascontiguousarray(rfftn(placed).real)


def field_ppm_per_rad(echo_time_s: float, field_strength_t: float) -> float:
    """Factor from unwrapped phase in rad to field in ppm of B0."""
    return 1e6 / (2 * np.pi * GAMMA_BAR_HZ_PER_T * field_strength_t * echo_time_s)
