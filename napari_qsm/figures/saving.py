"""A figure into files: the same bytes for the same figure, and nothing private in them."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_qsm._version import __version__
from napari_qsm.arrays import Array
from napari_qsm.errors import FileError
from napari_qsm.figures.spec_files import read_spec, spec_text
from napari_qsm.io.atomic import staged_folder
from napari_qsm.io.spreadsheet import defused

if TYPE_CHECKING:
    from napari_qsm.figures.draw import Rendered

ENDINGS = (".png", ".tif", ".tiff", ".pdf", ".svg")
_MAKER = f"napari-qsm {__version__}"


def check_ending(path: Path) -> None:
    """Refuse a name whose ending is no kind of picture.

    Raises
    ------
    FileError
        Naming the kinds.
    """
    if path.suffix.lower() not in ENDINGS:
        raise FileError(f"'{path.name}' must end in .png, .tiff, .pdf or .svg.")


def picture_bytes(figure: Any, path: Path, pixels: Callable[[], Array]) -> bytes:
    """The figure in the format that a name asks for.

    Raises
    ------
    FileError
        For an unknown ending.
    """
    check_ending(path)
    ending = path.suffix.lower()
    out = io.BytesIO()
    dots = figure.dpi
    try:
        _write(figure, ending, out, pixels)
    finally:
        figure.dpi = dots  # the PDF and SVG canvases leave their own behind
    return out.getvalue()


def _write(figure: Any, ending: str, out: io.BytesIO, pixels: Callable[[], Array]) -> None:
    if ending == ".pdf":
        from matplotlib.backends.backend_pdf import FigureCanvasPdf

        dates = {"CreationDate": None, "ModDate": None}
        FigureCanvasPdf(figure).print_pdf(
            out, metadata={"Creator": _MAKER, "Producer": _MAKER, **dates}
        )
    elif ending == ".svg":
        from matplotlib.backends.backend_svg import FigureCanvasSVG

        FigureCanvasSVG(figure).print_svg(out, metadata={"Creator": _MAKER, "Date": None})
    else:
        from PIL import Image

        picture = Image.fromarray(pixels()[..., :3])
        dpi = (figure.dpi, figure.dpi)
        if ending == ".png":
            from PIL.PngImagePlugin import PngInfo

            said = PngInfo()
            said.add_text("Software", _MAKER)
            picture.save(out, "PNG", dpi=dpi, pnginfo=said, optimize=False, compress_level=9)
        else:
            picture.save(out, "TIFF", dpi=dpi, compression="tiff_lzw", software=_MAKER)


def save_all(
    drawn: Rendered,
    path: Path,
    picture: bytes,
    *,
    companions: bool,
    spare: Path | None,
    overwrite: bool = True,
) -> list[Path]:
    """Write the picture and what belongs to it; all files or none.

    Without ``overwrite``, files that are there already must hold the same.

    Raises
    ------
    FileError
        If nothing can be written there.
    """
    files = {path: picture}
    if companions:
        spec = spec_text(drawn.spec, folder=path.parent, base=drawn.base)
        files[path.with_suffix(".json")] = spec.encode()
        files[path.with_suffix(".txt")] = (drawn.caption.rstrip() + "\n").encode()
        if drawn.table is not None:
            files[path.with_suffix(".csv")] = defused(drawn.table).to_csv(index=False).encode()
    if spare is not None:
        files = {f: content for f, content in files.items() if f.absolute() != spare.absolute()}
    _check_companions(path, list(files))
    for target, content in files.items():
        if not overwrite and target.exists() and target.read_bytes() != content:
            raise FileError(
                f"'{target}' exists already and holds something else; choose another name or add "
                "--overwrite."
            )
    if not path.parent.is_dir():
        raise FileError(
            f"The folder '{path.parent}' does not exist, so '{path.name}' has no place."
        )
    with staged_folder(path.parent, overwrite=True) as staging:
        for target, content in files.items():
            (staging / target.name).write_bytes(content)
    return list(files)


def _check_companions(path: Path, files: list[Path]) -> None:
    """Refuse to replace files that merely share the figure's name, such as a map's sidecar."""
    ours = path.with_suffix(".json")
    if ours.is_file():
        try:
            read_spec(ours)
        except FileError:
            pass
        else:
            return
    for file in files:
        if file != path and file.exists():
            raise FileError(
                f"'{file.name}' lies beside '{path.name}' already and is not part of an earlier "
                "figure; choose another name for the figure."
            )
