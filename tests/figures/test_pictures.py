"""Whole figures against pictures kept from before.

Differences are told by their root mean square, which lets other versions of the library that
draws letters pass, but no part that is missing, moved or of another colour. After a wanted
change: ``python -m tests.figures.test_pictures``.
"""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_qsm.figures.draw import render
from napari_qsm.figures.templates import TEMPLATES, from_template
from tests.figures.makers import OTHERS, SOURCES, SUBJECTS, given

BASELINE = Path(__file__).parent / "baseline"
_LARGEST_RMS = 6.0


def picture(name):
    spec = from_template(name, SUBJECTS, SOURCES | OTHERS, given())
    spec.style.width_mm = 114
    return render(spec, given(), dpi=75).pixels()[..., :3]


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates_look_as_before(name):
    drawn = picture(name).astype(float)
    with Image.open(BASELINE / f"{name}.png") as kept:
        before = np.asarray(kept.convert("RGB"), dtype=float)
    assert drawn.shape == before.shape
    assert np.sqrt(((drawn - before) ** 2).mean()) < _LARGEST_RMS


def test_the_measure_would_see_a_missing_outline():
    """The tolerance is far below what one lost outline or swapped side makes."""
    spec = from_template("case-report-1", SUBJECTS, SOURCES | OTHERS, given())
    spec.style.width_mm = 114
    spec.radiological = False
    other = render(spec, given(), dpi=75).pixels()[..., :3].astype(float)
    assert np.sqrt(((other - picture("case-report-1")) ** 2).mean()) > _LARGEST_RMS


if __name__ == "__main__":
    BASELINE.mkdir(exist_ok=True)
    for one in TEMPLATES:
        Image.fromarray(picture(one)).quantize(64).save(BASELINE / f"{one}.png", optimize=True)
