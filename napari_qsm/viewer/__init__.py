"""The window: the only room that knows napari and Qt."""

from importlib.util import find_spec

from napari_qsm.errors import QsmError

if not any(find_spec(name) for name in ("PyQt5", "PyQt6", "PySide6")):
    raise QsmError(
        "No Qt binding is installed, so no window can be opened; 'pip install "
        '"napari-qsm[pyqt6]"\' brings one.'
    )
