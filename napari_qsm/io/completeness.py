"""Nothing is left out in silence: files that are named but not there, and echoes that lack.

``check`` and ``reconstruct`` both read scans through :func:`napari_qsm.io.scan_reader.read_scan`,
which refuses what :func:`~napari_qsm.io.completeness.absence` finds and notes what :func:`loss_notes` says.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from napari_qsm.errors import FileError
from napari_qsm.io.names import PHASE, base_of, bids_entities, echo_of, part_of

if TYPE_CHECKING:
    from napari_qsm.io.series import ImageFile, ScanFiles


_POINTER_SIZE = 32 * 1024


def absence(path: Path) -> str:
    """Why a file that a folder names has no content; empty where it may have some.

    Returns
    -------
    str
        What follows the file's name in a sentence.
    """
    if path.is_symlink() and not path.exists():
        if "annex" in path.readlink().parts:
            return (
                "was not fetched: it is a link of git-annex (DataLad) whose content is not here; "
                "get it with 'datalad get' or 'git annex get'"
            )
        return "is a link that leads nowhere"
    if not path.is_file():
        return ""
    size = path.stat().st_size
    if size == 0:
        return "is empty"
    if size < _POINTER_SIZE:
        with path.open("rb") as handle:
            start = handle.read(200)
        if start.startswith((b"/annex/objects/", b"\\annex\\objects\\")):
            return (
                "was not fetched: it is a pointer of git-annex (DataLad), not the image; get it "
                "with 'datalad get' or 'git annex get'"
            )
        if start.startswith(b"version https://git-lfs"):
            return "was not fetched: it is a pointer of git-lfs, not the image; 'git lfs pull'"
    return ""


def is_listed(path: Path) -> bool:
    """Whether a folder names a file, be its content there or not."""
    return path.is_file() or path.is_symlink()


_MOST_LISTED = 4


def no_phase(where: str, images: Iterable[Path], folders: Iterable[Path]) -> str:
    """Why a place that holds images gives no scan, as far as its files tell.

    Parameters
    ----------
    where : str
        Name of the place.
    images : iterable of Path
        Everything that was found.
    folders : iterable of Path
        Where sidecars without images may lie.
    """
    gone = [path for path in images if absence(path)]
    if gone:
        return f"No phase was found in '{where}', but '{gone[0].name}' {absence(gone[0])}."
    orphans = [path for folder in folders for path in _orphans(folder, PHASE)]
    if orphans:
        return (
            f"'{where}' holds no phase image, but '{orphans[0].name}' tells of one that is not "
            "there; copy the images that belong to the sidecars."
        )
    return (
        f"'{where}' holds images but no phase; QSM needs the phase images of a gradient-echo scan. "
        "If they are elsewhere, copy them or name the files with --phase; else have them saved at "
        "the scanner."
    )


def check_complete(files: ScanFiles) -> None:
    """Refuse a scan whose images cannot be told apart from those that lack.

    Raises
    ------
    FileError
        If an image is named but has no content, real and imaginary images are not paired, or
        some echoes have a magnitude and others have none.
    """
    for image in files.images:
        why = absence(image.path)
        if why:
            raise FileError(f"'{image.path.name}' {why}.")
    if len(files.real) != len(files.imaginary):
        raise FileError(
            f"'{files.label}' has {len(files.real)} real but {len(files.imaginary)} imaginary "
            "images, and each echo needs both."
        )
    signal, times = files.phase or files.real, [i.echo_times_s for i in files.magnitude]
    counts = (0, 1, len(signal))
    if not files.is_difference and len(times) not in counts and all(len(t) == 1 for t in times):
        known = {round(t[0], 6) for t in times}
        lacking = [t for i in signal for t in i.echo_times_s if round(t, 6) not in known]
        if lacking:
            said = ", ".join(f"{t * 1e3:g}" for t in lacking)
            raise FileError(
                f"The magnitude at {said} ms is missing beside the phase of '{files.label}'; add "
                "it, or take the other magnitudes away."
            )


def loss_notes(files: ScanFiles) -> list[str]:
    """Sentences on echoes that the names of the files say should be there; names stay out."""
    notes = list(files.notes)
    if files.is_difference:
        return notes
    gaps: dict[tuple[int, ...], list[str]] = {}
    for what, images in (
        ("phase", files.phase),
        ("magnitude", files.magnitude),
        ("real", files.real),
        ("imaginary", files.imaginary),
    ):
        there = [n for n in (echo_of(image.path) for image in images) if n is not None]
        if there and len(there) == len(images):
            lacking = set(range(1, max(there) + 1)) - set(there)
            lacking |= _told_by_sidecars(images[0]) - set(there)
            if lacking:
                gaps.setdefault(tuple(sorted(lacking)), []).append(what)
    for lacking_, parts in gaps.items():
        numbers = ", ".join(map(str, lacking_[:_MOST_LISTED]))
        more = f" and {len(lacking_) - _MOST_LISTED} more" if len(lacking_) > _MOST_LISTED else ""
        many = len(lacking_) > 1
        notes.append(
            f"Echo{'es' if many else ''} {numbers}{more} of the {' and '.join(parts)} "
            f"{'are' if many else 'is'} missing, as the numbers of the other echoes tell; the scan "
            "is used without."
        )
    return notes + _by_count(files)


def _by_count(files: ScanFiles) -> list[str]:
    """What the sidecars say about the number of echoes, against what there is."""
    signal = files.phase or files.real
    there = sum(i.shape[3] if len(i.shape) == 4 else 1 for i in signal)
    said = [i.metadata.get("NumberOfEchoes") for i in signal]
    most = max((n for n in said if isinstance(n, int) and not isinstance(n, bool)), default=0)
    if not there < most <= 100:
        return []
    return [
        f"The sidecars tell of {most} echoes, but there are images of {there}; the scan is used "
        "without the others."
    ]


def _told_by_sidecars(image: ImageFile) -> set[int]:
    """Echoes of a part for which there is a sidecar but no image."""
    found = set()
    for path in _orphans(image.path.parent, image.part):
        number = echo_of(path.with_suffix(".nii"))
        if number is not None and base_of(path.with_suffix(".nii")) == base_of(image.path):
            found.add(number)
    return found


def _orphans(folder: Path, part: str) -> list[Path]:
    """Sidecars of a part that belong to one image, which is not there."""
    out = []
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    for path in sorted(folder / name for name in names if name.endswith(".json")):
        image = path.with_suffix(".nii")
        entities, _ = bids_entities(image)
        inherited = "part" in entities and "echo" not in entities
        has_image = any(n.startswith(f"{path.stem}.") and n != path.name for n in names)
        if part_of(image, {}) == part and not inherited and not has_image:
            out.append(path)
    return out
