"""Scan: the phase and magnitude echoes of one gradient-echo acquisition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from napari_qsm.errors import MetadataError
from napari_qsm.volume import Volume

#: Limits outside which a value is taken for a unit mistake, not for a scan.
ECHO_TIME_LIMITS_S = (0.5e-3, 0.2)
FIELD_STRENGTH_LIMITS_T = (0.01, 30.0)


@dataclass(frozen=True, eq=False)
class Scan:
    """One gradient-echo acquisition: echoes in ascending echo time on one grid.

    Attributes
    ----------
    phase : tuple of Volume
        3-D phase echoes. Their unit may still be undeclared; the phase stage settles it.
    echo_times_s : tuple of float
        The time over which each phase evolved, in seconds, ascending. For a phase
        difference this is the single ``(TE2 - TE1,)``.
    field_strength_t : float
        B0 in tesla.
    magnitude : tuple of Volume
        3-D magnitude echoes; may be empty.
    magnitude_echo_times_s : tuple of float
        Echo times of the magnitudes; those of the phase unless given. Empty where unknown.
    phase_difference : bool
        True where ``phase`` is one image of the phase gained between two echoes.
    metadata : dict
        What the sidecar said in BIDS terms, without anything that names a person.

    Raises
    ------
    MetadataError
        Echo times missing, equal, too many or outside 0.5-200 ms; field outside 0.01-30 T.
    GeometryError
        Echoes that do not share one grid.
    """

    phase: tuple[Volume, ...]
    echo_times_s: tuple[float, ...]
    field_strength_t: float
    magnitude: tuple[Volume, ...] = ()
    magnitude_echo_times_s: tuple[float, ...] = ()
    phase_difference: bool = False
    metadata: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        phase, magnitude = _split(self.phase), _split(self.magnitude)
        times = check_echo_times(self.echo_times_s)
        if not phase:
            raise MetadataError("A scan needs at least one phase image.")
        if len(times) != len(phase):
            raise MetadataError(
                f"There are {len(phase)} phase images but {len(times)} echo times; "
                "each phase image needs its own echo time."
            )
        if self.phase_difference and len(phase) != 1:
            raise MetadataError(
                f"A phase-difference scan has one phase image, but {len(phase)} were given."
            )
        check_field_strength(self.field_strength_t)
        phase = tuple(volume.like(phase[0]) for volume in phase)
        magnitude = tuple(volume.like(phase[0]) for volume in magnitude)
        magnitude_times = tuple(float(t) for t in self.magnitude_echo_times_s)
        if not magnitude_times and not self.phase_difference and len(magnitude) == len(phase):
            magnitude_times = times
        if magnitude_times and len(magnitude_times) != len(magnitude):
            raise MetadataError(
                f"There are {len(magnitude)} magnitude images but {len(magnitude_times)} "
                "magnitude echo times."
            )
        if not self.phase_difference and len(magnitude) not in (0, 1, len(phase)):
            raise MetadataError(
                f"There are {len(phase)} phase images but {len(magnitude)} magnitude images."
            )
        # Echoes are sorted together with their images, so a shuffled list does no harm.
        phase, times = _by_time(phase, times)
        if magnitude_times:
            magnitude, magnitude_times = _by_time(magnitude, check_echo_times(magnitude_times))
        for name, value in (
            ("phase", phase),
            ("echo_times_s", times),
            ("magnitude", magnitude),
            ("magnitude_echo_times_s", magnitude_times),
        ):
            object.__setattr__(self, name, value)

    @property
    def grid(self) -> Volume:
        """A volume that stands for the grid all echoes share."""
        return self.phase[0]

    def to_canonical(self) -> Scan:
        """The same scan with every volume in closest-canonical RAS (flips and permutations)."""
        return Scan(
            phase=tuple(v.to_canonical() for v in self.phase),
            echo_times_s=self.echo_times_s,
            field_strength_t=self.field_strength_t,
            magnitude=tuple(v.to_canonical() for v in self.magnitude),
            magnitude_echo_times_s=self.magnitude_echo_times_s,
            phase_difference=self.phase_difference,
            metadata=self.metadata,
        )


def _split(volumes: Sequence[Volume]) -> tuple[Volume, ...]:
    """4-D volumes into their echoes (views)."""
    echoes: list[Volume] = []
    for volume in volumes:
        count = volume.data.shape[3] if volume.data.ndim == 4 else 1
        echoes.extend(volume.echo(i) for i in range(count))
    return tuple(echoes)


def _by_time(
    volumes: tuple[Volume, ...], times: tuple[float, ...]
) -> tuple[tuple[Volume, ...], tuple[float, ...]]:
    order = sorted(range(len(times)), key=times.__getitem__)
    return tuple(volumes[i] for i in order), tuple(times[i] for i in order)


def check_echo_times(echo_times_s: Sequence[float]) -> tuple[float, ...]:
    """Echo times as floats in seconds, refused if missing, equal or likely in another unit.

    Raises
    ------
    MetadataError
        With the value in ms and the range that is allowed.
    """
    times = tuple(float(t) for t in echo_times_s)
    low, high = ECHO_TIME_LIMITS_S
    if not times:
        raise MetadataError("The echo time is missing; give it in milliseconds (for example 21).")
    for time in times:
        if not low <= time <= high:
            raise MetadataError(
                f"An echo time of {time * 1e3:g} ms lies outside {low * 1e3:g}-{high * 1e3:g} ms; "
                "it may be in the wrong unit."
            )
    if len(set(times)) != len(times):
        raise MetadataError(
            "Two echoes have the same echo time ("
            + ", ".join(f"{t * 1e3:g}" for t in times)
            + " ms)."
        )
    return times


def check_field_strength(field_strength_t: float | None) -> float:
    """Field strength in tesla, refused if missing or likely in another unit.

    Raises
    ------
    MetadataError
        With the value and the range that is allowed.
    """
    low, high = FIELD_STRENGTH_LIMITS_T
    if field_strength_t is None or not low <= float(field_strength_t) <= high:
        said = "missing" if field_strength_t is None else f"{field_strength_t:g} T"
        raise MetadataError(
            f"The field strength is {said}; it must lie within {low:g}-{high:g} T "
            "(3 for a 3 T scanner)."
        )
    return float(field_strength_t)
