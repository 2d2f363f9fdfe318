"""One page on the quality of all scans of a study: what failed, what stands out, how all look.

The page needs nothing but a browser, and names scans by their labels only.
"""

from __future__ import annotations

import base64
import html
import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

from napari_qsm._version import __version__
from napari_qsm.qc import judge as _judge  # noqa: F401  registers the measures
from napari_qsm.qc.quality import MEASURES, Finding, Measure
from napari_qsm.units import ticks

if TYPE_CHECKING:
    from jinja2 import Template

#: Beyond so many MAD from the median a number is an outlier (Leys et al. 2013, J Exp Soc Psychol
#: 49:764); times 1.4826 the MAD of normal numbers is their standard deviation.
OUTLIER_MADS = 3.0
_NORMAL = 1.4826
#: Fewer numbers than this have no outliers.
_FEWEST = 5
#: Pictures on one page.
PICTURES_A_PAGE = 300
#: Of a strip plot, pixels.
_WIDTH, _HEIGHT, _EDGE, _TEXT = 620, 84, 14, 34
_LEVELS = (0, 2, 4, 1, 3)


@dataclass(frozen=True)
class GroupScan:
    """What the page tells of one scan.

    Attributes
    ----------
    name : str
        ``"sub-01_ses-t0"``.
    participant, session : str
        BIDS labels without prefix.
    state : str
        ``"done"``, ``"failed"``, ``"waiting"``, ``"running"`` or ``"skipped"``.
    message : str
        Why.
    numbers : mapping of str to float or None
        By the names of :data:`napari_qsm.qc.quality.MEASURES`.
    findings : sequence of Finding
        What stood out in its own numbers.
    verdict : str
        A person's, if anybody rated the map.
    report : str
        Its page, as a link from the group's.
    picture : bytes
        JPEG of the map; empty where there is none.
    made_with : str
        Version of the program and its libraries.
    recipe : str
        Name and first figures of the checksum of its recipe.
    acquired : str
        Field strength, echo times, voxel size.
    """

    name: str
    participant: str
    session: str
    state: str
    message: str = ""
    numbers: Mapping[str, float | None] = field(default_factory=dict)
    findings: Sequence[Finding] = ()
    verdict: str = ""
    report: str = ""
    picture: bytes = b""
    made_with: str = ""
    recipe: str = ""
    acquired: str = ""


@dataclass(frozen=True)
class Spread:
    """Where the numbers of all scans lie.

    Attributes
    ----------
    median : float
    low, high : float
        Beyond these a number is an outlier; infinite where that cannot be told.
    """

    median: float
    low: float
    high: float

    def side(self, value: float | None) -> str:
        """``"low"`` or ``"high"`` for an outlier, else empty."""
        if value is None or self.low <= value <= self.high:
            return ""
        return "low" if value < self.low else "high"


def spread_of(values: Iterable[float | None]) -> Spread:
    """Median, and the median ± 3 MAD, of what is known.

    With less than five numbers, or where most are equal, nothing is an outlier.
    """
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return Spread(math.nan, -math.inf, math.inf)
    median = statistics.median(known)
    mad = _NORMAL * statistics.median(abs(value - median) for value in known)
    if len(known) < _FEWEST or not mad:
        return Spread(median, -math.inf, math.inf)
    return Spread(median, median - OUTLIER_MADS * mad, median + OUTLIER_MADS * mad)


def spreads(scans: Sequence[GroupScan]) -> dict[str, Spread]:
    """The spread of each measure that is told and known of any scan, in the order of the work."""
    return {
        name: spread_of(scan.numbers.get(name) for scan in scans)
        for name, measure in MEASURES.items()
        if measure.title and any(scan.numbers.get(name) is not None for scan in scans)
    }


def outliers(scan: GroupScan, all_of_them: Mapping[str, Spread]) -> dict[str, str]:
    """Measures of which a scan's number is an outlier, and to which side."""
    sides = {name: spread.side(scan.numbers.get(name)) for name, spread in all_of_them.items()}
    return {name: side for name, side in sides.items() if side}


def qc_table(scans: Sequence[GroupScan]) -> str:
    """The numbers of all scans as text of a ``.tsv``."""
    known = spreads(scans)
    columns = ("participant_id", "session_id", "scan", "state", "verdict", *known)
    lines = ["\t".join((*columns, "outliers", "recipe", "message"))]
    for scan in scans:
        cells = [
            f"sub-{scan.participant}" if scan.participant else "",
            f"ses-{scan.session}" if scan.session else "",
            scan.name,
            scan.state,
            scan.verdict,
            *(_cell(scan.numbers.get(name)) for name in known),
            ",".join(outliers(scan, known)),
            scan.recipe,
            " ".join(scan.message.split()),
        ]
        lines.append("\t".join(cell or "n/a" for cell in cells))
    return "\n".join(lines) + "\n"


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def group_pages(scans: Sequence[GroupScan], without: Sequence[str] = ()) -> dict[str, str]:
    """The page, and further ones of pictures where there are very many scans.

    Parameters
    ----------
    scans : sequence of GroupScan
        In the order in which they are shown.
    without : sequence of str
        Visits without a scan.

    Returns
    -------
    dict of str to str
        File to text; ``index.html`` comes first. The same scans give the same texts.
    """
    known = spreads(scans)
    odd = {scan.name: outliers(scan, known) for scan in scans}
    walls = _walls([scan for scan in scans if scan.picture], odd)
    names = ["index.html", *(f"pictures-{n}.html" for n in range(2, len(walls) + 1))]
    done = [scan for scan in scans if scan.state == "done"]
    look = [s for s in done if odd[s.name] or s.verdict in ("fail", "doubtful") or _grave(s)]
    common = {
        "title": "Quality of all scans",
        "version": __version__,
        "walls": [(name, len(wall)) for name, wall in zip(names, walls, strict=False)],
    }
    index = _template().render(
        **common,
        is_index=True,
        counts=Counter(scan.state for scan in scans).most_common(),
        total=len(scans),
        failed=[scan for scan in scans if scan.state == "failed"],
        undone=[scan for scan in scans if scan.state not in ("done", "failed")],
        without=without,
        look=[(scan, _reasons(scan, odd[scan.name], known)) for scan in look],
        measures=[(MEASURES[name], known[name]) for name in known],
        plots=[(MEASURES[name], _strip(MEASURES[name], done, known[name])) for name in known],
        rows=[(scan, [_number(scan, name, odd[scan.name]) for name in known]) for scan in done],
        wall=walls[0] if walls else [],
        mads=f"{OUTLIER_MADS:g}",
        normal=f"{_NORMAL:g}",
        differing=_differing(done),
    )
    pages = {"index.html": index}
    for name, wall in zip(names[1:], walls[1:], strict=True):
        pages[name] = _template().render(**common, is_index=False, wall=wall)
    return pages


@lru_cache(maxsize=1)
def _template() -> Template:
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["base64"] = lambda data: base64.b64encode(data).decode("ascii")
    text = files("napari_qsm.qc").joinpath("group.html.j2").read_text(encoding="utf-8")
    return environment.from_string(text)


def _grave(scan: GroupScan) -> list[Finding]:
    return [finding for finding in scan.findings if finding.severity == "serious"]


def _reasons(scan: GroupScan, odd: Mapping[str, str], known: Mapping[str, Spread]) -> list[str]:
    """Why a scan should be looked at, the gravest first."""
    said = [f"Rated {scan.verdict}."] if scan.verdict in ("fail", "doubtful") else []
    said += [finding.sentence for finding in _grave(scan)]
    for name, side in odd.items():
        measure, spread = MEASURES[name], known[name]
        value = scan.numbers[name]
        assert value is not None
        said.append(
            f"{measure.title} {measure.written(value)}: unusually {side} "
            f"(median {measure.written(spread.median)})."
        )
    return said


def _number(scan: GroupScan, name: str, odd: Mapping[str, str]) -> tuple[str, str, str]:
    """A cell of the table: text, value to sort by, side of an outlier."""
    value = scan.numbers.get(name)
    if value is None:
        return "", "", ""
    return MEASURES[name].written(value), f"{value:.6g}", odd.get(name, "")


def _walls(
    scans: Sequence[GroupScan], odd: Mapping[str, Mapping[str, str]]
) -> list[list[tuple[GroupScan, bool]]]:
    """Pictures by page, each with whether its scan stands out."""
    shown = [(scan, bool(odd[scan.name] or _grave(scan))) for scan in scans]
    return [shown[i : i + PICTURES_A_PAGE] for i in range(0, len(shown), PICTURES_A_PAGE)]


def _differing(scans: Sequence[GroupScan]) -> list[tuple[str, list[tuple[str, int]]]]:
    """How the scans were made and acquired, with how many of each kind."""
    kinds = {
        "Software": [scan.made_with for scan in scans],
        "Recipe": [scan.recipe for scan in scans],
        "Acquisition": [scan.acquired for scan in scans],
    }
    return [(kind, Counter(said).most_common()) for kind, said in kinds.items() if any(said)]


def _strip(measure: Measure, scans: Sequence[GroupScan], spread: Spread) -> str:
    """One measure of all scans as a drawing: a dot a scan, which leads to its report."""
    points = [(scan, scan.numbers[measure.name]) for scan in scans if _is_known(scan, measure)]
    values = [value for _, value in points if value is not None]
    if not values:
        return ""
    if min(values) == max(values):
        return f"<p>{measure.written(values[0])} in all.</p>"
    ends = [end for end in (spread.low, spread.high) if math.isfinite(end)]
    low, high = min(values + ends), max(values + ends)
    room = 0.03 * (high - low)
    low, high = low - room, high + room

    def at(value: float) -> float:
        return _EDGE + (_WIDTH - 2 * _EDGE) * (value - low) / (high - low)

    floor = _HEIGHT - 20
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{measure.title} of all scans">'
    ]
    if ends:
        left, right = at(spread.low), at(spread.high)
        parts.append(
            f'<rect class="usual-band" x="{left:.1f}" y="4" width="{right - left:.1f}" '
            f'height="{floor - 4}"/>'
        )
    parts.append(
        f'<path class="median" d="M{at(spread.median):.1f} 4V{floor}"/>'
        f'<path class="axis" d="M{_EDGE} {floor}H{_WIDTH - _EDGE}"/>'
    )
    for tick in ticks(low, high):
        x = min(max(at(tick), _TEXT), _WIDTH - _TEXT)
        parts.append(
            f'<text class="tick" x="{x:.1f}" y="{_HEIGHT - 4}">{measure.written(tick)}</text>'
        )
    for place, (scan, value) in enumerate(points):
        assert value is not None
        y = 12 + (floor - 22) * _LEVELS[place % len(_LEVELS)] / (len(_LEVELS) - 1)
        parts.append(_dot(scan, measure.written(value), at(value), y, spread.side(value)))
    return "".join([*parts, "</svg>"])


def _is_known(scan: GroupScan, measure: Measure) -> bool:
    value = scan.numbers.get(measure.name)
    return value is not None and math.isfinite(value)


def _dot(scan: GroupScan, value: str, x: float, y: float, side: str) -> str:
    """A dot, or a diamond for an outlier, that says whose it is and leads to the report."""
    said = f"<title>{html.escape(scan.name)}: {html.escape(value)}</title>"
    if side:
        shape = f'<path class="out" d="M{x:.1f} {y - 6:.1f}l6 6-6 6-6-6z">{said}</path>'
    else:
        shape = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2">{said}</circle>'
    if not scan.report:
        return shape
    return f'<a href="{html.escape(scan.report)}">{shape}</a>'
