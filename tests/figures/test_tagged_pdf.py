"""What somebody hears of a figure's PDF, read by pypdf; each piece of the drawing has its place."""

import io
import re

import pytest
from pypdf import PdfReader

from napari_qsm.figures.draw import render
from tests.figures.makers import given, two_panels

MM_PER_PT = 25.4 / 72


@pytest.fixture(scope="module")
def drawn():
    spec = two_panels()
    spec.panels[0].title = "Both sides"
    return render(spec, given())


@pytest.fixture(scope="module")
def pdf(drawn):
    return PdfReader(io.BytesIO(drawn.picture(".pdf")))


def elements(at):
    """All elements below one, with itself, as (kind, dictionary)."""
    at = at.get_object()
    yield at["/S"], at
    for each in at["/K"]:
        if not isinstance(each.get_object(), int):
            yield from elements(each)


def of_kind(pdf, wanted):
    document = pdf.root_object["/StructTreeRoot"]["/K"][0]
    return [one for kind, one in elements(document) if kind == wanted]


def test_title_language_and_marks_are_declared(pdf, drawn):
    root = pdf.root_object
    assert root["/MarkInfo"]["/Marked"].value is True
    assert root["/ViewerPreferences"]["/DisplayDocTitle"].value is True
    assert root["/Lang"] == "en"
    assert pdf.metadata.title == drawn.title == "Figure: Control"
    assert pdf.metadata.subject == drawn.caption
    said = root["/Metadata"].get_object().get_data().decode()
    assert "<pdfuaid:part>1</pdfuaid:part>" in said and "Figure: Control" in said


def test_every_piece_of_the_drawing_belongs_to_one_element_or_is_decoration(pdf):
    stream = pdf.pages[0].get_contents().get_data()
    numbers = [int(n) for n in re.findall(rb"/MCID (\d+) >> BDC", stream)]
    kinds = dict(zip(numbers, re.findall(rb"/(\w+) << /MCID", stream), strict=True))
    assert numbers == list(range(len(numbers))) and len(numbers) > 30
    assert stream.count(b"BDC") + stream.count(b" BMC") == stream.count(b"EMC")
    # Nothing is painted between the end of one piece and the beginning of the next.
    for between in re.findall(rb"EMC(.*?)(?:BDC|BMC)", stream, re.DOTALL):
        assert not re.search(rb"(?:^|\s)(?:f|S|B|b|s|Do|TJ|Tj)(?:\s|$)", between), between
    tree = pdf.root_object["/StructTreeRoot"]
    owners = {}
    for kind, one in elements(tree["/K"][0]):
        for each in one["/K"]:
            if isinstance(each, int):
                assert each not in owners
                owners[each] = kind
    assert {n: f"/{kind.decode()}" for n, kind in kinds.items()} == owners
    parents = tree["/ParentTree"]["/Nums"][1].get_object()
    assert [parent.get_object()["/S"] for parent in parents] == [owners[n] for n in numbers]


def test_pictures_and_bars_have_words_and_lie_where_they_are_drawn(pdf, drawn):
    found = of_kind(pdf, "/Figure")
    assert [one["/Alt"] for one in found] == [
        "Panel A: Both sides: Control, axial slice S 0.0 mm; in grey",
        "Panel B: Control, axial slice S 0.0 mm; in grey, with regions: left putamen, right putamen",
        "Colour bar: χ (ppm), −0.1 to 0.2",
    ]
    for one, place in zip(found, drawn.panels[:2], strict=False):
        left, bottom, right, top = (float(v) for v in one["/A"]["/BBox"])
        assert left == pytest.approx(place.left / MM_PER_PT, abs=0.02)
        assert right - left == pytest.approx(place.width / MM_PER_PT, abs=0.02)
        assert top == pytest.approx((drawn.height_mm - place.top) / MM_PER_PT, abs=0.02)
        assert top - bottom == pytest.approx(place.height / MM_PER_PT, abs=0.02)


def test_a_table_is_read_row_by_row(pdf):
    rows = of_kind(pdf, "/TR")
    kinds = [[cell.get_object()["/S"] for cell in row["/K"]] for row in rows]
    assert kinds == [["/TH"] * 5, ["/TD"] * 5, ["/TD"] * 5]
    # The cell of a subject that is not written again has no words, but its place.
    assert [len(cell.get_object()["/K"]) for cell in rows[2]["/K"]] == [0, 1, 1, 1, 1]
