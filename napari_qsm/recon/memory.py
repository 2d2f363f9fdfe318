"""How much memory a reconstruction takes: an estimate, for refusals and for planning."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from napari_qsm.recon.stages import Method

#: Peak memory of a method beyond its inputs, in volumes of the scan's size at 4 bytes a voxel:
#: the largest of the presets' methods on the built-in head of 96 x 80 x 48 voxels with one and
#: two echoes, as ``tracemalloc`` counts it, rounded up. Of the stages below it is for each echo.
_VOLUMES: Mapping[str, float] = {
    "phase": 6,
    "mask": 9,
    "unwrap": 10,
    "echoes": 7,
    "background": 16,
    "inversion": 25,
    "reference": 2,
    "contrasts": 18,
}
_PER_ECHO = frozenset({"phase", "unwrap", "echoes"})
#: Volumes that stay from stage to stage: masks, fields, map; phase twice and magnitude of an echo.
_KEPT_VOLUMES, _KEPT_PER_ECHO = 6, 4
#: A process of the program with its libraries, and nothing to work on.
_PROGRAM_GIB = 0.45


def needed_gib(method: Method, arguments: Mapping[str, Any]) -> float:
    """Memory that a method needs on these inputs, inputs included, in GiB; an estimate.

    Parameters
    ----------
    method : Method
        What is run.
    arguments : mapping
        What it is given; arrays count.
    """
    arrays = [a for a in arguments.values() if isinstance(a, np.ndarray)]
    if not arrays:
        return 0.0
    voxels = max(int(np.prod(a.shape[-3:])) for a in arrays)
    echoes = max(len(a) if a.ndim == 4 else 1 for a in arrays)
    size = 8 if any(a.dtype == np.float64 for a in arrays) else 4
    volumes = _VOLUMES[method.stage] * (echoes if method.stage in _PER_ECHO else 1)
    return (sum(a.nbytes for a in arrays) + volumes * voxels * size) / 2**30


def memory_needed_gib(shape: Sequence[int], echoes: int) -> float:
    """Memory of a process that reconstructs a scan, in GiB; an estimate before anything is read.

    Parameters
    ----------
    shape : three ints
        Of an image.
    echoes : int
        How many it has.

    Notes
    -----
    The most that any stage takes at 4 bytes a voxel, what is kept from one stage to the next,
    and the program itself.
    """
    stage = max(n * (echoes if name in _PER_ECHO else 1) for name, n in _VOLUMES.items())
    kept = _KEPT_VOLUMES + _KEPT_PER_ECHO * echoes
    return _PROGRAM_GIB + (stage + kept) * math.prod(shape) * 4 / 2**30
