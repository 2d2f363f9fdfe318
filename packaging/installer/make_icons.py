"""Makes the installers' icons from the program's own: ``QT_QPA_PLATFORM=offscreen python make_icons.py``.

Windows wants an ``.ico``, macOS an ``.icns``, Linux a ``.png``; needs a Qt binding and Pillow.
"""

from pathlib import Path

from PIL import Image
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication, QImage, QPainter
from qtpy.QtSvg import QSvgRenderer

HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "napari_qsm" / "viewer" / "svg" / "napari-qsm.svg"
SIDE = 512


def main(folder=HERE / "menu"):
    """Write the three files into a folder."""
    application = QGuiApplication.instance() or QGuiApplication([])
    image = QImage(SIDE, SIDE, QImage.Format.Format_ARGB32)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    QSvgRenderer(str(SOURCE)).render(painter)
    painter.end()
    png = folder / "napari-qsm.png"
    image.save(str(png))
    picture = Image.open(png)
    picture.save(png, optimize=True)
    picture.save(folder / "napari-qsm.ico", sizes=[(n, n) for n in (16, 32, 48, 64, 128, 256)])
    picture.save(folder / "napari-qsm.icns")
    return application


if __name__ == "__main__":
    main()
