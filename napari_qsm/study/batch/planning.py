"""Which scans a raw data set holds, and what of them is left to be done.

A scan is done when the study holds its map and a provenance of this version, of the same methods
and settings, from the same images. Whether the images are the same is told by their sizes and
times as the last run noted them, and where those say nothing, by the checksums of their values.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_qsm._version import __version__
from napari_qsm.errors import FileError, QsmError
from napari_qsm.io.bids import find_scans
from napari_qsm.io.moving import finish
from napari_qsm.io.names import bids_entities
from napari_qsm.io.plain_data import PlainDataError, parse_json
from napari_qsm.io.scan_reader import read_scan
from napari_qsm.io.series import ScanFiles
from napari_qsm.io.text import read_text
from napari_qsm.outputs import Layout
from napari_qsm.recon.inputs import Inputs
from napari_qsm.recon.memory import memory_needed_gib
from napari_qsm.recon.provenance import input_record
from napari_qsm.recon.recipe import Choice, Recipe, recipe_sha256
from napari_qsm.recon.stages import CONTRASTS
from napari_qsm.study.batch.status import ScanStatus
from napari_qsm.study.batch.task import Task, visit_layout
from napari_qsm.study.identity import case_name

#: Whose first image could not be looked at is thought to be of this many voxels.
_UNKNOWN_SHAPE = (384, 312, 72)


@dataclass
class PlannedScan:
    """A scan of the raw data set.

    Attributes
    ----------
    name : str
        How names of its results begin: ``"sub-01_ses-t0"``.
    participant, session : str
        BIDS labels without prefix.
    raw : Path
        The data set.
    files : ScanFiles or None
        Its images; None where they could not be told apart.
    problem : str
        What keeps it from being tried at all.
    state : {"missing", "done", "stale", "failed"}
        What the study holds of it: nothing, its result, another result, or word of a failure.
    why : str
        What makes a result another one, or why the scan failed.
    """

    name: str
    participant: str
    session: str
    raw: Path
    files: ScanFiles | None = None
    problem: str = ""
    state: str = "missing"
    why: str = ""
    visit: str = ""
    layout: Layout = field(default_factory=lambda: Layout({}))

    @property
    def signal(self) -> Path:
        """Its first phase (or real) image."""
        assert self.files is not None
        return (self.files.phase or self.files.real)[0].path

    def provenance(self, study: Path) -> Path:
        """Where the study keeps how its map was made."""
        return study / self.visit / f"{self.layout.prefix}provenance.json"

    def has_map(self, study: Path) -> bool:
        """Whether the study holds a map of it that a run of this program made."""
        image = f"{self.layout.images['chi_ppm']}.nii.gz"
        return self.provenance(study).is_file() and (study / self.visit / image).is_file()

    def needed_gib(self) -> float:
        """Memory that its reconstruction takes; an estimate from headers."""
        shapes = [image.shape for image in self.files.images if image.shape] if self.files else []
        shape = max(shapes, key=lambda s: s[:3], default=_UNKNOWN_SHAPE)
        signal = (self.files.phase or self.files.real) if self.files else ()
        echoes = sum(i.shape[3] if len(i.shape) == 4 else 1 for i in signal)
        return memory_needed_gib(shape[:3], max(echoes, 1))

    def task(self, study: Path, recipe: str, **more: Any) -> Task:
        """The work on it; keywords are those of :class:`Task`."""
        return Task(
            scan=self.name,
            visit=self.visit,
            raw=str(self.raw),
            out=str(study),
            signal=self.signal.relative_to(self.raw).as_posix(),
            recipe=recipe,
            **more,
        )


def find(
    raw: Path, participants: Collection[str] = (), sessions: Collection[str] = ()
) -> tuple[list[PlannedScan], list[str]]:
    """Every scan of a raw data set, in order.

    A folder that cannot be understood costs its own scans only.

    Parameters
    ----------
    raw : Path
        Absolute.
    participants, sessions : collection of str
        Labels without prefix that are wanted; empty for all.

    Returns
    -------
    list of PlannedScan
    list of str
        Names of visits that hold no scan with phase.
    """
    finish(raw)
    scans: list[PlannedScan] = []
    without = []
    for folder, participant, session in _visits(raw):
        if participants and participant not in participants:
            continue
        if sessions and session not in sessions:
            continue
        name = case_name(participant, session)
        try:
            found = find_scans(folder)
        except QsmError as error:
            stem = name.replace(" ", "_")
            scans.append(PlannedScan(stem, participant, session, raw, problem=str(error)))
            continue
        if not found:
            without.append(name)
        scans += [_planned(raw, files, participant, session) for files in found]
    count = Counter(scan.name for scan in scans)
    for scan in scans:
        if count[scan.name] > 1:
            scan.problem = (
                f"{count[scan.name]} scans of {case_name(scan.participant, scan.session)} would get "
                "results of one name; tell them apart by an 'acq-' in the names of their files."
            )
    return sorted(scans, key=lambda scan: (scan.participant, scan.session, scan.name)), without


def labels_of(raw: Path) -> tuple[set[str], set[str]]:
    """Participants and sessions of which a data set has folders."""
    visits = list(_visits(raw))
    return {participant for _, participant, _ in visits}, {s for _, _, s in visits if s}


def compare(
    scans: Iterable[PlannedScan],
    study: Path,
    recipe: Recipe,
    records: Mapping[str, Mapping[str, Any]],
    known: Mapping[str, ScanStatus],
    also: Sequence[Choice] = (),
    progress: Callable[[PlannedScan], None] = lambda scan: None,
) -> None:
    """Look at what the study holds of each scan; fills ``state`` and ``why``.

    Parameters
    ----------
    scans : iterable of PlannedScan
    study : Path
    recipe : Recipe
        What is asked for.
    records : mapping
        By name, what the last run noted of the images; see :func:`record_of`.
    known : mapping
        By name, what the last run said of the scan.
    also : sequence of Choice
        Maps beside χ that are asked for.
    progress : callable
        Told each scan once it was looked at.
    """
    wanted = asked_sha256(recipe, also)
    for scan in scans:
        if scan.problem or scan.files is None:
            scan.state, scan.why = "failed", scan.problem
        elif scan.has_map(study):
            scan.why = _difference(scan, study, recipe, also, records.get(scan.name, {}))
            scan.state = "stale" if scan.why else "done"
        else:
            before, now = known.get(scan.name), record_of(scan, wanted)
            same = all(records.get(scan.name, {}).get(key) == now[key] for key in now)
            if before is not None and before.state == "failed" and same:
                scan.state, scan.why = "failed", before.message
        progress(scan)


def asked_sha256(recipe: Recipe, also: Sequence[Choice]) -> str:
    """Checksum of what is asked for: the recipe's own where there is no map beside χ."""
    beside = {choice.method.name: dict(choice.settings) for choice in also}
    return recipe_sha256({"stages": {**recipe.to_dict()["stages"], **beside}})


def record_of(scan: PlannedScan, recipe: str) -> dict[str, Any]:
    """What to note of a scan's images, to know later whether they are still the same."""
    assert scan.files is not None
    files = []
    for image in scan.files.images:
        try:
            stat = image.path.stat()
        except OSError:
            continue  # the reader will name it
        place = image.path.relative_to(scan.raw).as_posix()
        files.append([place, stat.st_size, stat.st_mtime_ns])
    said = json.dumps([image.metadata for image in scan.files.images], sort_keys=True, default=str)
    return {
        "files": files,
        "metadata_sha256": hashlib.sha256(said.encode()).hexdigest(),
        "recipe_sha256": recipe,
        "version": __version__,
    }


def file_sha256(path: Path) -> str:
    """Checksum of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _difference(
    scan: PlannedScan,
    study: Path,
    recipe: Recipe,
    also: Sequence[Choice],
    record: Mapping[str, Any],
) -> str:
    """Why a result is not that of this version, recipe and images; empty where it is."""
    path = scan.provenance(study)
    try:
        said = parse_json(read_text(path, "provenance"))
        version = said["software"]["napari-qsm"]
        made = recipe_sha256(said["recipe"])
        beside = {s["method"]: s["settings"] for s in said["stages"] if s["stage"] == CONTRASTS}
        inputs = sorted((str(i["role"]), str(i["sha256"])) for i in said["inputs"])
    except (QsmError, PlainDataError, KeyError, TypeError, AttributeError):
        return f"'{path.name}' cannot be read"
    if version != __version__:
        return f"made by version {version}"
    if made != recipe_sha256(recipe.to_dict()):
        return "made with another recipe"
    for choice in also:
        name = choice.method.name
        if name not in beside:
            return f"made without {name}"
        if beside[name] != dict(choice.settings):
            return f"made with other settings of {name}"
    if record.get("provenance_sha256") == file_sha256(path):
        now = record_of(scan, asked_sha256(recipe, also))
        if all(record.get(key) == now[key] for key in ("files", "metadata_sha256")):
            return ""
    return "" if _checksums(scan) == inputs else "made from other images"


def _checksums(scan: PlannedScan) -> list[tuple[str, str]]:
    """Role and checksum of the values of each image, as a provenance holds them."""
    assert scan.files is not None
    try:
        inputs = Inputs(scan=read_scan(scan.files))
    except QsmError:
        return []  # it will say so when it is reconstructed
    records = [input_record(role, volume) for role, volume in inputs.named()]
    return sorted((record["role"], record["sha256"]) for record in records)


def _visits(raw: Path) -> Iterator[tuple[Path, str, str]]:
    """Folder, participant and session of each visit; the session is empty where there is none."""
    for person in sorted(raw.glob("sub-*")):
        if not person.is_dir():
            continue
        sessions = sorted(path for path in person.glob("ses-*") if path.is_dir())
        for folder in sessions or [person]:
            yield folder, person.name[4:], folder.name[4:] if folder != person else ""


def _planned(raw: Path, files: ScanFiles, participant: str, session: str) -> PlannedScan:
    visit, layout = visit_layout(files)
    entities, _ = bids_entities((files.phase or files.real)[0].path)
    scan = PlannedScan(
        name=Path(f"{layout.prefix}x").name[:-2],
        participant=participant,
        session=session,
        raw=raw,
        files=files,
        visit=visit,
        layout=layout,
    )
    if (entities.get("sub"), entities.get("ses", "")) != (participant, session):
        first = (files.phase or files.real)[0].path.name
        scan.problem = (
            f"'{first}' lies in the folder of {case_name(participant, session)}; a file of BIDS "
            "bears the participant and session of its folder."
        )
    return scan


def read_records(path: Path) -> dict[str, dict[str, Any]]:
    """What earlier runs noted of each scan, from ``plan.json``; empty where there is none.

    Raises
    ------
    FileError
        If the file is no plan.
    """
    if not path.is_file():
        return {}
    try:
        scans = parse_json(read_text(path, "plan"))["scans"]
        return {str(name): dict(record) for name, record in scans.items()}
    except (PlainDataError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise FileError(
            f"'{path}' is no plan of a batch; move it away, and the study is looked at anew."
        ) from error
