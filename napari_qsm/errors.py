"""The errors a user may meet.

Each message is one or two plain sentences that say what is wrong, where, and
what to do. They are raised in the core and shown at one boundary in the window
and one on the command line.
"""

from __future__ import annotations


class QsmError(ValueError):
    """Something the user gave cannot be used; the message says what and why."""


class FileError(QsmError):
    """A file cannot be read or written."""


class GeometryError(QsmError):
    """Volumes do not fit together, or a grid is impossible."""


class MetadataError(QsmError):
    """A value that must never be guessed (echo time, field strength, unit) is missing or odd."""


class RecipeError(QsmError):
    """A recipe names a method, parameter or value that does not exist."""


class Cancelled(QsmError):
    """The work was stopped on request."""
