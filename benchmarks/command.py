"""The whole command ``reconstruct`` at the case report's size, part by part, in transform pairs.

Each row of the first table is one process with one thread: processor time (import, reading,
writing and report included) over that of a pair of transforms, which is measured after every part of
it in the same process, because both take longer beside other work. The second table says where it goes, and how long one would have to wait before the
work notices that it should stop.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.timing import PeakMemory, machine

SHAPE = (384, 312, 72)
WRITING = "from the first image to the last picture"
#: Recipe and changes of it, and the pairs it is meant to take at most.
RUNS: tuple[tuple[str, str, tuple[str, ...], int], ...] = (
    ("`case-report`", "case-report", (), 400),
    ("`consensus`", "consensus", (), 400),
    (
        "`case-report` without updates, trend, bowl and exact unwrapping",
        "case-report",
        (
            "unwrap.exact=false",
            "echoes.coil_curvature=false",
            "inversion.updates=0",
            "inversion.iterations=24",
            "inversion.settle_trend=false",
            "inversion.follow_noise=false",
        ),
        200,
    ),
)


def main() -> None:
    from napari_qsm.outputs import write_head
    from napari_qsm.phantom import make_head

    print(f"{machine()}, {'x'.join(map(str, SHAPE))}, one thread\n")
    with tempfile.TemporaryDirectory() as folder:
        head = Path(folder) / "head"
        write_head(make_head("patient", shape=SHAPE), head)
        told = [_child(head, Path(folder) / f"out{i}", *run[1:3]) for i, run in enumerate(RUNS)]
    print("| recipe | processor s | pairs | target | memory GB |\n|---|---|---|---|---|")
    for (title, _, _, target), got in zip(RUNS, told, strict=True):
        pairs = got["seconds"] / got["pair"]
        print(f"| {title} | {got['seconds']:.1f} | {pairs:.0f} | {target} | {got['memory']:.2f} |")
    for (title, _, _, _), got in zip(RUNS, told, strict=True):
        print(f"\n{title}, a pair {got['pair'] * 1e3:.0f} ms:\n")
        print("| part | processor s | pairs | longest between two chances to stop, s |")
        print("|---|---|---|---|")
        for part, (seconds, longest) in got["parts"].items():
            wait = "" if longest is None else f"{longest:.2f}"
            spent = " | " if seconds is None else f"{seconds:.2f} | {seconds / got['pair']:.1f}"
            print(f"| {part} | {spent} | {wait} |")


def _child(head: Path, out: Path, recipe: str, changes: tuple[str, ...]) -> dict[str, Any]:
    """One run in a process of its own; a first one, not counted, compiles."""
    surroundings = {**os.environ, "NAPARI_QSM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    surroundings |= {"OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    text = ""
    for number in range(2):
        command = [sys.executable, "-m", "benchmarks.command", str(head), f"{out}{number}", recipe]
        done = subprocess.run(
            [*command, *changes], env=surroundings, check=True, capture_output=True, text=True
        )
        text = done.stdout
    got: dict[str, Any] = json.loads(text.splitlines()[-1])
    return got


class Parts:
    """Processor time of the parts of a run, and the longest time between two reports of one."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self.longest: dict[str, float] = {}
        self._last = time.process_time()

        self.pairs: list[float] = []
        self.apart = 0.0

    def pair(self) -> float:
        """Measure the yardstick, whose time is not that of the command; all of what that took."""
        from benchmarks.timing import pair_processor_seconds

        begun = time.process_time()
        self.pairs.append(pair_processor_seconds(SHAPE))
        spent = time.process_time() - begun
        self.apart += spent
        return spent

    def told(self, part: str, _: float = 0.0) -> None:
        now = time.process_time()
        self.longest[part] = max(self.longest.get(part, 0.0), now - self._last)
        self._last = now

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        begun = time.process_time()
        try:
            yield
        finally:
            self.spent[name] = self.spent.get(name, 0.0) + time.process_time() - begun
            self._last += self.pair()

    def watch(self, module: Any, function: str, name: str) -> None:
        """Count every call of a module's function."""
        plain: Callable[..., Any] = getattr(module, function)

        def counted(*arguments: Any, **settings: Any) -> Any:
            with self.part(name):
                return plain(*arguments, **settings)

        setattr(module, function, counted)


def _run(head: Path, out: Path, recipe: str, changes: list[str]) -> None:
    parts = Parts()
    parts.spent["import"] = time.process_time()
    with parts.part("import"):
        from napari_qsm import cli, outputs  # noqa: F401
        from napari_qsm.io.sources import load_scan
        from napari_qsm.qc import files
        from napari_qsm.recon import pipeline
        from napari_qsm.recon.recipe import load_recipe, with_settings

        chosen = with_settings(load_recipe(recipe), changes)
    parts.pairs.clear()  # the first one touches the memory
    with PeakMemory() as memory:
        with parts.part("reading"):
            scan = load_scan([head / "phase.nii.gz"], [head / "magnitude.nii.gz"])
            inputs = pipeline.Inputs(scan=scan)
        plain = pipeline.run_stage

        def staged(stage: str, *arguments: Any, **settings: Any) -> Any:
            with parts.part(stage):
                parts.told("")
                return plain(stage, *arguments, **settings)

        pipeline.run_stage = staged
        parts.watch(pipeline, "finish", "provenance")
        parts.watch(outputs, "write_volume", "writing images")
        parts.watch(files, "measure_evidence", "measures of quality")
        parts.watch(files, "report_html", "report and its pictures")
        result = pipeline.run(chosen, inputs, progress=parts.told)
        parts.told("")
        parts.longest.pop("")
        files.write_judged(
            result, inputs, out, outputs.PLAIN, progress=lambda done: parts.told(WRITING, done)
        )
    whole = time.process_time() - parts.apart
    pair = sum(parts.pairs) / len(parts.pairs)
    listed = {name: (s, parts.longest.get(name)) for name, s in parts.spent.items()}
    listed[WRITING] = (None, parts.longest[WRITING])
    listed["rest"] = (whole - sum(parts.spent.values()), None)
    told = {"seconds": whole, "pair": pair, "memory": memory.mib / 1000, "parts": listed}
    print(json.dumps(told))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _run(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4:])
    else:
        main()
