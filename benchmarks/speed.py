"""Every method at the case report's size, in seconds and in transform pairs."""

from __future__ import annotations

import time
from typing import Any

from benchmarks.timing import PeakMemory, best_of, machine, pair_seconds
from napari_qsm.phantom import make_head
from napari_qsm.recon.pipeline import Inputs, run
from napari_qsm.recon.recipe import load_recipe
from napari_qsm.recon.stages import STAGES, methods

SHAPE = (384, 312, 72)
#: What each method is meant to take at most, in pairs.
TARGETS = {
    "laplacian": 5,
    "vsharp": 20,
    "tkd": 4,
    "l2": 4,
    "tv": 90,
    "star": 150,
}
#: Methods that run another program.
EXTERNAL = {"bet", "hd-bet", "synthstrip", "given", "roi", "nonlinear-fit"}


def main() -> None:
    print(f"{machine()}, {'x'.join(map(str, SHAPE))} float32\n")
    start = time.perf_counter()
    with PeakMemory() as memory:
        head = make_head("patient", shape=SHAPE)
    print(f"built-in head: {time.perf_counter() - start:.1f} s, {memory.above_mib:.0f} MiB\n")

    recipe = load_recipe("case-report")
    run(recipe, Inputs(scan=head.scan))  # compiles
    pair = pair_seconds(SHAPE)
    with PeakMemory() as memory:
        seconds, result = best_of(lambda: run(recipe, Inputs(scan=head.scan)), 2)
    print(f"one pair: {pair * 1e3:.0f} ms")
    print(f"case-report chain: {seconds:.1f} s, peak {memory.mib:.0f} MiB resident\n")
    for step in result.provenance["stages"]:
        print(f"  {step['stage']:<11} {step['method']:<15} {step['seconds']:6.2f} s")

    print("\n| stage | method | s | pairs | target | MiB above the start |")
    print("|---|---|---|---|---|---|")
    have = dict(result.arrays)
    have |= {
        "raw_phase": have["phase"],
        "magnitude": head.scan.magnitude[0].data[None],
        "echo_times_s": head.scan.echo_times_s,
        "magnitude_echo_times_s": head.scan.echo_times_s,
        "field_strength_t": 3.0,
        "voxel_size_mm": head.mask.voxel_size_mm,
        "b0_direction": head.mask.b0_direction,
        "metadata": {},
        "given_mask": None,
        "reference_roi": None,
    }
    for stage in STAGES:
        for method in methods(stage).values():
            if method.name not in EXTERNAL:
                _row(stage, method, have)


def _row(stage: str, method: Any, have: dict[str, Any]) -> None:
    arguments = {name: have.get(name) for name in method.inputs}
    settings = {name: setting.default for name, setting in method.settings.items()}

    def call() -> Any:
        return method.function(**arguments, **settings)

    try:
        call()  # compiles
    except ValueError as error:
        print(f"| {stage} | {method.name} | – | – | – | {error} |", flush=True)
        return
    pair = pair_seconds(SHAPE)
    with PeakMemory() as memory:
        seconds, _ = best_of(call, 2)
    target = TARGETS.get(method.name, "")
    print(
        f"| {stage} | {method.name} | {seconds:.2f} | {seconds / pair:.1f} | {target} "
        f"| {memory.above_mib:.0f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
