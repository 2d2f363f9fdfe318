"""The reader's window: a scan under its code, and nothing else. No viewer of napari is in it."""

from napari_qsm.viewer.reading.window import ReadingWindow, open_reading

__all__ = ["ReadingWindow", "open_reading"]
