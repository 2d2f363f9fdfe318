"""NIfTI in and out, with the file's own geometry kept to the bit."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.openers import ImageOpener

from napari_qsm.arrays import Array
from napari_qsm.errors import FileError, GeometryError
from napari_qsm.io.atomic import atomic_path, reason
from napari_qsm.io.completeness import absence
from napari_qsm.io.forms import b0_in_world, mm_per_unit
from napari_qsm.io.moving import finish_above
from napari_qsm.io.packed import read_content, read_pair
from napari_qsm.volume import StoredGrid, Volume, check_affine, voxel_size_mm

ENDINGS = (".nii.gz", ".nii")
#: An image in two files, header and values.
PAIR_ENDINGS = (".hdr", ".img")

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
#: Shortest and longest edge of a voxel that a scan may have, from microscopy to thick slabs, mm.
_VOXEL_LIMITS_MM = (0.005, 100.0)
#: Size of a NIfTI-2 header, which it begins with.
_NIFTI2_SIZE = 540


def read_volume(path: Path | str, *, unit: str = "", name: str = "") -> Volume:
    """Read a NIfTI file in its own axis order.

    Values are scaled by the header's slope and intercept (float32 unless the stored type
    needs float64); unscaled files keep their type. Trailing axes of length one are dropped.

    Parameters
    ----------
    path : Path or str
        ``.nii`` or ``.nii.gz``, or either file of a pair ``.hdr`` and ``.img``.
    unit, name : str
        Recorded on the volume; the name is the file's stem unless given.

    Returns
    -------
    Volume
        Unreoriented, with ``stored`` set; its affine in mm whatever the unit of the header.

    Raises
    ------
    FileError
        Missing, not NIfTI, truncated, complex or colour values, empty or all NaN.
    GeometryError
        Not 3-D or 4-D, impossible voxel sizes, singular affine.
    """
    path = Path(path)
    image, size = _open(path)
    header = image.header.copy()
    shape = _checked_shape(path, image, size)
    data = _values(path, image).reshape(shape)
    # nibabel takes the scale out of the header; it tells labels from smoothed values.
    header["scl_slope"], header["scl_inter"] = image.dataobj.slope, image.dataobj.inter
    affine = np.asarray(image.affine, dtype=np.float64)
    if mm_per_unit(header) != 1.0:
        affine = np.diag([*([mm_per_unit(header)] * 3), 1.0]) @ affine
    check_affine(affine, f"'{path.name}'")
    _check_plausible_voxels(path, affine, header)
    volume = Volume(
        data=data,
        affine=affine,
        unit=unit,
        name=name or _bare(path),
        origin=path,
        stored=StoredGrid((shape[0], shape[1], shape[2]), affine, header),
        orientation_known=int(header["qform_code"]) > 0 or int(header["sform_code"]) > 0,
        b0_world=b0_in_world(header, affine),
    )
    if data.dtype.kind == "f" and not np.isfinite(data).any():
        raise FileError(f"'{path.name}' holds no number at all: every voxel is NaN or infinite.")
    return volume


class _Watched:
    """An open file that tells of every block before it is written."""

    def __init__(self, file: Any, alive: Callable[[], None]) -> None:
        self._file, self._alive = file, alive

    def write(self, block: Any) -> Any:
        self._alive()
        return self._file.write(block)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def write_volume(
    volume: Volume, path: Path | str, alive: Callable[[], None] = lambda: None
) -> None:
    """Write a volume in the axis order of the file it came from, atomically.

    Parameters
    ----------
    volume : Volume
        Booleans are written as uint8; other types as they are (float16 as float32).
    path : Path or str
        Must end in ``.nii`` or ``.nii.gz``; an existing file is replaced only by a whole one.
    alive : callable
        Called often; may raise to stop, and then nothing has been written.

    Raises
    ------
    FileError
        Wrong ending, or the place cannot be written to.
    GeometryError
        The volume no longer lies on the grid it came from.
    """
    path = Path(path)
    if not path.name.lower().endswith(ENDINGS):
        raise FileError(f"'{path.name}' must end in .nii or .nii.gz.")
    image = _image(volume, path)
    image.header["descrip"] = b"napari-qsm"
    with atomic_path(path) as temporary, ImageOpener(temporary, "wb") as file:
        image.to_stream(_Watched(file, alive))


def nifti_bytes(volume: Volume, name: str) -> bytes:
    """An unpacked NIfTI file whose header holds the grid and the type of values, and nothing else.

    Parameters
    ----------
    volume : Volume
        As for :func:`write_volume`.
    name : str
        Of the file, for messages.

    Raises
    ------
    FileError, GeometryError
        As from :func:`write_volume`.
    """
    return bytes(_image(volume, Path(name)).to_bytes())


def _image(volume: Volume, path: Path) -> Any:
    """A volume in the axis order of the file it came from; nothing else of that file's header."""
    back = volume.to_stored()
    data = _writable(back.data, path)
    source = back.stored.header if back.stored is not None else None
    kind = nib.Nifti2Image if isinstance(source, nib.Nifti2Header) else nib.Nifti1Image
    image = kind(data, back.affine)
    if isinstance(source, nib.Nifti1Header):
        if mm_per_unit(source) != 1.0:
            image = kind(data, source.get_best_affine())
        for field in GEOMETRY_FIELDS:
            image.header[field] = source[field]
        image.header["pixdim"][:4] = source["pixdim"][:4]
    else:
        image.set_sform(back.affine, code=1)
        image.set_qform(back.affine, code=1)
        image.header.set_xyzt_units("mm")
    return image


def _open(path: Path) -> tuple[Any, int]:
    why = absence(path)
    if why:
        raise FileError(f"'{path.name}' {why}.")
    if not path.exists():
        raise FileError(f"There is no file '{path}'.")
    if path.is_dir():
        raise FileError(f"'{path}' is a folder; a NIfTI file is needed.")
    if path.suffix.lower() in PAIR_ENDINGS:
        return _open_pair(path)
    if not path.name.lower().endswith(ENDINGS):
        raise FileError(f"'{path.name}' is not a NIfTI file (.nii or .nii.gz).")
    try:
        finish_above(path)
        content = read_content(path)
        second = _NIFTI2_SIZE in (_size(content, "<"), _size(content, ">"))
        kind = nib.Nifti2Image if second else nib.Nifti1Image
        image = kind.from_bytes(content)
    except FileError:
        raise
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
    except OSError as error:  # of the disk, not of the file's content
        raise FileError(f"Cannot read '{path}': {reason(error)}.") from error
    except Exception as error:  # nibabel raises many kinds for files of other formats
        raise FileError(f"'{path.name}' is not a readable NIfTI file.") from error
    if len(content) < image.header.sizeof_hdr:
        raise FileError(f"'{path.name}' is cut short: its header is incomplete.")
    _check_voxel_sizes(path, type(image.header)(content[: image.header.sizeof_hdr], check=False))
    return image, len(content)


def _bare(path: Path) -> str:
    name = path.name
    ending = next((e for e in (*ENDINGS, *PAIR_ENDINGS) if name.lower().endswith(e)), "")
    return name[: len(name) - len(ending)]


def is_pair(path: Path) -> bool:
    """Whether both files of a pair are there."""
    return _other_half(path).is_file()


def _other_half(path: Path) -> Path:
    """The header of a pair's values, or the values of its header, in the case of the name."""
    suffix = path.suffix
    other = ".img" if suffix.lower() == ".hdr" else ".hdr"
    return path.with_suffix(other.upper() if suffix.isupper() else other)


def _open_pair(path: Path) -> tuple[Any, int]:
    """Header and values of an image in two files, put together in memory."""
    other = _other_half(path)
    if not other.is_file():
        raise FileError(f"'{path.name}' is half of a pair, but '{other.name}' is not beside it.")
    header, values = (path, other) if path.suffix.lower() == ".hdr" else (other, path)
    try:
        content = dict(zip(("header", "image"), read_pair(header, values), strict=True))
        magic = content["header"][344:348]
        if len(content["header"]) == 348 and magic != b"ni1\0":
            raise FileError(
                f"'{path.name}' is an Analyze image, which does not say where left and right are; "
                "save it as NIfTI (.nii) with the program it comes from."
            )
        holders = {key: nib.FileHolder(fileobj=io.BytesIO(b)) for key, b in content.items()}
        kind = nib.Nifti2Pair if magic[:3] != b"ni1" else nib.Nifti1Pair
        image = kind.from_file_map(holders)
        _check_voxel_sizes(
            path, type(image.header)(content["header"][: image.header.sizeof_hdr], check=False)
        )
    except (FileError, GeometryError):
        raise
    except PermissionError as error:
        raise FileError(f"No permission to read '{path}'.") from error
    except MemoryError as error:
        raise FileError(f"'{path.name}' is too large for this computer's memory.") from error
    except OSError as error:
        raise FileError(f"Cannot read '{path}': {reason(error)}.") from error
    except Exception as error:  # nibabel raises many kinds for files of other formats
        raise FileError(f"'{path.name}' is not a readable NIfTI pair (.hdr and .img).") from error
    return image, len(content["image"])


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
            f"'{path.name}' is cut short, or its header is wrong: it promises "
            f"{' x '.join(map(str, shape))} voxels, more than the file holds."
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


def _check_plausible_voxels(path: Path, affine: Array, header: Any) -> None:
    """Refuse sizes that no scan has: a unit of length that is wrong, or was never written."""
    sizes = voxel_size_mm(affine)
    low, high = _VOXEL_LIMITS_MM
    if low <= min(sizes) and max(sizes) <= high:
        return
    said = " x ".join(f"{size:g}" for size in sizes)
    code = header.get_xyzt_units()[0]
    unit = {"meter": "metres", "micron": "micrometres", "mm": "millimetres"}.get(code, "no unit")
    raise GeometryError(
        f"'{path.name}' has voxels of {said} mm, which no scan of a head has; its header gives "
        f"{unit} as the unit of length, so mend that unit (xyzt_units) or the voxel size."
    )


def _values(path: Path, image: Any) -> Array:
    try:
        scaled = image.dataobj.slope != 1 or image.dataobj.inter != 0
        # What the scale takes beyond any float32 becomes infinite.
        with np.errstate(over="ignore", invalid="ignore"):
            data = np.asanyarray(image.dataobj, dtype=np.float32 if scaled else None)
    except MemoryError as error:
        raise FileError(f"'{path.name}' is too large for this computer's memory.") from error
    except (EOFError, OSError, zlib.error, gzip.BadGzipFile, ValueError) as error:
        raise FileError(
            f"'{path.name}' is cut short or damaged: its values cannot be read to the end."
        ) from error
    data = np.asarray(data)
    if scaled and image.get_data_dtype().kind in "iu" and np.isinf(data).any():
        raise FileError(
            f"'{path.name}' has a scale (slope {image.dataobj.slope:g}, intercept "
            f"{image.dataobj.inter:g}) that makes its values infinite."
        )
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
