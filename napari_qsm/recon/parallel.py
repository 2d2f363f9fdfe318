"""How many threads the work may take, and compiled work on slabs of a volume, side by side."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from napari_qsm.errors import QsmError

#: Environment variable that bounds the threads of this process.
THREADS_VARIABLE = "NAPARI_QSM_THREADS"


def threads() -> int:
    """How many threads transforms and compiled loops may take, asked at every call.

    What ``NAPARI_QSM_THREADS`` says, else the processors that this process may run on: those
    that a cluster's scheduler, a container or ``taskset`` has left it, where the system tells.

    Raises
    ------
    QsmError
        If the variable holds no whole number of 1 or more.
    """
    said = os.environ.get(THREADS_VARIABLE, "").strip()
    if said:
        if not (said.isascii() and said.isdigit() and int(said) >= 1):
            raise QsmError(
                f"{THREADS_VARIABLE} is '{said}'; it takes the number of threads to use, 1 or more."
            )
        return int(said)
    if hasattr(os, "sched_getaffinity"):  # neither Windows nor macOS has it
        return max(len(os.sched_getaffinity(0)), 1)
    return os.cpu_count() or 1


def by_slab(planes: int, work: Callable[[int, int], Any]) -> list[Any]:
    """Run compiled work on slabs side by side, in threads of our own, so that two may call."""
    workers = threads()
    ends = np.linspace(0, planes, min(4 * workers, planes) + 1).astype(int)
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(work, ends[:-1], ends[1:]))
