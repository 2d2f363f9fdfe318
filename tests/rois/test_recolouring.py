"""Colours that colour-blind readers can tell apart, seen through simulations of their sight."""

import numpy as np
from skimage.color import rgb2lab

from napari_qsm.io.region import default_color, pair_color, rgb
from napari_qsm.rois.presets import built_in_presets
from napari_qsm.rois.recolouring import recolour_all
from napari_qsm.rois.region import region_table

#: Machado, Oliveira, Fernandes 2009, severity 1, on linear light.
SIGHT = {
    "normal": np.eye(3),
    "no red cones": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no green cones": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "no blue cones": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TOUCH = [
    ("Caudate", "Putamen"),
    ("Caudate", "Nucleus accumbens"),
    ("Caudate", "Thalamus"),
    ("Putamen", "Nucleus accumbens"),
    ("Putamen", "Globus pallidus"),
    ("Putamen", "Claustrum"),
    ("Thalamus", "Pulvinar"),
    ("Substantia nigra", "Subthalamic nucleus"),
    ("Substantia nigra", "Red nucleus"),
    ("Subthalamic nucleus", "Red nucleus"),
    ("Hippocampus", "Amygdala"),
]


def seen(colours, sight="normal"):
    """Colours in CIELAB as somebody sees them."""
    values = np.array([rgb(colour) for colour in colours]) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.array(SIGHT[sight]).T, 0, 1)
    shown = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return rgb2lab(shown)


def test_touching_structures_differ_for_everyone():
    (deep,) = (p for p in built_in_presets() if len(p.regions) == 26)
    colours = {region.name: region.color for region in deep.regions}
    for sight in SIGHT:
        lab = dict(zip(colours, seen(colours.values(), sight), strict=True))
        for one, other in TOUCH:
            for side in "LR":
                apart = np.linalg.norm(lab[f"{one} {side}"] - lab[f"{other} {side}"])
                assert apart > 25, (sight, one, other)


def test_hues_differ_and_sides_are_bright_and_dark():
    bright = seen([pair_color(n) for n in range(13)])
    dark = seen([pair_color(n, dark=True) for n in range(13)])
    for group in (bright, dark):
        apart = np.linalg.norm(group[:, None] - group, axis=-1)
        assert apart[np.triu_indices(13, 1)].min() > 18
    assert (bright[:, 0] - dark[:, 0] > 18).all()
    hues = [np.degrees(np.arctan2(lab[:, 2], lab[:, 1])) for lab in (bright, dark)]
    assert np.abs((hues[0] - hues[1] + 180) % 360 - 180).max() < 8


def test_labels_that_follow_each_other_differ_for_everyone():
    for sight in SIGHT:
        for first in (1, 2):  # bright, dark
            lab = seen([default_color(n) for n in range(first, 27, 2)], sight)
            assert np.linalg.norm(lab - np.roll(lab, 1, axis=0), axis=1).min() > 25
    assert {default_color(n) for n in range(1, 27)} == {
        pair_color(n, dark=dark) for n in range(13) for dark in (False, True)
    }


def test_lists_get_colours_by_structure_and_side():
    (deep,) = (p for p in built_in_presets() if len(p.regions) == 26)
    listed = {region.name: region.color for region in deep.regions}
    table = region_table({4: "Putamen R", 2: "Lesion", 9: "Putamen L", 7: "Red nucleus L"})
    after = recolour_all(table).rows
    colours = {index: (after.get(index) or table[index]).color for index in table}
    assert colours == {
        2: pair_color(0),
        4: listed["Putamen R"],
        9: listed["Putamen L"],
        7: listed["Red nucleus L"],
    }
    many = region_table({n: f"Piece {n}" for n in range(1, 20)})
    assert len({row.color for row in recolour_all(many).rows.values()}) == 13
    assert all(after[i].name == table[i].name for i in after)
    again = recolour_all({i: after.get(i) or table[i] for i in table})
    assert not again.rows
