"""The built-in head: the case report's numbers, sides, physics, repeatability."""

import dataclasses
import itertools

import numpy as np
import pytest
import scipy.ndimage as ndi

from napari_qsm.errors import Cancelled, FileError, GeometryError, MetadataError, QsmError
from napari_qsm.phantom import (
    SMALL,
    SUBJECTS,
    TABLE_1,
    finished,
    make_anatomy,
    make_head,
    regions,
    signal,
)
from napari_qsm.phantom.grid import block_mean, make_grid
from napari_qsm.phantom.shapes import coverage, ellipsoid, tube
from napari_qsm.phantom.subjects import get_subject
from napari_qsm.phantom.template import to_head, to_template
from napari_qsm.phantom.tissue import AIR_PPM, CSF
from napari_qsm.phantom.vessels import all_veins
from napari_qsm.recon import fourier
from napari_qsm.recon.fourier import GAMMA_BAR_HZ_PER_T
from napari_qsm.recon.recipe import load_recipe
from napari_qsm.registration.atlas import load_atlas
from napari_qsm.volume import b0_direction, check_same_grid

# The case report, written out here so that a slip in the package cannot hide.
CASE_REPORT = {
    ("control", "left"): (1518, 1185.9, 0.034, 0.005),
    ("control", "right"): (1682, 1314.1, 0.041, 0.005),
    ("patient", "left"): (1448, 1131.3, 0.068, 0.008),
    ("patient", "right"): (1318, 1029.7, 0.062, 0.007),
}
PALLIDUM_MAXIMA = {"left": 0.086, "right": 0.079}


@pytest.fixture(scope="module")
def control():
    return make_head("control", **SMALL)


@pytest.fixture(scope="module")
def quiet():
    """Two echoes without noise or coils."""
    return make_head("patient", **SMALL, echo_times_s=(0.006, 0.012), snr=None, coil_phase=False)


def values(head, name):
    """Susceptibility within the region of that name."""
    index = next(r.index for r in head.label_names if r.name == name)
    return head.chi.data[head.labels.data == index].astype(np.float64)


# The numbers of the case report


def check_case_report(head):
    subject = head.subject.name
    for side in ("left", "right"):
        count, volume, mean, sd = CASE_REPORT[subject, side]
        putamen = values(head, f"Putamen {side[0].upper()}")
        assert putamen.size == count
        # Half of the last printed digit, and a little for the binary fraction.
        assert putamen.size * head.chi.voxel_volume_mm3 == pytest.approx(volume, abs=0.0501)
        assert putamen.mean() == pytest.approx(mean, abs=1e-7)
        assert putamen.std(ddof=1) == pytest.approx(sd, abs=1e-4)
        if subject == "patient":
            pallidum = values(head, f"Globus pallidus {side[0].upper()}")
            assert pallidum.max() == pytest.approx(PALLIDUM_MAXIMA[side], abs=1e-7)


def test_at_the_case_reports_grid_putamen_and_pallidum_are_its_own():
    # One cell per voxel, for speed; the next test takes as many as a scan does.
    head = make_anatomy("patient", oversampling=(1, 1, 1))
    assert head.chi.shape == (384, 312, 72)
    assert head.chi.voxel_size_mm == (0.625, 0.625, 2.0)
    check_case_report(head)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_with_finer_cells_the_truth_stays_exact(subject):
    # The middle of the case report's grid, so the voxels lie where they do there.
    head = make_anatomy(subject, shape=(128, 128, 26))
    assert head.factors == (1, 1, 3)
    check_case_report(head)
    # What is measured on voxels is what the field is made from.
    assert np.abs(block_mean(head.cells.chi, head.factors) - head.chi.data).max() < 1e-5


def test_table_1_is_the_case_reports():
    assert set(TABLE_1) == set(CASE_REPORT)
    for key, (count, volume, mean, sd) in CASE_REPORT.items():
        row = TABLE_1[key]
        assert (row.voxels, row.mean_ppm, row.sd_ppm) == (count, mean, sd)
        assert row.volume_mm3 == pytest.approx(volume, abs=0.0501)


@pytest.mark.parametrize("sizes", [(2.0, 2.0, 2.0), (1.2, 1.5, 3.0), (3.0, 3.0, 3.0)])
def test_on_other_grids_the_putamen_keeps_its_volume_and_mean(sizes):
    shape = tuple(int(np.ceil(n / s)) for n, s in zip((84, 84, 84), sizes, strict=True))
    head = make_anatomy("control", shape=shape, voxel_size_mm=sizes)
    for side in ("left", "right"):
        row = TABLE_1["control", side]
        putamen = values(head, f"Putamen {side[0].upper()}")
        voxel = head.chi.voxel_volume_mm3
        assert putamen.size == round(row.volume_mm3 / voxel)
        assert putamen.mean() == pytest.approx(row.mean_ppm, abs=1e-7)
        assert putamen.std(ddof=1) == pytest.approx(row.sd_ppm, abs=0.002)


# Labels, sides and places


def test_the_label_table_is_in_order_and_complete(control):
    indices = [r.index for r in control.label_names]
    assert indices == list(range(1, len(indices) + 1))
    assert set(np.unique(control.labels.data)) == {0, *indices}
    assert len({r.name for r in control.label_names}) == len(indices)
    assert len({r.abbreviation for r in control.label_names}) == len(indices)
    assert len({r.color for r in control.label_names}) == len(indices)
    for region in control.label_names:
        assert region.side == {"L": "left", "R": "right"}[region.name[-1]]
    pairs = {r.name[:-2] for r in control.label_names}
    assert pairs >= {"Caudate", "Putamen", "Globus pallidus", "Thalamus", "Pulvinar"}
    assert pairs >= {"Red nucleus", "Substantia nigra", "Dentate nucleus"}
    assert regions(bleed=True, calcification=True)[:-2] == control.label_names
    assert control.labels.data.dtype == np.uint8
    assert set(np.unique(control.mask.data)) == {0, 1}


def center(head, region):
    return head.labels.voxel_to_world(np.argwhere(head.labels.data == region.index)).mean(axis=0)


def test_left_is_left_and_both_sides_are_alike(control):
    by_name = {r.name: r for r in control.label_names}
    for name, region in by_name.items():
        if region.side != "left":
            continue
        other = by_name[name[:-1] + "R"]
        left, right = center(control, region), center(control, other)
        # World x runs to the patient's right.
        assert left[0] < -2 and right[0] > 2, name
        assert np.abs(left * (-1, 1, 1) - right).max() < 2.5, name
        sizes = [(control.labels.data == r.index).sum() for r in (region, other)]
        assert 0.8 < sizes[0] / sizes[1] < 1.25, name


def test_regions_lie_where_they_lie_in_people(control):
    at = {r.name: center(control, r) for r in control.label_names if r.side == "right"}
    x, y, z = 0, 1, 2
    assert at["Putamen R"][x] > at["Globus pallidus R"][x] > at["Thalamus R"][x]
    assert at["Caudate R"][x] < at["Putamen R"][x]
    assert at["Pulvinar R"][y] < at["Thalamus R"][y] < at["Globus pallidus R"][y]
    assert at["Substantia nigra R"][x] > at["Red nucleus R"][x]
    assert at["Dentate nucleus R"][z] < at["Substantia nigra R"][z] < at["Red nucleus R"][z]
    assert at["Red nucleus R"][z] < at["Thalamus R"][z] < at["Caudate R"][z]


@pytest.mark.parametrize("index", [1, 3, 9, 15])
def test_places_agree_with_an_atlas(control, shared_data, index):
    """Caudate, putamen, pallidum and red nucleus against CIT168 in a larger, standard brain."""
    nib = pytest.importorskip("nibabel")
    ours = {1: "Putamen", 3: "Caudate", 9: "Globus pallidus", 15: "Red nucleus"}[index]
    image = nib.load(shared_data / "cit168" / "cit168_labels.nii.gz")
    atlas = np.asarray(image.dataobj)
    for offset, side in ((0, "L"), (1, "R")):
        voxels = np.argwhere(atlas == index + offset)
        expected = nib.affines.apply_affine(image.affine, voxels).mean(axis=0)
        region = next(r for r in control.label_names if r.name == f"{ours} {side}")
        assert np.linalg.norm(center(control, region) - expected) < 8


@pytest.fixture(scope="module")
def nuclei_of_patient():
    """The deep nuclei alone, on voxels of 1.2 mm."""
    return make_anatomy("patient", shape=(70, 84, 50), voxel_size_mm=(1.2, 1.2, 1.2))


def labelled(head, *names):
    wanted = [r.index for r in head.label_names if r.name in names]
    return np.isin(head.labels.data, wanted)


ATLAS_NUCLEI = {
    "Caudate": (3,),
    "Globus pallidus": (9, 11),
    "Red nucleus": (15,),
    "Substantia nigra": (13, 17),
}


@pytest.mark.parametrize("name", ATLAS_NUCLEI)
@pytest.mark.parametrize("side", ["left", "right"])
def test_nuclei_are_the_atlass_own_on_their_own_side(nuclei_of_patient, name, side):
    """The atlas's labels, looked up where the bend says, are the head's; none is mirrored."""
    head, atlas = nuclei_of_patient, load_atlas().labels
    ours = labelled(head, f"{name} {side[0].upper()}")
    here = head.labels.voxel_to_world(np.argwhere(ndi.binary_dilation(ours, iterations=3)))
    there = np.stack(to_template(*here.T, head.subject), axis=-1)
    index = np.round(atlas.world_to_voxel(there)).astype(int)
    inside = np.clip(index, 0, np.array(atlas.shape) - 1)
    labels = np.array(ATLAS_NUCLEI[name]) + (side == "right")
    theirs = np.isin(atlas.data[tuple(inside.T)], labels) & (inside == index).all(axis=1)
    mine = ours[ndi.binary_dilation(ours, iterations=3)]
    dice = 2 * (mine & theirs).sum() / (mine.sum() + theirs.sum())
    # Both are steps of about a millimetre; nuclei laid later take a rim off the small ones.
    assert dice > (0.75 if name in ("Red nucleus", "Substantia nigra") else 0.85)


def test_neighbours_in_the_brain_are_neighbours(nuclei_of_patient):
    head = nuclei_of_patient
    chi, size = head.chi.data, head.chi.voxel_size_mm
    for side, s in (("L", -1), ("R", 1)):
        pallidum = labelled(head, f"Globus pallidus {side}")
        caudate = labelled(head, f"Caudate {side}")
        ventricle = labelled(head, f"Lateral ventricle {side}")
        # Beyond a lamina of a voxel or two begins what is as rich in iron as the putamen.
        x = np.argwhere(ndi.binary_dilation(pallidum, iterations=2) & ~pallidum & (chi > 0.045))
        outer = head.labels.voxel_to_world(x)[:, 0] * s
        middle = head.labels.voxel_to_world(np.argwhere(pallidum)).mean(axis=0)[0] * s
        assert (outer > middle).sum() > 40
        # The caudate lies along the ventricle over all of its body.
        from_fluid = ndi.distance_transform_edt(~ventricle, sampling=size)
        y = head.labels.voxel_to_world(np.argwhere(caudate))[:, 1]
        near = [from_fluid[caudate][np.abs(y - at) < 1].min() for at in (-10, 0, 10)]
        assert max(near) < 2.5


def test_points_go_to_the_template_and_back():
    points = np.random.default_rng(0).uniform(-70, 70, (200, 3))
    for subject in map(get_subject, SUBJECTS):
        here = np.array(to_head([tuple(p) for p in points], subject))
        assert np.abs(np.stack(to_template(*here.T, subject), axis=-1) - points).max() < 1e-6


def test_veins_taper_and_stay_in_the_head():
    for subject in map(get_subject, SUBJECTS):
        veins = all_veins(subject, 0.6)
        assert len(veins) > 150
        turns = []
        for vein in veins:
            steps = np.diff(np.array(vein.points), axis=0)
            long = np.linalg.norm(steps, axis=1)
            cosine = (steps[1:] * steps[:-1]).sum(axis=1) / (long[1:] * long[:-1])
            turns += [cosine]
            assert min(vein.radii) > 0.05
        # Drawn as curves: from piece to piece they hardly turn.
        assert np.median(np.concatenate(turns)) > 0.97
        assert len({vein.points for vein in veins}) == len(veins)


def test_the_brain_is_one_piece_of_a_plausible_size(control):
    mask = control.mask.data > 0
    litres = mask.sum() * control.mask.voxel_volume_mm3 * 1e-6
    assert 1.1 < litres < 1.6
    _, pieces = ndi.label(mask)
    assert pieces == 1
    # No bone in it, and no air.
    assert control.chi.data[mask].min() > -0.2 and control.chi.data[mask].max() < 0.5
    labelled = control.labels.data > 0
    assert not (labelled & ~mask).any()
    # Iron, myelin, fluid and bone in their order.
    median = {r.name: np.median(values(control, r.name)) for r in control.label_names}
    assert median["Globus pallidus R"] > median["Putamen R"] > median["Thalamus R"]
    assert median["Lateral ventricle R"] == pytest.approx(CSF.chi_ppm, abs=1e-3)
    # Zero is the mean of the whole brain, which maps are referenced to.
    assert abs(control.chi.data[mask].mean(dtype=np.float64)) < 1e-3
    assert np.percentile(control.chi.data[mask], 5) < -0.02
    assert control.chi.data.max() == pytest.approx(AIR_PPM)
    assert control.chi.data.min() < -1.5


def test_lesions_are_labelled_and_have_their_susceptibility():
    plain = make_anatomy("control", **SMALL)
    head = make_anatomy("control", **SMALL, bleed=True, calcification=True)
    assert [r.name for r in head.label_names[-2:]] == ["Bleed", "Calcification"]
    assert values(head, "Bleed").max() == pytest.approx(1.0, abs=0.02)
    assert values(head, "Calcification").min() < -1.2
    assert center(head, head.label_names[-2])[0] > 10
    changed = plain.chi.data != head.chi.data
    near = ndi.binary_dilation(head.labels.data >= head.label_names[-2].index, iterations=2)
    assert changed.any() and not (changed & ~near).any()
    # The numbers of the case report survive lesions.
    assert values(head, "Putamen L").mean() == pytest.approx(0.034, abs=1e-7)


# The field


def sphere_field(x, y, z, radius, chi):
    """Field in ppm of a sphere in a uniform field along z, Lorentz-corrected: 0 inside."""
    r2 = x * x + y * y + z * z
    outside = chi / 3 * radius**3 * (2 * z * z - x * x - y * y) / np.maximum(r2, 1) ** 2.5
    return np.where(r2 > radius**2, outside, 0)


@pytest.mark.parametrize("b0", [(0, 0, 1), (0.3, -0.2, 0.933)])
def test_the_field_of_a_sphere_is_the_textbooks(b0):
    shape, size, radius, chi = (64, 60, 40), (1.0, 1.0, 1.5), 8.0, -9.4
    anatomy = make_anatomy("control", shape=shape, voxel_size_mm=size, b0_direction=b0)
    grid = anatomy.grid.finer(anatomy.factors)
    x, y, z = (c - m for c, m in zip(grid.coordinates(grid.whole), (0, -15.5, 10), strict=True))
    inside = coverage(ellipsoid(x, y, z, (0, 0, 0), (radius,) * 3), 1.0)
    cells = dataclasses.replace(anatomy.cells, chi=(AIR_PPM + chi * inside).astype(np.float32))
    alone = dataclasses.replace(anatomy, cells=cells)
    for corner in (0, -1):  # a trace at the corners, as the field is made for what is not air
        cells.chi[corner, corner, corner] -= 1e-3
    field = signal.body_field(alone) - signal.field_from_outside(grid)
    expected = sphere_field(x, y, z, radius, chi)
    r = np.sqrt(x * x + y * y + z * z)
    error = field - expected
    peak = np.abs(expected).max()
    near = (r > radius + 2) & (r < radius + 12)
    assert error[near].std() < 0.003 * peak
    assert np.abs(error[r > radius + 5]).max() < 0.01 * peak
    assert np.abs(error[r < radius - 2.5].mean()) < 0.001 * peak
    assert error[r < radius - 2.5].std() < 0.015 * peak


def test_what_lies_outside_the_field_of_view_is_not_forgotten():
    """The field over the brain hardly depends on where the lower slices end."""
    size = (3.0, 3.0, 3.0)
    tall = make_anatomy("control", shape=(56, 68, 66), voxel_size_mm=size)
    short = make_anatomy("control", shape=(56, 68, 46), voxel_size_mm=size)
    part = slice(10, 56)
    assert short.chi.affine[2, 3] == pytest.approx(tall.chi.affine[2, 3] + 30)
    one, other = signal.body_field(tall)[:, :, part], signal.body_field(short)
    alone = other - signal.field_from_outside(short.grid)
    brain = short.mask.data > 0
    brain[:, :, :6] = False  # not beside the cut

    def spread(difference):
        return (difference[brain] - difference[brain].mean()).std()

    assert spread(other - one) < 0.03
    assert spread(other - one) < 0.1 * spread(alone - one)


def laplacian(field, size_mm):
    """Sum of the second derivatives per mm, of a field smoothed by a voxel."""
    orders = np.eye(3, dtype=int) * 2
    return sum(
        ndi.gaussian_filter(field, 1.0, order=order) / size**2
        for order, size in zip(orders, size_mm, strict=True)
    )


def test_total_field_is_local_field_plus_a_harmonic_one(control):
    mask = control.mask.data > 0
    total, local = control.total_field.data.astype(float), control.local_field.data.astype(float)
    assert not local[~mask].any()
    background = total - local
    deep = ndi.binary_erosion(mask, iterations=6)
    # Smoothed by a voxel: at sharp edges of bone the sampled kernel rings from voxel to voxel.
    bends = [np.abs(laplacian(f, control.chi.voxel_size_mm))[deep] for f in (background, local)]
    assert np.median(bends[0]) < 0.1 * np.median(bends[1])
    # And it is strong: the task of background removal is not made easy.
    assert background[mask].std() > 5 * local[mask].std()


def test_local_field_is_the_dipole_field_of_the_masked_susceptibility(control):
    assert np.prod(make_anatomy("control", **SMALL).factors) == 1
    inside = control.chi.data * (control.mask.data > 0)
    expected = fourier.forward_field(inside, control.chi.voxel_size_mm, control.chi.b0_direction)
    mask = control.mask.data > 0
    difference = (control.local_field.data - expected)[mask]
    assert difference.std() < 0.02 * expected[mask].std()


def test_the_background_is_strong_and_shimmed(control):
    brain = control.mask.data > 0
    field = control.total_field.data[brain]
    assert 0.8 < field.max() < 5
    assert 0.02 < np.median(np.abs(field)) < 0.3
    x, y, z = np.moveaxis(control.chi.voxel_to_world(np.argwhere(brain)), -1, 0)
    for slope in (x, y, z, x * y, y * z, z * x):
        assert abs(np.corrcoef(slope, field)[0, 1]) < 0.1


def test_the_head_keeps_its_place_when_the_grid_is_turned():
    b0 = np.array([0.25, -0.15, 0.9])
    b0 /= np.linalg.norm(b0)
    kind = {"shape": (90, 104, 66), "voxel_size_mm": (2.0, 2.0, 2.2), "snr": None}
    upright = make_head("control", **kind)
    turned = make_head("control", **kind, b0_direction=b0)
    assert turned.chi.b0_direction == pytest.approx(tuple(b0))
    assert turned.chi.voxel_size_mm == pytest.approx((2.0, 2.0, 2.2))
    assert np.linalg.det(turned.chi.affine[:3, :3]) > 0
    brain = np.argwhere(ndi.binary_erosion(turned.mask.data > 0, iterations=4))
    world = turned.chi.voxel_to_world(brain)
    index = upright.chi.world_to_voxel(world).T
    for name, alike in (("total_field", 0.95), ("local_field", 0.85), ("chi", 0.9)):
        here = getattr(turned, name).data[tuple(brain.T)]
        there = ndi.map_coordinates(getattr(upright, name).data.astype(float), index, order=1)
        assert np.corrcoef(here, there)[0, 1] > alike, name
        assert (here - there).std() < 0.5 * there.std(), name
    for name in ("Putamen L", "Putamen R", "Dentate nucleus L"):
        region = next(r for r in upright.label_names if r.name == name)
        assert np.abs(center(upright, region) - center(turned, region)).max() < 1.0


def test_the_background_of_a_turned_grid_has_no_ripples():
    """What comes from outside bends no more from voxel to voxel than in a grid that is upright."""
    found = []
    for b0 in ((0.0, 0.0, 1.0), (0.5, 0.0, 0.75**0.5)):
        head = make_head("control", **SMALL, snr=None, b0_direction=b0)
        background = head.total_field.data - head.local_field.data
        deep = ndi.binary_erosion(head.mask.data > 0, iterations=6)
        bend = np.diff(np.diff(np.diff(np.diff(background, axis=0), axis=0), axis=2), axis=2)
        found.append(np.median(np.abs(bend[deep[1:-1, :, 1:-1]])))
    assert found[1] < 1.5 * found[0]


def test_any_direction_of_b0_can_be_asked_for():
    for b0 in itertools.product((-1.0, 0.0, 2.0), repeat=3):
        if any(b0):
            grid = make_grid((8, 9, 10), (1.0, 2.0, 3.0), b0)
            assert b0_direction(grid.affine) == pytest.approx(b0 / np.linalg.norm(b0))
            assert np.linalg.det(grid.affine[:3, :3]) == pytest.approx(6.0)


# The signal


def wrapped(angle):
    return np.angle(np.exp(1j * angle))


def test_phase_is_that_of_the_field(quiet):
    for echo, time in enumerate(quiet.scan.echo_times_s):
        phase = quiet.scan.phase[echo].data
        assert phase.dtype == np.float32
        assert np.abs(phase).max() <= np.float32(np.pi)
        expected = 2 * np.pi * GAMMA_BAR_HZ_PER_T * 3.0 * time * 1e-6 * quiet.total_field.data
        bright = quiet.scan.magnitude[echo].data > 300
        bright &= ndi.binary_erosion(quiet.mask.data > 0, iterations=2)
        assert bright.sum() > 10_000
        assert np.abs(wrapped(phase - expected))[bright].max() < 0.05


def test_coils_add_the_same_phase_to_every_echo(quiet):
    kind = dict(SMALL) | {"echo_times_s": (0.006, 0.012), "snr": None}
    with_coils = make_head("patient", **kind)
    brain = ndi.binary_erosion(quiet.mask.data > 0, iterations=2)
    x, y, z = quiet.chi.voxel_to_world(np.argwhere(brain)).T
    expected = signal.coil_phase(x, y, z)
    assert expected.max() - expected.min() > 1
    for one, other in zip(with_coils.scan.phase, quiet.scan.phase, strict=True):
        added = wrapped(one.data[brain].astype(float) - other.data[brain])
        assert np.abs(wrapped(added - expected)).max() < 0.05


def test_phase_scales_with_echo_time_and_field_strength():
    kind = dict(SMALL) | {"snr": None, "coil_phase": False}
    one = make_head("control", **kind, echo_times_s=(0.010,), field_strength_t=3.0)
    other = make_head("control", **kind, echo_times_s=(0.005,), field_strength_t=6.0)
    brain = ndi.binary_erosion(one.mask.data > 0, iterations=3)
    difference = wrapped(one.scan.phase[0].data.astype(float) - other.scan.phase[0].data)
    assert np.abs(difference[brain]).max() < 0.02


def test_magnitude_decays_and_fades_near_the_sinuses(quiet):
    first, second = (m.data.astype(np.float64) for m in quiet.scan.magnitude)
    inside = ndi.binary_erosion(quiet.mask.data > 0, iterations=3)
    rate = np.log(first[inside] / second[inside]) / 0.006
    truth = quiet.r2star.data[inside]
    assert np.median(rate - truth) == pytest.approx(0, abs=1.0)
    # Nowhere slower than the tissue's own decay; faster where the field is steep.
    steep = np.linalg.norm(np.gradient(quiet.total_field.data), axis=0)[inside]
    high = steep > np.percentile(steep, 99.9)
    assert np.mean((rate - truth)[high]) > 5
    air = quiet.chi.data == np.float32(AIR_PPM)
    assert not first[air].any()


def test_noise_has_the_asked_for_size():
    clean = make_head("control", **SMALL, snr=None)
    noisy = make_head("control", **SMALL, snr=20.0)
    signals = [h.scan.magnitude[0].data * np.exp(1j * h.scan.phase[0].data) for h in (clean, noisy)]
    difference = signals[1] - signals[0]
    white = (clean.chi.data < -0.025) & (clean.chi.data > -0.035) & (clean.mask.data > 0)
    reference = np.median(clean.scan.magnitude[0].data[white])
    for channel in (difference.real, difference.imag):
        assert channel.std() == pytest.approx(reference / 20, rel=0.1)
        assert abs(channel.mean()) < 0.01 * channel.std()
    outside = noisy.scan.phase[0].data[clean.chi.data == np.float32(AIR_PPM)]
    assert outside.std() == pytest.approx(np.pi / np.sqrt(3), rel=0.02)


def images(head):
    return [
        *head.scan.phase,
        *head.scan.magnitude,
        *(head.chi, head.labels, head.mask, head.local_field, head.total_field, head.r2star),
    ]


def test_the_same_seed_gives_the_same_bytes_on_any_number_of_threads(control, monkeypatch):
    monkeypatch.setenv("NAPARI_QSM_THREADS", "1")
    again = make_head("control", **SMALL)
    for one, other in zip(images(control), images(again), strict=True):
        assert one.data.tobytes() == other.data.tobytes(), one.name
    assert np.array_equal(control.chi.affine, again.chi.affine)


def test_another_seed_changes_the_noise_and_nothing_else(control):
    other = make_head("control", **SMALL, seed=1)
    same = [a.data.tobytes() == b.data.tobytes() for a, b in zip(images(control), images(other), strict=True)]  # fmt: skip
    assert same == [False, False, True, True, True, True, True, True]


def test_echoes_do_not_share_their_noise():
    a, b = (signal.noise((40, 40, 40), 1.0, 5, echo) for echo in (0, 1))
    assert abs(np.vdot(a, b)) / np.linalg.norm(a) / np.linalg.norm(b) < 0.01
    assert np.abs(a).dtype == np.float32


def test_everything_lies_on_one_grid_with_its_unit(control):
    for volume in images(control):
        check_same_grid(volume, control.chi)
        assert volume.orientation == "RAS"
    assert control.scan.phase[0].unit == "rad"
    assert control.chi.unit == control.total_field.unit == control.local_field.unit == "ppm"
    assert control.r2star.unit == "1/s"
    assert control.scan.echo_times_s == (0.021,)
    assert control.scan.field_strength_t == 3.0


# What cannot be made


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        ({"subject": "nobody"}, QsmError, "nobody"),
        ({"shape": (64, 64)}, GeometryError, "three"),
        ({"shape": (64, 64, 2)}, GeometryError, "at least 8"),
        ({"voxel_size_mm": (1, 1, 0)}, GeometryError, "positive"),
        ({"voxel_size_mm": (1, float("nan"), 1)}, GeometryError, "positive"),
        ({"b0_direction": (0, 0, 0)}, GeometryError, "B0"),
        ({"oversampling": (0, 1, 1)}, GeometryError, "Oversampling"),
        ({"echo_times_s": (21,)}, MetadataError, "wrong unit"),
        ({"echo_times_s": ()}, MetadataError, "missing"),
        ({"field_strength_t": 3000}, MetadataError, "30 T"),
        ({"snr": 0}, QsmError, "above zero"),
        ({"snr": float("nan")}, QsmError, "above zero"),
        ({"seed": -1}, QsmError, "seed"),
    ],
)
def test_the_impossible_is_refused_in_a_sentence(wrong, error, said):
    with pytest.raises(error, match=said):
        make_head(**(dict(SMALL) | wrong))


def test_a_head_without_its_local_field_is_the_same_head(control):
    again = make_head("control", **SMALL, local_field=False)
    assert again.local_field is None
    for one, other in zip(images(control), images(again), strict=True):
        assert other is None or one.data.tobytes() == other.data.tobytes(), one.name


def test_a_field_of_view_without_the_putamen_still_works():
    head = make_head("control", shape=(8, 8, 8), voxel_size_mm=(2.0, 2.0, 2.0))
    assert np.isfinite(head.total_field.data).all()
    assert not np.isin(head.labels.data, (3, 4)).any()


def test_making_a_head_can_be_followed_and_stopped():
    fractions = []
    make_head(
        "control", shape=(24, 24, 24), voxel_size_mm=(8.0, 8.0, 8.0), progress=fractions.append
    )
    assert fractions == sorted(fractions) and fractions[-1] == 1.0

    def stop(fraction):
        raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        make_head("control", **SMALL, progress=stop)


# The shapes


def test_distances_are_distances():
    axis = np.linspace(-12, 12, 25, dtype=np.float32)
    x, y, z = axis[:, None, None], axis[None, :, None], axis[None, None, :]
    r = np.sqrt(x * x + y * y + z * z)
    ball = ellipsoid(x, y, z, (0, 0, 0), (7, 7, 7))
    assert ball.dtype == np.float32
    assert np.abs(ball - (7 - r)).max() < 0.01  # the very middle is rounded off
    rod = tube(x, y, z, [(0, 0, -20), (0, 0, 20)], [3, 3])
    assert np.abs(rod - (3 - np.sqrt(x * x + y * y))).max() < 1e-4
    # The volume of an ellipsoid by its coverage.
    volume = coverage(ellipsoid(x, y, z, (0.3, 0, -0.2), (9, 5, 7)), 1.0).sum()
    assert volume == pytest.approx(4 / 3 * np.pi * 9 * 5 * 7, rel=0.01)


def test_a_finished_head_comes_back_as_it_was_written(tmp_path):
    head = make_head("patient", shape=(20, 24, 12), voxel_size_mm=(8.0, 8.0, 12.0), snr=None)
    chi = head.chi.with_data(np.where(head.mask.data != 0, head.chi.data, 0))
    finished.write_finished(tmp_path, head, chi, {"recipe": {"name": "x"}})
    back = finished.read_finished("patient", tmp_path)
    np.testing.assert_allclose(back.chi.data, chi.data, atol=0.000501)
    np.testing.assert_array_equal(back.labels.data, head.labels.data)
    np.testing.assert_array_equal(back.chi.affine, chi.affine)
    magnitude = head.scan.magnitude[0].data
    bright = magnitude > 60
    np.testing.assert_allclose(back.magnitude.data[bright], magnitude[bright], atol=5.01)
    assert back.provenance["recipe"] == {"name": "x"} and back.chi.unit == "ppm"
    (tmp_path / "patient-chi.xz").write_bytes(b"no archive")
    with pytest.raises(FileError, match="did not come"):
        finished.read_finished("patient", tmp_path)


def test_the_finished_heads_are_of_the_recipe_of_now():
    """Else the demonstration computes for minutes: ``python docs/make_demonstration.py``."""
    now = load_recipe("case-report").to_dict()["stages"]
    for subject in SUBJECTS:
        head = finished.read_finished(subject)
        assert head.provenance["recipe"]["stages"] == now
    # The numbers of the case report, which nobody computed from these files.
    for label, side in ((3, "left"), (4, "right")):
        inside = head.labels.data == label
        table = TABLE_1["patient", side]
        assert inside.sum() == table.voxels
        assert head.chi.data[inside].mean() == pytest.approx(table.mean_ppm, rel=0.1)
