"""One page to read: the map, the deep nuclei enlarged, the numbers, and what they are not for."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np

from napari_qsm._version import __version__
from napari_qsm.arrays import Array
from napari_qsm.figures.draw import Rendered, render
from napari_qsm.figures.gather import Given
from napari_qsm.figures.page import settings
from napari_qsm.figures.panels import ImagePanel, Measured, TablePanel, TextPanel
from napari_qsm.figures.parts import BoxCrop, Cell, Display
from napari_qsm.figures.spec import ColourBar, FigureSpec, Style
from napari_qsm.io.dicom_out.images import DISCLAIMER
from napari_qsm.io.region import Region
from napari_qsm.qc.nuclei_zoom import SIZE_MM, place_of
from napari_qsm.qc.pictures import cut_through
from napari_qsm.qc.thumbnail import WINDOW_PPM, known
from napari_qsm.volume import Volume

#: Regions that a page has room for.
MOST_ROWS = 28
_WIDTH_MM = 180.0
_A4_MM = (210.0, 297.0)
_MARGIN_MM = 15.0


def page_pdf(
    chi: Volume,
    labels: Volume | None = None,
    regions: Mapping[int, Region] | None = None,
    *,
    code: str = "",
) -> bytes:
    """The page as a PDF of one sheet.

    Parameters
    ----------
    chi : Volume
        Susceptibility, ppm.
    labels : Volume, optional
        On the same grid.
    regions : dict, optional
        What its values mean.
    code : str
        What the patient is called, where that is a pseudonym; a name is never written.

    Returns
    -------
    bytes
    """
    chi = chi.to_canonical()
    valid = known(chi.data)
    if not valid.any():
        valid = np.ones(chi.shape, bool)
    drawn = None if labels is None else labels.like(chi)
    names = {index: region.name for index, region in (regions or {}).items()}
    place = place_of(chi, valid, None if drawn is None else np.asarray(drawn.data), names)
    head = f"Quantitative susceptibility map{': ' + code if code else ''}\n{DISCLAIMER}"
    panels = [
        TextPanel(text=head, cell=Cell(row=0, column=0, columns=3)),
        *_slices(chi, valid, place.basal, place.midbrain),
    ]
    given = {"map": Given(chi.with_data(chi.data, unit="ppm", name="map"))}
    note = ""
    if drawn is not None:
        present = [int(v) for v in np.unique(drawn.data) if v]
        given["labels"] = Given(drawn, regions=dict(regions or {}))
        panels.append(
            TablePanel(
                measured=(Measured(map="map", labels="labels"),),
                which=tuple(present[:MOST_ROWS]),
                columns=("region", "voxels", "volume", "mean_sd", "range"),
                cell=Cell(row=3, column=0, columns=3),
            )
        )
        if len(present) > MOST_ROWS:
            note = (
                f" The first {MOST_ROWS} of {len(present)} regions; the others are in the numbers."
            )
    panels.append(
        TextPanel(
            text=f"Lower row: deep nuclei, found {place.how}. SD is that of a sample.{note} Patient's "
            f"right on the left of axial and coronal slices. napari-qsm {__version__}. {DISCLAIMER}",
            cell=Cell(row=4, column=0, columns=3),
        )
    )
    spec = FigureSpec(
        panels=tuple(panels),
        columns=3,
        displays={"grey": Display(window=WINDOW_PPM, interpolation="linear")},
        colour_bars=(ColourBar(display="grey"),),
        style=Style(width_mm=_WIDTH_MM, dpi=200, size_pt=8.5),
        same_scale=False,
    )
    return _on_a4(render(spec, given))


def _on_a4(drawn: Rendered) -> bytes:
    """The figure as a PDF with margins, on a sheet of A4 or as long as it has to be."""
    from matplotlib.backends.backend_pdf import FigureCanvasPdf
    from matplotlib.transforms import Bbox

    wide, high = _A4_MM[0], max(_A4_MM[1], drawn.height_mm + 2 * _MARGIN_MM)
    left, low = -(wide - _WIDTH_MM) / 2, drawn.height_mm + _MARGIN_MM - high
    sheet = Bbox.from_bounds(*(mm / 25.4 for mm in (left, low, wide, high)))
    out = io.BytesIO()
    maker = f"napari-qsm {__version__}"
    about = {
        "Title": "Quantitative susceptibility map, not for diagnosis",
        "Creator": maker,
        "Producer": maker,
        "CreationDate": None,
    }
    with settings():
        FigureCanvasPdf(drawn.page.figure).print_figure(
            out, format="pdf", bbox_inches=sheet, metadata=about, facecolor="white"
        )
    return out.getvalue()


def _slices(
    chi: Volume, valid: Array, basal: tuple[float, float, float], low: tuple[float, float, float]
) -> list[ImagePanel]:
    """The whole brain in three planes through the basal ganglia, and below it the nuclei."""
    cut = cut_through(chi.with_data(valid))
    side = max(cut.size_mm)
    whole = BoxCrop(centre_mm=cut.middle_mm, size_mm=(min(side, 1000.0),) * 2)
    through = {"axial": basal, "coronal": basal, "sagittal": cut.middle_mm}
    panels = [
        ImagePanel(
            map="map",
            plane=plane,  # type: ignore[arg-type]
            through_mm=point,
            crop=whole,
            cell=Cell(row=1, column=number),
            scale_bar=number == 2,
        )
        for number, (plane, point) in enumerate(through.items())
    ]
    for number, (plane, point) in enumerate((("axial", basal), ("coronal", basal), ("axial", low))):
        panels.append(
            ImagePanel(
                map="map",
                plane=plane,  # type: ignore[arg-type]
                through_mm=point,
                crop=BoxCrop(centre_mm=point, size_mm=SIZE_MM),
                cell=Cell(row=2, column=number),
                scale_bar=number == 2,
            )
        )
    return panels
