"""A map, its regions and their numbers, written as DICOM into one folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_qsm._version import __version__
from napari_qsm.errors import FileError, QsmError
from napari_qsm.hospital.page import page_pdf
from napari_qsm.io.atomic import staged_folder, write_text
from napari_qsm.io.dicom_out.document import encapsulated
from napari_qsm.io.dicom_out.images import DISCLAIMER, PPB, map_images, parametric_map, whole_ppb
from napari_qsm.io.dicom_out.libraries import need_highdicom, quiet
from napari_qsm.io.dicom_out.numbers import measurement_report
from napari_qsm.io.dicom_out.planes import planes_of
from napari_qsm.io.dicom_out.regions import Segment, check_sides, segmentation, segments_of
from napari_qsm.io.dicom_out.whose import Whose, neutral, of_scan
from napari_qsm.io.formats import read_image, stem
from napari_qsm.io.label_table import read_label_table
from napari_qsm.io.maps import read_map
from napari_qsm.io.region import Region
from napari_qsm.io.segmentation import on_grid, read_labels
from napari_qsm.io.targets import check_out_folder
from napari_qsm.io.whole_numbers import as_labels
from napari_qsm.outputs import RESULT_NAMES
from napari_qsm.qc.files import PROVENANCE_FILE, result_image, results_in
from napari_qsm.qc.thumbnail import known
from napari_qsm.recon.stages import Progress, no_progress
from napari_qsm.rois.statistics import region_statistics, susceptibility
from napari_qsm.volume import Volume

#: By which a folder of ours is known.
RECORD = "export.json"
MAP_FOLDER = "map"
#: What may lie beside the images of the map.
FILES = ("regions.dcm", "numbers.dcm", "page.dcm", "page.pdf", "parametric-map.dcm", RECORD)
#: Numbers of the series; scanners use small ones.
_SERIES = {"map": 9001, "regions": 9002, "numbers": 9003, "page": 9004, "parametric": 9005}

Warn = Callable[[str], None]


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes
    ----------
    folder : Path
    images : int
        Planes of the map.
    regions : int
        Segments, which is also the number of rows in the numbers.
    into : str
        The series of the scan whose study it went into; empty for a study of its own.
    is_same_scan : bool
        Whether that scan's phase is the one that the map was made from.
    """

    folder: Path
    images: int
    regions: int
    into: str
    is_same_scan: bool = False

    def text(self) -> str:
        """A few lines for people."""
        lines = [f"Written into '{self.folder}': the map as {self.images} images in ppb"]
        if self.regions:
            lines[0] += f", {self.regions} regions as a segmentation, their numbers as a report"
        lines[0] += ", and a page."
        if self.into and self.is_same_scan:
            lines.append(
                f"They belong to the patient and study of {self.into}: grid and phase are those that "
                "the map was made from."
            )
        elif self.into:
            lines.append(
                f"They belong to the patient and study of {self.into}: its grid is that of the map. "
                "That it is the same scan's, only you can know; look at both before sending."
            )
        else:
            lines.append("They belong to a new study that names nobody.")
        lines.append(DISCLAIMER)
        return "\n".join(lines)


def export_dicom(
    chi: Volume,
    out: Path | str,
    *,
    labels: Volume | None = None,
    regions: dict[int, Region] | None = None,
    code: str = "QSM",
    into_source: Path | str | None = None,
    phase: Volume | None = None,
    float_map: bool = False,
    overwrite: bool = False,
    inputs: tuple[Path, ...] = (),
    progress: Progress = no_progress,
    warn: Warn = lambda sentence: None,
) -> Exported:
    """Write a map and what was measured in it as DICOM, all of it or nothing.

    Parameters
    ----------
    chi : Volume
        Susceptibility, ppm or ppb, in any axis order; its file's grid tells how it is cut.
    out : Path or str
        A folder; made if missing.
    labels : Volume, optional
        Label map on the same grid.
    regions : dict, optional
        What its values mean.
    code : str
        What the new patient is called; not used with ``into_source``.
    into_source : Path or str, optional
        Folder with the DICOM files of the scan: the images then go into its patient and study. Its
        grid has to be the map's.
    phase : Volume, optional
        Phase of the first echo that the map was made from, rad, wrapped or unwrapped: with
        ``into_source`` it has to be the scan's.
    float_map : bool
        Also write a parametric map with float ppm.
    overwrite : bool
        Whether an earlier export in the folder may be replaced.
    inputs : tuple of Path
        Files that the work is made from, never replaced.
    progress, warn : callable

    Returns
    -------
    Exported

    Raises
    ------
    FileError
        If something is installed, readable or writable that must be and is not, or no series of
        the scan has the grid of the map.
    GeometryError
        If sides are not known, or a region lies on the other side than its name says.
    """
    need_highdicom()
    with quiet():
        return _export(
            chi, Path(out), labels, regions or {}, code, into_source, phase, float_map, overwrite, inputs,
            progress, warn,
        )  # fmt: skip


def _export(
    chi: Volume,
    out: Path,
    labels: Volume | None,
    regions: dict[int, Region],
    code: str,
    into_source: Path | str | None,
    phase: Volume | None,
    float_map: bool,
    overwrite: bool,
    inputs: tuple[Path, ...],
    progress: Progress,
    warn: Warn,
) -> Exported:
    check_out_folder(out, _there(out), overwrite=overwrite, proof=RECORD, inputs=inputs)
    if into_source is not None and out.absolute().is_relative_to(Path(into_source).absolute()):
        raise FileError(f"'{out}' lies within the scan's own folder; choose a place outside it.")
    chi = _in_ppm(chi)
    whose = neutral(code) if into_source is None else of_scan(Path(into_source), chi, phase=phase)
    progress(0.2)
    planes = whose.planes or planes_of(chi)
    if whose.into_source and not chi.orientation_known:
        planes_of(chi)  # says why such a map must not go anywhere
    valid = chi.with_data(known(chi.data))
    segments: list[Segment] = []
    rows: dict[int, dict[Hashable, Any]] = {}
    if labels is not None:
        labels = on_grid(labels, chi).like(chi)
        labels = labels.with_data(as_labels(labels))
        segments = segments_of(np.asarray(labels.data), regions)
        if not segments:
            raise QsmError(f"'{labels.name or 'The label map'}' holds no region.")
        check_sides(labels, segments, valid)
        table = region_statistics(chi, labels, regions, warn=warn)
        rows = {int(row["label"]): row for row in table.to_dict("records")}
    progress(0.3)
    frames = planes.frames(chi)
    if np.abs(np.nan_to_num(frames)).max(initial=0) * PPB > 32767:
        warn("Values beyond ±32.767 ppm were set to it: images hold whole ppb of 16 bits.")
    images = map_images(frames, planes, whose, series=_SERIES["map"])
    progress(0.5)
    with staged_folder(out, overwrite=overwrite, replaces=_there(out)) as staging:
        (staging / MAP_FOLDER).mkdir()
        for number, image in enumerate(images, 1):
            _save(image, staging / MAP_FOLDER / f"{number:04d}.dcm")
        if labels is not None:
            made = segmentation(planes.frames(labels), segments, images, series=_SERIES["regions"])
            _save(whose.complete(made), staging / "regions.dcm")
            progress(0.7)
            report = measurement_report(rows, segments, images, made, series=_SERIES["numbers"])
            _save(whose.complete(report), staging / "numbers.dcm")
        if float_map:
            made = parametric_map(frames, images, series=_SERIES["parametric"])
            _save(whose.complete(made), staging / "parametric-map.dcm")
        progress(0.8)
        named = "" if whose.into_source else code
        pdf = page_pdf(chi, labels, regions, code=named)
        (staging / "page.pdf").write_bytes(pdf)
        page = encapsulated(pdf, whose, series=_SERIES["page"], title="QSM page, not for diagnosis")
        _save(page, staging / "page.dcm")
        write_text(staging / RECORD, _record(images, segments, whose, frames))
    progress(1.0)
    return Exported(out, len(images), len(segments), whose.series, whose.is_same_scan)


def export_files(
    map_path: Path,
    out: Path,
    *,
    labels_path: Path | None = None,
    table: Path | None = None,
    warn: Warn = lambda sentence: None,
    **options: Any,
) -> Exported:
    """As :func:`export_dicom`, from files.

    Parameters
    ----------
    map_path : Path
        Susceptibility map, or the folder of a reconstruction.
    out : Path
    labels_path : Path, optional
        Label map; its names are those of ``table`` or of a table beside it.
    table : Path, optional
    warn, options
        As for :func:`export_dicom`.
    """
    map_path, unwrapped = _map_and_phase(map_path)
    chi = read_map(map_path, warn=warn)
    labels, regions = None, {}
    inputs = [map_path]
    if labels_path is not None:
        labels, named = read_labels(labels_path, warn=warn, table=table is None)
        if table is not None:
            named = read_label_table(table)
            inputs.append(table)
        regions = {region.index: region for region in named}
        inputs.append(labels_path)
    if unwrapped is not None:
        options.setdefault("phase", read_image(unwrapped, unit="rad").echo(0))
    return export_dicom(
        chi, out, labels=labels, regions=regions, inputs=tuple(inputs), warn=warn, **options
    )


def _map_and_phase(given: Path) -> tuple[Path, Path | None]:
    """The map's file and that of the unwrapped phase beside it, from the file or the folder of a result."""
    if not given.is_dir():
        name = stem(given)
        prefix = "" if name == RESULT_NAMES["chi_ppm"] else name.removesuffix("Chimap")
        is_result = (given.parent / f"{prefix}{PROVENANCE_FILE}").is_file()
        return given, result_image(given.parent, prefix, "unwrapped") if is_result else None
    found = results_in(given)
    if len(found) != 1:
        raise FileError(
            f"'{given}' holds {len(found) or 'no'} results of a reconstruction; give the file of the map."
        )
    place, prefix = found[0].parent, found[0].name.removesuffix(PROVENANCE_FILE)
    chi = result_image(place, prefix, "chi_ppm")
    if chi is None:
        raise FileError(f"'{given}' holds no susceptibility map.")
    return chi, result_image(place, prefix, "unwrapped")


def _there(out: Path) -> list[str]:
    """Every file that an earlier export left in a folder, or this one may write."""
    planes = [f"{MAP_FOLDER}/{p.name}" for p in sorted((out / MAP_FOLDER).glob("*.dcm"))]
    return [*FILES, *planes]


def _in_ppm(chi: Volume) -> Volume:
    """The map in ppm, or a sentence on why it is none."""
    chi = susceptibility(chi)
    if chi.data.ndim != 3:
        raise FileError(f"'{chi.name}' has several volumes; give a map of one.")
    if chi.unit == "ppb":
        return replace(chi, data=np.asarray(chi.data, np.float32) / PPB, unit="ppm")
    return chi


def _save(ds: Any, path: Path) -> None:
    import pydicom

    pydicom.dcmwrite(path, ds, enforce_file_format=True)


def _record(images: list[Any], segments: list[Segment], whose: Whose, frames: Any) -> str:
    """What is in the folder, without any name but that of the regions."""
    stored = whole_ppb(frames)
    said = {
        "software": {"napari-qsm": __version__},
        "what": DISCLAIMER,
        "images": len(images),
        "image_unit": "ppb",
        "voxels_without_number": int((stored == -32768).sum()),
        "regions": {str(s.number): {"name": s.name, "side": s.side} for s in segments},
        "into_the_scans_own_study": whose.into_source,
        "scan": whose.series,
        "phase_is_the_scans": whose.is_same_scan,
    }
    return json.dumps(said, indent=2, ensure_ascii=False) + "\n"
