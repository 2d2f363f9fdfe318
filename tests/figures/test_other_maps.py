"""Maps beside χ in figures: unit, bar, caption, template, and spec files."""

import json

import numpy as np
import pytest

from napari_qsm.errors import QsmError
from napari_qsm.figures.command import make_figure
from napari_qsm.figures.draw import render
from napari_qsm.figures.gather import Given
from napari_qsm.figures.other_maps import OTHER_MAPS, quantity_of
from napari_qsm.figures.panels import ChartPanel, ImagePanel, Measured, TablePanel
from napari_qsm.figures.parts import Display, Source
from napari_qsm.figures.spec import ColourBar, FigureSpec, read_spec, write_spec
from napari_qsm.figures.subjects import subject_in
from napari_qsm.io.bids import DERIVATIVES
from napari_qsm.io.nifti import write_volume
from napari_qsm.io.sidecar import write_sidecar
from napari_qsm.outputs import RESULT_NAMES
from tests.figures.makers import REGIONS, chi, labels, other_map, volume


@pytest.fixture
def folder(tmp_path):
    """What ``reconstruct --also`` writes."""
    place = tmp_path / "results"
    place.mkdir()
    for name, each in {
        "chi": volume(chi(), unit="ppm"),
        **{key: other_map(key) for key in OTHER_MAPS},
    }.items():
        write_volume(each, place / f"{name}.nii.gz")
        write_sidecar(place / f"{name}.nii.gz", {"Units": each.unit} if each.unit else {})
    write_volume(volume(labels()), place / "labels.nii.gz")
    (place / "labels.txt").write_text(
        "\n".join(f'{k} 255 0 0 1 1 1 "{r.name}"' for k, r in REGIONS.items()), encoding="utf-8"
    )
    step = {"stage": "unwrap", "method": "laplacian", "settings": {}}
    also = [{"stage": "contrasts", "method": m, "settings": {}} for m in ("r2star", "swi")]
    (place / "provenance.json").write_text(json.dumps({"stages": [step, *also]}), encoding="utf-8")
    return place


def test_files_of_results_are_known_by_their_names(tmp_path):
    for result, name in RESULT_NAMES.items():
        quantity = result.removesuffix("_ppm").removesuffix("_per_s")
        expected = quantity if quantity in OTHER_MAPS else ""
        bids = DERIVATIVES[result].format(suffix="T2starw")
        for stem in (name, f"sub-1_{bids}"):
            assert quantity_of(tmp_path / f"{stem}.nii.gz") == expected
    assert quantity_of(tmp_path / "visit_swim.nii.gz") == "" == quantity_of(None)


def test_a_panel_of_r2star_has_its_own_unit_bar_and_words():
    given = {"a": Given(volume(chi(), unit="ppm")), "b": Given(other_map("r2star"))}
    spec = FigureSpec(
        sources={
            "a": Source(name="Patient"),
            "b": Source(name="Patient, R2*", role="other", quantity="r2star"),
        },
        panels=(
            ImagePanel(map="a", slice_mm=0),
            ImagePanel(map="b", slice_mm=0, display="rate"),
        ),
        displays={"grey": Display(), "rate": Display(window=(0, 60))},
        colour_bars=(ColourBar(display="grey"), ColourBar(display="rate")),
        unit="ppb",
    )
    drawn = render(spec, given, preview=True)
    words = [written.text for written in drawn.page.written]
    assert "χ (ppb)" in words and "R2* (s⁻¹)" in words and "60" in words
    assert "R2*, effective transverse relaxation rate." in drawn.caption
    assert "Window χ, grey: −100 to 200 ppb; R2*, grey: 0 to 60 s⁻¹." in drawn.caption
    shared = spec.model_copy(update={"panels": (spec.panels[0], ImagePanel(map="b", slice_mm=0))})
    with pytest.raises(QsmError, match="give each its own display"):
        render(shared, given, preview=True)


def test_the_template_shows_every_map_in_a_row_with_its_bar_and_its_file_draws_it_again(
    folder, tmp_path
):
    out = tmp_path / "plate.png"
    make_figure(out, template="other-maps", patient=folder)
    spec = read_spec(out.with_suffix(".json"))
    rows = {}
    for panel in spec.panels:
        rows.setdefault(panel.cell.row, []).append(panel)
    assert list(spec.row_titles) == ["χ", "R2*", "χ+", "χ−", "SWI", "tSWI", "mIP"]
    for row in rows.values():  # the same slices in every row
        assert [p.slice_mm for p in row] == [p.slice_mm for p in rows[0]]
        assert len({p.display for p in row}) == 1 and row[0].letter
    assert [bar.display for bar in spec.colour_bars] == [rows[n][0].display for n in range(7)]
    assert spec.displays["chi_negative"].colouring == "inverted"
    high = np.percentile(other_map("swi").data[other_map("swi").data > 0], 99)
    assert spec.displays["swi"].window == pytest.approx((0, 1.1 * high), rel=0.01)
    caption = out.with_suffix(".txt").read_text(encoding="utf-8")
    assert "SWI, susceptibility-weighted image" in caption
    assert "R2* [Gudbjartsson 1995" in caption and "SWI [Haacke 2004" in caption
    again = tmp_path / "again.png"
    make_figure(again, spec_path=out.with_suffix(".json"))
    assert again.read_bytes() == out.read_bytes()
    (tmp_path / "else").mkdir()
    moved = tmp_path / "else" / "moved.json"
    write_spec(spec, moved, base=tmp_path)
    assert read_spec(moved).sources["patient-r2star"].quantity == "r2star"


@pytest.mark.parametrize("quantity", ["r2star", "swi"])
@pytest.mark.parametrize("kind", [TablePanel, ChartPanel])
def test_numbers_of_another_quantity_are_not_printed_as_susceptibility(kind, quantity):
    given = {"a": Given(other_map(quantity)), "r": Given(volume(labels()), REGIONS)}
    spec = FigureSpec(
        sources={
            "a": Source(name="Patient", role="other", quantity=quantity),
            "r": Source(role="labels"),
        },
        panels=(kind(measured=(Measured(map="a", labels="r"),)),),
    )
    with pytest.raises(QsmError, match=r"are of susceptibility"):
        render(spec, given, preview=True)


@pytest.mark.parametrize("width_mm", [85, 114, 174])
def test_no_letter_is_below_six_points_at_any_width(folder, tmp_path, width_mm):
    from napari_qsm.figures.command import from_folders, restyled
    from napari_qsm.figures.draw import Cache

    cache = Cache()
    spec = restyled(from_folders("other-maps", folder, folder, (), cache), width_mm=width_mm)
    page = render(spec, cache=cache, preview=True).page
    assert min(written.size_pt for written in page.written) >= 6
    words = [written.text for written in page.written]
    assert {"χ (ppm)", "R2* (s⁻¹)", "χ+ (ppm)", "χ− (ppm)", "tSWI (a.u.)"} <= set(words)


def test_the_template_fits_a_page_unless_another_width_is_asked_for(folder, tmp_path):
    make_figure(tmp_path / "one.png", template="other-maps", patient=folder, control=folder)
    spec = read_spec(tmp_path / "one.json")
    from PIL import Image

    with Image.open(tmp_path / "one.png") as picture:
        assert picture.height / spec.style.dpi * 25.4 <= 240


def test_without_other_maps_the_template_says_what_to_do(folder, tmp_path):
    for key in OTHER_MAPS:
        (folder / f"{key}.nii.gz").unlink()
    with pytest.raises(QsmError, match="has no map beside χ; make R2"):
        make_figure(tmp_path / "no.png", template="other-maps", patient=folder)
    subject, _ = subject_in(folder, "Patient")
    assert subject.others == ()
