"""From a scanner's DICOM folder to a BIDS dataset that names nobody.

Headers are read with pydicom, which tells the gradient-echo scan with phase from everything
else in the folder. Only its files are then converted, by dcm2niix, which knows what the vendors
do.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_qsm.errors import FileError
from napari_qsm.io.atomic import staged_folder
from napari_qsm.io.bids import (
    DESCRIPTION,
    check_subject,
    raw_name,
    visit_place,
    write_description,
)
from napari_qsm.io.choosing import AmbiguousSeries, choose
from napari_qsm.io.dicom_checks import check_planes
from napari_qsm.io.dicom_convert import convert, find_converter, write_clean
from napari_qsm.io.dicom_headers import DicomFolder, DicomSeries, read_folder
from napari_qsm.io.names import IMAGINARY, MAGNITUDE, PHASE, REAL
from napari_qsm.io.participants import add_participant
from napari_qsm.io.series import ScanFiles, group_images, image_file
from napari_qsm.io.sidecar import write_sidecar

Progress = Callable[[float], None]
Warn = Callable[[str], None]

_BIDS_PARTS = {PHASE: "phase", MAGNITUDE: "mag", REAL: "real", IMAGINARY: "imag"}
_MOST_ECHOES = 64


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Attributes
    ----------
    out : Path
        The dataset.
    scan : ScanFiles
        The files written.
    warnings : tuple of str
        What the user should know.
    dropped : tuple of str
        Kinds of identifying entries that were in the headers and are in no output.
    left_out : dict
        Reason to number of files that were not used.
    """

    out: Path
    scan: ScanFiles
    warnings: tuple[str, ...]
    dropped: tuple[str, ...]
    left_out: dict[str, int]

    def text(self) -> str:
        """A few lines for people."""
        lines = [f"Imported into '{self.out}': {self.scan.description}."]
        lines += [f"  {image.path.relative_to(self.out)}" for image in self.scan.images]
        if self.scan.is_difference:
            first, second = self.scan.phase[0].difference_times_s
            lines.append(
                "The phase is a phase difference: it evolved over TE2 - TE1 = "
                f"{abs(second - first) * 1e3:.4g} ms."
            )
        lines += [f"Note: {sentence}" for sentence in self.warnings]
        if self.left_out:
            said = "; ".join(f"{n} x {reason}" for reason, n in sorted(self.left_out.items()))
            lines.append(f"Files not used: {said}.")
        if self.dropped:
            lines.append(f"Dropped, and in no output: {', '.join(self.dropped)}.")
        return "\n".join(lines)


def import_dicom(
    folder: Path | str,
    out: Path | str,
    *,
    series: str | None = None,
    subject: str = "01",
    session: str = "",
    overwrite: bool = False,
    progress: Progress = lambda fraction: None,
    warn: Warn = lambda sentence: None,
) -> ImportReport:
    """Convert the gradient-echo scan in a DICOM folder to a BIDS dataset.

    Parameters
    ----------
    folder : Path or str
        Searched with all folders below; only read.
    out : Path or str
        The dataset; made if missing. Either all files of the scan appear there or none.
    series : str, optional
        Number of the series with the phase, where there are several.
    subject : str
        Label of the subject in the dataset. Never taken from the DICOM headers.
    session : str
        Label of the visit; empty for a study without visits.
    overwrite : bool
        Whether files of the same name may be replaced.
    progress : callable
        Called with the fraction done; may raise to stop.
    warn : callable
        Called with each sentence of :attr:`ImportReport.warnings`.

    Returns
    -------
    ImportReport

    Raises
    ------
    AmbiguousSeries
        If several series hold phase and ``series`` does not choose.
    FileError
        No DICOM files or no phase among them, several patients, missing or doubled slices,
        files that cannot be converted, or a place that cannot be written to.
    """
    folder, out = Path(folder), Path(out)
    check_subject(subject, session)
    check_visit(out, subject, session, overwrite=overwrite)
    converter = find_converter()
    found = read_folder(folder, lambda f: progress(0.5 * f))
    chosen = _choose(found, series, folder)
    check_planes(chosen)
    notes = _notes(found, chosen)
    together = _with_magnitudes(chosen, found, notes)
    temporary = Path(tempfile.mkdtemp(prefix="napari-qsm-"))
    try:
        images = convert(converter, together, temporary, lambda f: progress(0.5 + 0.3 * f))
        scan = _the_scan(images, chosen)
        if not scan.magnitude and scan.phase:
            notes.append("There is no magnitude image on the grid of the phase.")
        visit = (subject, session)
        written = _write(scan, out, visit, overwrite, lambda f: progress(0.8 + 0.2 * f))
    except OSError as error:
        raise FileError(f"The import failed: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    try:
        add_participant(out, subject)
    except FileError as error:
        notes.append(str(error))
    for sentence in notes:
        warn(sentence)
    progress(1.0)
    return ImportReport(out, written, tuple(notes), tuple(found.identifying), dict(found.left_out))


def check_visit(out: Path, subject: str, session: str, *, overwrite: bool = False) -> None:
    """Refuse a visit that is there already, or a subject with and without visits.

    Raises
    ------
    FileError
        Saying which of these it is.
    """
    person = out / f"sub-{subject}"
    if not person.exists():
        return
    visits = sorted(p.name.removeprefix("ses-") for p in person.glob("ses-*") if p.is_dir())
    if session and any((person / kind).is_dir() for kind in ("anat", "fmap")):
        raise FileError(
            f"'{out}' holds a scan of subject '{subject}' that belongs to no visit, so '{session}' cannot "
            "stand beside it; move that scan into a folder of its visit first."
        )
    if not session and visits:
        raise FileError(
            f"'{out}' holds visits of subject '{subject}' ({', '.join(visits)}); say with --session which "
            "visit this is."
        )
    if overwrite or (session and session not in visits):
        return
    what = f"visit '{session}' of subject '{subject}'" if session else f"a subject '{subject}'"
    raise FileError(f"'{out}' already holds {what}; choose another folder or allow overwriting.")


def phase_series(found: DicomFolder) -> list[DicomSeries]:
    """The series from which susceptibility could be computed."""
    with_phase = [
        s for s in found.series if s.parts[PHASE] or (s.parts[REAL] and s.parts[IMAGINARY])
    ]
    return [s for s in with_phase if s.gradient_echo]


def _choose(found: DicomFolder, series: str | None, folder: Path) -> DicomSeries:
    if not found.series:
        said = "; ".join(f"{n} {reason}" for reason, n in sorted(found.left_out.items()))
        raise FileError(
            f"'{folder.name}' holds no DICOM images of an MR scan"
            + (f" ({said})." if said else ".")
        )
    if found.patients > 1:
        raise FileError(
            f"'{folder.name}' holds files of {found.patients} patients; put each patient's files "
            "in a folder of their own."
        )
    candidates = phase_series(found)
    if not candidates:
        raise FileError(
            f"'{folder.name}' holds {len(found.series)} series but no phase of a gradient-echo "
            "scan, and QSM needs the phase. If phase (or real and imaginary) images were saved, copy "
            "their series too; else have them saved at the scanner."
        )
    return choose(candidates, series, folder.name)


def _with_magnitudes(
    chosen: DicomSeries, found: DicomFolder, notes: list[str]
) -> list[DicomSeries]:
    """The chosen series and, unless it has them itself, those that may be its magnitudes.

    A series that would fit but lacks slices is noted; where no other is left it is refused, as
    a scan without its magnitude is worth much less than the user thinks.
    """
    if chosen.parts[MAGNITUDE]:
        return [chosen]
    fitting, unfit = [], []
    for other in found.series:
        if other is chosen or not other.parts[MAGNITUDE] or other.parts[PHASE]:
            continue
        if other.frame != chosen.frame:
            continue
        try:
            if other.slices != chosen.slices:
                raise FileError(
                    f"Series {other.label} has {other.slices} slices but the phase, series "
                    f"{chosen.label}, has {chosen.slices}; slices are missing, or it is another "
                    "scan."
                )
            check_planes(other)
            fitting.append(other)
        except FileError as error:
            unfit.append(error)
    if unfit and not fitting:
        raise unfit[0]
    notes += [f"{error} It was not used." for error in unfit]
    return [chosen, *fitting]


def _notes(found: DicomFolder, chosen: DicomSeries) -> list[str]:
    notes = []
    damaged = sum(n for reason, n in found.left_out.items() if reason.startswith("damaged"))
    if damaged:
        notes.append(f"{damaged} files in the folder are damaged and were left out.")
    unread = found.left_out["not permitted to be read"]
    if unread:
        notes.append(f"There is no permission to read {unread} files; they were left out.")
    copies = found.left_out["a copy of another file"]
    if copies:
        notes.append(f"{copies} files are copies of others; each image was used once.")
    if chosen.lossy:
        notes.append("The images were stored with lossy compression, which harms the phase.")
    return notes


def _the_scan(images: Sequence[Path], chosen: DicomSeries) -> ScanFiles:
    scans = [
        scan
        for scan in group_images(image_file(path) for path in images)
        if all(
            image.metadata.get("SeriesNumber") == chosen.number for image in scan.phase or scan.real
        )
    ]
    if not scans:
        raise FileError(
            f"Series {chosen.label} was converted, but no phase came of it; the converter takes "
            "its images for something else."
        )
    if len(scans) > 1:
        raise AmbiguousSeries(f"series {chosen.label}", scans)
    _check_converted(scans[0], chosen)
    return scans[0]


def _check_converted(scan: ScanFiles, chosen: DicomSeries) -> None:
    """Refuse a conversion that lost or piled up slices or echoes."""
    signal = scan.phase or scan.real
    part = PHASE if scan.phase else REAL
    planes = [plane for file in chosen.files for plane in file.planes if plane.part == part]
    echoes = len({plane.echo_time_ms for plane in planes})
    slices = len(planes) // echoes
    got = [image.shape for image in signal]
    if any(shape[2] != slices for shape in got) or len(got) != echoes:
        said = ", ".join(" x ".join(str(n) for n in shape) for shape in got)
        raise FileError(
            f"Series {chosen.label} has {echoes} echoes of {slices} slices, but the converter made "
            f"of it images of {said} voxels. Please convert it by other means."
        )


def _write(
    scan: ScanFiles, out: Path, visit: tuple[str, str], overwrite: bool, progress: Progress
) -> ScanFiles:
    """Move a scan into a dataset under BIDS names; returns the files as they then lie there."""
    named = _named(scan, *visit)
    # With leave, images of an earlier import go that would now pass for echoes of this one.
    older = _names_of_imports(*visit) if overwrite else ()
    with staged_folder(out, overwrite=overwrite, replaces=older) as staging:
        for i, (image, name) in enumerate(named):
            target = staging / f"{name}.nii.gz"
            target.parent.mkdir(parents=True, exist_ok=True)
            write_clean(image.path, target)
            write_sidecar(target, _said(image.metadata, scan, image.part))
            progress((i + 1) / len(named))
        if not (out / DESCRIPTION).exists():
            write_description(staging, derivative=False, name="Imported from DICOM")
    moved = [image_file(out / f"{name}.nii.gz") for _, name in named]
    by_part = {part: tuple(i for i in moved if i.part == part) for part in _BIDS_PARTS}
    return ScanFiles(
        label=visit_place(*visit)[1],
        phase=by_part[PHASE],
        magnitude=by_part[MAGNITUDE],
        real=by_part[REAL],
        imaginary=by_part[IMAGINARY],
    )


def _names_of_imports(subject: str, session: str) -> list[str]:
    """Files that an import of a visit may write, whatever its echoes and parts."""
    names = {
        raw_name(subject, part, session=session, echo=echo, difference=difference)
        for difference in (False, True)
        for part in _BIDS_PARTS.values()
        for echo in (None, *range(1, _MOST_ECHOES + 1))
    }
    return sorted(f"{name}{ending}" for name in names for ending in (".nii.gz", ".json"))


def _named(scan: ScanFiles, subject: str, session: str) -> list[tuple[Any, str]]:
    signal = scan.phase or scan.real
    several = len(signal) > 1 or len(scan.magnitude) > 1
    named = []
    for images in (scan.phase, scan.magnitude, scan.real, scan.imaginary):
        for echo, image in enumerate(images, start=1):
            number = echo if several else None
            name = raw_name(
                subject,
                _BIDS_PARTS[image.part],
                session=session,
                echo=number,
                difference=scan.is_difference,
            )
            named.append((image, name))
    return named


def _said(metadata: dict[str, Any], scan: ScanFiles, part: str) -> dict[str, Any]:
    said = dict(metadata)
    if part in (PHASE, REAL, IMAGINARY):
        said.setdefault("Units", "arbitrary")
    if scan.is_difference and part == PHASE:
        said.pop("EchoTime", None)  # BIDS gives a phase difference two echo times and no other
    return said
