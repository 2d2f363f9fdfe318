"""How much memory a method takes, to tell the user when it is too little."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from napari_qsm.recon.stages import Method

#: Peak memory of a method beyond its inputs, in volumes of the scan's size at the inputs'
#: precision, measured on the built-in head of 192 x 156 x 72 voxels and rounded up. Echo-wise
#: methods take so much for each echo.
_VOLUMES: Mapping[str, float] = {
    "phase": 4,
    "mask": 12,
    "unwrap": 12,
    "echoes": 8,
    "background": 20,
    "inversion": 30,
    "reference": 3,
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
