"""What the program writes: reconstructions and the built-in head, as NIfTI with sidecars."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm.io.atomic import staged_folder, write_text
from napari_qsm.io.bids import (
    derivative_names,
    describe_derivatives,
    visit_place,
    write_bids_raw,
)
from napari_qsm.io.label_table import write_label_table
from napari_qsm.io.nifti import write_volume
from napari_qsm.io.participants import add_participant, with_participant
from napari_qsm.io.series import ScanFiles
from napari_qsm.io.sidecar import write_sidecar
from napari_qsm.io.targets import check_out_folder
from napari_qsm.recon.stages import CONTRASTS, Method, Progress, get_method, no_progress
from napari_qsm.volume import Volume

if TYPE_CHECKING:
    from napari_qsm.phantom import Head
    from napari_qsm.recon.pipeline import Result

#: File stem of each result.
RESULT_NAMES: Mapping[str, str] = {
    "mask": "mask",
    "unwrapped": "unwrapped",
    "total_field_ppm": "total_field",
    "noise_ppm": "field_noise",
    "local_field_ppm": "local_field",
    "local_mask": "local_mask",
    "chi_ppm": "chi",
    "chi_noise_ppm": "chi_noise",
    "r2star_per_s": "r2star",
    "t2star_s": "t2star",
    "swi": "swi",
    "tswi": "tswi",
    "mip": "mip",
    "chi_positive_ppm": "chi_positive",
    "chi_negative_ppm": "chi_negative",
}


#: Images of which BIDS wants to know whether the skull is on them.
_OF_THE_BRAIN = (
    "unwrapped", "chi_ppm", "chi_noise_ppm", "r2star_per_s", "t2star_s", "swi", "tswi", "mip",
    "chi_positive_ppm", "chi_negative_ppm",
)  # fmt: skip

#: Bytes a voxel that a packed image of a result takes at least, most of it being zero.
_PACKED_BYTES = 0.5


@dataclass(frozen=True)
class Layout:
    """Where results go in their folder.

    Attributes
    ----------
    images : dict
        Path of each image, without ``.nii.gz``, by the name of its quantity.
    prefix : str
        What comes before ``provenance.json``, ``methods.txt`` and other texts.
    bids : bool
        Whether the folder is a BIDS dataset of derivatives.
    """

    images: Mapping[str, str]
    prefix: str = ""
    bids: bool = False

    def files(self) -> list[str]:
        """Every file that a result may bring."""
        images = [f"{stem}{end}" for stem in self.images.values() for end in (".nii.gz", ".json")]
        texts = ("provenance.json", "methods.txt", "quality.json", "report.html")
        return [*images, *(f"{self.prefix}{name}" for name in texts)]


PLAIN = Layout(RESULT_NAMES)


def bids_layout(scan: ScanFiles) -> Layout:
    """BIDS derivative names for the results of a scan in a BIDS dataset."""
    names = derivative_names(scan, RESULT_NAMES)
    images = {name: path.removesuffix(".nii.gz") for name, path in names.items()}
    return Layout(images, images["chi_ppm"].removesuffix("Chimap"), bids=True)


def check_free(
    folder: Path,
    layout: Layout = PLAIN,
    *,
    overwrite: bool = False,
    inputs: Iterable[Path] = (),
    needed_bytes: int = 0,
) -> None:
    """Refuse, before any work is done, a folder that results cannot or must not go into.

    Parameters
    ----------
    folder, layout
        As for :func:`write_result`.
    overwrite : bool
        Whether an earlier result may be replaced. Files that only have a result's name, without
        a provenance beside them, are not.
    inputs : iterable of Path
        Files that the work starts from, which are never replaced.
    needed_bytes : int
        Room needed at least; see :func:`room_needed`.

    Raises
    ------
    FileError
        Saying why.
    """
    check_out_folder(
        folder,
        layout.files(),
        overwrite=overwrite,
        proof=f"{layout.prefix}provenance.json",
        inputs=inputs,
        needed_bytes=needed_bytes,
    )


def room_needed(shape: Sequence[int], echoes: int) -> int:
    """Bytes that the results of a scan take at least on the disk; an estimate from below."""
    return int(_PACKED_BYTES * math.prod(shape[:3]) * (echoes + 4))


def write_result(
    result: Result,
    folder: Path | str,
    layout: Layout = PLAIN,
    *,
    overwrite: bool = False,
    beside: Callable[[Path], None] = lambda staging: None,
    progress: Progress = no_progress,
) -> None:
    """Write every intermediate, the provenance and the methods paragraph, together.

    Images lie on the grid, orientation and affine of the file they came from. With
    ``overwrite``, results that an earlier run left and this one does not make are removed.

    Parameters
    ----------
    result : Result
        What to write.
    folder : Path
        Made if missing.
    layout : Layout
        Names of the files in it.
    overwrite : bool
        Whether an earlier result may be replaced.
    beside : callable
        Given the folder in which the files are written before they take their places, it may
        write more of them, such as the report.
    progress : callable
        Told the fraction of the images that is written, often; may raise to stop, and then
        nothing of the folder has changed.
    """
    folder = Path(folder)
    images = [name for name in result.images() if name in layout.images]
    with staged_folder(folder, overwrite=overwrite, replaces=layout.files()) as staging:
        for number, name in enumerate(images):
            done = number / len(images)
            path = staging / f"{layout.images[name]}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_volume(result.volume(name), path, lambda done=done: progress(done))  # type: ignore[misc]
            write_sidecar(path, sidecar_of(result, name))
        progress(1.0)
        provenance = json.dumps(result.provenance, indent=2, ensure_ascii=False)
        write_text(staging / f"{layout.prefix}provenance.json", provenance + "\n")
        write_text(staging / f"{layout.prefix}methods.txt", result.methods + "\n")
        if layout.bids:
            describe_derivatives(staging, folder)
        beside(staging)


def sidecar_of(result: Result, name: str) -> dict[str, Any]:
    """Unit and acquisition of one result, in BIDS terms."""
    provenance = result.provenance
    said: dict[str, Any] = {"Description": name.replace("_", " ")}
    unit = result.volume(name).unit
    if unit:
        said["Units"] = unit
    if name in _OF_THE_BRAIN:
        said["SkullStripped"] = _is_stripped(result, name)
    elif name == "mask":
        said["Type"] = "Brain"
    if name == "unwrapped":
        times = provenance["echo_times_s"]
        said["EchoTime"] = times[0] if len(times) == 1 else times
    if name == "chi_noise_ppm":
        told = provenance["uncertainty"]
        said["NoiseOfMeans"] = {key: told[key] for key in ("volumes_mm3", "parts")}
    if made := _contrast_that_gave(result, name):
        said["EstimationAlgorithm"] = made.title
        said["EstimationReference"] = "; ".join(made.references)
        # Beside the map itself, where whoever gets that file alone finds it.
        own = [s for s in result.warnings if s.startswith(f"{made.name}: ")]
        if own:
            said["Description"] = " ".join([f"{said['Description']}.", *own])
    if provenance["field_strength_t"]:
        said["MagneticFieldStrength"] = provenance["field_strength_t"]
    return said


def _contrast_that_gave(result: Result, name: str) -> Method | None:
    """The method of a map beside χ; None of everything else."""
    for step in result.provenance["stages"]:
        if step["stage"] == CONTRASTS and name in get_method(CONTRASTS, step["method"]).gives:
            return get_method(CONTRASTS, step["method"])
    return None


def _is_stripped(result: Result, name: str) -> bool:
    """Whether an image is zero outside the mask."""
    mask = next((result.arrays[m] for m in ("mask", "local_mask") if m in result.images()), None)
    return mask is not None and not np.any(result.arrays[name][..., mask == 0])


def write_head_bids(
    head: Head, folder: Path, *, participant: str = "", session: str = "", overwrite: bool = False
) -> None:
    """Write the scan of the built-in head into a raw BIDS dataset, and its truth as derivatives.

    Parameters
    ----------
    head : Head
    folder : Path
        The dataset; made if missing. Other participants and visits in it stay.
    participant, session : str
        Labels; ``control`` or ``patient``, and no session, unless given.
    overwrite : bool
        Whether this visit may be replaced.
    """
    subject = participant or head.subject
    with_participant(folder, subject, group=head.subject)  # refuses before anything is written
    write_bids_raw(head.scan, folder, subject=subject, session=session, overwrite=overwrite)
    truth = folder / "derivatives" / "truth"
    prefix = "{}/anat/{}".format(*visit_place(subject, session))
    assert head.local_field is not None
    images: list[tuple[str, Volume, dict[str, Any]]] = [
        ("Chimap", head.chi, {"Units": "ppm", "SkullStripped": False}),
        ("desc-brain_mask", head.mask, {"Type": "Brain"}),
        ("desc-local_fieldmap", head.local_field, {"Units": "ppm"}),
        ("desc-total_fieldmap", head.total_field, {"Units": "ppm"}),
        ("dseg", head.labels, {"Type": "ROI"}),
    ]
    with staged_folder(truth, overwrite=overwrite) as staging:
        (staging / prefix).parent.mkdir(parents=True)
        for name, volume, sidecar in images:
            path = staging / f"{prefix}_{name}.nii.gz"
            write_volume(volume, path)
            write_sidecar(path, sidecar)
        write_label_table(staging / f"{prefix}_dseg.tsv", head.label_names)
        describe_derivatives(staging, truth, name="Truth of the built-in head")
    add_participant(folder, subject, group=head.subject)


_HEAD_IMAGES = ("phase", "magnitude", "mask", "chi", "local_field", "total_field", "labels")
#: What :func:`write_head` writes.
HEAD_FILES = (*(f"{n}{end}" for n in _HEAD_IMAGES for end in (".nii.gz", ".json")), "labels.txt")


def write_head(head: Head, folder: Path, *, overwrite: bool = False) -> None:
    """Write the built-in head: measured images, truth, labels with their table.

    Files are ``phase`` (rad), ``magnitude``, ``mask``, ``chi`` (ppm), ``local_field`` and
    ``total_field`` (ppm) and ``labels``, each ``.nii.gz`` with a sidecar, and ``labels.txt``
    in ITK-SNAP's format. Several echoes make 4-D files.
    """
    scan = head.scan
    times = list(scan.echo_times_s)
    acquisition = {
        "EchoTime": times[0] if len(times) == 1 else times,
        "MagneticFieldStrength": scan.field_strength_t,
    }
    assert head.local_field is not None
    images: list[tuple[str, Volume, dict[str, Any]]] = [
        ("phase", _echoes(scan.phase), {"Units": "rad", **acquisition}),
        ("magnitude", _echoes(scan.magnitude), {"Units": "arbitrary", **acquisition}),
        ("mask", head.mask, {"Type": "Brain"}),
        ("chi", head.chi, {"Units": "ppm"}),
        ("local_field", head.local_field, {"Units": "ppm"}),
        ("total_field", head.total_field, {"Units": "ppm"}),
        ("labels", head.labels, {"Type": "ROI", "LabelTable": "labels.txt"}),
    ]
    with staged_folder(folder, overwrite=overwrite) as staging:
        for name, volume, sidecar in images:
            path = staging / f"{name}.nii.gz"
            write_volume(volume, path)
            write_sidecar(path, sidecar)
        write_label_table(staging / "labels.txt", head.label_names)


def _echoes(volumes: tuple[Volume, ...]) -> Volume:
    if len(volumes) == 1:
        return volumes[0]
    first = volumes[0]
    return first.with_data(np.stack([v.data for v in volumes], axis=-1), name=first.name)
