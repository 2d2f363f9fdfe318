"""Small maps and figures for the tests of figures."""

import numpy as np

from napari_qsm.figures.draw import render
from napari_qsm.figures.gather import Given
from napari_qsm.figures.other_maps import OTHER_MAPS
from napari_qsm.figures.panels import ImagePanel, Measured, TablePanel
from napari_qsm.figures.parts import Cell, Display, Regions, Source, WholeCrop
from napari_qsm.figures.spec import ColourBar, FigureSpec, Style
from napari_qsm.figures.subjects import Subject
from napari_qsm.io.label_table import Region
from napari_qsm.volume import Volume

SHAPE = (40, 48, 12)
SIZE = (1.5, 1.2, 3.0)
REGIONS = {
    1: Region(1, "Putamen L", "left", "#ff6b6b", "Put L"),
    2: Region(2, "Putamen R", "right", "#d63a3a", "Put R"),
    3: Region(3, "Globus pallidus L", "left", "#ffd43b", "GP L"),
    4: Region(4, "Globus pallidus R", "right", "#d9a400", "GP R"),
}
PROVENANCE = {
    "software": {"napari-qsm": "0.0.1"},
    "stages": [
        {"stage": "unwrap", "method": "laplacian", "settings": {}},
        {"stage": "reference", "method": "whole-mask", "settings": {}},
    ],
    "methods": "The maps were made by formula.",
}


def affine(size=SIZE, origin=(-30.0, -28.0, -18.0)):
    out = np.diag([*size, 1.0])
    out[:3, 3] = origin
    return out


def volume(data, *, unit="", name="", size=SIZE):
    return Volume(np.asarray(data), affine(size), unit=unit, name=name)


def ellipse(centre, radii):
    """Voxels of an ellipsoid given in RAS mm, on the grid of the tests."""
    ijk = np.stack(np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij"), axis=-1)
    mm = ijk * np.array(SIZE) + affine()[:3, 3]
    return (((mm - np.array(centre)) / np.array(radii)) ** 2).sum(axis=-1) <= 1


def labels():
    out = np.zeros(SHAPE, dtype=np.uint8)
    out[ellipse((-17, 0, 0), (4, 9, 10))] = 1
    out[ellipse((17, 0, 0), (4, 9, 10))] = 2
    out[ellipse((-9, -2, 0), (3, 5, 8))] = 3
    out[ellipse((9, -2, 0), (3, 5, 8))] = 4
    return out


def chi(putamen=0.04):
    """A head whose right half is a little brighter, with a bright spot in front on the left."""
    out = np.zeros(SHAPE, dtype=np.float32)
    head = ellipse((0, 0, 0), (28, 26, 17))
    x = np.arange(SHAPE[0])[:, None, None] * SIZE[0] + affine()[0, 3]
    out[head] = np.broadcast_to(0.0002 * x, SHAPE)[head] - 0.005
    found = labels()
    out[(found == 1) | (found == 2)] += putamen
    out[(found == 3) | (found == 4)] += 0.08
    out[ellipse((-12, 19, 0), (3, 3, 4))] = 0.15
    return out


def magnitude():
    return np.where(ellipse((0, 0, 0), (28, 26, 17)), 500.0, 3.0).astype(np.float32)


def given(**more):
    return {
        "control": Given(volume(chi(), unit="ppm", name="chi"), {}, PROVENANCE),
        "control-regions": Given(volume(labels(), name="labels"), REGIONS),
        "control-magnitude": Given(volume(magnitude(), name="magnitude")),
        "patient": Given(volume(chi(0.07), unit="ppm", name="chi"), {}, PROVENANCE),
        "patient-regions": Given(volume(labels(), name="labels"), REGIONS),
        "patient-magnitude": Given(volume(magnitude(), name="magnitude")),
        **{key: Given(other_map(source.quantity)) for key, source in OTHERS.items()},
        **more,
    }


def other_map(quantity, seed=3):
    """Noise in the head, in the unit and size of a map beside χ."""
    head = chi() != 0
    values = np.abs(np.random.default_rng(seed).normal(20, 8, head.shape)) * head
    unit = {"r2star": "1/s", "chi_positive": "ppm", "chi_negative": "ppm"}.get(quantity, "")
    scale = {"chi_positive": 1 / 200, "chi_negative": -1 / 400}.get(quantity, 1.0)
    return volume((values * scale).astype(np.float32), unit=unit)


#: Maps beside χ of both.
OTHERS = {
    f"{who.lower()}-{key}": Source(role="other", name=f"{who}, {known.symbol}", quantity=key)
    for who in ("Control", "Patient")
    for key, known in OTHER_MAPS.items()
}
SUBJECTS = tuple(
    Subject(
        who.capitalize(), who, f"{who}-regions", f"{who}-magnitude",
        tuple(key for key in OTHERS if key.startswith(who)),
    )
    for who in ("control", "patient")
)  # fmt: skip
SOURCES = {
    "control": Source(name="Control"),
    "control-regions": Source(role="labels", name="Control: regions"),
    "control-magnitude": Source(role="magnitude", name="Control: magnitude"),
    "patient": Source(name="Patient"),
    "patient-regions": Source(role="labels", name="Patient: regions"),
    "patient-magnitude": Source(role="magnitude", name="Patient: magnitude"),
}


def two_panels(**style):
    """A grey slice, the same with regions, and the table."""
    return FigureSpec(
        sources=SOURCES,
        displays={"grey": Display()},
        panels=(
            ImagePanel(map="control", slice_mm=0, letter="A"),
            ImagePanel(
                map="control",
                slice_mm=0,
                letter="B",
                regions=Regions(labels="control-regions", which=(1, 2)),
                scale_bar=True,
            ),
            TablePanel(
                measured=(Measured(map="control", labels="control-regions"),),
                which=(1, 2),
                letter="C",
                cell=Cell(row=1, column=0, columns=2),
            ),
        ),
        colour_bars=(ColourBar(display="grey"),),
        style=Style(**{"width_mm": 114, "dpi": 150, **style}),
    )


def bare(panel, **spec):
    """One picture that fills the page, with nothing written on it."""
    quiet = {"orientation_letters": False, "slice_position": False, "crop": WholeCrop()}
    panel = panel.model_copy(update=quiet)
    return FigureSpec(
        displays={"grey": Display(window=(0.0, 1.0))},
        panels=(panel,),
        columns=1,
        **{"style": Style(width_mm=60, dpi=100), **spec},
    )


def drawn_colours(spec, sources):
    """The first panel alone, without the paper around it."""
    drawn = render(spec, sources)
    pixels = drawn.pixels()[..., :3]
    panel, per_mm = drawn.panels[0], spec.style.dpi / 25.4
    rows = slice(round(panel.top * per_mm), round(panel.bottom * per_mm))
    return pixels[rows, round(panel.left * per_mm) : round(panel.right * per_mm)].astype(int)


def drawn_pixels(spec, sources):
    return drawn_colours(spec, sources).mean(axis=-1)
