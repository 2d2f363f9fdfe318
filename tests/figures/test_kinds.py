"""The register of panel kinds: a new one is one file and arrives everywhere."""

import json
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import pytest

from napari_qsm.errors import FileError
from napari_qsm.figures.draw import render
from napari_qsm.figures.gather import Given
from napari_qsm.figures.kinds import PANELS, PLANS, BasePanel, PanelPlan, panel_kind, plan_of
from napari_qsm.figures.spec import parse_spec, read_spec
from napari_qsm.session.figure.from_view import describe
from napari_qsm.volume import Volume


@pytest.fixture
def swatch():
    """A kind that nobody has heard of, for the length of a test."""

    @panel_kind
    class SwatchPanel(BasePanel):
        noun = "swatch"
        kind: Literal["swatch"] = "swatch"
        map: str
        colour: str = "#ff0000"

        def sources(self):
            yield self.map, "map"

        def renamed(self, keys):
            return self.model_copy(update={"map": keys[self.map]})

    @plan_of(SwatchPanel)
    @dataclass(frozen=True, eq=False)
    class SwatchPlan(PanelPlan):
        panel: SwatchPanel
        largest: float

        @classmethod
        def of(cls, panel, who, setting):
            return cls(who, panel, float(setting.sources[panel.map].volume.data.max()))

        def height(self, page, width_mm):
            return width_mm / 4

        def draw(self, page, rect, drawing):
            page.fill(rect, self.panel.colour)
            return [f"{self.who}: is only a swatch."]

        def phrase(self):
            return "swatch of the brightest voxel"

        def sentence(self):
            return f"It has {self.largest:g} ppm."

        def table(self):
            return pd.DataFrame({"largest": [self.largest]})

    yield
    del PLANS[PANELS.pop("swatch")]


SPEC = {
    "columns": 1,
    "style": {"width_mm": 85},
    "panels": [{"kind": "swatch", "map": "m", "letter": "A", "colour": "#00ff00"}],
}


def given():
    data = np.zeros((4, 5, 6), np.float32)
    data[1, 2, 3] = 0.25
    return {"m": Given(Volume(data, np.eye(4), unit="ppm", name="m"))}


def test_a_new_kind_is_read_laid_out_drawn_told_counted_and_saved(swatch, tmp_path):
    spec = parse_spec(json.dumps(SPEC))
    drawn = render(spec, given(), preview=True)
    pixels = drawn.pixels()
    assert (pixels == [0, 255, 0, 255]).all(axis=2).mean() > 0.6
    assert drawn.panels[0].height == pytest.approx(drawn.panels[0].width / 4, rel=0.01)
    assert drawn.caption.startswith("(A) Swatch of the brightest voxel.")
    assert "It has 0.25 ppm." in drawn.caption
    assert drawn.table["largest"].tolist() == [0.25]
    assert drawn.notes == ("Panel A: is only a swatch.",)
    assert "A" in [written.text for written in drawn.page.written]
    drawn.save(tmp_path / "f.png")
    again = read_spec(tmp_path / "f.json")
    assert again == spec and again.panels[0].colour == "#00ff00"
    assert describe(spec, 0) == "A  swatch"
    assert next(spec.panels[0].renamed({"m": "n"}).sources()) == ("n", "map")


def test_what_is_wrong_with_it_is_said_like_for_every_kind(swatch):
    wrong = {**SPEC, "panels": [{"kind": "swatch", "map": "m", "color": "#00ff00"}]}
    with pytest.raises(FileError, match=r"'panels\[0\].color' is not known. Did you mean 'colour'"):
        parse_spec(json.dumps(wrong))
    with pytest.raises(FileError, match=r"'panels\[0\].map' is missing"):
        parse_spec(json.dumps({**SPEC, "panels": [{"kind": "swatch"}]}))


def test_a_kind_that_is_not_registered_is_refused_with_those_there_are():
    with pytest.raises(FileError, match="unknown 'kind'; there are 'image', 'mosaic', 'table'"):
        parse_spec(json.dumps(SPEC))
