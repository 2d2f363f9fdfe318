"""The page on all scans: outliers, links, failures first, size, names of nobody."""

import io
import re

import numpy as np
import pytest
from PIL import Image
from scipy.stats import median_abs_deviation

from napari_qsm.qc.group_page import GroupScan, group_pages, qc_table, spread_of
from napari_qsm.qc.quality import MEASURES, Finding
from napari_qsm.qc.thumbnail import thumbnail
from napari_qsm.volume import Volume

NAMES = [name for name, measure in MEASURES.items() if measure.title]


def scans_of(count, picture=b"", **more):
    values = np.random.default_rng(3).normal(10, 1, (count, len(NAMES)))
    return [
        GroupScan(
            f"sub-{n:03d}_ses-t0", f"{n:03d}", "t0", "done",
            numbers=dict(zip(NAMES, map(float, row), strict=True)),
            report=f"../sub-{n:03d}/report.html", picture=picture, made_with="napari-qsm 1", **more,
        )
        for n, row in enumerate(values)
    ]  # fmt: skip


def test_outliers_are_those_beyond_three_mad():
    values = np.random.default_rng(5).normal(3, 2, 60)
    values[7] = 40.0
    spread = spread_of(values)
    mad = median_abs_deviation(values, scale="normal")
    assert spread.low == pytest.approx(np.median(values) - 3 * mad, rel=1e-4)
    assert spread.high == pytest.approx(np.median(values) + 3 * mad, rel=1e-4)
    assert spread.side(40.0) == "high" and spread.side(-40.0) == "low" and not spread.side(3.0)
    for few in ([1.0, 1.0, 9.0], [2.0] * 8 + [9.0], [None, None], []):
        assert not spread_of(few).side(9.0)


def test_an_outlier_leads_to_its_report_in_plot_and_list():
    scans = scans_of(20)
    scans[4].numbers["chi_noise_ppm"] = 99.0
    page = group_pages(scans)["index.html"]
    link = re.search(r'<a href="([^"]+)"><path class="out"[^>]*><title>sub-004_ses-t0: 99', page)
    assert link and link[1] == "../sub-004/report.html"
    looked = page[page.index('id="look"') : page.index('id="numbers"')]
    assert "sub-004_ses-t0" in looked and "unusually high" in looked
    table = qc_table(scans).splitlines()
    assert len(table) == 21 and "chi_noise_ppm" in table[5].split("\t")[-3]


def test_failures_come_first_and_serious_findings_and_poor_ratings_are_listed():
    scans = scans_of(3)
    failed = GroupScan("sub-900", "900", "", "failed", "'<b>.nii' is cut short")
    grave = GroupScan("sub-901", "901", "", "done", findings=[Finding("nan", "serious", "Holes.")])
    poor = GroupScan("sub-902", "902", "", "done", verdict="fail")
    page = group_pages([*scans, failed, grave, poor], ["sub-903 ses-t1"])["index.html"]
    order = [page.index(word) for word in ("sub-900", "sub-903 ses-t1", "Holes.", "Rated fail")]
    assert order == sorted(order) and order[-1] < page.index('id="numbers"')
    assert "<b>.nii" not in page and "&lt;b&gt;.nii" in page


def test_versions_that_differ_are_marked():
    same = scans_of(4)
    assert "differs between scans" not in group_pages(same)["index.html"]
    other = GroupScan("sub-9", "9", "", "done", made_with="napari-qsm 2")
    assert "differs between scans" in group_pages([*same, other])["index.html"]


@pytest.fixture(scope="module")
def picture():
    noise = np.random.default_rng(1).normal(0, 0.05, (110, 140, 4)).astype(np.float32)
    return thumbnail(Volume(noise, np.diag([1.4, 1.4, 2, 1]), unit="ppm"))


def test_the_page_of_113_scans_is_small_and_needs_no_other_file(picture):
    pages = group_pages(scans_of(113, picture))
    assert list(pages) == ["index.html"]
    page = pages["index.html"]
    assert len(page.encode()) < 5e6
    assert page.count("data:image/jpeg") == 113
    assert not re.search(r'(?:src|href)="(?:https?:|/)', page)


def test_pictures_of_very_many_scans_are_on_pages_of_their_own(picture):
    pages = group_pages(scans_of(650, b"x"))
    assert list(pages) == ["index.html", "pictures-2.html", "pictures-3.html"]
    assert [text.count("data:image/jpeg") for text in pages.values()] == [300, 300, 50]
    assert 'href="pictures-3.html"' in pages["index.html"]


def test_a_small_picture_has_the_right_on_the_left_and_the_front_on_top():
    """Whatever the order of the file's axes."""
    values = np.full((20, 30, 6), 0.05, np.float32)
    values[14:18, 22:28] = 0.2  # right and front
    volume = Volume(values, np.diag([2.0, 2.0, 4.0, 1.0]), unit="ppm")
    flipped = Volume(values[::-1], np.diag([-2.0, 2.0, 4.0, 1.0]), unit="ppm")
    for each in (volume, flipped):
        shown = np.asarray(Image.open(io.BytesIO(thumbnail(each)))).astype(float)
        assert shown.shape == (200, 133)
        assert shown[:66, :66].mean() > shown[:66, 67:].mean() + 20
        assert shown[:66, :66].mean() > shown[134:, :66].mean() + 20
