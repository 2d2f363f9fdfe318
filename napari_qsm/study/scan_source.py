"""Which scans a session holds, what is known of each, and where that was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from napari_qsm import typed
from napari_qsm.errors import MetadataError, QsmError
from napari_qsm.scan import (
    ECHO_TIME_LIMITS_S,
    Scan,
    check_echo_times,
    check_field_strength,
)
from napari_qsm.volume import Volume

if TYPE_CHECKING:
    from napari_qsm.io.series import ScanFiles
    from napari_qsm.study.entry import MapEntry

FROM_FILE = "from the sidecar"
FROM_SCAN = "from the scan"
TYPED = "typed in"
MISSING = "not recorded"
#: Among facts of an image, that a single step made it.
MADE = "Made"


@dataclass(frozen=True)
class Facts:
    """What a reconstruction must know of a scan besides its images.

    Attributes
    ----------
    echo_times_s : tuple of float
        Empty where not recorded; for a phase difference the one time between its echoes.
    field_strength_t : float or None
        None where not recorded.
    phase_difference : bool
        Whether the phase is the difference between two echoes.
    """

    echo_times_s: tuple[float, ...] = ()
    field_strength_t: float | None = None
    phase_difference: bool = False


@dataclass(frozen=True, eq=False)
class ScanSource:
    """A scan that can be reconstructed: one that was read whole, or images that lie open.

    Attributes
    ----------
    title : str
        What the user chooses it by.
    phase, magnitude : tuple of Volume
        The images as they are open.
    recorded : Facts
        What files say.
    metadata : dict
        Sidecar entries.
    scan : Scan or None
        The scan, if it was read whole.
    files : ScanFiles or None
        The files to read it from otherwise.
    """

    title: str
    phase: tuple[Volume, ...]
    magnitude: tuple[Volume, ...]
    recorded: Facts
    metadata: dict[str, object] = field(default_factory=dict)
    scan: Scan | None = None
    files: ScanFiles | None = None

    @property
    def key(self) -> tuple[object, ...]:
        """The same for the same images."""
        if self.scan is not None:
            return (id(self.scan),)
        return tuple(id(v.data.base) for v in (*self.phase, *self.magnitude))

    @property
    def echoes(self) -> int:
        """Number of phase images."""
        return sum(v.data.shape[3] if v.data.ndim == 4 else 1 for v in self.phase)

    @property
    def where(self) -> str:
        """Where what is recorded was found."""
        return FROM_FILE if self.files is not None else FROM_SCAN

    def make(self, facts: Facts) -> Scan:
        """The scan with these facts; reads files, where it was not read whole.

        Parameters
        ----------
        facts : Facts
            All of them; those that differ from what is recorded are used, and noted.

        Raises
        ------
        MetadataError
            If an echo time or the field strength is missing or out of bounds.
        FileError, GeometryError
            If files cannot be read, or images do not fit together.
        """
        check_facts(facts, self.echoes)
        if self.scan is not None:
            same = facts == self.recorded
            return self.scan if same else _changed(self.scan, facts, self.recorded)
        if self.files is not None:
            from napari_qsm.io.scan_reader import read_scan

            own = facts.echo_times_s == self.recorded.echo_times_s
            return read_scan(
                self.files,
                echo_times_s=None if own else facts.echo_times_s,
                field_strength_t=(
                    None
                    if facts.field_strength_t == self.recorded.field_strength_t
                    else facts.field_strength_t
                ),
                phase_difference=facts.phase_difference,
            )
        return Scan(
            phase=self.phase,
            echo_times_s=facts.echo_times_s,
            field_strength_t=check_field_strength(facts.field_strength_t),
            magnitude=self.magnitude,
            phase_difference=facts.phase_difference,
            metadata=dict(self.metadata),
        )


def check_facts(facts: Facts, echoes: int) -> None:
    """Refuse what a scan cannot be made of.

    Raises
    ------
    MetadataError
        In one sentence.
    """
    times = check_echo_times(facts.echo_times_s)
    if facts.phase_difference and len(times) > 1:
        raise MetadataError(
            "A phase difference has one time, that between its two echoes (TE2 - TE1)."
        )
    if not facts.phase_difference and len(times) != echoes:
        raise MetadataError(
            f"The scan has {echoes} phase image{'s' if echoes > 1 else ''} but {len(times)} echo "
            f"time{'s' if len(times) > 1 else ''}; give one for each, in ms."
        )
    check_field_strength(facts.field_strength_t)


def _changed(scan: Scan, facts: Facts, recorded: Facts) -> Scan:
    """A scan with values typed in by the user, noted as such."""
    notes = scan.metadata.get("Notes", [])
    said = list(notes) if isinstance(notes, list) else []
    if facts.echo_times_s != recorded.echo_times_s:
        said.append(
            f"The echo times given ({in_ms(facts.echo_times_s)} ms) differ from the recorded ones "
            f"({in_ms(recorded.echo_times_s)} ms); the given ones are used."
        )
    if facts.field_strength_t != recorded.field_strength_t:
        said.append(
            f"The field strength given ({facts.field_strength_t:g} T) differs from the recorded "
            f"one ({recorded.field_strength_t or 0:g} T); the given one is used."
        )
    if facts.phase_difference != recorded.phase_difference:
        kind = "a phase difference" if facts.phase_difference else "the phase of single echoes"
        said.append(f"The phase was used as {kind}, as stated.")
    own_times = scan.magnitude_echo_times_s
    follows = own_times == recorded.echo_times_s and not facts.phase_difference
    return replace(
        scan,
        echo_times_s=facts.echo_times_s,
        field_strength_t=check_field_strength(facts.field_strength_t),
        phase_difference=facts.phase_difference,
        magnitude_echo_times_s=() if follows else own_times,
        metadata={**scan.metadata, "Notes": said},
    )


def in_ms(times_s: Sequence[float]) -> str:
    """Times in ms, as people write them.

    Examples
    --------
    >>> in_ms((0.00492, 0.00738))
    '4.92, 7.38'
    """
    return ", ".join(f"{t * 1e3:.6g}" for t in times_s)


def from_ms(text: str) -> tuple[float, ...]:
    """Times in s from text in ms, separated by commas, semicolons or spaces.

    Raises
    ------
    MetadataError
        If the text holds something else, can be read in two ways, or a time lies outside
        0.5-200 ms.
    """
    grow = typed.ascending(*(limit * 1e3 for limit in ECHO_TIME_LIMITS_S))
    times = typed.numbers([text], "The echo time in ms", unit="ms", possible=grow)
    return check_echo_times(tuple(round(t * 1e-3, 12) for t in times))


def from_tesla(text: str) -> float:
    """A field strength from text.

    Raises
    ------
    MetadataError
        If it is no number, or lies outside 0.01-30 T.
    """
    return check_field_strength(typed.number(text, "The field strength in tesla", unit="T"))


def source_of_scan(scan: Scan, title: str = "") -> ScanSource:
    """A scan that was read whole, by the name of whose it is."""
    facts = Facts(scan.echo_times_s, scan.field_strength_t, scan.phase_difference)
    return ScanSource(
        title=title or scan.phase[0].name or "scan",
        phase=scan.phase,
        magnitude=scan.magnitude,
        recorded=facts,
        metadata=dict(scan.metadata),
        scan=scan,
    )


def sources_among(entries: Sequence[MapEntry]) -> list[ScanSource]:
    """Scans among images that were opened as files, paired by name and sidecar.

    Parameters
    ----------
    entries : sequence of MapEntry
        Of one case; what a reconstruction has made is left out.
    """
    from napari_qsm.io.bids import sidecar_of
    from napari_qsm.io.names import PHASE
    from napari_qsm.io.series import group_images, image_file

    images = [e for e in entries if not e.provenance and e.editable is None]
    by_path = {e.volume.origin: e for e in images if e.volume.origin is not None}
    found = []
    try:
        files = [image_file(path, sidecar_of(path)) for path in by_path]
    except QsmError:  # a broken sidecar: the images are still there, with nothing recorded
        files = []
    used: set[str] = set()
    for group in group_images(files):
        phase = [by_path[image.path] for image in group.phase]
        if not phase or any(image.part != PHASE for image in group.phase):
            continue
        used |= {e.id for e in phase}
        found.append(_of_files(group, phase, [by_path[i.path] for i in group.magnitude]))
    loose = [
        e
        for e in images
        if e.role == "phase" and e.id not in used and "unwrap" not in e.name.lower()
    ]
    # What a single step made of the measured phase is no echo more.
    loose = [e for e in loose if not e.facts.get(MADE)] or loose
    if loose:
        found.append(_of_layers(loose, [e for e in images if e.role == "magnitude"]))
    return found


def _of_files(
    files: ScanFiles, phase: Sequence[MapEntry], magnitude: Sequence[MapEntry]
) -> ScanSource:
    from napari_qsm.io.sidecar import numbers

    difference = files.is_difference
    if difference:
        both = files.phase[0].difference_times_s
        times: tuple[float, ...] = (round(abs(both[1] - both[0]), 9),) if both else ()
    else:
        own = [image.echo_times_s for image in files.phase]
        times = tuple(t for echo in own for t in echo) if all(own) else ()
    strengths = {
        t
        for image in files.images
        for t in numbers(image.metadata, "MagneticFieldStrength", image.path.name)
    }
    strength = strengths.pop() if len(strengths) == 1 else None
    return ScanSource(
        title=files.label,
        phase=tuple(e.volume for e in phase),
        magnitude=tuple(e.volume for e in magnitude),
        recorded=Facts(times, strength, difference),
        metadata=dict(files.phase[0].metadata),
        files=files,
    )


def _of_layers(phase: Sequence[MapEntry], magnitude: Sequence[MapEntry]) -> ScanSource:
    """Images without files, for example layers that somebody else made; they may know nothing."""
    grid = phase[0].volume
    fitting = [
        e for e in magnitude if e.volume.shape == grid.shape and len(magnitude) in (1, len(phase))
    ]
    times = [e.facts.get("EchoTime") for e in phase]
    strengths = {e.facts.get("MagneticFieldStrength") for e in phase}
    strength = strengths.pop() if len(strengths) == 1 else None
    known = tuple(float(t) for t in times if isinstance(t, int | float))
    return ScanSource(
        title=phase[0].name,
        phase=tuple(e.volume for e in phase),
        magnitude=tuple(e.volume for e in fitting),
        recorded=Facts(
            known if len(known) == len(phase) else (),
            float(strength) if isinstance(strength, int | float) else None,
        ),
        metadata={k: v for k, v in phase[0].facts.items() if k not in ("EchoTime", MADE)},
    )
