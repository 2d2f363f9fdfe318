"""Texts in tables that spreadsheet programs open, so that none of them is run as a formula.

A name of a region may come from anybody's file. A cell that begins with ``=``, ``+``, ``-``,
``@``, a tab or a line break is computed by Excel and LibreOffice, even in a CSV file; an
apostrophe in front makes text of it (OWASP, "CSV injection").
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def defused_text(text: str) -> str:
    """A text as a cell may hold it: no formula, and no control characters.

    Examples
    --------
    >>> defused_text("=1+1"), defused_text("Putamen L")
    ("'=1+1", 'Putamen L')
    """
    text = _CONTROL.sub("", text)
    return f"'{text}" if text.lstrip(" ").startswith(_STARTS) else text


def quoted_text(text: str) -> str:
    """A text for a table that this program reads again; :func:`unquoted_text` gives it back.

    Examples
    --------
    >>> quoted_text("=1+1"), unquoted_text(quoted_text("=1+1"))
    ("'=1+1", '=1+1')
    """
    return f"'{text}" if text.lstrip("'").lstrip(" ").startswith(_STARTS) else text


def unquoted_text(text: str) -> str:
    """The text without the apostrophe that kept it from being run as a formula."""
    bare = text.removeprefix("'")
    return bare if bare.lstrip("'").lstrip(" ").startswith(_STARTS) else text


def defused(table: pd.DataFrame) -> pd.DataFrame:
    """The table with all its texts as cells may hold them; numbers stay what they are."""
    out = table.rename(columns=lambda name: defused_text(str(name)))
    for number, column in enumerate(table.columns):
        values = table[column]
        if values.dtype.kind not in "biufc":
            cells = [defused_text(v) if isinstance(v, str) else v for v in values]
            out.isetitem(number, cells)
    return out
