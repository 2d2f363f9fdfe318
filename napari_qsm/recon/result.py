"""What a reconstruction gives: every intermediate, and the record of how it was made."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_qsm._version import __version__
from napari_qsm.recon.device import device
from napari_qsm.recon.inputs import Inputs
from napari_qsm.recon.methods_text import ACQUISITION, methods_text
from napari_qsm.recon.provenance import input_record, software_versions
from napari_qsm.recon.recipe import Recipe
from napari_qsm.recon.uncertainty import Uncertainty
from napari_qsm.volume import Volume

#: Unit of each quantity that is an image.
UNITS: Mapping[str, str] = {
    "phase": "rad",
    "mask": "",
    "unwrapped": "rad",
    "total_field_ppm": "ppm",
    "noise_ppm": "ppm",
    "local_field_ppm": "ppm",
    "local_mask": "",
    "chi_ppm": "ppm",
    "chi_noise_ppm": "ppm",
    "r2star_per_s": "1/s",
    "t2star_s": "s",
    "swi": "",
    "tswi": "",
    "mip": "",
    "chi_positive_ppm": "ppm",
    "chi_negative_ppm": "ppm",
}


@dataclass(frozen=True)
class Result:
    """Every intermediate of a reconstruction, and how it came about.

    Attributes
    ----------
    grid : Volume
        Stands for the grid of all results (closest-canonical; remembers the file's own).
    arrays : dict
        Quantity name to array; see :data:`napari_qsm.recon.stages.QUANTITIES`. Values that
        are not images (``reference_ppm``) are there too.
    provenance : dict
        JSON-ready: software, inputs with checksums, recipe with every setting, timings, mask
        sizes, warnings and the methods paragraph.
    """

    grid: Volume
    arrays: Mapping[str, Any]
    provenance: Mapping[str, Any]

    @property
    def warnings(self) -> list[str]:
        """What the user should know, in the order in which it came up."""
        return list(self.provenance["warnings"])

    @property
    def methods(self) -> str:
        """A paragraph for the methods section of a paper, with citations."""
        return str(self.provenance["methods"])

    def volume(self, name: str) -> Volume:
        """One result as a volume; echoes come last."""
        data = self.arrays[name]
        if data.ndim == 4:
            data = data[0] if len(data) == 1 else np.moveaxis(data, 0, -1)
        return self.grid.with_data(data, unit=UNITS.get(name, ""), name=name)

    def images(self) -> list[str]:
        """Names of the results that are images, in the order in which they were made."""
        return [name for name in UNITS if isinstance(self.arrays.get(name), np.ndarray)]


def finish(
    recipe: Recipe,
    inputs: Inputs,
    grid: Volume,
    have: Mapping[str, Any],
    records: Sequence[Mapping[str, Any]],
    warnings: Sequence[str],
    uncertainty: Uncertainty | None = None,
) -> Result:
    """Put together what the stages have made and how.

    Parameters
    ----------
    recipe, inputs
        What was asked for.
    grid : Volume
        ``inputs.grid().to_canonical()``.
    have : mapping
        All quantities.
    records : sequence of mapping
        The stages' records in the order in which they ran; a record may say under
        ``edited_by_hand`` how many voxels of a mask were ``added`` and ``removed``.
    warnings : sequence of str
        All of them, in order.
    uncertainty : Uncertainty, optional
        What noise does to the map.
    """
    sizes = {
        name: int(np.count_nonzero(have[name])) for name in ("mask", "local_mask") if name in have
    }
    reference = have.get("reference_ppm")
    known = inputs.scan.metadata if inputs.scan else {}
    provenance: dict[str, Any] = {
        "software": {"napari-qsm": __version__, **software_versions()},
        "python": platform.python_version(),
        "device": device().name,
        "inputs": [input_record(role, volume) for role, volume in inputs.named()],
        "echo_times_s": list(have["echo_times_s"]),
        "field_strength_t": have.get("field_strength_t"),
        "acquisition": {key: known[key] for key, _, _ in ACQUISITION if key in known},
        "phase_difference": bool(inputs.scan and inputs.scan.phase_difference),
        "voxel_size_mm": list(grid.voxel_size_mm),
        "b0_direction": list(grid.b0_direction),
        "recipe": recipe.to_dict(),
        "stages": [dict(record) for record in records],
        "mask_voxels": sizes,
        "reference_ppm": None if reference is None else float(reference),
        "warnings": list(warnings),
    }
    words = uncertainty.words if uncertainty else ""
    provenance["methods"] = methods_text(provenance, words)
    if uncertainty is not None:
        provenance["uncertainty"] = uncertainty.record
        have = {**have, "chi_noise_ppm": uncertainty.noise_ppm}
    kept = {n: have[n] for n in (*UNITS, "reference_ppm") if have.get(n) is not None}
    return Result(grid, kept, provenance)
