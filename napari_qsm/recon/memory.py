"""How much memory a method takes, to tell the user when it is too little."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from napari_qsm.recon.stages import Method

#: Peak memory of a method beyond its inputs, in volumes of the scan's size at 4 bytes a voxel:
#: the largest of the presets' methods on the built-in head of 96 x 80 x 48 voxels with one and
#: two echoes, as ``tracemalloc`` counts it, rounded up. Of the stages below it is for each echo.
_VOLUMES: Mapping[str, float] = {
    "phase": 6,
    "mask": 8,
    "unwrap": 6,
    "echoes": 6,
    "background": 12,
    "inversion": 20,
    "reference": 2,
}
_PER_ECHO = frozenset({"phase", "unwrap", "echoes"})


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
