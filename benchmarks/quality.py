"""Quality numbers of sound maps, and of the same scans with faults made on purpose.

The limits beyond which a person is told (``napari_qsm.qc``) have to lie between the two. They are chosen
on one half of the heads and reported on the other. Sound: all heads of the accuracy benchmark,
one turned by 30 degrees and one of two echoes 0.1 ms apart, their masks given, as they are and made
smaller, and real scans as far as they are there. *Ratio* is that of the means of nuclei (1 is right): what a
fault does that nobody sees in the picture. A fault is told where it raises a warning that
the sound scan does not, or is refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.faults import FAULTS, SOUND, Fault
from benchmarks.heads import CHOOSING, DATA, REPORTING, BenchHead, Case, make
from benchmarks.metrics import region_ratio
from benchmarks.timing import machine
from napari_qsm import samples
from napari_qsm.errors import QsmError
from napari_qsm.io.sources import open_source
from napari_qsm.qc.judge import magnitude_of, measure
from napari_qsm.qc.quality import MEASURES, Measure, QualityReport, findings
from napari_qsm.recon.pipeline import Inputs, Result, finish, plan, run, run_stage, start
from napari_qsm.recon.recipe import load_recipe, with_settings

_TURNED = Case("atlas 10, turned by 30°", seed=21, tilt_deg=30)
_CLOSE = Case("atlas 11, echoes at 20 and 20.1 ms", seed=22, echo_times_s=(0.02, 0.0201))
HALVES = {"choosing": (*CHOOSING, _TURNED), "reporting": (*REPORTING, _CLOSE)}
#: Real scans: folder below the data, or the sample that comes along, and its field strength.
REAL = {
    "choosing": (("gre-wholehead-lowres", None),),
    "reporting": (("dicom-siemens-enhanced", None), ("gre-crop", 7.0)),
}
#: Heads on which faults are made: of 2 mm voxels, which take a fifth of the time of finer ones; those of
#: echoes on heads of several, the others on heads of one.
_WITH_FAULTS = ("atlas 1,", "atlas 2,", "atlas 3,", "atlas 5,", "atlas 6,", "atlas 7,")


@dataclass(frozen=True)
class Judged:
    """One map: its quality, or why there is none, and the ratio of its nuclei."""

    scan: str
    half: str
    fault: str
    quality: QualityReport | None
    refused: str = ""
    ratio: float = float("nan")

    @property
    def told(self) -> frozenset[str]:
        """Codes of what a person is told."""
        if self.quality is None:
            return frozenset({"refused"})
        return frozenset(found.code for found in findings(self.quality))


def main() -> None:
    print(machine())
    if not (DATA / "cit168").is_dir():
        print("\nleft out: no atlas")
        return
    maps = list(_all())
    kept = {fault.name for fault in SOUND}
    sound = [m for m in maps if m.fault in kept]
    _ranges(sound, [m for m in maps if m.fault not in kept])
    _alarms(sound)
    _faults(maps)


def _all() -> Iterator[Judged]:
    for half, cases in HALVES.items():
        for case in cases:
            head = make(case)
            several = len(case.echo_times_s) > 1
            made = [f for f in FAULTS if (f.needs > 1) == several]
            for fault in (*SOUND, *(made if case.name.startswith(_WITH_FAULTS) else ())):
                changed = head
                if fault.times_noise != 1:
                    changed = make(replace(case, snr=case.snr / fault.times_noise))
                yield _shown(judged(changed, fault, case.name, half))
        for name, strength in REAL[half]:
            yield from _real(name, strength, half)


def _real(name: str, strength: float | None, half: str) -> Iterator[Judged]:
    inside = Path(samples.__file__).parent / name
    folder = inside if inside.is_dir() else DATA / name
    if folder.is_dir():
        inputs = Inputs(scan=open_source(folder, field_strength_t=strength))
        for fault, changes in (("sound", []), ("other sign of phase", ["phase.invert=true"])):
            result = run(with_settings(load_recipe("case-report"), changes), inputs)
            quality = measure(result, magnitude=magnitude_of(inputs, result.grid))
            yield _shown(Judged(f"real: {name}", half, fault, quality))


def judged(head: BenchHead, fault: Fault, scan: str, half: str) -> Judged:
    """A head's map, reconstructed with a fault, and what is told of it."""
    try:
        result, inputs = _reconstructed(head, fault)
    except QsmError as error:
        return Judged(scan, half, fault.name, None, str(error))
    quality = measure(result, magnitude=magnitude_of(inputs, result.grid))
    # In the order of the head's axes: a wrong direction of B0 may change them.
    chi, valid = (result.volume(n).to_stored().data for n in ("chi_ppm", "local_mask"))
    try:
        ratio = region_ratio(chi, head.chi, head.nuclei, (valid > 0) & head.mask).ratio
    except ValueError:  # the fault has left no nuclei
        ratio = float("nan")
    return Judged(scan, half, fault.name, quality, "", ratio)


def _reconstructed(head: BenchHead, fault: Fault) -> tuple[Result, Inputs]:
    scan = fault.scan(head.scan)
    mask = scan.phase[0].with_data(fault.mask(head).astype(np.uint8), unit="")
    recipe = with_settings(load_recipe("consensus"), ["mask.method=given", *fault.settings])
    inputs = Inputs(scan=scan, mask=mask)
    grid = inputs.grid().to_canonical()
    have, warnings = start(inputs, grid)
    records = []
    for stage, choice in plan(recipe, inputs):
        outcome = run_stage(stage, choice, have)
        have.update(outcome.quantities)
        if stage == "unwrap":
            have["unwrapped"] = fault.unwrapped(have["unwrapped"], have["mask"])
        warnings += outcome.warnings
        records.append(outcome.record)
    return finish(recipe, inputs, grid, have, records, warnings), inputs


def _shown(found: Judged) -> Judged:
    """The same; a line of it is printed, for whoever watches."""
    said = ", ".join(sorted(found.told)) or "none"
    print(f"    {found.half}, {found.scan}: {found.fault}: {said}", flush=True)
    return found


def _table(*header: str) -> None:
    print("\n| " + " | ".join(header) + " |\n" + "|---" * len(header) + "|")


def _ranges(sound: Sequence[Judged], faulty: Sequence[Judged]) -> None:
    _table("number", "sound, choosing", "sound, reporting", "with faults", "limits")
    for each in MEASURES.values():
        halves = [[m for m in sound if m.half == half] for half in HALVES]
        cells = [_range(each, maps) for maps in (*halves, faulty)]
        if any(cells):
            print(f"| `{each.name}` | " + " | ".join((*cells, _limits(each))) + " |")


def _range(each: Measure, maps: Iterable[Judged]) -> str:
    values = [m.quality[each.name] for m in maps if m.quality is not None]
    known = [v for v in values if v is not None]
    if not known:
        return ""
    return f"{each.written(min(known))} to {each.written(max(known))}"


def _limits(each: Measure) -> str:
    said = []
    for limit in each.limits:
        ends = ((limit.above, "above"), (limit.below, "below"))
        bounds = [f"{word} {each.written(end)}" for end, word in ends if end is not None]
        said.append(f"`{limit.code}` {' '.join(bounds) or 'by others'}")
    return ", ".join(said)


def _alarms(sound: Sequence[Judged]) -> None:
    print()
    for half in HALVES:
        maps = [m for m in sound if m.half == half]
        false = [f"{m.scan}, {m.fault}: {', '.join(sorted(m.told))}" for m in maps if m.told]
        print(f"False alarms, {half}: {len(false)} of {len(maps)} maps. " + "; ".join(false))


def _faults(maps: Sequence[Judged]) -> None:
    plain = {m.scan: m.told for m in maps if m.fault == "sound"}
    ratios = {m.scan: m.ratio for m in maps if m.fault == "sound"}
    _table("fault", "ratio / that of the sound map", "told, choosing", "told, reporting", "by")
    for fault in FAULTS:
        of_it = [m for m in maps if m.fault == fault.name]
        new = {m.scan: m.told - plain[m.scan] for m in of_it}
        counts = []
        for half in HALVES:
            those = [m for m in of_it if m.half == half]
            counts.append(f"{sum(bool(new[m.scan]) for m in those)} of {len(those)}")
        parts = [m.ratio / ratios[m.scan] for m in of_it if np.isfinite(m.ratio)]
        spread = f"{min(parts):.2f} to {max(parts):.2f}" if parts else ""
        codes = sorted(frozenset().union(*new.values()))
        by = ", ".join(f"`{c}` {sum(c in told for told in new.values())}" for c in codes)
        print(f"| {fault.name} | {spread} | " + " | ".join(counts) + f" | {by} |")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
