"""A page in millimetres: the few things that figures are drawn from.

One axes covers the page, x to the right and y down, in mm. Texts are measured before they
are drawn and their places kept, so that nothing collides and nothing is cut off.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.figures.lettering import (
    ASCENT,
    CAPITAL,
    DESCENT,
    MM_PER_PT,
    Lettering,
    Level,
    Rect,
    Side,
    Written,
    characters,
    for_any_reader,
)
from napari_qsm.figures.spec import Style
from napari_qsm.figures.structure import Structure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


#: What matplotlib must not take from the user's own settings.
_RC: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "napari-qsm",
    "svg.image_inline": True,
    "pdf.fonttype": 42,
    "pdf.compression": 6,
    "pdf.inheritcolor": False,
    "axes.unicode_minus": False,
    "text.usetex": False,
    "text.hinting": "none",
    "text.antialiased": True,
    "path.simplify": False,
    "path.snap": False,
    "path.effects": [],
    "path.sketch": None,
    "agg.path.chunksize": 0,
    "image.resample": True,
    "image.composite_image": False,
    "figure.autolayout": False,
    "figure.constrained_layout.use": False,
    "lines.antialiased": True,
    "patch.antialiased": True,
}


@contextmanager
def settings() -> Iterator[None]:
    """Drawing settings of our own, whatever the user's matplotlib is set to."""
    import matplotlib

    with matplotlib.rc_context(rc=_RC), warnings.catch_warnings():
        # Letters that no font has are told in ``Rendered.notes``.
        warnings.filterwarnings("ignore", message="Glyph .* missing", category=UserWarning)
        yield


@lru_cache(maxsize=1)
def _picture_class() -> Any:
    from matplotlib.image import AxesImage

    class Picture(AxesImage):
        """A picture that tells when it is drawn, as lines and words do."""

        def draw(self, renderer: Any) -> None:
            renderer.open_group("image", self.get_gid())
            super().draw(renderer)
            renderer.close_group("image")

    return Picture


class Page(Lettering):
    """A sheet to draw on.

    Parameters
    ----------
    style : Style
        Width, font, ground.
    height_mm : float
        Of the sheet.
    dpi : float
        Of pictures and of the canvas.
    ink, ground : str
        Colours of another sheet than white or black paper, ``"#rrggbb"``; ``"none"`` is
        transparent.
    """

    def __init__(
        self, style: Style, height_mm: float, dpi: float, *, ink: str = "", ground: str = ""
    ) -> None:
        from matplotlib.figure import Figure

        super().__init__(style.font, style.size_pt)
        self.style = style
        self.rect = Rect(0, 0, style.width_mm, height_mm)
        self.ink = ink or ("#000000" if style.ground == "light" else "#ffffff")
        self.ground = ground or ("#ffffff" if style.ground == "light" else "#000000")
        self.faint = "#666666" if style.ground == "light" else "#aaaaaa"
        self.figure: Figure = Figure(
            figsize=(style.width_mm / 25.4, height_mm / 25.4), dpi=dpi, facecolor=self.ground
        )
        self.axes: Any = self.figure.add_axes((0.0, 0.0, 1.0, 1.0))
        self.axes.set_axis_off()
        self.axes.set_xlim(0, style.width_mm)
        self.axes.set_ylim(height_mm, 0)
        self.written: list[Written] = []
        self.structure = Structure()
        self.element = self.structure.element
        self.missing: set[str] = set()

    def pixels(self) -> Array:
        """The sheet as RGBA, shape (rows, columns, 4), uint8."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        with settings():
            canvas = FigureCanvasAgg(self.figure)
            canvas.draw()
            return np.array(canvas.buffer_rgba())

    def svg(self) -> str:
        """The sheet as an SVG element; the same text for the same drawing."""
        from matplotlib.backends.backend_svg import FigureCanvasSVG

        out = io.StringIO()
        with settings():
            nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
            FigureCanvasSVG(self.figure).print_svg(out, metadata=nothing)
        text = out.getvalue()
        return for_any_reader(text[text.index("<svg") :].strip())

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size_pt: float | None = None,
        across: Side = "left",
        level: Level = "top",
        colour: str | None = None,
        weight: str = "normal",
        halo: str | None = None,
        zorder: float = 5,
    ) -> Rect:
        """Write one line, if asked with a soft edge around its letters; returns its place."""
        size = size_pt or self.size_pt
        rect = self.text_rect(x, y, text, size_pt=size, across=across, level=level, weight=weight)
        if not text:
            return rect
        self._note_missing(text)
        baseline = rect.top + ASCENT * size * MM_PER_PT
        if halo is not None:
            self._halo(rect.left, baseline, text, size, weight, halo, zorder - 0.1)
        drawn = self.axes.text(
            rect.left,
            baseline,
            text,
            family=list(self.family),
            size=size,
            weight=weight,
            color=colour or self.ink,
            ha="left",
            va="baseline",
            zorder=zorder,
            parse_math=False,
        )
        self.structure.keep(drawn, is_text=True)
        self.written.append(Written(text, rect, size))
        return rect

    def _halo(
        self, x: float, y: float, text: str, size: float, weight: str, colour: str, zorder: float
    ) -> None:
        """The outlines of letters, drawn broad below them; the text itself stays text."""
        from matplotlib.font_manager import FontProperties
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path as Curve
        from matplotlib.textpath import text_to_path

        font = FontProperties(family=list(self.family), weight=weight, size=size)
        vertices, codes = text_to_path.get_text_path(font, text, ismath=False)
        if not len(vertices):
            return
        scale = size / text_to_path.FONT_SCALE * MM_PER_PT
        outline = Curve(np.asarray(vertices) * [scale, -scale] + [x, y], codes)
        patch = PathPatch(
            outline,
            facecolor="none",
            edgecolor=colour,
            linewidth=1.4,
            joinstyle="round",
            alpha=0.75,
            zorder=zorder,
        )
        self._add(patch)

    def upright(
        self, x: float, y: float, text: str, *, size_pt: float, weight: str = "normal"
    ) -> Rect:
        """Write a line that runs upwards, its middle at (x, y)."""
        width = self.width(text, size_pt, weight)
        height = (ASCENT + DESCENT) * size_pt * MM_PER_PT
        self._note_missing(text)
        drawn = self.axes.text(
            x + (CAPITAL / 2) * size_pt * MM_PER_PT,
            y + width / 2,
            text,
            family=list(self.family),
            size=size_pt,
            weight=weight,
            color=self.ink,
            rotation=90,
            rotation_mode="anchor",
            ha="left",
            va="baseline",
            zorder=5,
            parse_math=False,
        )
        self.structure.keep(drawn, is_text=True)
        rect = Rect(x - height / 2, y - width / 2, height, width)
        self.written.append(Written(text, rect, size_pt))
        return rect

    def _note_missing(self, text: str) -> None:
        known = set().union(*(characters(name) for name in self.family))
        self.missing |= {letter for letter in text if ord(letter) not in known}

    def fill(self, rect: Rect, colour: str, *, alpha: float = 1.0, zorder: float = 1) -> None:
        """A filled rectangle."""
        from matplotlib.patches import Rectangle

        self._add(
            Rectangle(
                (rect.left, rect.top),
                rect.width,
                rect.height,
                facecolor=colour,
                alpha=alpha,
                linewidth=0,
                zorder=zorder,
            )
        )

    def image(
        self,
        rgb: Array,
        edges: tuple[float, float, float, float],
        clip: Rect,
        *,
        smooth: bool = False,
        zorder: float = 2,
    ) -> None:
        """A picture between (left, right, bottom, top) in page mm, cut off at ``clip``."""
        picture = _picture_class()(
            self.axes,
            extent=edges,
            origin="upper",
            interpolation="bilinear" if smooth else "nearest",
            zorder=zorder,
        )
        picture.set_data(rgb)
        picture.set_clip_path(self._clip(clip))
        self._add(picture)

    def lines(
        self,
        paths: Sequence[Array],
        colour: str,
        width_pt: float,
        *,
        clip: Rect | None = None,
        closed: bool = False,
        fill: str | None = None,
        alpha: float = 1.0,
        dashed: bool = False,
        zorder: float = 3,
    ) -> None:
        """Polylines in page mm, each of shape (n, 2); filled if a colour is given."""
        if not paths:
            return
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path as Curve

        parts = [Curve(path, closed=False) for path in paths]
        if closed:
            parts = [Curve(np.vstack([path, path[:1]]), closed=True) for path in paths]
        patch = PathPatch(
            Curve.make_compound_path(*parts),
            facecolor=fill or "none",
            edgecolor=colour if width_pt else "none",
            linewidth=width_pt,
            joinstyle="miter",
            capstyle="butt",
            linestyle="--" if dashed else "-",
            alpha=alpha,
            zorder=zorder,
        )
        self._add(patch)
        if clip is not None:
            patch.set_clip_path(self._clip(clip))

    def _add(self, artist: Any) -> None:
        self.axes.add_artist(artist)
        self.structure.keep(artist)

    def _clip(self, rect: Rect) -> Any:
        from matplotlib.patches import Rectangle

        return Rectangle(
            (rect.left, rect.top), rect.width, rect.height, transform=self.axes.transData
        )
