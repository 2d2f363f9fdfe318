"""The register of file formats: what can be opened and saved, and under which endings.

Everything that depends on which formats there are reads it from here: what a folder is searched
for, what a file dialog offers, what the manifest claims, which writer an ending calls. A new
format is one module in this package that calls :func:`register`; nothing else names it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from napari_qsm.errors import FileError
from napari_qsm.io.region import Region

if TYPE_CHECKING:
    from napari_qsm.volume import Volume

Warn = Callable[[str], None]


@dataclass(frozen=True)
class ImageFormat:
    """Volumes in a file.

    Attributes
    ----------
    name : str
        For people.
    endings : tuple of str
        In lower case, longest first; the first is the one to write.
    read : callable
        Path to :class:`~napari_qsm.volume.Volume` in the file's own axis order.
    write : callable or None
        Volume and path, atomically; None if the format is only read.
    read_labels : callable or None
        Path to labels and the regions that the file itself names; None if names lie in a table
        beside it.
    write_labels : callable or None
        Labels, regions and path into one file; None if names go into a table beside it.
    only_labels : bool
        Whether such a file is always a label map.
    accepts : callable or None
        Whether a file with such an ending is of this format; unless given every one is.
    also : tuple of str
        Endings under which it is read when named, but neither searched for nor offered.
    """

    name: str
    endings: tuple[str, ...]
    read: Callable[[Path], Volume]
    write: Callable[[Volume, Path], None] | None = None
    read_labels: Callable[[Path], tuple[Volume, tuple[Region, ...]]] | None = None
    write_labels: Callable[[Volume, Sequence[Region], Path], None] | None = None
    only_labels: bool = False
    accepts: Callable[[Path], bool] | None = None
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class TableFormat:
    """What the numbers in a label map mean, as text.

    Attributes
    ----------
    name : str
        For people.
    endings : tuple of str
        In lower case; the first is the one to write.
    recognises : callable
        Whether a text is of this kind, judged by its first lines.
    read : callable
        Text and the file's name (for messages) to regions, in any order, background left out.
    write : callable or None
        Regions to text; None if the format is only read.
    saved_as : str
        What a dialog calls an image with such a table; empty if it is not offered.
    stem_ending : str
        What the image's name then ends with, before its ending.
    beside : bool
        Whether such a table is looked for beside an image of the same name.
    rank : int
        Its place among others, in dialogs and where several tables lie beside an image.
    """

    name: str
    endings: tuple[str, ...]
    recognises: Callable[[str], bool]
    read: Callable[[str, str], list[Region]]
    write: Callable[[Sequence[Region]], str] | None = None
    saved_as: str = ""
    stem_ending: str = ""
    beside: bool = True
    rank: int = 9


_F = TypeVar("_F", ImageFormat, TableFormat)
_FORMATS: dict[str, ImageFormat | TableFormat] = {}


def register(format_: _F) -> _F:
    """Add a format; called by the modules of this package when they are loaded."""
    _FORMATS[format_.name] = format_
    return format_


@cache
def _load() -> None:
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")


def image_formats() -> list[ImageFormat]:
    """Every format of images, NIfTI first."""
    _load()
    found = [each for each in _FORMATS.values() if isinstance(each, ImageFormat)]
    return sorted(found, key=lambda each: (each.only_labels, each.write is None, each.name))


def table_formats() -> list[TableFormat]:
    """Every format of label tables, by rank; those that are only read last."""
    _load()
    found = [each for each in _FORMATS.values() if isinstance(each, TableFormat)]
    return sorted(found, key=lambda each: (each.write is None, each.rank, each.name))


def format_of(path: Path | str) -> ImageFormat | None:
    """The format of an image by the ending of its name; None for other files."""
    name = Path(path).name.lower()
    return next((f for f in image_formats() if name.endswith(f.endings + f.also)), None)


def image_endings(*, labels: bool = True, written: bool = False) -> tuple[str, ...]:
    """Endings of images, those of label maps alone too unless ``labels`` is false."""
    formats = [f for f in image_formats() if labels or not f.only_labels]
    return tuple(_each_once(e for f in formats if f.write or not written for e in f.endings))


def table_endings(*, beside: bool = False) -> tuple[str, ...]:
    """Endings of label tables; only of those that are looked for beside images if asked."""
    return tuple(
        _each_once(e for f in table_formats() if f.beside or not beside for e in f.endings)
    )


def can_read(path: Path | str) -> bool:
    """Whether a file is an image of any format, by its name."""
    found = format_of(path)
    return found is not None and (found.accepts is None or found.accepts(Path(path)))


def is_image(path: Path | str) -> bool:
    """Whether a file is an image that may hold a map or a scan, as folders are searched for."""
    found = format_of(path)
    if found is None or found.only_labels:
        return False
    return Path(path).name.lower().endswith(found.endings) and can_read(path)


def is_segmentation(path: Path | str) -> bool:
    """Whether a file is of a format that holds nothing but labels, by its name."""
    found = format_of(path)
    return found is not None and found.only_labels


def stem(path: Path | str) -> str:
    """Name of an image without its ending."""
    name, found = Path(path).name, format_of(path)
    ending = (
        next((e for e in found.endings + found.also if name.lower().endswith(e)), "")
        if found
        else ""
    )
    return name[: len(name) - len(ending)]


def read_image(path: Path | str, *, unit: str = "", name: str = "") -> Volume:
    """Read an image of any registered format, in its own axis order.

    Parameters
    ----------
    path : Path or str
        The file.
    unit, name : str
        Recorded on the volume; the name is the file's stem unless given.

    Raises
    ------
    FileError, GeometryError
        As from :func:`napari_qsm.io.nifti.read_volume`; FileError for unknown endings.
    """
    path = Path(path)
    found = format_of(path)
    if found is None:
        if not path.exists():
            raise FileError(f"There is no file '{path}'.")
        known = ", ".join(image_endings())
        raise FileError(f"'{path.name}' is not a NIfTI file or another image ({known}).")
    volume = found.read(path)
    if not unit and not name:
        return volume
    return replace(volume, unit=unit or volume.unit, name=name or volume.name)


def dialog_filter(what: str, *, labels: bool = False) -> str:
    """Names of files for a dialog, for example ``"Maps (*.nii *.nii.gz)"``."""
    return f"{what} ({' '.join(f'*{ending}' for ending in image_endings(labels=labels))})"


def label_choices() -> list[tuple[str, str, str]]:
    """How labels can be saved: words for the dialog, ending of the image, ending of the table."""
    image = image_formats()[0].endings[0]
    out = [
        (f"{image_formats()[0].name} and {t.saved_as} (*{t.stem_ending}{image})",
         f"{t.stem_ending}{image}", t.endings[0])
        for t in table_formats()
        if t.write is not None and t.saved_as
    ]  # fmt: skip
    own = [f for f in image_formats() if f.write_labels is not None]
    return [*out, *((f"{f.name} (*{f.endings[0]})", f.endings[0], "") for f in own)]


def _each_once(endings: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(endings))
