"""The methods section: every fact of a paper's minimum list, each reference once, settings in words."""

import re

import pytest

from napari_qsm.recon.methods_text import methods_text
from napari_qsm.recon.stages import STAGES, get_method, methods

FACTS = {
    "software": {"napari-qsm": "9.9.9"},
    "recipe": {"name": "mine"},
    "inputs": [{"role": "phase", "shape": [384, 312, 72]}],
    "acquisition": {"Manufacturer": "Siemens", "ManufacturersModelName": "Prisma", "FlipAngle": 15},
    "echo_times_s": [0.0071, 0.0214],
    "field_strength_t": 3.0,
    "voxel_size_mm": [0.625, 0.625, 2.0],
    "b0_direction": [0.0, 0.5, 0.8660254],
    "reference_ppm": 0.0123,
}


def step(stage, name, **changed):
    usual = {key: s.default for key, s in get_method(stage, name).settings.items()}
    return {"stage": stage, "method": name, "settings": {**usual, **changed}}


def test_scan_and_program_are_named_as_the_consensus_asks():
    text = methods_text({**FACTS, "stages": [step("reference", "whole-mask")]})
    for words in (
        "at 3 T (Siemens Prisma)",
        "2 echoes, TE 7.1, 21.4 ms",
        "flip angle 15°",
        "voxels of 0.625 × 0.625 × 2 mm",
        "matrix 384 × 312 × 72",
        "tilted by 30°",
        "napari-qsm 9.9.9 (recipe 'mine')",
        "relative to the mean of the whole mask [1]; 0.0123 ppm were subtracted",
    ):
        assert words in text, text


@pytest.mark.parametrize("stage", STAGES)
def test_every_method_is_a_sentence_and_every_reference_is_used_once(stage):
    for name in methods(stage):
        body, _, listed = methods_text({"stages": [step(stage, name)] * 2}).partition("\n\n")
        assert not re.search(r"  |\( |\(\)|, ,|None|True|False|_", body), body
        lines = listed.splitlines()
        assert len(set(lines)) == len(lines) == len(get_method(stage, name).references)


def test_papers_of_one_doi_are_written_alike():
    papers = {r for stage in STAGES for m in methods(stage).values() for r in m.references}
    assert len({paper.partition("doi:")[2] for paper in papers}) == len(papers)


def test_bet_is_cited_where_it_ran_only():
    assert "10.1002/hbm.10062" in methods_text({"stages": [step("mask", "bet")]})
    assert "10.1002/hbm.10062" not in methods_text({"stages": [step("mask", "brain")]})


def test_settings_stand_in_words_and_a_choice_of_ones_own_is_never_left_out():
    vsharp = methods_text({"stages": [step("background", "vsharp")]})
    assert "balls of up to 12 mm radius, down to 3 mm, in steps of 1 mm" in vsharp
    star = methods_text({"stages": [step("inversion", "star", tolerance=0.02, weighted=False)]})
    assert "λ = 5 × 10⁻⁵ ppm" in star and "steepest 30 %" in star
    assert "tolerance 0.02" in star and "weighted off" in star
    whole = methods_text({"stages": [step("mask", "given", erode_mm=2.0)]})
    assert "eroded by 2 mm" in whole and "dilated" not in whole
