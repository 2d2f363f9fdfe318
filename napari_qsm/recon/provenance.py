"""What a result remembers of its making: versions, checksums and a methods paragraph."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm._version import __version__
from napari_qsm.recon.stages import Method, get_method
from napari_qsm.volume import Volume

if TYPE_CHECKING:
    from napari_qsm.recon.recipe import Recipe

_LIBRARIES = ("numpy", "scipy", "numba", "nibabel", "scikit-image")

#: How the methods paragraph opens the sentence of each stage.
_SENTENCES: Mapping[str, str] = {
    "phase": "Phase images were brought to radians",
    "mask": "The brain was masked",
    "unwrap": "Phase was unwrapped",
    "echoes": "The field map was computed",
    "background": "The background field was removed",
    "inversion": "Susceptibility was computed",
    "reference": "Susceptibility was referenced",
}


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
    return {
        "software": {"napari-qsm": __version__, **software_versions()},
        "inputs": [dict(record) for record in inputs],
        **facts,
        "recipe": recipe.to_dict(),
        "stages": [dict(record) for record in records],
        "warnings": list(warnings),
        "methods": methods_paragraph(records),
    }


def methods_paragraph(stages: Sequence[Mapping[str, Any]], more: str = "") -> str:
    """A paragraph for a paper, one sentence a stage, with numbered references below.

    Parameters
    ----------
    stages : sequence of mapping
        Each with ``stage``, ``method`` and ``settings``, in the order in which they ran; for a
        mask that was painted on, also ``edited_by_hand`` with ``added`` and ``removed`` voxels.
    more : str
        A sentence to follow those of the stages.
    """
    references: list[str] = []
    sentences = []
    for step in stages:
        method = get_method(step["stage"], step["method"])
        numbers = []
        for reference in method.references:
            if reference not in references:
                references.append(reference)
            numbers.append(str(references.index(reference) + 1))
        cited = f" [{', '.join(numbers)}]" if numbers else ""
        settings = _in_words(method, step["settings"])
        sentences.append(
            f"{_SENTENCES[step['stage']]} with {method.title}{cited}"
            + (f" ({settings})" if settings else "")
            + "."
        )
        beyond = method.beyond(step["settings"], step.get("warnings", ()))
        if beyond:
            sentences.append(beyond)
        hand = step.get("edited_by_hand")
        if hand:
            sentences.append(
                f"The mask was then edited by hand ({hand['added']} voxels added, "
                f"{hand['removed']} removed)."
            )
    if more:
        sentences.append(more)
    listed = "\n".join(f"[{n}] {reference}" for n, reference in enumerate(references, 1))
    return " ".join(sentences) + (f"\n\n{listed}" if listed else "")


def _in_words(method: Method, settings: Mapping[str, Any]) -> str:
    words = []
    for name, value in settings.items():
        unit = method.settings[name].param.unit
        plain = name.removesuffix(f"_{unit}").replace("_", " ")
        said = {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value
        said = f"{said:g}" if isinstance(said, float) else said
        words.append(f"{plain} {said}{' ' + unit if unit else ''}")
    return ", ".join(words)
