"""NIfTI in and out, with the file's own geometry kept to the bit."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import FileError, GeometryError
from napari_qsm.io.atomic import atomic_path
from napari_qsm.volume import StoredGrid, Volume

ENDINGS = (".nii", ".nii.gz")

#: Header fields that place voxels in the world; they go from source to result unchanged.
GEOMETRY_FIELDS = (
    "qform_code",
    "sform_code",
    "quatern_b",
    "quatern_c",
    "quatern_d",
    "qoffset_x",
    "qoffset_y",
    "qoffset_z",
    "srow_x",
    "srow_y",
    "srow_z",
    "xyzt_units",
)
_MAX_LABEL = 65535
#: Size of a NIfTI-2 header, which it begins with.
_NIFTI2_SIZE = 540


def is_nifti(path: Path | str) -> bool:
    """Whether the name ends like a NIfTI file."""
    return Path(path).name.lower().endswith(ENDINGS)


def stem(path: Path | str) -> str:
    """File name without ``.nii`` or ``.nii.gz``."""
    name = Path(path).name
    for ending in (".nii.gz", ".nii"):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return name


def read_volume(path: Path | str, *, unit: str = "", name: str = "") -> Volume:
    """Read a NIfTI file in its own axis order.

    Values are scaled by the header's slope and intercept (float32 unless the stored type
    needs float64); unscaled files keep their type. Trailing axes of length one are dropped.

    Parameters
    ----------
    path : Path or str
        ``.nii`` or ``.nii.gz``.
    unit, name : str
        Recorded on the volume; the name is the file's stem unless given.

    Returns
    -------
    Volume
        Unreoriented, with ``stored`` set.

    Raises
    ------
    FileError
        Missing, not NIfTI, truncated, complex or colour values, empty or all NaN.
    GeometryError
        Not 3-D or 4-D, zero or NaN voxel sizes, singular affine.
    """
    path = Path(path)
    image, size = _open(path)
    header = image.header
    shape = _checked_shape(path, image, size)
    data = _values(path, image).reshape(shape)
    affine = np.asarray(image.affine, dtype=np.float64)
    volume = Volume(
        data=data,
        affine=affine,
        unit=unit,
        name=name or stem(path),
        origin=path,
        stored=StoredGrid((shape[0], shape[1], shape[2]), affine, header.copy()),
        orientation_known=int(header["qform_code"]) > 0 or int(header["sform_code"]) > 0,
    )
    if data.dtype.kind == "f" and not np.isfinite(data).any():
        raise FileError(f"'{path.name}' holds no number at all: every voxel is NaN or infinite.")
    return volume


def write_volume(volume: Volume, path: Path | str) -> None:
    """Write a volume in the axis order of the file it came from, atomically.

    Parameters
    ----------
    volume : Volume
        Booleans are written as uint8; other types as they are (float16 as float32).
    path : Path or str
        Must end in ``.nii`` or ``.nii.gz``; an existing file is replaced only by a whole one.

    Raises
    ------
    FileError
        Wrong ending, or the place cannot be written to.
    GeometryError
        The volume no longer lies on the grid it came from.
    """
    path = Path(path)
    if not is_nifti(path):
        raise FileError(f"'{path.name}' must end in .nii or .nii.gz.")
    back = volume.to_stored()
    data = _writable(back.data, path)
    source = back.stored.header if back.stored is not None else None
    kind = nib.Nifti2Image if isinstance(source, nib.Nifti2Header) else nib.Nifti1Image
    image = kind(data, back.affine)
    if isinstance(source, nib.Nifti1Header):
        for field in GEOMETRY_FIELDS:
            image.header[field] = source[field]
        image.header["pixdim"][:4] = source["pixdim"][:4]
    else:
        image.set_sform(back.affine, code=1)
        image.set_qform(back.affine, code=1)
        image.header.set_xyzt_units("mm")
    image.header["descrip"] = b"napari-qsm"
    with atomic_path(path) as temporary:
        image.to_filename(temporary)


def as_mask(volume: Volume) -> Array:
    """The volume as booleans.

    Raises
    ------
    FileError
        If it holds anything but 0 and 1, or is not 3-D.
    """
    who = _who(volume)
    if volume.data.ndim != 3:
        raise FileError(f"The mask {who} is 4-D; one 3-D mask is needed.")
    data = volume.data
    if data.dtype == bool:
        return data
    if not ((data == 0) | (data == 1)).all():
        odd = data[(data != 0) & (data != 1)].flat[0]
        raise FileError(
            f"The mask {who} holds the value {odd:g}; a mask must hold only 0 and 1 "
            "(save one region as a mask of its own)."
        )
    return data == 1


def as_labels(volume: Volume) -> Array:
    """The volume as uint8 or uint16 labels.

    Raises
    ------
    FileError
        If it holds fractions, negative values, NaN or values over 65535, or is not 3-D.
    """
    who = _who(volume)
    data = volume.data
    if data.ndim != 3:
        raise FileError(f"The label map {who} is 4-D; one 3-D label map is needed.")
    if data.dtype.kind == "f" and not (np.isfinite(data).all() and (data == np.rint(data)).all()):
        odd = data[~(np.isfinite(data) & (data == np.rint(data)))].flat[0]
        raise FileError(
            f"The label map {who} holds the value {odd:g}; labels must be whole numbers "
            "(was it resampled with smoothing?)."
        )
    low, high = data.min(), data.max()
    if low < 0 or high > _MAX_LABEL:
        raise FileError(
            f"The label map {who} holds values from {low:g} to {high:g}; "
            f"labels must lie within 0-{_MAX_LABEL}."
        )
    return data.astype(np.uint8 if high <= 255 else np.uint16, copy=False)


def _who(volume: Volume) -> str:
    return f"'{volume.origin.name if volume.origin else volume.name}'"


def _open(path: Path) -> tuple[Any, int]:
    if not path.exists():
        raise FileError(f"There is no file '{path}'.")
    if path.is_dir():
        raise FileError(f"'{path}' is a folder; a NIfTI file is needed.")
    if not is_nifti(path):
        raise FileError(f"'{path.name}' is not a NIfTI file (.nii or .nii.gz).")
    if path.stat().st_size == 0:
        raise FileError(f"'{path.name}' is empty.")
    try:
        content = _content(path)
        second = _NIFTI2_SIZE in (_size(content, "<"), _size(content, ">"))
        kind = nib.Nifti2Image if second else nib.Nifti1Image
        image = kind.from_bytes(content)
    except PermissionError as error:
        raise FileError(f"No permission to read '{path}'.") from error
    except MemoryError as error:
        raise FileError(f"'{path.name}' is too large for this computer's memory.") from error
    except (EOFError, zlib.error) as error:
        raise FileError(
            f"'{path.name}' is cut short or damaged: its values cannot be read to the end."
        ) from error
    except gzip.BadGzipFile as error:
        damaged = "CRC" in str(error) or "length" in str(error)
        said = "is damaged: its checksum is wrong" if damaged else "is not packed with gzip"
        raise FileError(f"'{path.name}' {said}.") from error
    except Exception as error:  # nibabel raises many kinds for files of other formats
        raise FileError(f"'{path.name}' is not a readable NIfTI file.") from error
    if len(content) < image.header.sizeof_hdr:
        raise FileError(f"'{path.name}' is cut short: its header is incomplete.")
    _check_voxel_sizes(path, type(image.header)(content[: image.header.sizeof_hdr], check=False))
    return image, len(content)


def _content(path: Path) -> bytes:
    """All bytes, unpacked; unpacking to the end is what verifies the checksum."""
    if not path.name.lower().endswith(".gz"):
        return path.read_bytes()
    with gzip.open(path, "rb") as handle:
        return handle.read()


def _size(content: bytes, order: str) -> int:
    """The header's first number, which is its size, in one byte order."""
    return int(np.frombuffer(content[:4], f"{order}i4")[0])


def _checked_shape(path: Path, image: Any, size: int) -> tuple[int, ...]:
    header = image.header
    shape = [int(n) for n in image.shape]
    if len(shape) < 3:
        raise GeometryError(
            f"'{path.name}' is {len(shape)}-D ({' x '.join(map(str, shape))}); "
            "a 3-D volume is needed."
        )
    if min(shape) < 1:
        raise GeometryError(f"'{path.name}' is empty: its shape is {' x '.join(map(str, shape))}.")
    kind = header.get_data_dtype()
    if kind.kind == "c":
        raise FileError(
            f"'{path.name}' holds complex numbers; save its magnitude and phase "
            "(or real and imaginary parts) as two files."
        )
    if kind.kind not in "fiub":
        raise FileError(f"'{path.name}' holds colours, not numbers.")
    claimed = int(np.prod(shape, dtype=object)) * kind.itemsize
    if claimed > size - int(image.dataobj.offset):
        raise FileError(
            f"'{path.name}' is cut short: its header promises {' x '.join(map(str, shape))} "
            f"voxels, more than the file holds."
        )
    while len(shape) > 3 and shape[-1] == 1:
        shape.pop()
    if len(shape) == 5 and shape[3] == 1:  # x, y, z, 1, echoes: as some converters write
        shape.pop(3)
    if len(shape) > 4:
        raise GeometryError(
            f"'{path.name}' is {len(shape)}-D; a 3-D volume is needed, or 4-D with echoes last."
        )
    return tuple(shape)


def _check_voxel_sizes(path: Path, header: Any) -> None:
    """Look at the header as it is in the file; nibabel mends voxel sizes of zero to 1 mm."""
    sizes = np.asarray(header["pixdim"][1:4], dtype=np.float64)
    if not np.isfinite(sizes).all() or (sizes == 0).any():
        said = " x ".join(f"{size:g}" for size in sizes)
        raise GeometryError(f"'{path.name}' has an impossible voxel size: {said} mm.")


def _values(path: Path, image: Any) -> Array:
    try:
        scaled = image.dataobj.slope != 1 or image.dataobj.inter != 0
        data = np.asanyarray(image.dataobj, dtype=np.float32 if scaled else None)
    except MemoryError as error:
        raise FileError(f"'{path.name}' is too large for this computer's memory.") from error
    except (EOFError, OSError, zlib.error, gzip.BadGzipFile, ValueError) as error:
        raise FileError(
            f"'{path.name}' is cut short or damaged: its values cannot be read to the end."
        ) from error
    data = np.asarray(data)
    return data if data.dtype.isnative else data.astype(data.dtype.newbyteorder("="))


def _writable(data: Array, path: Path) -> Array:
    if data.dtype == bool:
        return data.astype(np.uint8)
    if data.dtype == np.float16:
        return data.astype(np.float32)
    if data.dtype in (np.int64, np.uint64):
        limit = np.iinfo(np.int32)
        if data.min() < limit.min or data.max() > limit.max:
            raise FileError(f"The whole numbers for '{path.name}' are too large for NIfTI readers.")
        return data.astype(np.int32)
    return data
