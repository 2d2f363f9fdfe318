"""From paths to volumes: files, folders and saved sessions. Runs in a worker; knows no Qt."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from napari_qsm.errors import Cancelled, FileError, QsmError
from napari_qsm.io.choosing import AmbiguousSeries
from napari_qsm.io.formats import image_endings, is_image, is_segmentation, read_image
from napari_qsm.io.forms import side_notes
from napari_qsm.io.maps import declared_unit
from napari_qsm.io.segmentation import read_labels, regions_beside
from napari_qsm.io.whole_numbers import is_whole
from napari_qsm.quantities import checked_map
from napari_qsm.rois.region import RegionTable, region_table
from napari_qsm.scan import Scan
from napari_qsm.session import Case, MapDisplay, Role, Session, guess_role
from napari_qsm.session.dealing import dealt, grids_differ
from napari_qsm.session.saved import SavedSession
from napari_qsm.session.store import SESSION_FILE, read_session
from napari_qsm.study.display import first_display
from napari_qsm.study.identity import Identity, identity_of
from napari_qsm.volume import Volume

#: More files than this in one plain folder are taken for a mistake.
MAX_FILES = 24

Progress = Callable[[float, str], None]


@dataclass
class Opened:
    """One volume read, with what is known about it, and whose it is."""

    volume: Volume
    role: Role | None = None
    regions: RegionTable = field(default_factory=dict)
    display: MapDisplay | None = None
    who: Identity = field(default_factory=Identity)
    case_name: str = ""
    linked: bool = True

    @property
    def shown_role(self) -> Role:
        """What it holds, as it is known or guessed."""
        return self.role or guess_role(self.volume)


@dataclass
class Loaded:
    """All that some paths held.

    Attributes
    ----------
    maps : list of Opened
        In drawing order.
    scan : Scan or None
        A scan with its echo times, if a folder held one; it goes with the first map.
    sessions : list of SavedSession
        Sessions that were saved or kept; files that they miss can still be found for them.
    problems : list of str
        Sentences about files that could not be used.
    undecided : list of (Path, AmbiguousSeries)
        Folders that hold several scans, for the user to choose from.
    """

    maps: list[Opened] = field(default_factory=list)
    scan: Scan | None = None
    sessions: list[SavedSession] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    undecided: list[tuple[Path, AmbiguousSeries]] = field(default_factory=list)

    def into(self, session: Session, *, same_case: bool | None = None) -> list[str]:
        """Add everything to a session, to the cases that it belongs to.

        Parameters
        ----------
        session : Session
        same_case : bool, optional
            Whether files that are neither clearly of the active case nor clearly of another
            belong to it. Unless said, those with the same ids do, label maps and masks on a
            grid of the case do, and the others begin a case of their own.

        Returns
        -------
        list of str
            Sentences about what could not be added, and where something was added unasked.
        """
        cases, said = dealt(self.maps, session, same_case)
        for place, (opened, case) in enumerate(zip(self.maps, cases, strict=True)):
            beside = zip(self.maps[place + 1 :], cases[place + 1 :], strict=True)
            rest = {later.shown_role for later, theirs in beside if theirs is case}
            session.add(
                opened.volume,
                role=opened.role,
                regions=opened.regions,
                display=opened.display or _first_look(opened, case, rest),
                case=case,
                linked=opened.linked,
            )
        if self.scan is not None:
            (cases[0] if cases else session.case).scan = self.scan
        said += grids_differ(dict.fromkeys(cases))
        return said + [problem for saved in self.sessions for problem in saved.into(session)]


def _first_look(opened: Opened, case: Case, rest: set[Role]) -> MapDisplay | None:
    """Hide what would lie over the susceptibility map, and what nobody opens a folder to see.

    The map is shown, else the magnitude; phase, fields and masks only where there is neither.

    Parameters
    ----------
    opened : Opened
    case : Case
        What it will belong to.
    rest : set of str
        What the other files hold that are about to be added to the case.

    Returns
    -------
    MapDisplay or None
        None for the one that any new entry gets.
    """
    role = opened.shown_role
    shown = {entry.role for entry in case.maps if entry.display.visible} - {"labels"}
    if role in ("map", "labels"):
        return None
    if role == "magnitude":
        hidden = "map" in shown
    else:
        hidden = bool(shown) or bool(rest & {"map", "magnitude"})
        hidden |= role == "mask" and bool(rest - {"mask", "labels"})
    if not hidden:
        return None
    display = first_display(opened.volume, role)
    display.visible = False
    return display


def load(
    paths: Iterable[Path | str],
    *,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Loaded:
    """Read everything some paths hold; a path that cannot be used does not stop the others.

    Parameters
    ----------
    paths : iterable of path
        NIfTI files, folders with a scan, folders of maps, or saved sessions.
    progress : callable, optional
        Told the fraction done and what is being read.
    cancelled : callable, optional
        Asked between files.

    Raises
    ------
    Cancelled
        If ``cancelled`` says so.
    """
    listed = [Path(path) for path in paths]
    loaded = Loaded()
    for index, path in enumerate(listed):
        if cancelled is not None and cancelled():
            raise Cancelled("Opening was stopped.")
        if progress is not None:
            progress(index / len(listed), f"Reading {path.name}")
        try:
            _load_one(path, loaded)
        except AmbiguousSeries as error:
            loaded.undecided.append((path, error))
        except (ValueError, OSError) as error:
            loaded.problems.append(str(error))
    return loaded


def _load_one(path: Path, loaded: Loaded) -> None:
    if path.is_dir():
        _load_folder(path, loaded)
    elif path.name == SESSION_FILE:
        _load_session(path.parent, loaded)
    elif path.is_file() and is_segmentation(path):
        volume, regions = read_labels(path)
        who = identity_of(path, is_folder=False)
        loaded.maps.append(Opened(volume, "labels", region_table(regions), who=who))
    elif is_image(path):
        loaded.maps.append(_open_file(path, loaded.problems.append))
    elif not path.exists():
        raise FileError(f"There is no file or folder '{path}'.")
    else:
        raise FileError(
            f"'{path.name}' is neither an image ({', '.join(image_endings())}) nor a folder with a "
            "scan."
        )


def _open_file(path: Path, warn: Callable[[str], None]) -> Opened:
    volume = read_image(path, unit=declared_unit(path, warn))
    regions = region_table(regions_beside(path, warn=warn))
    are_labels = bool(regions) and volume.data.ndim == 3 and is_whole(volume)
    if not are_labels and guess_role(volume) == "map":
        volume = checked_map(volume, warn=warn)
    for note in side_notes(volume):
        warn(note)
    who = identity_of(path, is_folder=False)
    return Opened(volume, "labels" if are_labels else None, regions, who=who)


def _load_folder(folder: Path, loaded: Loaded) -> None:
    if (folder / SESSION_FILE).is_file():
        _load_session(folder, loaded)
        return
    files = sorted(p for p in folder.iterdir() if p.is_file() and is_image(p))
    if files:
        if len(files) > MAX_FILES:
            raise FileError(
                f"'{folder}' holds {len(files)} NIfTI files; open the ones you need instead."
            )
        read = []
        for path in files:
            try:
                read.append(_open_file(path, loaded.problems.append))
            except QsmError as error:  # one bad file does not stop the others
                loaded.problems.append(str(error))
        # Susceptibility maps above the images that they are looked at with.
        loaded.maps += sorted(read, key=lambda o: (o.role or guess_role(o.volume)) == "map")
        return
    _add_scan(folder, _scan_in(folder), loaded)


def load_series(folder: Path, series: str) -> Loaded:
    """Read one of the scans of a folder that holds several, by its label."""
    loaded = Loaded()
    _add_scan(folder, _scan_in(folder, series), loaded)
    return loaded


def _add_scan(folder: Path, scan: Scan, loaded: Loaded) -> None:
    loaded.scan = scan
    origin = scan.phase[0].origin
    who = identity_of(folder, is_folder=True)
    if origin is not None:  # in a data set, the scan's own names tell whose it is
        inner = identity_of(origin, is_folder=False)
        who = replace(inner, folder=folder) if inner.participant else who
    loaded.maps += [Opened(volume, "magnitude", who=who) for volume in scan.magnitude]
    loaded.maps += [Opened(volume, "phase", who=who) for volume in scan.phase]


def _scan_in(folder: Path, series: str | None = None) -> Scan:
    from napari_qsm.io.sources import open_source

    return open_source(folder, series=series)


def _load_session(folder: Path, loaded: Loaded) -> None:
    saved = read_session(folder)
    loaded.problems += saved.problems
    loaded.sessions.append(saved)


def load_head(subject: str, progress: Callable[[float], None] | None = None, **grid: Any) -> Loaded:
    """The built-in head: magnitude, true susceptibility inside the brain, regions, the scan.

    Parameters
    ----------
    subject : {"control", "patient"}
        Whose head.
    progress : callable, optional
        Told the fraction done.
    **grid
        ``shape`` and ``voxel_size_mm`` of :func:`napari_qsm.phantom.make_head`.
    """
    from napari_qsm.phantom import make_head
    from napari_qsm.recon.stages import no_progress

    head = make_head(subject, local_field=False, progress=progress or no_progress, **grid)
    regions = {region.index: region for region in head.label_names}
    # Outside the brain stand bone and air (+9.4 ppm), which no reconstruction would show.
    chi = head.chi.with_data(head.chi.data * (head.mask.data != 0), name=f"χ {subject}")
    return Loaded(
        maps=[
            Opened(
                replace(head.scan.magnitude[0], name=f"magnitude {subject}"),
                "magnitude",
                case_name=subject,
            ),
            Opened(chi, "map", case_name=subject),
            Opened(
                replace(head.labels, name=f"regions {subject}"),
                "labels",
                regions,
                case_name=subject,
            ),
        ],
        scan=head.scan,
    )
