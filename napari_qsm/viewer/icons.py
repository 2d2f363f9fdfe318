"""Icons, each a small SVG file of :mod:`napari_qsm.viewer.svg`, drawn in the ink of the theme.

``currentColor`` in a file stands for the ink; other colours are the drawing's own and hold on
dark and bright backgrounds.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

from napari.utils.theme import get_theme
from qtpy.QtCore import QByteArray, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap
from qtpy.QtSvg import QSvgRenderer

_SCALE = 3  # drawn larger than shown, sharp on dense displays
_INKS = {True: "#ebebeb", False: "#282828"}


def is_dark(theme: str) -> bool:
    """Whether a theme of napari, given by its name, has a dark background."""
    return sum(get_theme(theme).background.as_rgb_tuple()[:3]) < 3 * 128


def text_colour(theme: str) -> QColor:
    """The colour of text in a theme."""
    return QColor(*get_theme(theme).text.as_rgb_tuple()[:3])


@lru_cache(maxsize=1024)
def pixmap(name: str, ink: str = "#000000", side: int = 20) -> QPixmap:
    """Draw an icon.

    Parameters
    ----------
    name : str
        Of the SVG file, without its ending.
    ink : str
        What ``currentColor`` stands for, ``#rrggbb``.
    side : int
        Width and height, device-independent pixels.
    """
    text = (files("napari_qsm.viewer") / "svg" / f"{name}.svg").read_text(encoding="utf-8")
    picture = QPixmap(_SCALE * side, _SCALE * side)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    QSvgRenderer(QByteArray(text.replace("currentColor", ink).encode())).render(painter)
    painter.end()
    picture.setDevicePixelRatio(float(_SCALE))
    return picture


@lru_cache(maxsize=1024)
def icon(name: str, dark: bool = True, *, colour: str = "", side: int = 20) -> QIcon:
    """An icon in the ink of a dark or bright theme, or in a colour of its own.

    In a chosen row it looks the same: Qt would tint it, and colours would not be true.

    Parameters
    ----------
    name : str
        Of the SVG file; ``swatch`` and ``square`` show a region's colour.
    dark : bool
        Whether the background is dark.
    colour : str
        ``#rrggbb`` instead of the theme's ink.
    side : int
        Width and height, device-independent pixels.
    """
    picture = pixmap(name, colour or _INKS[dark], side)
    made = QIcon(picture)
    made.addPixmap(picture, QIcon.Mode.Selected)
    return made
