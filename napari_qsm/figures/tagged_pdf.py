"""A page as a PDF that tells what its parts are: ISO 32000-1 (14.7, 14.8), PDF/UA-1 (ISO 14289-1).

matplotlib draws; what belongs to an element of the page's structure is marked in the stream of
drawing, and the tree of elements, title and language are added to the file.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from napari_qsm.figures.lettering import MM_PER_PT, Rect

if TYPE_CHECKING:
    from pypdf.generic import DictionaryObject, IndirectObject

    from napari_qsm.figures.page import Page
    from napari_qsm.figures.structure import Element

LANGUAGE = "en"
_DRAWN = ("text", "patch", "image")


def tagged_pdf(page: Page, *, title: str, subject: str, maker: str) -> bytes:
    """The bytes of a page as a tagged PDF; the same for the same page.

    Parameters
    ----------
    page : Page
        With its structure.
    title, subject : str
        Of the document: what it is called, and its caption.
    maker : str
        Program and version.
    """
    elements = list(page.structure.document)
    marks: dict[int, list[int]] = {}  # number of an element to those of its marked pieces
    drawn = _drawn(page, elements, marks, maker)
    return _with_structure(drawn, page.structure.document, elements, marks, title, subject, maker)


class _Raw:
    """An operator of PDF."""

    def __init__(self, name: bytes) -> None:
        self._name = name

    def pdfRepr(self) -> bytes:
        return self._name


def _drawn(page: Page, elements: list[Element], marks: dict[int, list[int]], maker: str) -> bytes:
    """The page by matplotlib, each piece of it marked with the number of its element."""
    from matplotlib.backends.backend_mixed import MixedModeRenderer
    from matplotlib.backends.backend_pdf import Name, PdfFile, RendererPdf

    owner = {
        id(artist): (number, element)
        for number, element in enumerate(elements)
        for artist in element.artists
    }
    every = [*page.axes.get_children(), page.figure.patch]
    gids = {artist: artist.get_gid() for artist in every}

    class Marking(RendererPdf):
        """Marks what is drawn between the calls with which matplotlib opens and closes artists."""

        count = 0

        def open_group(self, s: str, gid: str | None = None) -> None:
            if s not in _DRAWN:
                return
            if not gid:
                self.file.output(Name("Artifact"), _Raw(b"BMC"))
                return
            number = int(gid)
            marks.setdefault(number, []).append(self.count)
            tag = Name(elements[number].kind)
            self.file.output(tag, {"MCID": self.count}, _Raw(b"BDC"))
            self.count += 1

        def close_group(self, s: str) -> None:
            if s in _DRAWN:
                self.file.output(_Raw(b"EMC"))

    out = io.BytesIO()
    figure, dots = page.figure, page.figure.dpi
    nothing = {"CreationDate": None, "ModDate": None}
    try:
        for artist in every:
            found = owner.get(id(artist))
            artist.set_gid(str(found[0]) if found else None)
        figure.dpi = 72  # a PDF has 72 points to an inch
        width, height = figure.get_size_inches()
        file = PdfFile(out, metadata={"Creator": maker, "Producer": maker, **nothing})
        file.newPage(width, height)
        vector = Marking(file, dots, height, width)
        renderer = MixedModeRenderer(figure, width, height, dots, vector)
        drawer: Any = renderer
        figure.draw(drawer)
        renderer.finalize()
        file.finalize()
        file.close()
    finally:
        figure.dpi = dots
        for artist, gid in gids.items():
            artist.set_gid(gid)
    return out.getvalue()


def _with_structure(
    drawn: bytes,
    document: Element,
    elements: list[Element],
    marks: dict[int, list[int]],
    title: str,
    subject: str,
    maker: str,
) -> bytes:
    from pypdf import PdfReader, PdfWriter
    from pypdf.generic import (
        ArrayObject,
        BooleanObject,
        DictionaryObject,
        NameObject,
        NumberObject,
        StreamObject,
        TextStringObject,
    )

    def named(**entries: Any) -> DictionaryObject:
        return DictionaryObject({NameObject(f"/{key}"): value for key, value in entries.items()})

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(drawn)))
    page = writer.pages[0]
    root = writer.root_object
    tree = named(Type=NameObject("/StructTreeRoot"))
    tree_at = writer._add_object(tree)
    numbers = {id(element): number for number, element in enumerate(elements)}
    parents: dict[int, IndirectObject] = {}

    def added(element: Element, parent: IndirectObject) -> IndirectObject:
        one = named(Type=NameObject("/StructElem"), S=NameObject(f"/{element.kind}"), P=parent)
        at = writer._add_object(one)
        if element.alt:
            one[NameObject("/Alt")] = TextStringObject(element.alt)
        if element.kind == "TH":
            column = named(O=NameObject("/Table"), Scope=NameObject("/Column"))
            one[NameObject("/A")] = column
        if element.kind == "Figure":
            one[NameObject("/A")] = _layout(page, element.rect, named)
        inner = ArrayObject()
        for number in marks.get(numbers[id(element)], []):
            inner.append(NumberObject(number))
            parents[number] = at
        inner.extend(added(each, at) for each in element.inner if not each.is_empty)
        one[NameObject("/K")] = inner
        one[NameObject("/Pg")] = page.indirect_reference
        return at

    tree[NameObject("/K")] = ArrayObject([added(document, tree_at)])
    order = ArrayObject(parents[number] for number in range(len(parents)))
    numbering = named(Nums=ArrayObject([NumberObject(0), writer._add_object(order)]))
    tree[NameObject("/ParentTree")] = writer._add_object(numbering)
    tree[NameObject("/ParentTreeNextKey")] = NumberObject(1)
    page[NameObject("/StructParents")] = NumberObject(0)
    page[NameObject("/Tabs")] = NameObject("/S")
    if not page.get("/Annots", True):
        del page["/Annots"]
    root[NameObject("/StructTreeRoot")] = tree_at
    root[NameObject("/MarkInfo")] = named(Marked=BooleanObject(True))
    root[NameObject("/Lang")] = TextStringObject(LANGUAGE)
    root[NameObject("/ViewerPreferences")] = named(DisplayDocTitle=BooleanObject(True))
    about = StreamObject()
    about.set_data(_xmp(title, subject, maker).encode())
    about.update(named(Type=NameObject("/Metadata"), Subtype=NameObject("/XML")))
    root[NameObject("/Metadata")] = writer._add_object(about)
    writer.metadata = {
        "/Title": title,
        "/Subject": subject,
        "/Creator": maker,
        "/Producer": maker,
    }
    out = io.BytesIO()
    writer.pdf_header = "%PDF-1.7"
    writer.write(out)
    return out.getvalue()


def _layout(page: Any, rect: Rect | None, named: Any) -> DictionaryObject:
    """Where a figure lies, in points from the lower left corner."""
    from pypdf.generic import ArrayObject, FloatObject, NameObject

    left, bottom, right, top = (float(value) for value in page.mediabox)
    if rect is not None:
        left, right = rect.left / MM_PER_PT, rect.right / MM_PER_PT
        bottom, top = top - rect.bottom / MM_PER_PT, top - rect.top / MM_PER_PT
    box = ArrayObject(FloatObject(round(value, 2)) for value in (left, bottom, right, top))
    laid: DictionaryObject = named(
        O=NameObject("/Layout"), BBox=box, Placement=NameObject("/Block")
    )
    return laid


def _xmp(title: str, subject: str, maker: str) -> str:
    title, subject, maker = (escape(text) for text in (title, subject, maker))
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:pdf="http://ns.adobe.com/pdf/1.3/" '
        'xmlns:pdfuaid="http://www.aiim.org/pdfua/ns/id/">'
        f'<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>'
        f'<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{subject}</rdf:li></rdf:Alt>'
        f"</dc:description><dc:language><rdf:Bag><rdf:li>{LANGUAGE}</rdf:li></rdf:Bag>"
        f"</dc:language><xmp:CreatorTool>{maker}</xmp:CreatorTool>"
        f"<pdf:Producer>{maker}</pdf:Producer><pdfuaid:part>1</pdfuaid:part>"
        "</rdf:Description></rdf:RDF></x:xmpmeta>\n"
        '<?xpacket end="r"?>'
    )
