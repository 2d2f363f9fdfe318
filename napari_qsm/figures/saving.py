"""A figure into files: the same bytes for the same figure, and nothing private in them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from napari_qsm._version import __version__
from napari_qsm.errors import FileError
from napari_qsm.figures.lettering import for_any_reader
from napari_qsm.figures.spec import read_spec
from napari_qsm.io.atomic import check_parent, staged_folder

if TYPE_CHECKING:
    from napari_qsm.figures.page import Page

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


def picture_bytes(page: Page, ending: str, *, title: str = "", subject: str = "") -> bytes:
    """A page in the format of an ending, ``".png"``.

    Parameters
    ----------
    page : Page
    ending : str
    title, subject : str
        What PDF and SVG are called, and their caption.

    Raises
    ------
    FileError
        For an unknown ending.
    """
    check_ending(Path(f"figure{ending}"))
    ending = ending.lower()
    if ending == ".pdf":
        from napari_qsm.figures.tagged_pdf import tagged_pdf

        return tagged_pdf(page, title=title, subject=subject, maker=_MAKER)
    out = io.BytesIO()
    dots = page.figure.dpi
    try:
        _write(page, ending, out, title, subject)
    finally:
        page.figure.dpi = dots  # the canvas of SVG leaves its own behind
    return out.getvalue()


def _write(page: Page, ending: str, out: io.BytesIO, title: str, subject: str) -> None:
    figure = page.figure
    if ending == ".svg":
        from matplotlib.backends.backend_svg import FigureCanvasSVG

        text = io.StringIO()
        words = {"Title": title, "Description": subject}
        about = {key: value for key, value in words.items() if value}
        FigureCanvasSVG(figure).print_svg(text, metadata={"Creator": _MAKER, "Date": None, **about})
        out.write(for_any_reader(text.getvalue()).encode())
    else:
        from PIL import Image

        picture = Image.fromarray(page.pixels()[..., :3])
        dpi = (figure.dpi, figure.dpi)
        if ending == ".png":
            from PIL.PngImagePlugin import PngInfo

            said = PngInfo()
            said.add_text("Software", _MAKER)
            picture.save(out, "PNG", dpi=dpi, pnginfo=said, optimize=False, compress_level=6)
        else:
            picture.save(out, "TIFF", dpi=dpi, compression="tiff_lzw", software=_MAKER)


def save_all(
    path: Path, files: dict[Path, bytes], *, spare: Path | None, overwrite: bool = True
) -> list[Path]:
    """Write the picture and what belongs to it; all files or none.

    Parameters
    ----------
    path : Path
        The picture.
    files : dict
        Content of each file, the picture first.
    spare : Path or None
        A file that stays as it is.
    overwrite : bool
        Without it, files that are there already must hold the same.

    Raises
    ------
    FileError
        If nothing can be written there.
    """
    if spare is not None:
        files = {f: content for f, content in files.items() if f.absolute() != spare.absolute()}
    _check_companions(path, list(files))
    for target, content in files.items():
        if not overwrite and target.exists() and target.read_bytes() != content:
            raise FileError(
                f"'{target}' exists already and holds something else; choose another name or add "
                "--overwrite."
            )
    check_parent(path)
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
