import numpy as np
import pytest

from napari_qsm.errors import GeometryError, MetadataError
from napari_qsm.scan import Scan
from napari_qsm.volume import Volume


def volume(value=0.0, affine=None, shape=(3, 4, 5)):
    return Volume(np.full(shape, value), np.eye(4) if affine is None else affine, name=f"v{value}")


def values(volumes):
    return [float(v.data.flat[0]) for v in volumes]


def test_echoes_are_sorted_with_their_images():
    scan = Scan(
        phase=(volume(3), volume(1), volume(2)),
        echo_times_s=(0.03, 0.01, 0.02),
        field_strength_t=3,
        magnitude=(volume(12), volume(13), volume(11)),
        magnitude_echo_times_s=(0.02, 0.03, 0.01),
    )
    assert scan.echo_times_s == (0.01, 0.02, 0.03)
    assert values(scan.phase) == [1, 2, 3]
    assert values(scan.magnitude) == [11, 12, 13]


def test_magnitudes_without_times_follow_their_phases():
    scan = Scan((volume(2), volume(1)), (0.02, 0.01), 3, magnitude=(volume(12), volume(11)))
    assert values(scan.magnitude) == [11, 12]
    assert scan.magnitude_echo_times_s == (0.01, 0.02)


def test_4d_volumes_are_taken_apart_without_copies():
    data = np.stack([np.full((3, 4, 5), v) for v in (2.0, 1.0)], axis=-1)
    scan = Scan((Volume(data, np.eye(4)),), (0.02, 0.01), 3)
    assert values(scan.phase) == [1, 2]
    assert all(np.shares_memory(v.data, data) for v in scan.phase)


def test_canonical_turns_everything_alike():
    affine = np.diag([-1.0, 1, 2, 1])
    data = np.arange(60.0).reshape(3, 4, 5)
    one = Volume(data, affine)
    scan = Scan((one,), (0.01,), 3, magnitude=(one,), metadata={"FlipAngle": 15})
    turned = scan.to_canonical()
    np.testing.assert_array_equal(turned.phase[0].data, data[::-1])
    np.testing.assert_array_equal(turned.magnitude[0].data, data[::-1])
    assert turned.metadata == {"FlipAngle": 15} and turned.grid.orientation == "RAS"


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ((), "missing"),
        ((21,), "21000 ms"),
        ((0.0001,), "0.1 ms"),
        ((0.01, 0.02), "1 phase images but 2 echo times"),
        ((float("nan"),), "wrong unit"),
    ],
)
def test_echo_times(times, said):
    with pytest.raises(MetadataError, match=said):
        Scan((volume(),), times, 3)


def test_equal_echo_times():
    with pytest.raises(MetadataError, match="same echo time"):
        Scan((volume(), volume()), (0.01, 0.01), 3)


@pytest.mark.parametrize(("strength", "said"), [(None, "missing"), (3000, "3000 T"), (0, "0 T")])
def test_field_strength(strength, said):
    with pytest.raises(MetadataError, match=said):
        Scan((volume(),), (0.01,), strength)


@pytest.mark.parametrize("limit", [0.5e-3, 0.2])
def test_limits_belong_to_the_range(limit):
    assert Scan((volume(),), (limit,), 0.01).echo_times_s == (limit,)
    assert Scan((volume(),), (limit,), 30).field_strength_t == 30


def test_counts():
    with pytest.raises(MetadataError, match="at least one phase"):
        Scan((), (0.01,), 3)
    with pytest.raises(MetadataError, match="2 phase images but 3 magnitude"):
        Scan((volume(), volume()), (0.01, 0.02), 3, magnitude=(volume(),) * 3)
    with pytest.raises(MetadataError, match="one phase image"):
        Scan((volume(), volume()), (0.01, 0.02), 3, phase_difference=True)
    with pytest.raises(MetadataError, match="1 magnitude images but 2"):
        Scan((volume(),), (0.01,), 3, (volume(),), (0.01, 0.02))


def test_a_phase_difference_keeps_its_magnitudes_times():
    scan = Scan((volume(),), (0.0025,), 3, (volume(2), volume(1)), (0.0075, 0.005), True)
    assert scan.echo_times_s == (0.0025,)
    assert values(scan.magnitude) == [1, 2]
    assert scan.magnitude_echo_times_s == (0.005, 0.0075)


@pytest.mark.parametrize("kind", ["shape", "place", "turn"])
def test_grids_that_differ_are_named(kind):
    other = {
        "shape": volume(7, shape=(3, 4, 6)),
        "place": volume(7, np.eye(4) + np.eye(4, k=3)),
        "turn": volume(7, np.diag([-1.0, 1, 1, 1])),
    }[kind]
    with pytest.raises(GeometryError, match=r"v7.*v0"):
        Scan((volume(0.0),), (0.01,), 3, magnitude=(other,))
