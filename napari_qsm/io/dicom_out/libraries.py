"""The libraries that DICOM is written with, which not every installation has."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from napari_qsm.errors import FileError


def need_highdicom() -> ModuleType:
    """The highdicom library, or a sentence on how to get it.

    Raises
    ------
    FileError
        If it is not installed.
    """
    try:
        import highdicom
        import highdicom.sr
    except ImportError as error:
        raise FileError(
            "Writing DICOM needs highdicom and pydicom; install them with: "
            'pip install "napari-qsm[dicom]"'
        ) from error
    return highdicom


@contextmanager
def quiet() -> Iterator[None]:
    """Odd values that came from the scan's own headers are no concern of the user's, and may name somebody."""
    loggers = [logging.getLogger(name) for name in ("pydicom", "highdicom")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
