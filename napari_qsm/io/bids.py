"""BIDS datasets in and out (https://bids-specification.readthedocs.io)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from napari_qsm._version import __version__
from napari_qsm.errors import FileError
from napari_qsm.io.atomic import staged_folder, write_text
from napari_qsm.io.completeness import is_listed
from napari_qsm.io.formats import is_image
from napari_qsm.io.names import bids_entities, by_echo
from napari_qsm.io.nifti import write_volume
from napari_qsm.io.series import ImageFile, ScanFiles, group_images, image_file
from napari_qsm.io.sidecar import SCAN_KEYS, allowed, read_json, read_sidecar, write_sidecar
from napari_qsm.scan import Scan
from napari_qsm.volume import Volume

BIDS_VERSION = "1.10.0"
DESCRIPTION = "dataset_description.json"
IGNORE_FILE = ".bidsignore"
#: What stands beside the images of results and is no part of BIDS; field maps belong to anatomy here.
RESULTS_IGNORED = (
    "*_provenance.json", "*_quality.json", "*_rating.json", "*_methods.txt", "*_report.html",
    "*_fieldmap.*",
)  # fmt: skip

#: Kinds of data whose phase is no gradient-echo scan of the head at rest.
_OTHER_KINDS = {"func", "dwi", "perf", "pet", "meg", "eeg", "ieeg", "beh", "mrs", "nirs"}
_OTHER_SUFFIXES = {"T1w", "T2w", "PDw", "FLAIR", "MP2RAGE", "MPRAGE", "IRT1", "UNIT1", "TB1map"}
_NOT_RAW = {"derivatives", "sourcedata", "code"}
_LEVELS_UP = 4

#: Entities and suffix of each result, for derivatives.
DERIVATIVES: Mapping[str, str] = {
    "mask": "desc-brain_mask",
    "unwrapped": "part-phase_desc-unwrapped_{suffix}",
    "total_field_ppm": "desc-total_fieldmap",
    "noise_ppm": "desc-noise_fieldmap",
    "local_field_ppm": "desc-local_fieldmap",
    "local_mask": "desc-local_mask",
    "chi_ppm": "Chimap",
    "chi_noise_ppm": "desc-noise_Chimap",
    "r2star_per_s": "R2starmap",
    "t2star_s": "T2starmap",
    "swi": "desc-SWI_T2starw",
    "tswi": "desc-tSWI_T2starw",
    "mip": "desc-minIP_T2starw",
    "chi_positive_ppm": "desc-positive_Chimap",
    "chi_negative_ppm": "desc-negative_Chimap",
    "labels": "dseg",
}


def dataset_root(folder: Path | str) -> Path | None:
    """The dataset that a folder is, or lies in; None where it is none.

    A dataset has ``dataset_description.json``, or folders ``sub-*`` with images in ``anat``
    or ``fmap``. What lies in it outside ``sub-*`` (``sourcedata``, say) is no part of it.
    """
    folder = Path(folder).absolute()
    above = [
        parent
        for parent in folder.parents[:_LEVELS_UP]
        if folder.relative_to(parent).parts[0].startswith("sub-")
    ]
    for candidate in (folder, *above):
        if (candidate / DESCRIPTION).is_file():
            return candidate
    for candidate in (folder, *above):
        subjects = [path for path in candidate.glob("sub-*") if path.is_dir()]
        if any(any(s.glob("**/anat")) or any(s.glob("**/fmap")) for s in subjects):
            return candidate
    return None


def is_bids(folder: Path | str) -> bool:
    """Whether a folder is a BIDS dataset or lies in one."""
    return dataset_root(folder) is not None


def find_scans(folder: Path | str) -> list[ScanFiles]:
    """Every gradient-echo scan with phase in a dataset, or in one folder of it.

    Echoes and parts are paired by name; sidecars are inherited as BIDS has it. Field maps
    (``fmap``) are offered only for subjects and sessions without another scan.

    Parameters
    ----------
    folder : Path or str
        The dataset, or a subject, session or ``anat`` folder in one.

    Raises
    ------
    FileError
        If the folder is in no dataset, or a sidecar is broken.
    """
    folder = Path(folder).absolute()
    root = dataset_root(folder)
    if root is None:
        raise FileError(f"'{folder}' is no BIDS dataset.")
    sidecars: dict[Path, list[Path]] = {}
    images = []
    for path in by_echo(images_in(folder, root)):
        entities, suffix = bids_entities(path)
        maybe = "part" in entities or suffix.startswith(("phase", "magnitude"))
        if maybe and suffix not in _OTHER_SUFFIXES:
            images.append(image_file(path, inherited(path, root, sidecars)))
    scans = group_images(images)
    with_anat = {_visit(s) for s in scans if not _is_fmap(s)}
    return [s for s in scans if not (_is_fmap(s) and _visit(s) in with_anat)]


def inherited(
    image: Path, root: Path, listed: dict[Path, list[Path]] | None = None
) -> dict[str, Any]:
    """Sidecar entries of an image, from all sidecars that apply to it.

    A sidecar applies if it lies in the image's folder or above it, has the same suffix, and
    each of its entities is the image's too; nearer and more specific ones win.

    Parameters
    ----------
    image, root : Path
        The image and its dataset.
    listed : dict, optional
        Sidecars of each folder, filled here and used again for the next image.
    """
    listed = {} if listed is None else listed
    own, suffix = bids_entities(image)
    folders = [f for f in reversed(image.absolute().parents) if f == root or root in f.parents]
    metadata: dict[str, Any] = {}
    for folder in folders:
        if folder not in listed:
            listed[folder] = sorted(p for p in folder.glob("*.json") if p.name != DESCRIPTION)
        fitting = []
        for path in listed[folder]:
            entities, kind = bids_entities(path.with_suffix(""))
            if kind == suffix and entities.items() <= own.items():
                fitting.append((len(entities), path))
        for _, path in sorted(fitting):
            metadata |= read_json(path)
    return allowed(metadata, SCAN_KEYS)


def sidecar_of(image: Path | str) -> dict[str, Any]:
    """Sidecar entries of an image wherever it lies: with what it inherits, in a dataset."""
    path = Path(image).absolute()
    root = dataset_root(path.parent)
    return read_sidecar(path) if root is None else inherited(path, root)


def derivative_names(scan: ScanFiles, results: Iterable[str]) -> dict[str, str]:
    """Where each result of a scan belongs in a dataset of derivatives.

    Parameters
    ----------
    scan : ScanFiles
        As found by :func:`find_scans`.
    results : iterable of str
        Keys of :data:`DERIVATIVES`.

    Returns
    -------
    dict of str to str
        Result to path in the dataset, with ``.nii.gz``, for example
        ``sub-01/anat/sub-01_Chimap.nii.gz``.
    """
    first = (scan.phase or scan.real)[0].path
    entities, suffix = bids_entities(first)
    kept = {k: v for k, v in entities.items() if k not in ("echo", "part", "desc")}
    if _is_fmap(scan):
        suffix = "phasediff"
    elif suffix == "MEGRE":
        suffix = "T2starw"  # the echoes lie in one file, where MEGRE has a file for each
    prefix = "_".join(f"{key}-{value}" for key, value in kept.items())
    folder = "/".join(f"{k}-{kept[k]}" for k in ("sub", "ses") if k in kept)
    place = f"{folder}/anat" if folder else "anat"
    return {
        name: f"{place}/{prefix}_{DERIVATIVES[name].format(suffix=suffix)}.nii.gz"
        for name in results
    }


def write_description(folder: Path, *, derivative: bool, name: str = "QSM") -> None:
    """Write ``dataset_description.json`` of a raw dataset or of derivatives."""
    said: dict[str, Any] = {
        "Name": name,
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative" if derivative else "raw",
        "GeneratedBy": [{"Name": "napari-qsm", "Version": __version__}],
    }
    write_text(folder / DESCRIPTION, json.dumps(said, indent=2) + "\n")


def describe_derivatives(staging: Path, folder: Path, *, name: str = "QSM") -> None:
    """Write description and ``.bidsignore`` of results, where their data set has none yet.

    Parameters
    ----------
    staging : Path
        Where files are written before they take their places.
    folder : Path
        The data set.
    name : str
        What to call it.
    """
    if not (folder / DESCRIPTION).exists():
        write_description(staging, derivative=True, name=name)
    if not (folder / IGNORE_FILE).exists():
        write_text(staging / IGNORE_FILE, "\n".join(RESULTS_IGNORED) + "\n")


def raw_name(
    subject: str,
    part: str,
    *,
    session: str = "",
    echo: int | None = None,
    difference: bool = False,
    acq: str = "",
) -> str:
    """Path of one raw image in a dataset, without ending.

    Parameters
    ----------
    subject : str
        Label of the subject, letters and digits.
    part : str
        ``"mag"``, ``"phase"``, ``"real"`` or ``"imag"``.
    session : str
        Label of the visit; empty for data without sessions.
    echo : int, optional
        Number of the echo, from 1; None for a scan with a single echo.
    difference : bool
        A phase difference, or a magnitude that belongs to one.
    acq : str
        What tells this scan from others of the same subject.
    """
    folder, stem = visit_place(subject, session)
    named = f"{stem}_acq-{acq}" if acq else stem
    if difference:
        suffix = "phasediff" if part == "phase" else f"magnitude{echo or 1}"
        return f"{folder}/fmap/{named}_{suffix}"
    numbered = f"_echo-{echo}" if echo is not None else ""
    suffix = "MEGRE" if echo is not None else "T2starw"
    return f"{folder}/anat/{named}{numbered}_part-{part}_{suffix}"


def visit_place(subject: str, session: str = "") -> tuple[str, str]:
    """Folder of a visit, and how names of its files begin.

    Examples
    --------
    >>> visit_place("01", "t0")
    ('sub-01/ses-t0', 'sub-01_ses-t0')
    """
    parts = [f"sub-{subject}", *([f"ses-{session}"] if session else [])]
    return "/".join(parts), "_".join(parts)


def check_subject(subject: str, session: str = "") -> str:
    """Refuse labels that BIDS does not allow."""
    for label, what in ((subject, "subject"), (session, "session")):
        if not (label.isascii() and label.isalnum()) and (label or what == "subject"):
            raise FileError(f"'{label}' is no label for a {what}; use letters and digits only.")
    return subject


def write_bids_raw(
    scan: Scan,
    folder: Path | str,
    *,
    subject: str = "01",
    session: str = "",
    overwrite: bool = False,
) -> None:
    """Write a scan as a raw BIDS dataset: one NIfTI with sidecar for each echo and part.

    Parameters
    ----------
    scan : Scan
        Phase without a unit is declared ``arbitrary``.
    folder : Path or str
        The dataset; made if missing.
    subject : str
        Label of the subject, letters and digits.
    session : str
        Label of the visit; empty for none.
    overwrite : bool
        Whether images of the same name may be replaced.

    Raises
    ------
    FileError
        If files would be replaced without leave, or nothing can be written there.
    """
    check_subject(subject, session)
    with staged_folder(folder, overwrite=overwrite) as staging:
        for name, volume, said in _raw_images(scan, subject, session):
            path = staging / f"{name}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_volume(volume, path)
            write_sidecar(path, said)
        if overwrite or not (Path(folder) / DESCRIPTION).exists():
            write_description(staging, derivative=False)


def _raw_images(scan: Scan, subject: str, session: str) -> list[tuple[str, Volume, dict[str, Any]]]:
    common = {k: v for k, v in scan.metadata.items() if k != "Notes"}
    common["MagneticFieldStrength"] = scan.field_strength_t
    several = len(scan.phase) > 1
    magnitude_times = scan.magnitude_echo_times_s or (None,) * len(scan.magnitude)
    parts = (
        ("phase", scan.phase, scan.echo_times_s),
        ("mag", scan.magnitude, magnitude_times),
    )
    images = []
    for part, volumes, times in parts:
        for echo, (volume, time) in enumerate(zip(volumes, times, strict=True), start=1):
            said: dict[str, Any] = dict(common)
            number = echo if several or scan.phase_difference else None
            if part == "phase":
                said["Units"] = volume.unit or said.get("Units", "arbitrary")
            else:
                said.pop("Units", None)
            if scan.phase_difference and part == "phase":
                first, second = _difference_times(scan)
                said |= {"EchoTime1": first, "EchoTime2": second}
                said.pop("EchoTime", None)
            elif time is not None:
                said["EchoTime"] = time
            name = raw_name(
                subject, part, session=session, echo=number, difference=scan.phase_difference
            )
            images.append((name, volume, said))
    return images


def _difference_times(scan: Scan) -> tuple[float, float]:
    """Two echo times whose difference is the scan's time."""
    recorded = [scan.metadata.get(key) for key in ("EchoTime1", "EchoTime2")]
    apart = scan.echo_times_s[0]
    for pair in (recorded, list(scan.magnitude_echo_times_s)):
        times = [float(t) for t in pair if isinstance(t, float | int)]
        if len(times) == 2 and abs(abs(times[1] - times[0]) - apart) < 1e-6:
            return times[0], times[1]
    raise FileError(
        "The two echo times of this phase difference are not known, so it cannot be written as "
        "BIDS."
    )


def images_in(folder: Path, root: Path) -> list[Path]:
    """NIfTI files of a dataset, or of a folder in it, that may be of a scan of the head."""
    found = []
    for path in folder.rglob("*.nii*"):
        parts = path.relative_to(root).parts[:-1]
        skipped = set(parts) & (_OTHER_KINDS | _NOT_RAW) or any(p.startswith(".") for p in parts)
        if is_image(path) and is_listed(path) and not skipped:
            found.append(path)
    return found


def _first(scan: ScanFiles) -> ImageFile:
    return (scan.phase or scan.real)[0]


def _is_fmap(scan: ScanFiles) -> bool:
    return _first(scan).path.parent.name == "fmap"


def _visit(scan: ScanFiles) -> tuple[str | None, str | None]:
    entities, _ = bids_entities(_first(scan).path)
    return entities.get("sub"), entities.get("ses")
