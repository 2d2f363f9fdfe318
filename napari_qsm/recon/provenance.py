"""What a result remembers of its making: versions, checksums and a methods paragraph."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm._version import __version__
from napari_qsm.recon.methods_text import methods_text
from napari_qsm.volume import Volume

if TYPE_CHECKING:
    from napari_qsm.recon.recipe import Recipe

_LIBRARIES = ("numpy", "scipy", "numba", "nibabel", "scikit-image")


def software_versions() -> dict[str, str]:
    """Versions of the libraries that take part in the arithmetic; absent ones are left out."""
    versions = {}
    for library in _LIBRARIES:
        try:
            versions[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return versions


def input_record(role: str, volume: Volume) -> dict[str, Any]:
    """Role, shape and SHA-256 of the values of one input.

    The file's name is left out: it often carries the patient's.
    """
    data = np.ascontiguousarray(volume.to_stored().data)
    return {
        "role": role,
        "shape": list(data.shape),
        "dtype": str(data.dtype),
        "sha256": hashlib.sha256(data.tobytes() if data.ndim == 0 else data.data).hexdigest(),
    }


def described(
    *,
    recipe: Recipe,
    records: Sequence[Mapping[str, Any]],
    inputs: Sequence[Mapping[str, Any]],
    warnings: Sequence[str],
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """How one result was made, ready for JSON.

    Parameters
    ----------
    recipe : Recipe
        In full, though only the stages in ``records`` have taken part.
    records : sequence of mapping
        The stages, in order.
    inputs : sequence of mapping
        From :func:`input_record`.
    warnings : sequence of str
        What the user should know.
    facts : mapping
        Echo times and the like.
    """
    provenance = {
        "software": {"napari-qsm": __version__, **software_versions()},
        "inputs": [dict(record) for record in inputs],
        **facts,
        "recipe": recipe.to_dict(),
        "stages": [dict(record) for record in records],
        "warnings": list(warnings),
    }
    return {**provenance, "methods": methods_text(provenance)}
