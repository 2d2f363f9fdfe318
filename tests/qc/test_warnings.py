"""Silence on sound reconstructions, the right sentence on faults made on purpose."""

from dataclasses import replace

import numpy as np
import pytest

from napari_qsm.errors import MetadataError
from napari_qsm.phantom import SMALL, make_head
from napari_qsm.qc.judge import measure
from napari_qsm.qc.quality import findings
from napari_qsm.recon.pipeline import Result
from tests.qc.conftest import measured

AS_GIVEN = ("mask.method=given", "mask.rim_level=0", "mask.quality_threshold=0")


def codes(quality):
    return {finding.code for finding in findings(quality)}


@pytest.mark.parametrize(
    ("subject", "recipe"), [("control", "case-report"), ("patient", "consensus")]
)
def test_no_false_alarm_on_the_built_in_head(subject, recipe):
    _, quality = measured(make_head(subject, **SMALL, seed=8), recipe=recipe)
    assert findings(quality) == []


def test_three_echoes_raise_no_alarm():
    times = (0.006, 0.013, 0.020)
    _, quality = measured(make_head("patient", **SMALL, seed=4, echo_times_s=times), None,
                          "consensus")  # fmt: skip
    assert findings(quality) == []


def test_a_mask_that_reaches_into_air(head, wide_mask):
    _, quality = measured(head, changes=AS_GIVEN, mask=wide_mask)
    found = {f.code: f for f in findings(quality)}
    assert found["mask-air"].severity == "serious" and "mask-rim" in found
    assert "sign" not in found and "unit" not in found


def test_a_mask_that_cuts_the_nuclei(head):
    """The mask ends in the middle of the left putamen, whose side has the low indices."""
    inside = np.asarray(head.mask.data) > 0
    [putamen] = [r.index for r in head.label_names if r.name == "Putamen L"]
    middle = round(np.argwhere(np.asarray(head.labels.data) == putamen).mean(axis=0)[0])
    assert middle < inside.shape[0] / 2
    inside[:middle] = False
    cut = head.mask.with_data(inside.astype(np.uint8))
    result, quality = measured(head, mask=cut)
    found = {f.code: f for f in findings(quality)}
    assert (
        found["mask-cuts"].severity == "warning"
        and "come out too small" in found["mask-cuts"].sentence
    )
    assert any("ml of tissue more than 10 mm inside" in said for said in result.warnings)


def test_the_other_sign_of_phase(head, sound, flipped_scan):
    result, quality = measured(head, flipped_scan)
    assert codes(quality) == {"sign"}
    names = {region.index: region.name for region in head.label_names}
    named = measure(result, labels=np.asarray(head.labels.data), label_names=names)
    assert [f.severity for f in findings(named) if f.code == "sign"] == ["serious"]
    # Known regions overrule the tails.
    assert not codes(quality.but(iron_contrast_ppm=0.05))


@pytest.mark.parametrize(("factor", "word"), [(0.1, "larger"), (9, "smaller")])
def test_an_echo_time_ten_times_off(head, factor, word):
    times = tuple(t * factor for t in head.scan.echo_times_s)
    scan = replace(head.scan, echo_times_s=times, magnitude_echo_times_s=times)
    _, quality = measured(head, scan)
    [unit] = [f for f in findings(quality) if f.code == "unit"]
    assert unit.severity == "serious" and word in unit.sentence


def test_an_echo_time_a_thousand_times_off_is_refused_and_would_be_seen(head, sound):
    with pytest.raises(MetadataError, match="unit"):
        replace(head.scan, echo_times_s=(21.0,))
    result, _ = sound
    names = ("total_field_ppm", "local_field_ppm", "chi_ppm")
    small = {name: result.arrays[name] / 1000 for name in names}
    quality = measure(Result(result.grid, {**result.arrays, **small}, result.provenance))
    assert "unit" in codes(quality)


def test_wraps_left(sound):
    result, _ = sound
    wrapped = {**result.arrays, "unwrapped": result.arrays["phase"]}
    quality = measure(Result(result.grid, wrapped, result.provenance))
    assert codes(quality) == {"wraps"}


def test_too_much_taken_from_the_rim(head):
    changes = ["background.radius_min_mm=9", "inversion.method=tkd"]
    assert "eroded" in codes(measured(head, changes=changes)[1])


def test_streaks_of_a_bare_division():
    noisy = make_head("patient", **SMALL, seed=3, snr=15)
    changes = ["inversion.method=tkd", "inversion.threshold=0.05"]
    assert {"streaks", "noise"} <= codes(measured(noisy, changes=changes)[1])


def test_a_residual_that_is_large(sound):
    result, _ = sound
    turned = {**result.arrays, "chi_ppm": result.arrays["chi_ppm"][:, ::-1].copy()}
    assert "residual" in codes(measure(Result(result.grid, turned, result.provenance)))


def test_other_limits(sound):
    _, quality = sound
    assert codes(quality.but(not_finite=3)) == {"nan"}
    assert codes(quality.but(mask_ml=80.0, mask_share_of_volume=0.02)) == {"mask-small"}
    # Part of a brain that fills its image is no small mask.
    assert not codes(quality.but(mask_ml=23.0, mask_share_of_volume=0.99))
    nothing = quality.but(wraps_share=None, mask_share_kept=None, residual_relative=None, rim_ratio=None,
        streak_ratio=None, chi_spread_ppm=None, chi_noise_ppm=None, tail_asymmetry=None,
        dark_share=None, noisy_phase_share=None,
    )  # fmt: skip
    assert findings(nothing) == []
    both = findings(quality.but(rim_ratio=3.0, not_finite=1))
    assert [f.severity for f in both] == ["serious", "note"]


def test_real_scans_have_the_right_sign_and_units(shared_data):
    from napari_qsm.io.sources import open_source
    from napari_qsm.recon.pipeline import Inputs, run
    from napari_qsm.recon.recipe import load_recipe, with_settings

    scan = open_source(shared_data / "gre-wholehead-lowres")
    for invert, expected in (("false", set()), ("true", {"sign"})):
        recipe = with_settings(load_recipe("case-report"), [f"phase.invert={invert}"])
        assert codes(measure(run(recipe, Inputs(scan=scan)))) == expected
