"""What a stage's widget takes from layers of plain napari, and the layers that it makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from napari.layers import Labels, Layer

from napari_qsm.errors import MetadataError
from napari_qsm.io.bids import sidecar_of
from napari_qsm.recon.result import UNITS
from napari_qsm.recon.stages import STAGES
from napari_qsm.session.layer_choice import Candidate
from napari_qsm.session.stage_texts import STAGE_TEXTS
from napari_qsm.viewer.plain.layers import (
    FACTS_KEY,
    HEAD_KEY,
    QUANTITY_KEY,
    ROLE_KEY,
    TURNED_KEY,
    VOLUME_KEY,
    canonical_values,
    layer_data,
)
from napari_qsm.volume import Volume

#: What a method's inputs are called.
IMAGES: Mapping[str, str] = {
    "raw_phase": "Phase",
    "phase": "Phase (rad)",
    "magnitude": "Magnitude",
    "unwrapped": "Unwrapped phase",
    "total_field_ppm": "Total field (ppm)",
    "noise_ppm": "Field noise",
    "local_field_ppm": "Local field (ppm)",
    "chi_ppm": "χ (ppm)",
}
MASKS: Mapping[str, str] = {
    "mask": "Mask",
    "local_mask": "Mask of the local field",
    "given_mask": "Mask of your own",
    "reference_roi": "Reference region",
}
#: What the widgets are called in napari's menu; the manifest has the same.
WIDGET_TITLES: Mapping[str, str] = {
    "phase": "Phase to radians",
    "mask": "Brain mask",
    "unwrap": "Unwrap phase",
    "echoes": "Field from echoes",
    "background": "Remove background field",
    "inversion": "Susceptibility from field",
    "reference": "Reference susceptibility",
}
#: Inputs whose layers know echo times, the nearest first.
_TIMED = ("unwrapped", "phase", "raw_phase", "magnitude")


@dataclass(frozen=True)
class Source:
    """What results have from the layers that they were made of.

    Attributes
    ----------
    grid : Volume
        Where they lie.
    facts : dict
        Sidecar entries; echo times of several echoes are a list.
    head : str
        Whose they are; empty if unknown.
    turned : bool
        Whether those layers are turned round for plain napari.
    """

    grid: Volume
    facts: dict[str, Any]
    head: str
    turned: bool


def candidate(layer: Layer) -> Candidate:
    """A layer, as far as a choice goes by it."""
    meta = layer.metadata
    volume = meta.get(VOLUME_KEY)
    return Candidate(
        layer.name,
        isinstance(layer, Labels),
        meta.get(ROLE_KEY),
        volume.unit if isinstance(volume, Volume) else "",
        meta.get(QUANTITY_KEY, ""),
        meta.get(HEAD_KEY, ""),
    )


def volume_in(layer: Layer, name: str) -> Volume:
    """A layer's values in (x, y, z) with their place; masks from labels or images alike.

    Raises
    ------
    MetadataError
        If the layer's unit is another one than is needed.
    """
    data = canonical_values(layer.data, layer.metadata)
    known = layer.metadata.get(VOLUME_KEY)
    if isinstance(known, Volume) and known.shape == data.shape:
        wanted = UNITS.get(name, "")
        if wanted and known.unit and known.unit != wanted:
            raise MetadataError(
                f"'{layer.name}' is in {known.unit}, but {title_of(name)} needs {wanted}."
            )
        return replace(known, data=data, name=layer.name)
    affine = np.eye(4)
    affine[:3, :3] = np.diag(np.asarray(layer.scale)[::-1])
    affine[:3, 3] = np.asarray(layer.translate)[::-1]
    return Volume(data, affine, name=layer.name, orientation_known=False)


def facts_of(layer: Layer) -> dict[str, Any]:
    """What is known of how a layer's image was measured; empty where nothing is."""
    if FACTS_KEY in layer.metadata:
        return dict(layer.metadata[FACTS_KEY])
    volume = layer.metadata.get(VOLUME_KEY)
    if not isinstance(volume, Volume) or volume.origin is None or not volume.origin.is_file():
        return {}
    return sidecar_of(volume.origin)


def times_of(layers: Mapping[str, Sequence[Layer]]) -> list[float]:
    """Echo times in s of the layers chosen, one each; empty where they are not all known."""
    for name in _TIMED:
        said = [facts_of(layer).get("EchoTime") for layer in layers.get(name, ())]
        times = [float(time) for time in said if isinstance(time, int | float)]
        if said and len(times) == len(said):
            return times
    return []


def source_of(
    layers: Mapping[str, Sequence[Layer]], grid: Volume, have: Mapping[str, Any]
) -> Source:
    """What the results of these layers have from them, and from what was typed beside."""
    images = [layer for name in layers if name not in MASKS for layer in layers[name]]
    listed = [layer for group in layers.values() for layer in group]
    facts: dict[str, Any] = {}
    for layer in images:
        facts = facts_of(layer) | facts
    facts.pop("EchoTime", None)
    times = list(have.get("echo_times_s") or times_of(layers))
    if times:
        facts["EchoTime"] = times
    if "field_strength_t" in have:
        facts["MagneticFieldStrength"] = have["field_strength_t"]
    head = next((layer.metadata[HEAD_KEY] for layer in listed if layer.metadata.get(HEAD_KEY)), "")
    return Source(grid, facts, head, bool(listed[0].metadata.get(TURNED_KEY)))


def result_layers(
    stage: str, name: str, values: Any, source: Source, record: Mapping[str, Any]
) -> list[Layer]:
    """What a stage has made, as layers with their place, their facts and how they were made."""
    text = STAGE_TEXTS[stage]
    role = "mask" if values.dtype == bool else text.role if name == text.quantity else "other"
    title = text.result if name == text.quantity else title_of(name)
    parts = list(values) if values.ndim == 4 else [values]
    times = source.facts.get("EchoTime", [])
    layers = []
    for number, part in enumerate(parts):
        data = part.astype(np.uint8) if part.dtype == bool else part
        named = title if len(parts) == 1 else f"{title} {number + 1}"
        volume = source.grid.with_data(data, unit=UNITS.get(name, ""), name=named)
        facts = {key: value for key, value in source.facts.items() if key != "EchoTime"}
        # A field is of no echo; what was made of each echo is.
        if values.ndim == 4 and len(times) == len(parts):
            facts["EchoTime"] = times[number]
        for layer in layer_data(volume, role, facts=facts, head=source.head, turned=source.turned):
            made = Layer.create(*layer)
            made.metadata["qsm_made"] = dict(record)
            made.metadata[QUANTITY_KEY] = name if name in STAGES[stage] else ""
            layers.append(made)
    return layers


def title_of(name: str) -> str:
    """What an input or a result is called."""
    return IMAGES.get(name) or MASKS.get(name) or name
