"""Which layers a stage's widget begins with."""

import pytest

from napari_qsm.recon.recipe import default_choice, first_choice
from napari_qsm.session.layer_choice import Candidate, chosen, head_of, lacking

PHASE = Candidate("sub-01_echo-1_part-phase", role="phase", unit="rad", head="a")
PHASE_2 = Candidate("sub-01_echo-2_part-phase", role="phase", unit="rad", head="a")
MAGNITUDE = Candidate("mag", role="magnitude", head="a")
UNWRAPPED = Candidate("unwrapped phase", role="phase", unit="rad", head="a")
TOTAL = Candidate("total field", role="other", unit="ppm", head="a")
LOCAL = Candidate("local field", role="other", unit="ppm", head="a")
MASK = Candidate("brain mask", labels=True, role="mask", head="a")
REGIONS = Candidate("regions", labels=True, role="labels", head="a")
CHI = Candidate("chi", role="map", unit="ppm", head="a")
DRAWN = Candidate("Labels", labels=True)
ALL = [PHASE, PHASE_2, MAGNITUDE, UNWRAPPED, TOTAL, LOCAL, MASK, REGIONS, CHI]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("phase", [0, 1]),
        ("magnitude", [2]),
        ("unwrapped", [3]),
        ("total_field_ppm", [4]),
        ("local_field_ppm", [5]),
        ("mask", [6]),
        ("local_mask", [6]),  # the only mask there is
        ("chi_ppm", [8]),
        ("noise_ppm", []),
        ("given_mask", []),  # somebody's decision
        ("reference_roi", []),
    ],
)
def test_by_what_a_layer_holds(wanted, found):
    assert chosen(wanted, ALL) == found


def test_what_a_stage_made_comes_before_what_has_the_name():
    made = Candidate("total field [1]", role="other", unit="ppm", quantity="total_field_ppm")
    assert chosen("total_field_ppm", [made, TOTAL]) == [0]
    assert chosen("total_field_ppm", [made, made]) == [1]  # the latest


def test_nothing_where_several_could_be_meant_and_nothing_in_an_unknown_unit():
    assert chosen("mask", [DRAWN]) == [0]
    assert chosen("mask", [DRAWN, DRAWN]) == []
    stored = Candidate("phase", role="phase")
    assert chosen("phase", [stored]) == [] and chosen("raw_phase", [stored]) == [0]


def test_echoes_that_napari_gave_other_names_as_theirs_were_taken():
    layers = [
        Candidate(f"phase {echo}{again}", role="phase", unit="rad")
        for again in ("", " [1]")
        for echo in (1, 2)
    ]
    assert chosen("phase", layers) == [2, 3]


def test_one_person_at_a_time():
    other = Candidate("phase", role="phase", unit="rad", head="b")
    layers = [PHASE, other, MASK]
    assert head_of(layers) == "a" and head_of(layers, 1) == "b"
    assert chosen("phase", layers, "b") == [1]
    assert chosen("mask", [*layers, DRAWN], "b") == [3]  # anybody's, not the other's


def test_what_a_map_will_lack_is_said_before_it_is_made():
    star = first_choice("inversion")
    everything = {"local_field_ppm", "local_mask", "total_field_ppm", "mask", "magnitude"}
    assert lacking(star, everything) == ""
    assert "total field" in lacking(star, everything - {"total_field_ppm"})
    assert "mask" in lacking(star, everything - {"mask"})
    assert "count alike" in lacking(star, everything - {"magnitude"})
    assert "0 updates" in lacking(default_choice("inversion", "star"), everything)
    assert lacking(first_choice("inversion", "tkd"), everything) == ""
