"""What the parts of a page are to somebody who hears it: figures with words, tables, lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from napari_qsm.figures.lettering import Rect

#: As PDF names them: figure, paragraph, table, row, cell of a head, cell.
Kind = Literal["Document", "Figure", "P", "Table", "TR", "TH", "TD"]


@dataclass(eq=False)
class Element:
    """A part of a page, and what it is made of.

    Attributes
    ----------
    kind : str
    alt : str
        What a figure shows, in words.
    rect : Rect or None
        Where a figure lies, page mm; all of the page unless given.
    inner : list of Element
        In reading order.
    artists : list
        What is drawn for it.
    """

    kind: Kind
    alt: str = ""
    rect: Rect | None = None
    inner: list[Element] = field(default_factory=list)
    artists: list[Any] = field(default_factory=list)

    def __iter__(self) -> Iterator[Element]:
        """Itself, and all in it."""
        yield self
        for one in self.inner:
            yield from one

    @property
    def is_empty(self) -> bool:
        """Whether nothing was drawn for it or in it; a cell of a table counts nevertheless."""
        if self.kind in ("TH", "TD"):
            return False
        return not self.artists and all(one.is_empty for one in self.inner)


class Structure:
    """The parts of a page while it is drawn.

    Attributes
    ----------
    document : Element
        All of it.
    """

    def __init__(self) -> None:
        self.document = Element("Document")
        self._open = [self.document]

    @contextmanager
    def element(self, kind: Kind, alt: str = "", rect: Rect | None = None) -> Iterator[None]:
        """All that is drawn within belongs to an element."""
        one = Element(kind, alt, rect)
        self._open[-1].inner.append(one)
        self._open.append(one)
        try:
            yield
        finally:
            self._open.pop()

    def keep(self, artist: Any, *, is_text: bool = False) -> None:
        """Note what was drawn. Lines around words are decoration; a line of words is a paragraph."""
        here = self._open[-1]
        if here.kind == "Figure" or (is_text and here.kind in ("P", "TH", "TD")):
            here.artists.append(artist)
        elif is_text:
            here.inner.append(Element("P", artists=[artist]))
