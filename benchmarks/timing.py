"""A yardstick that travels: one ``rfftn`` + ``irfftn`` pair on the same machine in the same run."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from napari_qsm.recon.fourier import irfftn, rfftn


def best_of(function: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Shortest wall time of several calls, and what the last one returned."""
    times = []
    result = None
    for _ in range(repeats):
        start = time.perf_counter()
        result = function()
        times.append(time.perf_counter() - start)
    return min(times), result


def pair_seconds(shape: tuple[int, ...]) -> float:
    """Seconds of one transform there and back of a float32 array of that very shape."""
    a = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    return best_of(lambda: irfftn(rfftn(a), shape), 5)[0]


def pair_processor_seconds(shape: tuple[int, ...], repeats: int = 3) -> float:
    """Processor time of one such pair, the mean of several after a first one."""
    a = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    irfftn(rfftn(a), shape)
    begun = time.process_time()
    for _ in range(repeats):
        irfftn(rfftn(a), shape)
    return (time.process_time() - begun) / repeats


class PeakMemory:
    """Highest resident memory while the block runs, above what was there before, in MiB.

    Sampled every 5 ms; 0 where the platform does not tell.
    """

    def __enter__(self) -> PeakMemory:
        self._stop = threading.Event()
        self._start = self._highest = _resident_mib()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(0.005):
            self._highest = max(self._highest, _resident_mib())

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.above_mib = self._highest - self._start
        self.mib = self._highest


def _resident_mib() -> float:
    if sys.platform != "linux":
        return 0.0
    with open("/proc/self/statm") as handle:  # noqa: PTH123 - not a real file
        return int(handle.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def machine() -> str:
    """The machine in the words that matter."""
    return f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, numpy {np.__version__}"
