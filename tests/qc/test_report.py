"""The report stands alone, names nobody, and its pictures lie the right way round."""

import base64
import io
import re
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest
import yaml

from napari_qsm.qc.montage import cut_through, montage
from napari_qsm.qc.rating import make_rating
from napari_qsm.qc.report import report_html, write_report
from napari_qsm.recon.pipeline import Result
from napari_qsm.recon.recipe import parse_recipe
from napari_qsm.volume import Volume

VOID = {"meta", "img", "br", "rect", "line"}


class Structure(HTMLParser):
    """Fails on tags that are not closed in order, and collects what the page loads."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.loads, self.text = [], [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.loads += [v for k, v in attributes if k in ("src", "href", "srcset", "data", "action")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def parsed(html):
    page = Structure()
    page.feed(html)
    assert page.open == []
    return page


def test_the_page_needs_nothing_and_says_everything(head, sound):
    from PIL import Image

    result, quality = sound
    rating = make_rating("doubtful", rater="A & B", comment="<rim>", chi_sha256=quality.chi_sha256)
    old = make_rating("pass", rater="CD", chi_sha256="other")
    magnitude = head.scan.magnitude[0].data
    html = report_html(result, rating=[old, rating], quality=quality, magnitude=magnitude)
    page = parsed(html)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert "url(" not in html and "@import" not in html
    images = page.loads
    assert len(images) == 9 and all(i.startswith("data:image/png;base64,") for i in images)
    for image in images:
        with Image.open(io.BytesIO(base64.b64decode(image.partition(",")[2]))) as picture:
            picture.verify()
    text = "".join(page.text)
    for words in (
        "Nothing unusual", "Echo times21 ms", "2 × 2 × 2.5 mm", "Field left unexplained", "V-SHARP",
        "doi:10.1002/nbm.3383", "A & B", "<rim>", "of an earlier map", "Mask kept",
    ):  # fmt: skip
        assert words in text, words
    assert "prefers-color-scheme: dark" in html and "@media print" in html
    again = report_html(result, rating=[old, rating], quality=quality, magnitude=magnitude)
    assert again == html
    recipe = parse_recipe(yaml.safe_load(unescape(re.search(r"<pre>(.*?)</pre>", html, re.S)[1])))
    assert recipe.to_dict() == result.provenance["recipe"]


def test_names_and_paths_do_not_get_in(sound, tmp_path):
    result, quality = sound
    said = [
        "'Doe_John_phase' records no orientation: left and right cannot be told apart.",
        "Read from /home/doe/scan/a.nii.gz and C:\\Doe\\b.dcm, with doe_side.json beside it.",
    ]
    grid = Volume(
        result.grid.data, result.grid.affine, name="Doe_John_phase", orientation_known=False
    )
    named = Result(grid, result.arrays, {**result.provenance, "warnings": said})
    write_report(named, tmp_path / "report.html", quality=quality)
    html = (tmp_path / "report.html").read_text("utf-8")
    assert "doe" not in re.sub(r"base64,[^\"]*", "", html).lower()
    assert "records no orientation" in html and "NOT recorded" in html
    assert len(list(tmp_path.iterdir())) == 1


def test_faults_come_first(sound):
    from dataclasses import replace

    result, quality = sound
    html = report_html(result, quality=replace(quality, not_finite=7, rim_ratio=4.0))
    assert html.index("7 voxels inside the mask") < html.index("outer 2 mm of the map")
    assert html.index("outer 2 mm of the map") < html.index("Pictures of each stage")
    assert "Nothing unusual" not in html


def pixels(png):
    from PIL import Image

    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("L"), dtype=float)


def marked(affine, shape=(60, 50, 20)):
    """A grey box on which one voxel block near the patient's right, front, top is white."""
    data = np.full(shape, 0.4, np.float32)
    data[44:54, 36:46, 14:18] = 1.0
    return Volume(data, np.asarray(affine, float))


@pytest.mark.parametrize("order", [None, [(0, -1), (1, -1), (2, 1)], [(2, -1), (0, 1), (1, 1)]])
def test_right_is_on_the_left_whatever_the_files_axis_order(order):
    volume = marked(np.diag([1.5, 2.0, 4.0, 1.0]))
    cut = cut_through(np.ones(volume.shape, bool), volume.voxel_size_mm)
    centre = (48, 40, 15)
    cut = type(cut)(centre, cut.box)
    there = volume if order is None else volume._reoriented(order).to_canonical()
    picture = pixels(montage(there, cut, (0, 1)))
    np.testing.assert_array_equal(picture, pixels(montage(volume, cut, (0, 1))))
    scale = (900 - 104 - 6 * 24) / (2 * 90 + 100)
    ends = np.cumsum([90 * scale + 48, 90 * scale + 48, 100 * scale + 48])
    bright = picture[24:-72] > 230
    for n, (start, end) in enumerate(zip((0, *ends[:2]), ends, strict=True)):
        part = bright[:, int(start) + 26 : int(end) - 26]
        rows, columns = np.nonzero(part)
        # Right (axial, coronal) and front (sagittal) are on the left; front and top are above.
        assert columns.mean() < part.shape[1] / 2, n
        assert rows.mean() < part.shape[0] / 2, n


def test_a_ball_is_round_whatever_the_voxels():
    shape, sizes = (80, 40, 16), (1.0, 2.0, 5.0)
    axes = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(shape, sizes, strict=True)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    ball = (x**2 + y**2 + z**2 < 30**2).astype(np.float32)
    volume = Volume(ball, np.diag([*sizes, 1.0]))
    cut = cut_through(np.ones(shape, bool), sizes)
    picture = pixels(montage(volume, cut, (0, 1), bar=False))[30:-60]
    third = (900 - 104 - 6 * 24) / 240 * 80 + 48
    for n in range(3):
        part = picture[:, int(n * third) + 26 : int((n + 1) * third) - 26] > 127
        wide, high = np.ptp(np.nonzero(part.any(0))), np.ptp(np.nonzero(part.any(1)))
        assert wide == pytest.approx(high, rel=0.12)


def test_letters_are_question_marks_where_sides_are_not_known():
    volume = marked(np.eye(4))
    cut = cut_through(np.ones(volume.shape, bool), volume.voxel_size_mm)
    unknown = Volume(volume.data, volume.affine, orientation_known=False)
    one, two = (pixels(montage(v, cut, (0, 1))) for v in (volume, unknown))
    assert (one[:, :24] != two[:, :24]).any()
    assert one[:, :24].max() > 200 and two[:, :24].max() > 200
