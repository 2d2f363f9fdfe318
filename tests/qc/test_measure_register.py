"""The register of quality measures: a new one is one row and arrives everywhere."""

import json

import numpy as np
import pytest

from napari_qsm.qc.files import quality_text
from napari_qsm.qc.judge import measure, stage_numbers
from napari_qsm.qc.quality import MEASURES, Limit, findings, from_dict, quality_measure, rows
from napari_qsm.qc.report import report_html


@pytest.fixture
def brightest():
    """A measure that nobody has heard of, for the length of a test."""

    @quality_measure(
        "brightest_ppm",
        "Brightest voxel",
        usual="up to 0.5 ppm",
        meaning="The largest value; the mask holds {mask_ml}.",
        unit="ppm",
        stages=("inversion",),
        limits=(Limit("glare", "serious", "A voxel of {value} is no tissue.", above=-1.0),),
    )
    def largest(of):
        return float(of.finite.max())

    yield
    del MEASURES["brightest_ppm"]


def test_a_new_measure_is_in_the_file_the_report_the_window_and_beside_try_outs(brightest, sound):
    result, _ = sound
    expected = float(np.nanmax(result.arrays["chi_ppm"]))
    quality = measure(result)
    assert quality["brightest_ppm"] == pytest.approx(expected)
    saved = json.loads(quality_text(quality))
    assert saved["brightest_ppm"] == pytest.approx(expected)
    assert from_dict(saved) == quality
    row = next(row for row in rows(quality) if row.name == "Brightest voxel")  # window and report
    assert row.value == f"{expected:.2f} ppm" and row.usual == "up to 0.5 ppm"
    assert row.meaning.endswith(f"the mask holds {quality['mask_ml']:.0f} ml.")
    assert findings(quality)[0].sentence == f"A voxel of {expected:.2f} ppm is no tissue."
    html = report_html(result, quality=quality)
    assert "Brightest voxel" in html and "is no tissue" in html
    grid = {"voxel_size_mm": result.grid.voxel_size_mm, "b0_direction": result.grid.b0_direction}
    assert stage_numbers("inversion", {**result.arrays, **grid})["brightest_ppm"] == pytest.approx(
        expected
    )
    assert "brightest_ppm" not in stage_numbers("unwrap", {**result.arrays, **grid})


def test_numbers_of_an_older_file_are_read_without_it(brightest, sound):
    _, quality = sound  # measured before it was there
    back = from_dict(json.loads(quality_text(quality)))
    assert back["brightest_ppm"] is None and back["streak_ratio"] == quality["streak_ratio"]


def test_every_sentence_can_be_written(sound):
    _, quality = sound
    for each in MEASURES.values():
        for limit in each.limits:
            assert "{" not in limit.sentence.format_map(
                {"value": "1", **dict.fromkeys(MEASURES, "2")}
            )
        assert not each.title or each.meaning
    assert all("{" not in row.value + row.meaning for row in rows(quality))
