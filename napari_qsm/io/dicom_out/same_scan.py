"""Whether a map was made from a scan: its phase tells, as no two measurements have the same noise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from napari_qsm.arrays import Array

#: Of agreement from 0 to 1: from here on it is the same scan. Its own phase in 12 bits gives 1 to
#: seven digits; another measurement of the very same head, unmoved, 0.9988 at 6 ms and SNR 50; the
#: head moved by 8 mm still 0.94.
SAME = 0.9995
#: How much of one turn the values of a whole image of phase reach over at least.
_REACH = 0.9


def stored_planes(planes: Sequence[tuple[Path, int]]) -> Array | None:
    """Stored values of images in the order given, (n, rows, columns); None if they can't be read.

    Parameters
    ----------
    planes : sequence of (path, frame)
        Of each plane its file, and which frame it is there.
    """
    import pydicom

    known: dict[Path, Array] = {}
    try:
        for path in dict.fromkeys(path for path, _ in planes):
            pixels = np.asarray(pydicom.dcmread(path).pixel_array)
            known[path] = pixels if pixels.ndim == 3 else pixels[None]
        return np.stack([known[path][frame] for path, frame in planes])
    except Exception:  # of many kinds: compressed in a way that nothing here unpacks, damaged
        return None


def as_rad(stored: Array) -> Array | None:
    """Phase in rad from whatever numbers it is stored in, whose reach is one turn.

    None where they do not reach over one turn, of which there is a power of two of them.
    """
    finite = stored[np.isfinite(stored)]
    if not finite.size:
        return None
    reach = float(finite.max()) - float(finite.min()) + 1
    turn = 2.0 ** np.ceil(np.log2(reach))
    return stored * (2 * np.pi / turn) if reach >= _REACH * turn else None


def agreement(phase_rad: Array, scan_rad: Array, inside: Array) -> float | None:
    """How well two phases agree, whole turns, the sign and one offset aside.

    Parameters
    ----------
    phase_rad, scan_rad : ndarray
        Wrapped or unwrapped, rad.
    inside : bool ndarray
        Where to look.

    Returns
    -------
    float or None
        1 for the same values, about 0 for unrelated ones; None without any.
    """
    own, scan = phase_rad[inside], scan_rad[inside]
    fine = np.isfinite(own) & np.isfinite(scan)
    both = (np.exp(1j * (scan[fine] + sign * own[fine])) for sign in (-1, 1))
    return float(max(abs(z.mean()) for z in both)) if fine.any() else None
