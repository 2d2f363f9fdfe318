"""Compiled work on slabs of a volume, side by side."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from napari_qsm.recon.fourier import WORKERS


def by_slab(planes: int, work: Callable[[int, int], Any]) -> list[Any]:
    """Run compiled work on slabs side by side, in threads of our own, so that two may call."""
    ends = np.linspace(0, planes, min(4 * WORKERS, planes) + 1).astype(int)
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(work, ends[:-1], ends[1:]))
