"""Single files: images and label tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import MetadataError, QsmError
from napari_qsm.inspect.report import Item
from napari_qsm.io.bids import sidecar_of
from napari_qsm.io.formats import is_segmentation, read_image
from napari_qsm.io.forms import b0_note, form_problem
from napari_qsm.io.identifying import IDENTIFYING
from napari_qsm.io.label_table import read_label_table
from napari_qsm.io.names import (
    IMAGINARY,
    PHASE,
    REAL,
    last_word,
    name_words,
    part_of,
    part_of_range,
    part_words,
)
from napari_qsm.io.series import image_file
from napari_qsm.io.sidecar import numbers, read_json, sidecar_path
from napari_qsm.io.whole_numbers import as_labels, as_mask, is_whole
from napari_qsm.quantities import checked_map, in_canonical_unit, typical, unit_of
from napari_qsm.recon.phase import decide_phase_unit
from napari_qsm.scan import check_echo_times, check_field_strength
from napari_qsm.volume import Volume

MAP, MASK, LABELS, FIELD = "susceptibility map", "mask", "label map", "field map"
UNWRAPPED = "unwrapped phase"

_KIND_OF_WORD = {
    "chi": MAP,
    "chimap": MAP,
    "qsm": MAP,
    "mask": MASK,
    "labels": LABELS,
    "dseg": LABELS,
    "seg": LABELS,
    "fieldmap": FIELD,
    "field": FIELD,
    "unwrapped": UNWRAPPED,
    "r2star": "R2* map",
    "r2starmap": "R2* map",
    "t2star": "T2* map",
    "t2starmap": "T2* map",
    "swi": "susceptibility-weighted image",
    "tswi": "susceptibility-weighted image",
    "mip": "projection",
}
_WAYS = {"R": "right", "L": "left", "A": "front", "P": "back", "S": "top", "I": "bottom"}
_MOST_LABELS = 1000
_FLAT = 0.6


def inspect_table(path: Path) -> Item:
    """A label table, or a sidecar taken for one."""
    item = Item(path, "label table")
    try:
        regions = read_label_table(path)
    except QsmError as error:
        if path.suffix.lower() == ".json" and _is_json(path):
            item.kind = "JSON file"
            item.lines.append("It is no label table; sidecars are checked with their images.")
        else:
            item.problems.append(str(error))
        return item
    sides = [region.side for region in regions]
    item.lines.append(
        f"{len(regions)} labels: {sides.count('left')} left, {sides.count('right')} right, "
        f"{sides.count('')} without a side."
    )
    return item


def _is_json(path: Path) -> bool:
    try:
        read_json(path)
    except QsmError:
        return False
    return True


def inspect_image(path: Path, metadata: Mapping[str, Any] | None = None) -> Item:
    """One NIfTI file with its sidecar.

    Parameters
    ----------
    path : Path
        The file.
    metadata : mapping, optional
        Sidecar entries, where they are inherited.
    """
    item = Item(path, "image")
    said: Mapping[str, Any] = {}
    try:
        said = sidecar_of(path) if metadata is None else metadata
    except QsmError as error:
        item.problems.append(str(error))
    try:
        volume = read_image(path)
    except QsmError as error:
        item.problems.append(str(error))
        return item
    item.readable = True
    item.kind = kind_of(volume, said)
    describe_geometry(volume, item)
    _describe_values(volume, item, said)
    if item.kind in (PHASE, REAL, IMAGINARY):
        _describe_timing(path, said, item)
    _check_sidecar_privacy(path, item)
    return item


def kind_of(volume: Volume, metadata: Mapping[str, Any]) -> str:
    """What a volume shows, from its sidecar, its name and, last, its values."""
    path = volume.origin or Path(volume.name)
    if is_segmentation(path):
        return LABELS
    part = part_of(path, metadata)
    if part:
        return part
    kind = _KIND_OF_WORD.get(last_word(path))
    if kind:
        return kind
    if unit_of(metadata) in ("ppm", "ppb"):
        return MAP
    return _kind_of_values(volume, hinted=bool(part_words(path)))


def _kind_of_values(volume: Volume, *, hinted: bool) -> str:
    """By the values; ``hinted`` where a word somewhere in the name speaks of phase or magnitude."""
    data = volume.data
    finite = data[np.isfinite(data)] if data.dtype.kind == "f" else data
    low, high = float(finite.min()), float(finite.max())
    if data.ndim == 3 and low == 0 and is_whole(volume):
        if (finite == 0).sum() + (finite == high).sum() == finite.size and high in (1, 255):
            return MASK
        few = np.unique(np.rint(finite)).size <= _MOST_LABELS
        if few and _has_flat_regions(np.rint(data)):
            return LABELS
    if low < 0 < high and max(-low, high) <= 1.01 * np.pi and high - low > 1.9 * np.pi:
        return PHASE
    return (part_of_range(low, high) if hinted else "") or "image of another kind"


def _has_flat_regions(data: Array) -> bool:
    """Whether most voxels that are not zero have the value of their neighbour."""
    here, ahead = data[:-1], data[1:]
    both = (here != 0) & (ahead != 0)
    return bool(both.any() and (here[both] == ahead[both]).mean() > _FLAT)


def describe_geometry(volume: Volume, item: Item) -> None:
    """Size, axes, B0, and what the header leaves open or contradicts."""
    sizes = " x ".join(f"{round(size, 3):g}" for size in volume.voxel_size_mm)
    shape = " x ".join(str(n) for n in volume.data.shape[:3])
    echoes = f", {volume.data.shape[3]} echoes" if volume.data.ndim == 4 else ""
    item.lines.append(f"{shape} voxels of {sizes} mm{echoes}.")
    code = volume.orientation
    ways = ", ".join(_WAYS[letter] for letter in code)
    item.lines.append(f"Orientation {code}: its axes lead to the patient's {ways}.")
    direction = volume.b0_direction
    axis = int(np.argmax(np.abs(direction)))
    angle = math.degrees(math.acos(min(1.0, abs(direction[axis]))))
    said = ", ".join(f"{value:.3f}" for value in direction)
    item.lines.append(
        f"B0 along ({said}) in voxel axes, {angle:.1f}° off the {('first', 'second', 'third')[axis]}."
    )
    if not volume.orientation_known:
        item.problems.append(
            "The file records no orientation (qform and sform codes are 0), so left and right "
            "cannot be told apart; the axes above are a guess."
        )
    problem = form_problem(volume.stored.header) if volume.stored else ""
    if problem:
        item.problems.append(f"The header contradicts itself: {problem}")
    if b0_note(volume):
        item.hints.append(b0_note(volume))


def _describe_values(volume: Volume, item: Item, metadata: Mapping[str, Any]) -> None:
    data = volume.data
    finite = data[np.isfinite(data)] if data.dtype.kind == "f" else data
    low, high = float(finite.min()), float(finite.max())
    item.lines.append(f"Values from {low:.6g} to {high:.6g} ({data.dtype}).")
    if finite.size < data.size:
        item.hints.append(f"{data.size - finite.size} voxels are NaN or infinite.")
    if low == high and item.kind != MASK:
        item.problems.append("Every voxel has the same value.")
        return
    try:
        if item.kind == PHASE:
            item.lines.append(f"Unit: {decide_phase_unit(data, metadata).explanation}")
        elif item.kind == MASK:
            inside = int(as_mask(volume, warn=item.hints.append).sum())
            litres = inside * volume.voxel_volume_mm3 / 1e3
            item.lines.append(f"{inside} voxels inside, {litres:.4g} ml.")
            if inside == 0:
                item.problems.append("The mask is empty.")
        elif item.kind == LABELS:
            present = np.unique(as_labels(volume, warn=item.hints.append))
            item.lines.append(f"{np.count_nonzero(present)} labels.")
        elif item.kind in (MAP, FIELD, UNWRAPPED):
            _describe_unit(volume, item, metadata)
    except QsmError as error:
        item.problems.append(str(error))


def _describe_unit(volume: Volume, item: Item, metadata: Mapping[str, Any]) -> None:
    """The unit, declared or guessed, and whether the values can be in it."""
    unit = unit_of(metadata)
    if unit:
        item.lines.append(f"Unit: the sidecar declares {unit}.")
        declared = replace(volume, unit=unit)
        if item.kind == MAP:
            checked_map(declared)
            return
        local = "local" in name_words(volume.origin or volume.name)
        role = "local_field_ppm" if local else "total_field_ppm"
        strengths = numbers(metadata, "MagneticFieldStrength", volume.name)
        in_canonical_unit(
            declared,
            "unwrapped" if item.kind == UNWRAPPED else role,
            field_strength_t=strengths[0] if len(strengths) == 1 else None,
            echo_times_s=numbers(metadata, "EchoTime", volume.name),
        )
        return
    reached = typical(volume.data)
    said = f"Unit: not recorded; 95 % of values lie within ±{reached:.3g}"
    if item.kind == MAP:
        guess = "ppm" if reached < 2 else "ppb" if reached < 2000 else "no unit of susceptibility"
        said += f", which suggests {guess}"
    item.lines.append(f"{said}.")
    if item.kind == MAP:
        checked_map(volume)


def _describe_timing(path: Path, metadata: Mapping[str, Any], item: Item) -> None:
    """Echo times and field strength, and which of them are missing."""
    image = image_file(path, dict(metadata))
    try:
        times = image.echo_times_s
        strength = numbers(metadata, "MagneticFieldStrength", path.name)
        if image.is_difference and image.difference_times_s:
            first, second = (t * 1e3 for t in image.difference_times_s)
            item.lines.append(
                f"A phase difference between the echoes at {first:g} and {second:g} ms: "
                f"{abs(second - first):.4g} ms."
            )
        elif times:
            check_echo_times(times)
            item.lines.append(f"Echo time {', '.join(f'{t * 1e3:g}' for t in times)} ms.")
        else:
            item.problems.append("Missing for QSM: the echo time (EchoTime in a JSON sidecar).")
        if strength:
            check_field_strength(strength[0])
            item.lines.append(f"Field strength {strength[0]:g} T.")
        else:
            item.problems.append(
                "Missing for QSM: the field strength (MagneticFieldStrength in a JSON sidecar)."
            )
    except MetadataError as error:
        item.problems.append(str(error))
    maker = metadata.get("Manufacturer")
    if maker:
        item.lines.append(f"Scanner: {maker} {metadata.get('ManufacturersModelName', '')}".rstrip())


def _check_sidecar_privacy(path: Path, item: Item) -> None:
    sidecar = sidecar_path(path)
    if not sidecar.is_file():
        return
    try:
        said = read_json(sidecar)
    except QsmError:
        return  # reported where it was first read
    seen = sorted({words for key, words in IDENTIFYING.items() if said.get(key)})
    personal = [words for words in seen if "descriptions" not in words]
    if personal:
        item.hints.append(f"The sidecar holds {', '.join(personal)}; none of it is passed on.")
