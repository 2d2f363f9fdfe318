"""Scans opened under their names by whoever leads a study, while others still read blind.

That is no unblinding, as the codes stay hidden, but whoever has seen a map with its name cannot read
it blind. So it is stated once with a reason and a name, and every scan opened stands in the log.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from napari_qsm.errors import QsmError
from napari_qsm.study.magnitudes import scan_files
from napari_qsm.study.overview import Overview, counted
from napari_qsm.study.reading_log import write_event
from napari_qsm.study.status import ScanStatus
from napari_qsm.study.study_scan import rater_of

#: The event in the log.
OPENED = "scan opened by name"


def reader_warning(overview: Overview, who: str) -> str:
    """One sentence for somebody who still has to read for this study; empty for others."""
    own = next((r for r in overview.raters if r.casefold() == who.strip().casefold()), "")
    done, of = overview.counts(own) if own else (0, 0)
    if done == of:
        return ""
    return (
        f"{own} has still to hand in {counted(of - done, 'reading')}: no longer blind once {own} has seen "
        "scans under their names, and the methods section will say so."
    )


def state_opening(overview: Overview, row: ScanStatus, who: str, reason: str) -> None:
    """Write into the log that a scan was opened under its name.

    Raises
    ------
    QsmError
        Without a name or a reason, or if the log cannot be written.
    """
    if not who.strip() or not reason.strip():
        raise QsmError("Opening a scan under its name needs a reason, and who you are.")
    own = next((r for r in overview.raters if r.casefold() == who.strip().casefold()), "")
    unread = [
        label
        for label, state in row.raters.items()
        if state in ("waiting", "open") and rater_of(label)[0] == own
    ]
    write_event(
        overview.study.root,
        OPENED,
        scan=overview.study.scan(*row.key).stem,
        by=own or who.strip(),
        reason=reason.strip(),
        unread=unread,
    )


def files_of(
    overview: Overview, row: ScanStatus, *, raw: bool = False, label: str = ""
) -> list[Path]:
    """What is opened of a scan: its map over a magnitude, a reading on it, or the raw scan.

    Parameters
    ----------
    overview : Overview
    row : ScanStatus
    raw : bool
        The raw scan even where there is a map.
    label : str
        Of a reading, whose label map goes with the map where it was handed in.

    Raises
    ------
    QsmError
        If there is nothing to open.
    """
    study = overview.study
    scan = study.scan(*row.key)
    folder = study.raw_folder(scan)
    if scan.is_reconstructed and not raw:
        found = [scan.map]
        with suppress(QsmError):  # without raw data, the map alone
            found += [image.path for image in scan_files(study, scan).magnitude[:1]]
        labels = scan.dseg(*rater_of(label)) if label else None
        if labels is not None and labels.is_file():
            found.append(labels)
        return found
    if folder is None:
        raise QsmError(f"{scan.name} has neither a map nor raw data that are there.")
    return [folder]
