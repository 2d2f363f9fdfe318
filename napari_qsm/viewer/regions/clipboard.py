"""The table on the clipboard: text for spreadsheets, HTML for Word, both at once."""

from __future__ import annotations

from html import escape

import pandas as pd
from qtpy.QtCore import QMimeData

from napari_qsm.session.table.content import Content


def as_shown(content: Content) -> QMimeData:
    """The table as it is shown, with mean and SD in one cell."""
    titles = [column.title.replace("\n", " ") for column in content.columns]
    rows = [[_plain(text) for text in line.cells] for line in content.lines]
    left = [column.is_text for column in content.columns]
    return _mime([titles, *rows], left)


def as_numbers(frame: pd.DataFrame) -> QMimeData:
    """Every number in full, mean and SD in columns of their own."""
    rows = [
        ["" if value != value else str(value) for value in row]
        for row in frame.itertuples(index=False)
    ]
    return _mime([list(map(str, frame.columns)), *rows], [frame[c].dtype == object for c in frame])


def _plain(text: str) -> str:
    """A minus that spreadsheets read, and nothing where there is no number."""
    return "" if text == "–" else text.replace("−", "-")


def _mime(rows: list[list[str]], left: list[bool]) -> QMimeData:
    data = QMimeData()
    one_line = [[" ".join(text.split()) for text in row] for row in rows]
    data.setText("\n".join("\t".join(row) for row in one_line) + "\n")
    data.setHtml(_html(one_line, left))
    return data


def _html(rows: list[list[str]], left: list[bool]) -> str:
    def row_html(row: list[str], tag: str) -> str:
        cells = "".join(
            f'<{tag} align="{"left" if is_text else "right"}">{escape(text)}</{tag}>'
            for text, is_text in zip(row, left, strict=True)
        )
        return f"<tr>{cells}</tr>"

    head, *body = rows
    lines = [row_html(head, "th"), *(row_html(row, "td") for row in body)]
    table = '<table border="1" cellspacing="0" cellpadding="3">' + "".join(lines) + "</table>"
    return f'<html><head><meta charset="utf-8"></head><body>{table}</body></html>'
