"""Text files of other programs, in whatever encoding they were saved."""

from __future__ import annotations

import codecs
from pathlib import Path

from napari_qsm.errors import FileError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ALLOWED = frozenset("\t\n\r\f\v\x1a")
#: Longer files are no tables and no sidecars.
_LARGEST = 64 * 1024 * 1024


def read_text(path: Path | str, kind: str = "text file") -> str:
    """The text of a file in UTF-8, UTF-16, UTF-32 or Windows-1252 (with Latin-1).

    Marks at the beginning decide; else UTF-8 wherever it fits, which other encodings never do
    by chance; else UTF-16 if every second byte is zero; else Windows-1252.

    Parameters
    ----------
    path : Path or str
        The file.
    kind : str
        What was expected, for the message.

    Raises
    ------
    FileError
        If it cannot be read, or is no text.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _LARGEST:
            raise FileError(f"'{path.name}' is far too large for a {kind}.")
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise FileError(f"There is no file '{path}'.") from error
    except OSError as error:
        raise FileError(f"Cannot read '{path}': {error.strerror or error}.") from error
    text = decoded(content)
    if text is None:
        raise FileError(f"'{path.name}' is not a text file, so it is no {kind}.")
    return text


def decoded(content: bytes) -> str | None:
    """Bytes as text; None if they are none. See :func:`read_text`."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _try(content, encoding)
    text = _try(content, "utf-8")
    if text is not None:
        return text
    if len(content) > 3 and b"\0" in content:
        zeros = [content[start::2].count(0) for start in (0, 1)]
        encoding = "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
        return _try(content, encoding) if 4 * max(zeros) > len(content) else None
    return _try(content, "cp1252") or _try(content, "latin-1")


def _try(content: bytes, encoding: str) -> str | None:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return None
    odd = any((c < " " and c not in _ALLOWED) or c == "\x7f" for c in text)
    return None if odd else text
