"""Folders: BIDS datasets, plain NIfTI, DICOM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.inspect.files import describe_geometry, inspect_image, inspect_table
from napari_qsm.inspect.report import Item
from napari_qsm.io import bids
from napari_qsm.io.completeness import no_phase
from napari_qsm.io.dicom import phase_series
from napari_qsm.io.dicom_checks import check_planes
from napari_qsm.io.dicom_headers import DicomFolder, DicomSeries, read_folder
from napari_qsm.io.label_table import is_label_table
from napari_qsm.io.moving import finish
from napari_qsm.io.names import MAGNITUDE, PHASE
from napari_qsm.io.series import ScanFiles, group_images, image_file
from napari_qsm.io.sources import nifti_files, read_scan
from napari_qsm.recon.phase import decide_phase_unit
from napari_qsm.scan import Scan

#: Phase that readouts of opposite direction add across the image, from which on it counts, rad.
_BIPOLAR_RAD = 0.5
#: Agreement of neighbouring voxels below which a ramp cannot be told from noise.
_COHERENT = 0.3


def quality_hints(scan: Scan) -> list[str]:
    """Sentences on readout, resolution and gaps; what cannot be judged is left unsaid."""
    return [
        hint
        for hint in (
            _bipolar(scan),
            _slice_gap(scan.metadata),
            _interpolated(scan),
            _anisotropic(scan),
        )
        if hint
    ]


def _bipolar(scan: Scan) -> str:
    """Alternating readouts leave a ramp in phi1 - 2 phi2 + phi3, which else is zero.

    The phase of a voxel grows with echo time, so the second difference of equally spaced
    echoes vanishes whatever the field; a shift of every second echo along the readout does not
    (Li et al. 2015, Magn Reson Med 73:1491).
    """
    times = np.array(scan.echo_times_s[:3])
    if times.size < 3 or abs(times[0] - 2 * times[1] + times[2]) > 0.02 * times[0]:
        return ""
    echoes = [np.asarray(volume.data, dtype=np.float32) for volume in scan.phase[:3]]
    try:
        unit = decide_phase_unit(np.stack(echoes), scan.metadata)
    except ValueError:
        return ""
    angle = (echoes[0] - 2 * echoes[1] + echoes[2]) * np.float32(unit.scale)
    weight: Array = np.asarray(scan.magnitude[0].data if scan.magnitude else 1, dtype=np.float32)
    signal = np.where(np.isfinite(angle), weight * np.exp(1j * angle), 0)
    for axis in range(3):
        ahead = np.take(signal, range(1, signal.shape[axis]), axis)
        behind = np.take(signal, range(signal.shape[axis] - 1), axis)
        products = ahead * behind.conj()
        total = float(np.abs(products).sum(dtype=np.float64))
        mean = complex(products.sum(dtype=np.complex128)) / total if total else 0j
        ramp = abs(np.angle(mean)) * signal.shape[axis]
        if abs(mean) > _COHERENT and ramp > _BIPOLAR_RAD:
            return (
                f"Echoes alternate by a ramp of {ramp:.1f} rad along the "
                f"{('first', 'second', 'third')[axis]} axis, as with bipolar readouts; remove "
                "phase offsets before echoes are combined, or scan monopolar."
            )
    return ""


def _slice_gap(metadata: Mapping[str, Any]) -> str:
    thickness, spacing = metadata.get("SliceThickness"), metadata.get("SpacingBetweenSlices")
    if not (isinstance(thickness, int | float) and isinstance(spacing, int | float)):
        return ""
    if spacing <= 1.02 * thickness:
        return ""
    return (
        f"There are gaps between the slices ({thickness:g} mm thick, {spacing:g} mm apart); "
        "sources in the gaps are missed."
    )


def _interpolated(scan: Scan) -> str:
    measured = scan.metadata.get("BaseResolution") or scan.metadata.get("FrequencyEncodingSteps")
    longest = max(scan.grid.shape[:2])
    if not isinstance(measured, int | float) or longest < 1.4 * measured:
        return ""
    return (
        f"The images are {longest} voxels wide but {measured:g} were measured, so they are "
        "interpolated or zero-filled."
    )


def _anisotropic(scan: Scan) -> str:
    sizes = scan.grid.voxel_size_mm
    ratio = max(sizes) / min(sizes)
    if ratio <= 4:
        return ""
    return f"Voxels are {ratio:.1f} times as long as wide; thin veins and streaks will blur."


def inspect_folder(folder: Path) -> list[Item]:
    """Everything in a folder: its scans, then images that belong to none."""
    try:
        finish(folder)
        if bids.is_bids(folder):
            return _inspect_bids(folder)
        inside = nifti_files(folder)
        if inside:
            return _inspect_plain(folder, inside)
        return [_inspect_dicom(folder)]
    except (QsmError, OSError) as error:
        return [Item(folder, "folder", problems=[str(error)])]


def _inspect_bids(folder: Path) -> list[Item]:
    item = Item(folder, "BIDS dataset")
    scans = bids.find_scans(folder)
    item.lines.append(f"{len(scans)} gradient-echo scans with phase.")
    if not scans:
        images = bids.images_in(folder.absolute(), bids.dataset_root(folder) or folder)
        places = sorted({path.parent for path in images} | {folder, *folder.rglob("anat")})
        item.problems.append(no_phase(folder.name, images, places))
    return [item, *_inspect_scans(folder, scans)]


def _inspect_plain(folder: Path, inside: list[Path]) -> list[Item]:
    item = Item(folder, "folder with NIfTI files")
    scans = []
    broken = []
    images = []
    for path in inside:
        try:
            images.append(image_file(path))
        except QsmError as error:
            broken.append(Item(path, "image", problems=[str(error)]))
    scans = group_images(images)
    item.lines.append(f"{len(inside)} images, {len(scans)} gradient-echo scans with phase.")
    used = {image.path for scan in scans for image in scan.images}
    known = {image.path for image in images}
    others = [inspect_image(path) for path in inside if path in known - used]
    tables = [inspect_table(p) for p in sorted(folder.iterdir()) if is_label_table(p)]
    return [item, *_inspect_scans(folder, scans), *others, *tables, *broken]


def _inspect_scans(folder: Path, scans: Sequence[ScanFiles]) -> list[Item]:
    """Each scan; and, where one cannot be read as a whole, each of its images."""
    items = []
    for scan in scans:
        items.append(_inspect_scan(folder, scan))
        if not items[-1].readable:
            items += [inspect_image(image.path, image.metadata) for image in scan.images]
    return items


def _inspect_scan(folder: Path, files: ScanFiles) -> Item:
    item = Item(folder, "gradient-echo scan", title=f"{folder.name}: {files.label}")
    item.lines.append(files.summary + ".")
    try:
        scan = read_scan(files)
    except QsmError as error:
        item.problems.append(str(error))
        return item
    item.readable = True
    describe_geometry(scan.grid, item)
    _describe_scan(scan, item)
    return item


def _describe_scan(scan: Scan, item: Item) -> None:
    times = ", ".join(f"{t * 1e3:.5g}" for t in scan.echo_times_s)
    what = "Time of the phase difference" if scan.phase_difference else "Echo time"
    item.lines.append(f"{what} {times} ms, field strength {scan.field_strength_t:g} T.")
    raw = np.stack([volume.data for volume in scan.phase])
    try:
        unit = decide_phase_unit(raw, scan.metadata)
        item.lines.append(f"Unit of the phase: {unit.explanation}")
    except QsmError as error:
        item.problems.append(str(error))
    notes = scan.metadata.get("Notes", [])
    said = " ".join(item.problems)
    for note in notes if isinstance(notes, list) else []:
        if "orientation" not in note or not said:
            item.hints.append(str(note))
    if not scan.magnitude:
        item.hints.append("There is no magnitude: the brain cannot be masked from it.")
    item.hints += quality_hints(scan)


def _inspect_dicom(folder: Path) -> Item:
    item = Item(folder, "folder")
    found = read_folder(folder, lambda fraction: None)
    if not found.series:
        item.problems.append("It holds no NIfTI files and no DICOM images of an MR scan.")
        return item
    item.kind = "DICOM folder"
    candidates = phase_series(found)
    for series in found.series:
        mark = " <- QSM can start here" if series in candidates else ""
        item.lines.append(f"Series {series.label}: {series.description}{mark}")
    if found.patients > 1:
        item.problems.append(f"It holds files of {found.patients} patients; separate them.")
    if not candidates:
        item.problems.append(
            "It holds no phase of a gradient-echo scan, and QSM needs the phase. If phase (or real "
            "and imaginary) images were saved, copy their series too; else have them saved at the "
            "scanner."
        )
    elif len(candidates) > 1:
        labels = ", ".join(series.label for series in candidates)
        item.hints.append(f"Several series could be used; choose one with --series ({labels}).")
    for series in candidates:
        try:
            check_planes(series)
        except QsmError as error:
            item.problems.append(str(error))
        item.hints += _difference_hint(series, found)
        if series.lossy:
            item.hints.append(f"Series {series.label} was compressed with loss.")
    for reason, count in sorted(found.left_out.items()):
        where = item.problems if reason.startswith(("damaged", "not permitted")) else item.lines
        where.append(f"{count} files not used: {reason}.")
    if found.identifying:
        item.lines.append(f"An import will drop: {', '.join(found.identifying)}.")
    return item


def _difference_hint(series: DicomSeries, found: DicomFolder) -> list[str]:
    """One phase beside magnitudes of two echoes is most often their difference."""
    if len(series.echo_times_ms(PHASE)) != 1 or series.parts[MAGNITUDE]:
        return []
    for other in found.series:
        if len(other.echo_times_ms(MAGNITUDE)) == 2 and other.grid == series.grid:
            return [
                f"Series {series.label} is probably the phase difference between the two echoes of "
                f"series {other.label}; an import will tell."
            ]
    return []
