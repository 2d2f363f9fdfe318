"""The report stands alone, names nobody, and its pictures lie the right way round."""

import base64
import io
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest
import yaml

from napari_qsm.qc.nuclei_zoom import by_form, known_good, place_of
from napari_qsm.qc.pictures import cut_through, stage_pictures, three_slices
from napari_qsm.qc.rating import make_rating
from napari_qsm.qc.report import report_html, write_report
from napari_qsm.qc.slice_stack import slice_stack
from napari_qsm.qc.thumbnail import thumbnail
from napari_qsm.recon.pipeline import Result
from napari_qsm.recon.recipe import parse_recipe
from napari_qsm.volume import Volume

VOID = {"meta", "img", "br", "input", "rect", "line", "path", "use"}


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
    assert not {"link", "iframe", "object"} & set(page.tags) and page.tags.count("script") == 1
    assert "url(" not in html and "@import" not in html
    images = [load for load in page.loads if not load.startswith("#")]
    assert all(re.match("data:image/(png|jpeg);base64,", image) for image in images)
    # Nine stages in three slices, all but the mask with a bar; two heads' nuclei; all slices.
    assert len(images) == 9 * 4 - 1 + 2 * 3 + 1 and len(html) < 4e6
    for target in set(page.loads) - set(images):
        assert f'id="{target[1:]}"' in html
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

    result, quality = sound
    html = report_html(result, quality=quality.but(not_finite=7, rim_ratio=4.0))
    assert html.index("7 voxels inside the mask") < html.index("outer 2 mm of the map")
    assert html.index("outer 2 mm of the map") < html.index("Pictures of each stage")
    assert "Nothing unusual" not in html


def pixels(drawn, panel):
    """Grey levels of one of the three slices, the page's rim left out."""
    image = drawn.pixels()[..., :3].mean(axis=2)
    scale = image.shape[1] / drawn.page.rect.width
    rect = drawn.panels[panel]
    rows = slice(round(rect.top * scale) + 1, round(rect.bottom * scale) - 1)
    return image[rows, round(rect.left * scale) + 1 : round(rect.right * scale) - 1]


def marked(affine, shape=(60, 50, 20)):
    """A grey box on which one voxel block near the patient's right, front, top is white."""
    data = np.full(shape, 0.4, np.float32)
    data[44:54, 36:46, 14:18] = 1.0
    return Volume(data, np.asarray(affine, float))


def whole(volume):
    return cut_through(volume.with_data(np.ones(volume.shape, bool)))


@pytest.mark.parametrize("order", [None, [(0, -1), (1, -1), (2, 1)], [(2, -1), (0, 1), (1, 1)]])
def test_right_is_on_the_left_whatever_the_files_axis_order(order):
    volume = marked(np.diag([1.5, 2.0, 4.0, 1.0]))
    cut = replace(whole(volume), centre_mm=tuple(volume.voxel_to_world((48, 40, 15))))
    there = volume if order is None else volume._reoriented(order).to_canonical()
    one, other = (three_slices(v, cut, (0, 1)) for v in (there, volume))
    np.testing.assert_array_equal(one.pixels(), other.pixels())
    for panel in range(3):
        part = pixels(one, panel)[20:-20, 20:-20] > 250
        rows, columns = np.nonzero(part)
        # Right (axial, coronal) and front (sagittal) are on the left; front and top are above.
        assert columns.mean() < part.shape[1] / 2, panel
        assert rows.mean() < part.shape[0] / 2, panel


def test_a_ball_is_round_and_equally_large_whatever_the_voxels():
    shape, sizes = (80, 40, 16), (1.0, 2.0, 5.0)
    axes = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(shape, sizes, strict=True)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    ball = 0.6 * (x**2 + y**2 + z**2 < 30**2).astype(np.float32)
    volume = Volume(ball, np.diag([*sizes, 1.0]))
    drawn = three_slices(volume, whole(volume), (0, 1))
    for panel in range(3):
        part = np.abs(pixels(drawn, panel) - 153) < 3  # letters and the scale bar are white
        high, wide = (2 * np.std(at) for at in np.nonzero(part))  # of a disc: its radius
        assert wide == pytest.approx(high, rel=0.08)
        scale = drawn.panels[panel].height / max(whole(volume).size_mm[1:])
        dots = drawn.pixels().shape[1] / drawn.page.rect.width
        assert wide / (scale * dots) == pytest.approx(30, rel=0.08)


def test_letters_are_question_marks_where_sides_are_not_known():
    volume = marked(np.eye(4))
    unknown = Volume(volume.data, volume.affine, orientation_known=False)
    known, lost = ([w.text for w in three_slices(v, whole(volume), (0, 1)).page.written]
                   for v in (volume, unknown))  # fmt: skip
    assert {"R", "L", "A", "P", "S", "I"} <= set(known) and "?" not in known
    assert lost.count("?") == 12 and not {"R", "L"} & set(lost)


def test_the_mask_is_tinted(head):
    volume = marked(np.eye(4))
    over = np.zeros(volume.shape, bool)
    over[20:40, 15:35, 5:15] = True
    drawn = three_slices(volume, whole(volume), (0, 1), over=over).pixels().astype(int)
    orange = (drawn[..., 0] - drawn[..., 2]) > 40
    grey = np.ptp(drawn[..., :3], axis=2) == 0
    assert 0.02 < orange.mean() < 0.3 and grey.mean() > 0.6
    assert not (np.ptp(three_slices(volume, whole(volume), (0, 1)).pixels()[..., :3], axis=2)).any()


def test_slices_stand_in_order_with_right_on_the_left():
    """The picture is cut apart as the page's script does it."""
    from PIL import Image

    volume = Volume(np.full((40, 50, 12), -0.1, np.float32), np.diag([2.0, 1.5, 4.0, 1.0]))
    data = np.array(volume.data)
    for level in range(12):
        data[28:32, 30:40, level] = 0.02 * level - 0.02
    valid = np.zeros(volume.shape, bool)
    valid[5:35, 5:45, 1:11] = True
    stack = slice_stack(volume.with_data(data), valid, (0.0, 0.0, 4 * 7.0))
    assert stack.places[0] == "S 4.0 mm" and len(stack.places) == 10 and stack.step == 1
    assert stack.places[stack.first] == "S 28.0 mm"
    with Image.open(io.BytesIO(stack.jpeg)) as picture:
        sheet = np.asarray(picture.convert("L")).astype(float)
    across, up = 30 * 2 + 2 * 2 * 2, 40 * 1.5 + 2 * 3 * 1.5  # mm, with at least 4 mm of room
    assert stack.width / stack.height == pytest.approx(across / up, rel=0.02)
    for number in range(10):
        left, top = number % stack.columns * stack.width, number // stack.columns * stack.height
        tile = sheet[top : top + stack.height, left : left + stack.width]
        # The block: 28-32 of 3-37 from the left side of the patient, 30-40 of 2-48 from the back.
        x, y = 1 - (30 - 3) / 34, 1 - (35 - 2) / 46
        seen = tile[round(y * stack.height), round(x * stack.width)]
        assert seen == pytest.approx(255 * (0.02 * (number + 1) + 0.08) / 0.3, abs=12)
        mirrored = tile[round(y * stack.height), round((1 - x) * stack.width)]
        assert mirrored < 12


def test_thick_stacks_are_thinned_and_unknown_sides_stay_unknown():
    ones = np.ones((20, 20, 200), np.float32)
    volume = Volume(ones, np.eye(4), orientation_known=False)
    stack = slice_stack(volume, ones > 0, (0, 0, 100))
    assert stack.step == 3 and len(stack.places) == 67
    known = slice_stack(Volume(ones, np.eye(4)), ones > 0, (0, 0, 100))
    assert known.jpeg != stack.jpeg


def test_nuclei_are_found_by_regions_or_by_the_form_of_the_brain(head):
    labels = np.asarray(head.labels.data)
    names = {region.index: region.name for region in head.label_names}
    grid = head.mask

    def middle(*begin):
        which = [k for k, name in names.items() if name.startswith(begin)]
        return grid.voxel_to_world(np.argwhere(np.isin(labels, which)).mean(axis=0))

    wanted = middle("Putamen", "Globus"), middle("Red", "Substantia")
    drawn = place_of(grid, grid.data > 0, labels, names)
    np.testing.assert_allclose([drawn.basal, drawn.midbrain], wanted, atol=0.01)
    formed = place_of(grid, grid.data > 0, labels, {1: "lesion"})
    assert formed == by_form(grid, grid.data > 0) and "CIT168" in formed.how
    assert np.linalg.norm(np.subtract([formed.basal, formed.midbrain], wanted), axis=1).max() < 10
    part = np.zeros(grid.shape, bool)
    part[20:30, 20:30, 10:15] = True
    assert "middle" in by_form(grid, part).how
    assert len(known_good()) == 3


def test_pictures_of_one_thing_agree(sound):
    """What is left unexplained is drawn as the local field is; the small picture cuts as the page does."""
    result, _ = sound
    rows = {p.title: p for p in stage_pictures(result, None, result.arrays["local_field_ppm"])}
    assert rows["Field left unexplained"].tiles == rows["Local field"].tiles
    from PIL import Image

    chi = np.zeros((30, 30, 31), np.float32)
    chi[5:25, 5:25, 3:21] = (np.arange(31) / 100 - 0.1)[3:21]
    chi[5:25, 5:25, 10] = 0.001
    valid = np.zeros(chi.shape, bool)
    valid[5:25, 5:25, 3:21] = True
    mask = np.zeros(chi.shape, np.uint8)
    mask[3:28, 3:28, :29] = 1
    grid = Volume(chi, np.eye(4))
    level = round(cut_through(grid.with_data(mask), valid).centre_mm[2])
    with Image.open(io.BytesIO(thumbnail(grid))) as picture:
        shown = float(np.asarray(picture).mean()) / 255 * 0.3 - 0.1
    assert shown == pytest.approx(chi[10, 10, level], abs=0.004)
