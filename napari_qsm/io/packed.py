"""The bytes of a NIfTI file, unpacked no further than its header asks for.

The header is read first and its claims are held against the size of the file and the memory of
this computer; only then are the values read, in a stream, so that a file made to fill the memory
(a few megabytes that unpack to gigabytes) is found by its first kilobyte.
"""

from __future__ import annotations

import gzip
import io
import math
from pathlib import Path

import nibabel as nib
import numpy as np
import psutil
from nibabel.spatialimages import HeaderDataError

from napari_qsm.errors import FileError

_NIFTI1_SIZE, _NIFTI2_SIZE = 348, 540
_MAGIC = b"\x1f\x8b"
_BLOCK = 2**20
#: No deflate stream unpacks to more than this many times its size.
_MOST_PACKED = 1032
#: From this size on, content that is this many times the file holds hardly anything but zeros.
_LARGE, _HOLLOW = 200 * 2**20, 400
#: Bytes behind the values that are still read to verify the checksum.
_TAIL = 8 * 2**20


def read_content(path: Path) -> bytes:
    """Header and values of a NIfTI file.

    Parameters
    ----------
    path : Path
        A file that exists; packed with gzip or not, whatever its name says.

    Returns
    -------
    bytes
        Up to the last value that the header declares; less where the file ends before.

    Raises
    ------
    FileError
        If the header promises more than the file or the memory can hold, or the file holds far
        more than the header declares.
    OSError, EOFError, zlib.error
        If it cannot be read or is damaged.
    """
    size = path.stat().st_size
    with path.open("rb") as raw:
        is_packed = raw.read(2) == _MAGIC
    if path.name.lower().endswith(".gz") and not is_packed:
        raise FileError(
            f"'{path.name}' is not packed with gzip, though its name ends in .gz; if it is a NIfTI "
            "file, rename it to end in .nii."
        )
    if not is_packed:
        with path.open("rb") as handle:
            start = handle.read(_NIFTI2_SIZE)
            declared = _declared(start)
            if declared is not None and declared <= size:
                _check_memory(path, declared)
            handle.seek(0)
            return handle.read(size if declared is None else min(declared, size))
    with gzip.open(path, "rb") as handle:
        start = handle.read(_NIFTI2_SIZE)
        declared = _declared(start)
        if declared is None:
            return start  # no header of NIfTI: the reader says so
        _check_claim(path, declared, size)
        _check_memory(path, declared)
        out = io.BytesIO()
        out.write(start[:declared])
        while out.tell() < declared:
            block = handle.read(min(_BLOCK, declared - out.tell()))
            if not block:
                return out.getvalue()
            out.write(block)
        _read_tail(path, handle)
        return out.getvalue()


def read_pair(header: Path, values: Path) -> tuple[bytes, bytes]:
    """The two files of an image, its values no further than the header asks for.

    Raises
    ------
    FileError
        If the values are more than the memory can hold.
    OSError
        If one of them cannot be read.
    """
    with header.open("rb") as handle:
        start = handle.read(_TAIL)
    declared = _declared(start)
    if declared is None:  # no header of NIfTI: the reader says so
        return start, b""
    held = min(declared, values.stat().st_size)
    _check_memory(values, held)
    with values.open("rb") as handle:
        return start, handle.read(held)


def _declared(start: bytes) -> int | None:
    """Bytes up to the last value, as a header declares them; None where there is no header."""
    for order in ("<", ">"):
        size = int(np.frombuffer(start[:4].ljust(4, b"\0"), f"{order}i4")[0])
        for kind, length in ((nib.Nifti1Header, _NIFTI1_SIZE), (nib.Nifti2Header, _NIFTI2_SIZE)):
            if size == length and len(start) >= length:
                header = kind(start[:length], endianness=order, check=False)
                return _extent(header, length)
    return None


def _extent(header: nib.Nifti1Header, length: int) -> int | None:
    dim = [int(n) for n in header["dim"]]
    if not 1 <= dim[0] <= 7:
        return None
    offset = float(header["vox_offset"])
    if not math.isfinite(offset):
        return None
    voxels = math.prod(max(n, 0) for n in dim[1 : dim[0] + 1])
    try:
        size = int(header.get_data_dtype().itemsize)
    except HeaderDataError:  # no type of NIfTI: the reader says so
        return None
    return max(int(offset), length) + voxels * size


def _check_claim(path: Path, declared: int, size: int) -> None:
    if declared > _MOST_PACKED * size + _BLOCK:
        raise FileError(
            f"'{path.name}' is cut short, or its header is wrong: it promises {_words(declared)}, "
            f"more than a file of {_words(size)} can hold."
        )
    if declared > _LARGE and declared > _HOLLOW * size:
        raise FileError(
            f"'{path.name}' would unpack from {_words(size)} to {_words(declared)}, so it holds "
            "hardly anything but one value, and was not read. If it is meant, unpack it to a .nii "
            "file."
        )


def _check_memory(path: Path, declared: int) -> None:
    free = psutil.virtual_memory().available
    if declared > free:
        raise FileError(
            f"'{path.name}' is too large for the memory that is free: its values take "
            f"{_words(declared)} of {_words(free)}. Close other programs, or use a smaller image."
        )


def _read_tail(path: Path, handle: gzip.GzipFile) -> None:
    """Read what follows the values: the checksum is verified at the end of the stream."""
    try:
        rest = 0
        while block := handle.read(_BLOCK):
            rest += len(block)
            if rest > _TAIL:
                raise FileError(
                    f"'{path.name}' holds far more than its header declares; it is damaged or no "
                    "image."
                )
    except gzip.BadGzipFile as error:
        # Archives and downloads add bytes behind the packed file, as gzip itself says and passes
        # over; a wrong checksum is another matter.
        if "Not a gzipped file" not in str(error):
            raise


def _words(size: int) -> str:
    for unit, step in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= step:
            return f"{size / step:.3g} {unit}"
    return f"{size} bytes"
