"""The distribution of susceptibility as a drawing inside the page."""

from __future__ import annotations

from napari_qsm.qc.quality import HISTOGRAM_EDGES_PPM, QualityReport

_WIDTH, _HEIGHT, _FOOT = 640, 200, 40


def histogram_svg(quality: QualityReport) -> str:
    """Bars of equal width in ppm; what lies beyond the ends is told below.

    Returns
    -------
    str
        SVG with a caption; its colours are those of the page.
    """
    counts = quality.histogram
    whole = sum(counts) + quality.below_histogram + quality.above_histogram
    highest = max(counts, default=0)
    if not whole or not highest:
        return "<p>The map has no voxels to count.</p>"
    step = _WIDTH / len(counts)
    bars = "".join(
        f'<rect x="{n * step:.1f}" y="{_HEIGHT * (1 - count / highest):.1f}" '
        f'width="{step - 1:.1f}" height="{_HEIGHT * count / highest:.1f}"/>'
        for n, count in enumerate(counts)
        if count
    )
    low, high = HISTOGRAM_EDGES_PPM[0], HISTOGRAM_EDGES_PPM[-1]
    ticks = ""
    for tenth in range(-3, 4):
        x = (tenth / 10 - low) / (high - low) * _WIDTH
        anchor = "start" if tenth == -3 else "end" if tenth == 3 else "middle"
        ticks += (
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_HEIGHT}" y2="{_HEIGHT + 5}"/>'
            f'<text x="{x:.1f}" y="{_HEIGHT + 20}" text-anchor="{anchor}">{tenth / 10:g}</text>'
        )
    beyond = quality.below_histogram + quality.above_histogram
    return (
        f'<figure><svg class="histogram" viewBox="0 0 {_WIDTH} {_HEIGHT + _FOOT}" role="img" '
        'aria-label="Histogram of susceptibility">'
        f'{bars}<line x1="0" x2="{_WIDTH}" y1="{_HEIGHT}" y2="{_HEIGHT}"/>{ticks}'
        f'<text x="{_WIDTH / 2}" y="{_HEIGHT + 37}" text-anchor="middle">susceptibility (ppm)'
        "</text></svg>"
        f"<figcaption>{whole} voxels of the map in steps of 0.01 ppm; the highest bar is "
        f"{100 * highest / whole:.1f} % of them. {quality.below_histogram} lie below "
        f"{low:g} ppm, {quality.above_histogram} above {high:g} ppm "
        f"({100 * beyond / whole:.3f} %).</figcaption></figure>"
    )
