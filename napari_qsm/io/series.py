"""From a heap of images to scans: which phase belongs to which magnitude."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.io.forms import mm_per_unit
from napari_qsm.io.names import (
    IMAGINARY,
    MAGNITUDE,
    PHASE,
    REAL,
    base_of,
    echo_of,
    is_difference_name,
    part_of,
    with_parts,
)
from napari_qsm.io.sidecar import numbers, read_sidecar
from napari_qsm.volume import same_lattice, voxel_size_mm

#: Echo times closer than this are the same echo, s.
SAME_ECHO_S = 5e-6


@dataclass(frozen=True)
class ImageFile:
    """An image on disk and what is said about it, its values unread.

    Attributes
    ----------
    path : Path
        The NIfTI file.
    metadata : dict
        Allowed entries of its sidecar.
    part : str
        ``"phase"``, ``"magnitude"``, ``"real"``, ``"imaginary"`` or empty.
    shape : tuple of int
        Of the values; empty where the header cannot be read.
    affine : (4, 4) ndarray
        Voxel to world RAS mm.
    """

    path: Path
    metadata: dict[str, Any] = field(default_factory=dict)
    part: str = ""
    shape: tuple[int, ...] = ()
    affine: Array = field(default_factory=lambda: np.eye(4), compare=False)

    @property
    def echo_times_s(self) -> tuple[float, ...]:
        """What the sidecar gives as EchoTime."""
        return numbers(self.metadata, "EchoTime", self.path.name)

    @property
    def difference_times_s(self) -> tuple[float, ...]:
        """The two echo times of a phase difference; empty for anything else."""
        both = [numbers(self.metadata, f"EchoTime{i}", self.path.name) for i in (1, 2)]
        if self.part != PHASE or not all(len(times) == 1 for times in both):
            return ()
        first, second = both[0][0], both[1][0]
        # A scanner files a difference under its later echo; the earlier one is an echo's own.
        if len(self.echo_times_s) == 1 and not is_difference_name(self.path):
            own = self.echo_times_s[0]
            if abs(own - first) < SAME_ECHO_S < abs(own - second):
                return ()
        return first, second

    @property
    def is_difference(self) -> bool:
        """Whether sidecar or name say that this is a phase difference."""
        return bool(self.difference_times_s) or is_difference_name(self.path)


@dataclass(frozen=True)
class ScanFiles:
    """The images of one scan.

    Attributes
    ----------
    label : str
        What the user calls it when choosing among several.
    phase, magnitude, real, imaginary : tuple of ImageFile
        In the order of their echoes. Either ``phase``, or ``real`` and ``imaginary``. Among
        them are files whose header cannot be read but that belong here by their names.
    notes : tuple of str
        What was left out, and why.
    """

    label: str
    phase: tuple[ImageFile, ...] = ()
    magnitude: tuple[ImageFile, ...] = ()
    real: tuple[ImageFile, ...] = ()
    imaginary: tuple[ImageFile, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def images(self) -> tuple[ImageFile, ...]:
        """All of them."""
        return self.phase + self.magnitude + self.real + self.imaginary

    @property
    def is_difference(self) -> bool:
        """Whether its one phase image is a phase difference."""
        return len(self.phase) == 1 and self.phase[0].is_difference

    @property
    def summary(self) -> str:
        """What there is, and its echo times."""
        signal = self.phase or self.real
        if self.is_difference:
            what = "a phase difference"
            times = self.phase[0].difference_times_s
        else:
            echoes = sum(image.shape[3] if len(image.shape) == 4 else 1 for image in signal)
            kind = "phase" if self.phase else "real and imaginary"
            what = f"{echoes} echo{'es' if echoes > 1 else ''} of {kind}"
            times = tuple(t for image in signal for t in image.echo_times_s)
        if self.magnitude:
            what += f", {len(self.magnitude)} magnitude"
        said = sorted({f"{t * 1e3:g}" for t in times}, key=float)
        return f"{what}, TE {', '.join(said)} ms" if said else what

    @property
    def description(self) -> str:
        """One line: what there is, echo times, size."""
        first = (self.phase or self.real)[0]
        if not first.shape:
            return self.summary
        shape = " x ".join(str(n) for n in first.shape[:3])
        sizes = " x ".join(f"{round(size, 3):g}" for size in voxel_size_mm(first.affine))
        return f"{self.summary}, {shape} voxels of {sizes} mm"


def image_file(path: Path, metadata: dict[str, Any] | None = None) -> ImageFile:
    """Look at the header and the sidecar of an image.

    Parameters
    ----------
    path : Path
        The NIfTI file.
    metadata : dict, optional
        Sidecar entries, where they do not lie beside it alone (BIDS inheritance).
    """
    metadata = read_sidecar(path) if metadata is None else metadata
    shape, affine = _placed(path)
    return ImageFile(path, metadata, part_of(path, metadata), shape, affine)


def _placed(path: Path) -> tuple[tuple[int, ...], Array]:
    """Shape and affine (mm) from the header alone; no shape where it cannot be read."""
    try:
        image = nib.load(path)
        affine = np.diag([*([mm_per_unit(image.header)] * 3), 1.0]) @ np.asarray(image.affine)
        return tuple(int(n) for n in image.shape), affine
    except Exception:  # the reader will say what is wrong, if the image is needed
        return (), np.eye(4)


def group_images(images: Iterable[ImageFile]) -> list[ScanFiles]:
    """Pair phase and magnitude (or real and imaginary) images, and order their echoes.

    Images belong together that lie in one folder, on one grid, and share their name but for
    echo and part. Magnitudes of another name (scanners give phase a series number of its own)
    are paired by grid, echo times and nearest series number.

    Returns
    -------
    list of ScanFiles
        In the order of their labels; empty where there is no phase.
    """
    sets: dict[tuple[Any, ...], list[ImageFile]] = {}
    grids: list[ImageFile] = []
    known = with_parts(list(images))
    for image in known:
        if image.part and len(image.shape) in (3, 4, 5):
            sets.setdefault(_key(image, grids), []).append(image)
    _add_unreadable(sets, known, grids)
    magnitudes = [_in_order(s) for k, s in sets.items() if k[0] == MAGNITUDE]
    scans = []
    for key, found in sets.items():
        if key[0] == PHASE:
            phase = _in_order(found)
            label = key[2] or phase[0].path.parent.name
            magnitude, notes = _matching(phase, magnitudes)
            scans.append(ScanFiles(label, phase=phase, magnitude=magnitude, notes=notes))
    with_phase = {key[1:4] for key in sets if key[0] == PHASE}
    for key, found in sets.items():
        partner = sets.get((IMAGINARY, *key[1:])) or _loose_partner(sets, key)
        if key[0] == REAL and partner:
            if key[1:4] in with_phase:  # the scanner gave phase as well
                continue
            real = _in_order(found)
            label = key[2] or real[0].path.parent.name
            magnitude, notes = _matching(real, magnitudes)
            imaginary = _in_order(partner)
            scans.append(
                ScanFiles(label, real=real, imaginary=imaginary, magnitude=magnitude, notes=notes)
            )
    return _with_own_labels(sorted(scans, key=lambda scan: scan.label))


def _key(image: ImageFile, grids: list[ImageFile]) -> tuple[Any, ...]:
    """What images of one part of one series share; a grid not seen before joins ``grids``."""
    grid = next((i for i, other in enumerate(grids) if _same_grid(image, other)), len(grids))
    if grid == len(grids):
        grids.append(image)
    return (
        image.part,
        image.path.parent,
        base_of(image.path),
        grid,
        image.metadata.get("SeriesNumber") if image.part == PHASE else None,
        is_difference_name(image.path),
    )


def _in_order(images: Sequence[ImageFile]) -> tuple[ImageFile, ...]:
    """By echo time where each has one, else by the echo in the name."""
    if all(len(image.echo_times_s) == 1 for image in images):
        return tuple(sorted(images, key=lambda i: (i.echo_times_s, i.path.name)))
    return tuple(sorted(images, key=lambda i: (echo_of(i.path) or 0, i.path.name)))


def _is_readable(image: ImageFile) -> bool:
    return len(image.shape) in (3, 4, 5)


def _add_unreadable(
    sets: dict[tuple[Any, ...], list[ImageFile]],
    images: list[ImageFile],
    grids: list[ImageFile],
) -> None:
    """Put images whose header cannot be read where they belong by name; the reader names them."""
    for image in images:
        if not image.part or _is_readable(image):
            continue
        key = _key(image, grids)
        fitting = [k for k in sets if _without_grid(k) == _without_grid(key)]
        if fitting:
            sets[max(fitting, key=lambda k: len(sets[k]))].append(image)
        elif not image.shape:
            sets.setdefault(key, []).append(image)


def _without_grid(key: tuple[Any, ...]) -> tuple[Any, ...]:
    return key[:3] + key[4:]


def _loose_partner(
    sets: dict[tuple[Any, ...], list[ImageFile]], key: tuple[Any, ...]
) -> list[ImageFile] | None:
    """Imaginary images that belong to real ones by name alone; the reader compares the grids."""
    wanted = _without_grid((IMAGINARY, *key[1:]))
    return next((found for k, found in sets.items() if _without_grid(k) == wanted), None)


def _matching(
    signal: tuple[ImageFile, ...], magnitudes: Sequence[tuple[ImageFile, ...]]
) -> tuple[tuple[ImageFile, ...], tuple[str, ...]]:
    """The set of magnitudes that fits a set of phases best, and what was left out."""
    beside = [m for m in magnitudes if m[0].path.parent == signal[0].path.parent]
    fitting = [m for m in beside if not _misfit(signal, m)]
    if fitting:
        first = signal[0]
        return min(fitting, key=lambda m: (not _same_base(first, m[0]), _apart(first, m[0]))), ()
    own = [m for m in beside if _same_base(signal[0], m[0])]
    for magnitude in own:  # of more echoes than there is phase
        kept = tuple(image for image in magnitude if _same_times(signal, [image]))
        if len(kept) == len(signal) and not _misfit(signal, kept):
            left = [f"{t * 1e3:g}" for i in magnitude if i not in kept for t in i.echo_times_s]
            said = f"The magnitude at {', '.join(left)} ms has no phase beside it"
            return kept, (f"{said}; the scan is used without that echo.",)
    if own or len(beside) == 1:
        return (), (f"There are magnitudes, but {_misfit(signal, (own or beside)[0])}.",)
    return (), ()


def _misfit(signal: Sequence[ImageFile], magnitude: Sequence[ImageFile]) -> str:
    """Why magnitudes do not belong to phases, as the end of a sentence; empty where they do."""
    first = next((i for i in signal if _is_readable(i)), signal[0])
    other = next((i for i in magnitude if _is_readable(i)), None)
    if other is None:  # none can be read, so the name decides, and the reader will say so
        return "" if _same_base(first, magnitude[0]) else "they cannot be read; they are not used"
    if not _same_grid(other, first):
        sizes = [" x ".join(map(str, i.shape[:3])) or "unknown" for i in (other, first)]
        return f"they lie on another grid ({sizes[0]}, phase {sizes[1]}); they are not used"
    if not _same_times(signal, magnitude):
        return "their echo times are not the phase's; they are not used"
    if not _same_sequence(first, other):
        return "they were measured with another repetition time or flip angle; they are not used"
    return ""


def _same_grid(a: ImageFile, b: ImageFile) -> bool:
    if not (_is_readable(a) and _is_readable(b)):
        return a.shape == b.shape
    return same_lattice(a.shape[:3], a.affine, b.shape[:3], b.affine)


def _same_times(signal: Sequence[ImageFile], magnitude: Sequence[ImageFile]) -> bool:
    """Whether each magnitude has an echo time of the phases, as far as times are known."""
    own = [t for i in signal for t in (i.difference_times_s or i.echo_times_s)]
    theirs = [t for i in magnitude for t in i.echo_times_s]
    if not own or not theirs:
        return True
    return all(min(abs(t - o) for o in own) < SAME_ECHO_S for t in theirs)


def _same_sequence(a: ImageFile, b: ImageFile) -> bool:
    said = [(a.metadata.get(key), b.metadata.get(key)) for key in ("RepetitionTime", "FlipAngle")]
    return all(x is None or y is None or x == y for x, y in said)


def _same_base(a: ImageFile, b: ImageFile) -> bool:
    return base_of(a.path) == base_of(b.path)


def _apart(a: ImageFile, b: ImageFile) -> float:
    """How many series lie between the two; magnitudes come before their phase."""
    said = [numbers(i.metadata, "SeriesNumber", i.path.name) for i in (a, b)]
    if not all(said):
        return float("inf")
    apart = said[0][0] - said[1][0]
    return abs(apart) + (0.5 if apart < 0 else 0.0)


def _with_own_labels(scans: Sequence[ScanFiles]) -> list[ScanFiles]:
    """Number scans that would share a label."""
    labels = [scan.label for scan in scans]
    out = []
    for i, scan in enumerate(scans):
        label = scan.label
        if labels.count(label) > 1:
            label = f"{label}#{labels[: i + 1].count(label)}"
        out.append(replace(scan, label=label))
    return out
