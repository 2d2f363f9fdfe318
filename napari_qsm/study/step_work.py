"""The steps of a study as work in the background: each tells how far it is, and what came of it.

What the command line does with its arguments, these do with the folder alone; they call the same functions.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_qsm.errors import QsmError
from napari_qsm.figures.draw import DRAWING
from napari_qsm.study.batch.group import write_group_page
from napari_qsm.study.batch.whole import Means, plan_batch, run_batch
from napari_qsm.study.folder import StudyFolder, make_derivatives, make_study
from napari_qsm.study.identity import case_name
from napari_qsm.study.import_table import import_table
from napari_qsm.study.protocol import PROTOCOL_FILE, load_protocol, recipe_for
from napari_qsm.study.register import PAGE, Registered, register_study
from napari_qsm.study.suggest import Suggested, suggest_study
from napari_qsm.study.worklist import assign, unblind

#: Told the fraction done and what is being done; raises to stop.
Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class StepDone:
    """What came of a step.

    Attributes
    ----------
    sentence : str
        How it ended, in one.
    text : str
        All that was said, for whoever wants to read it.
    is_bad : bool
        Whether something failed that must be looked at.
    opens : Path or None
        What shows the result.
    """

    sentence: str
    text: str = ""
    is_bad: bool = False
    opens: Path | None = None


def import_step(root: Path, raw: Path, table: Path, progress: Progress) -> StepDone:
    """Import every visit of a table into the raw data set, which the study knows from then on."""
    lines: list[str] = []
    done = import_table(
        table, raw, progress=lambda part: progress(part, "Reading DICOM"), say=lines.append
    )
    if raw.is_dir():  # where every visit failed, there is none
        make_derivatives(root, raw)
    failed = [f"{name}: {why}" for name, why in done.failed.items()]
    return StepDone(done.text(), "\n".join([*lines, *failed]), bool(failed))


def batch_step(
    root: Path,
    progress: Progress,
    *,
    jobs: int | None = None,
    retry_failed: bool = False,
    overwrite: bool = False,
) -> StepDone:
    """Reconstruct what is left to do, in processes of their own, and write the page on all scans.

    Stopped, it keeps what is done and goes on from there the next time, here or in a terminal.

    Parameters
    ----------
    root : Path
        A study whose raw data are there.
    progress : callable
    jobs : int, optional
        Scans side by side; as many as processors and memory allow unless given.
    retry_failed, overwrite : bool
        See :func:`~napari_qsm.study.batch.whole.plan_batch`.
    """
    raw = StudyFolder(root).raw
    assert raw is not None
    progress(0.0, "Looking at scans")
    batch = plan_batch(raw, root, recipe_for(root), retry_failed=retry_failed, overwrite=overwrite)
    notes: list[str] = []
    count, ended = max(len(batch.todo), 1), 0

    def log(event: str, said: Mapping[str, Any]) -> None:
        nonlocal ended
        ended += event in ("done", "failed")

    rows = run_batch(
        batch,
        Means(jobs=jobs),
        note=notes.append,
        show=lambda line: progress(ended / count, f"Reconstructing: {line}"),
        log=log,
    )
    progress(1.0, "Writing the page on all scans")
    page = write_group_page(root)
    wrong = [row for row in rows.values() if row.state != "done"]
    failed = [row for row in wrong if row.state == "failed"]
    sentence = f"{len(rows) - len(wrong)} of {len(rows)} scans have a map"
    sentence += f", {len(failed)} failed" if failed else ""
    skipped = len(wrong) - len(failed)
    sentence += f", {skipped} made otherwise were left as they are" if skipped else ""
    lines = [f"{row.scan} {row.state}: {row.message}" for row in wrong]
    return StepDone(f"{sentence}.", "\n".join([*notes, *lines]), bool(failed), page)


def group_step(root: Path) -> StepDone:
    """Write the page on the quality of all scans."""
    page = write_group_page(root)
    return StepDone("The page on all scans is written.", opens=page)


def register_step(root: Path, progress: Progress) -> StepDone:
    """Register every visit to the participant's first."""
    lines: list[str] = []

    def report(done: Registered, number: int, count: int) -> None:
        moved = f"{done.quality.get('shift_mm', 0):.1f} mm, {done.quality.get('turn_deg', 0):.1f}°"
        words = moved if done.is_usable else done.state
        lines.append(f"{done.name} to ses-{done.to}: {words}. {done.message}".rstrip())
        progress(number / count, f"Registering: {number} of {count}")

    progress(0.0, "Registering")
    found = register_study(root, report=report)
    bad = [done for done in found if not done.is_usable]
    sentence = f"{len(found) - len(bad)} of {len(found)} visits are registered."
    page = root / "group" / PAGE
    return StepDone(sentence, "\n".join(lines), bool(bad), page if page.is_file() else None)


def suggest_step(root: Path, progress: Progress) -> StepDone:
    """Suggest places for the protocol's shapes at every scan."""
    lines: list[str] = []

    def report(done: Suggested, number: int, count: int) -> None:
        words = f"{done.count} places" if done.count else done.state
        lines.append(f"{done.name}: {words}. {done.message}".rstrip())
        progress(number / count, f"Suggesting places: {number} of {count}")

    progress(0.0, "Suggesting places")
    found = suggest_study(root, report=report)
    without = dict(pair for done in found for pair in done.without.items() if done.count)
    lines += [f"Without a suggestion: {name} ({why})." for name, why in without.items()]
    bad = [done for done in found if done.state in ("refused", "failed")]
    sentence = f"{len(found) - len(bad)} of {len(found)} scans have suggested places."
    return StepDone(sentence, "\n".join(lines), bool(bad))


def assign_step(
    root: Path, rater: str, *, sample: str, repeat: str, seed: int | None, add: bool
) -> StepDone:
    """Give a rater a list; an empty sample is every scan that has a map."""
    items, notes = assign(
        StudyFolder(root), rater, sample=sample or None, repeat=repeat or None, seed=seed, add=add
    )
    again = sum(item.reading > 1 for item in items)
    told = f", {again} of them repeats" if again else ""
    return StepDone(f"{rater} has {len(items)} readings{told}.", "\n".join(notes), bool(notes))


def read_step(root: Path, rater: str) -> None:
    """Open the reading window in a process of its own, and wait until it is closed.

    Its own, so that nothing of a window that knows names is in it, and neither ends with the other.

    Raises
    ------
    QsmError
        If it ended with an error, in its words.
    """
    command = [sys.executable, "-m", "napari_qsm", "read", str(root), "--rater", rater]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=said, check=False)
        if ended.returncode:
            said.seek(0)
            lines = [line for line in said.read().splitlines() if line.strip()]
            raise QsmError(lines[-1] if lines else "The reading window ended with an error.")


def bundle_step(
    root: Path, rater: str, out: Path, progress: Progress, *, magnitude: bool
) -> StepDone:
    """Put what a rater has still to read into one file, replacing an earlier one of that name."""
    from napari_qsm.study.bundle import make_bundle

    done = make_bundle(
        StudyFolder(root),
        rater,
        out,
        magnitude=magnitude,
        overwrite=True,
        progress=lambda part: progress(part, "Packing"),
    )
    notes = list(done.notes)
    if done.together:
        notes.append(
            f"Shapes are carried between visits, so the scans of {done.together} persons lie "
            "together, each person under a code."
        )
    notes.append(f"{rater} reads them with: napari-qsm read {out.name} --rater {rater}")
    sentence = (
        f"{done.scans} scans for {rater} in '{out.name}' ({out.stat().st_size / 1e6:.1f} MB)."
    )
    return StepDone(sentence, "\n".join(notes), opens=out.parent)


def return_step(root: Path, out: Path, progress: Progress) -> StepDone:
    """Write the readings of a bundle into one file to send back."""
    from napari_qsm.study.bundle_return import return_bundle

    progress(0.0, "Packing readings")
    state = return_bundle(root, out, overwrite=True)
    left = len(state.begun) + len(state.waiting)
    note = f"{left} scans are not handed in yet; the file can be written again when they are."
    sentence = f"{len(state.done)} readings of {state.rater} in '{out.name}'."
    return StepDone(sentence, note if left else "", bool(left), out.parent)


def merge_step(root: Path, returned: Path, progress: Progress) -> StepDone:
    """Bring the readings of a bundle back under the real scans."""
    from napari_qsm.study.bundle_return import merge_bundle

    progress(0.0, "Taking readings over")
    done = merge_bundle(StudyFolder(root), returned)
    notes = []
    if done.known:
        notes.append(f"{len(done.known)} readings were merged before and are unchanged.")
    if done.open:
        notes.append(f"{done.open} scans of the bundle are not handed in yet.")
    told = f" and {len(done.amended)} amended ones" if done.amended else ""
    return StepDone(
        f"{len(done.new)} readings of {done.rater}{told} joined the study.", "\n".join(notes)
    )


def collect_step(root: Path, progress: Progress, *, allow_mixed: bool = False) -> StepDone:
    """Measure all readings into the tables."""
    from napari_qsm.study.collect_files import collect_files

    notes: list[str] = []
    study = StudyFolder(root)
    done = collect_files(
        study,
        allow_mixed=allow_mixed,
        progress=lambda part: progress(part, "Measuring"),
        warn=notes.append,
    )
    sentence = f"{done.readings} readings, {len(done.frame)} rows."
    return StepDone(sentence, "\n".join(notes), bool(notes), study.group / "roi_wide.xlsx")


def agree_step(root: Path, progress: Progress) -> StepDone:
    """Agreement of raters and of repeated readings."""
    from napari_qsm.study.agree import agree_study

    progress(0.0, "Agreement")
    notes: list[str] = []
    with DRAWING:
        text = agree_study(StudyFolder(root), warn=notes.append)
    page = root / "group" / "agreement.txt"
    return StepDone("Agreement is written.", "\n".join([*notes, "", text]).strip(), opens=page)


def analyse_step(root: Path, progress: Progress) -> StepDone:
    """What the protocol's plan asks: tests, figures, methods section."""
    from napari_qsm.study.analyse_study import analyse_study

    progress(0.0, "Analysing")
    notes: list[str] = []
    with DRAWING:
        text = analyse_study(StudyFolder(root), warn=notes.append)
    page = root / "group" / "report.txt"
    return StepDone("The analysis is written.", "\n".join([*notes, "", text]).strip(), opens=page)


def unblind_step(root: Path, reason: str) -> StepDone:
    """State that codes are looked up, and tell what they stand for."""
    key = unblind(StudyFolder(root), reason)
    lines = [
        f"{code}  {item.rater:<6} {case_name(*item.key)}"
        + (f" (reading {item.reading})" if item.reading > 1 else "")
        for code, item in sorted(key.items(), key=lambda pair: (pair[1].rater, pair[1].key))
    ]
    return StepDone("Unblinding is stated in the log of the study.", "\n".join(lines))


def new_study(
    root: Path,
    source: str,
    raw: Path | None,
    *,
    name: str = "",
    placement: str = "",
    recipe: str = "",
    window_ppb: tuple[float, float] | None = None,
) -> StudyFolder:
    """Make a folder a study, with a protocol from a file or a list of regions.

    Parameters
    ----------
    root : Path
        New, empty, or with results of a batch.
    source : str
        A protocol's file, or the name of a list of regions that comes with the program.
    raw : Path, optional
        The raw data set.
    name, placement, recipe : str
    window_ppb : (low, high), optional
        In place of what the source says, where given.

    Raises
    ------
    QsmError
        If the protocol cannot be, or the folder is a study already or something else.
    """
    from napari_qsm.study.protocol import parse_protocol

    protocol = load_protocol(source)
    said = protocol.model_dump(mode="json")
    chosen = {"name": name, "placement": placement, "recipe": recipe, "window_ppb": window_ppb}
    said |= {key: value for key, value in chosen.items() if value}
    return make_study(root, parse_protocol(said, PROTOCOL_FILE), raw)
