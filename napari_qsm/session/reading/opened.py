"""A scan of a study as its rater sees it: under its code, with places to start from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.errors import QsmError
from napari_qsm.io.maps import read_map, read_volume
from napari_qsm.qc.rating import read_ratings
from napari_qsm.registration.carry import carried
from napari_qsm.rois.guided import Step
from napari_qsm.rois.shapes import FixedShape, snap
from napari_qsm.session.reading.kept import ReadingFile, neutral, scan_of
from napari_qsm.study.folder import StudyFolder
from napari_qsm.study.magnitudes import magnitude_beside
from napari_qsm.study.painted import PaintedStep, carried_contours, read_painted
from napari_qsm.study.reading_log import write_event
from napari_qsm.study.readings import Reading, checksum_of, load_labels, read_reading
from napari_qsm.study.study_scan import StudyScan
from napari_qsm.study.suggestions import Places, read_suggestions
from napari_qsm.study.transforms import doubts_of, points_between, visits_of
from napari_qsm.study.worklist import Item
from napari_qsm.volume import Volume


@dataclass(frozen=True, eq=False)
class OpenedScan:
    """What a rater's window holds of a scan. No name, path or session is among it.

    Attributes
    ----------
    code : str
    chi : Volume
        The map in ppm, canonical, named by the code.
    magnitude, mask : Volume or None
        On their own grids.
    steps : tuple of Step or PaintedStep
        What the protocol wants placed or painted.
    window_ppm : (low, high)
        Of every map of the study.
    places : mapping of str to FixedShape
        Suggested, by the item's rule; empty for independent reading.
    contours : Volume or None
        First contours of painted regions by the item's rule, as labels on the map's grid.
    mirrors : bool
        Whether the other side may be suggested once one side is placed.
    reading : Reading
        As it was begun.
    stale : bool
        Whether it was begun on another map.
    file : ReadingFile
        Where it is kept.
    """

    code: str
    chi: Volume
    magnitude: Volume | None
    mask: Volume | None
    steps: tuple[Step | PaintedStep, ...]
    window_ppm: tuple[float, float]
    places: Mapping[str, FixedShape]
    contours: Volume | None
    mirrors: bool
    reading: Reading
    stale: bool
    file: ReadingFile = field(repr=False)


def first_visit(study: StudyFolder, participant: str) -> str:
    """The earliest visit of which there is one map; empty where there is none."""
    maps = Counter(scan.key for scan in study.scans if scan.is_reconstructed)
    visits = visits_of(study).get(participant, [])
    return next((visit for visit in visits if maps[participant, visit] == 1), "")


def problem_of(study: StudyFolder, item: Item) -> str:
    """Why an item cannot be read now, in words that follow its code; empty where it can.

    The map was there when the list was made; since then it may have gone, or been judged.
    """
    scan = scan_of(study, item)
    if not scan.map.is_file():
        return "has no map any more"
    if scan.rating.is_file():
        with_file = read_ratings(scan.folder, prefix=scan.prefix).latest()
        if with_file is not None and with_file.verdict == "fail":
            return "was judged to be of no use after the list was made"
    return ""


@dataclass(frozen=True, eq=False)
class Images:
    """What takes long to read of a scan, and stays the same whatever is read meanwhile.

    Attributes
    ----------
    source : Volume
        The map as its file has it.
    chi, magnitude, mask : Volume or None
        Under the code.
    start : Volume or None
        The first visit's map, where shapes and contours may be carried from there.
    """

    source: Volume
    chi: Volume
    magnitude: Volume | None
    mask: Volume | None
    start: Volume | None


def fetch(study: StudyFolder, item: Item) -> Images:
    """Read the images of a scan.

    Raises
    ------
    QsmError
        If the map or a file beside it cannot be used; the sentence names the code only.
    """
    scan = scan_of(study, item)
    try:
        source = read_map(scan.map, unit="ppm")
        checksum_of(source)  # asked for at the first click, when nobody wants to wait
        return Images(
            source,
            _under(item.code, source),
            _magnitude(study, scan, item.code),
            _mask(scan, item.code),
            _start(study, item),
        )
    except QsmError as error:
        raise QsmError(neutral(str(error), study, scan, item.code)) from None


def open_scan(
    study: StudyFolder, item: Item, images: Images | None = None, *, amending: bool = False
) -> OpenedScan:
    """Everything that a rater needs of a scan.

    Parameters
    ----------
    study : StudyFolder
    item : Item
        Of the rater's worklist.
    images : Images, optional
        Read now unless given.
    amending : bool
        Open a reading that was handed in, to change it.

    Raises
    ------
    QsmError
        If a file of the scan cannot be used; the sentence names the code only.
    """
    scan = scan_of(study, item)
    images = images or fetch(study, item)
    try:
        return _opened(study, scan, item, images, amending)
    except QsmError as error:
        raise QsmError(neutral(str(error), study, scan, item.code)) from None


def _opened(
    study: StudyFolder, scan: StudyScan, item: Item, images: Images, amending: bool
) -> OpenedScan:
    protocol = study.protocol
    low, high = protocol.window_ppb
    kept = ReadingFile(study, scan, item, images.source, amending)
    reading = kept.begun()
    if reading.record.state == "submitted" and not amending:
        raise QsmError(f"{item.code} was handed in already; a change of it needs a reason.")
    return OpenedScan(
        code=item.code,
        chi=images.chi,
        magnitude=images.magnitude,
        mask=images.mask,
        steps=protocol.all_steps(),
        window_ppm=(low / 1000, high / 1000),
        places=_places(study, scan, item, images, is_new=not reading.shapes),
        contours=_contours(study, scan, item, images),
        mirrors=item.placement != "independent",
        reading=reading,
        stale=kept.is_stale(reading),
        file=kept,
    )


def _under(code: str, volume: Volume) -> Volume:
    """The volume under another name, without the file and the header that it came from."""
    return replace(volume.to_canonical(), name=code, origin=None, stored=None)


def _mask(scan: StudyScan, code: str) -> Volume | None:
    paths = [scan.image(name) for name in ("mask", "local_mask")]
    found = next((path for path in paths if path.is_file()), None)
    return None if found is None else _under(code, read_volume(found))


def _magnitude(study: StudyFolder, scan: StudyScan, code: str) -> Volume | None:
    """All echoes as one, where the study's raw data are at hand, or a bundle keeps it."""
    try:
        return _under(code, magnitude_beside(study, scan))
    except QsmError:
        return None


def _start(study: StudyFolder, item: Item) -> Volume | None:
    """The first visit's map."""
    first = first_visit(study, item.participant)
    if item.placement != "carried" or item.session == first:
        return None
    return read_map(study.scan(item.participant, first).map, unit="ppm")


# -- places to start from -----------------------------------------------------------------


def _places(
    study: StudyFolder, scan: StudyScan, item: Item, images: Images, *, is_new: bool
) -> dict[str, FixedShape]:
    """Suggested shapes by region, snapped to the map."""
    if item.placement == "independent":
        return {}
    found = read_suggestions(scan.suggestion())
    own = found.raters.get(item.rater, Places())
    # The rule says 'carried' where a rater's own shapes of another visit may be the start.
    learned = own.shapes if "reading of" not in own.source else ()
    shapes = [*found.common.shapes, *learned]
    if images.start is not None:
        try:
            made, notes = _carried(study, item, images.start, images.chi)
        except QsmError as error:
            made, notes = [], []
            if is_new:
                _note(study, scan, item, error)
        shapes += made
        if made and is_new:  # what was turned or doubted is for the lead: it would tell the visit
            write_event(
                study.root, "shapes carried", scan=scan.stem, rater=item.rater,
                reading=item.reading, shapes=len(made), notes=notes,
            )  # fmt: skip
    return {shape.region_name: snap(shape, images.chi) for shape in shapes}


def _note(study: StudyFolder, scan: StudyScan, item: Item, error: QsmError) -> None:
    """The rater sees that nothing is suggested; why is for the lead."""
    write_event(
        study.root, "nothing to carry", scan=scan.stem, rater=item.rater, reading=item.reading,
        message=str(error),
    )  # fmt: skip


def _contours(study: StudyFolder, scan: StudyScan, item: Item, images: Images) -> Volume | None:
    """First contours of painted regions as labels: the rater's own carried, else the atlas's."""
    steps, chi = study.protocol.all_steps(), images.chi
    if item.placement == "independent" or not study.protocol.painted():
        return None
    try:
        path = scan.contours()
        values = np.zeros(chi.shape, np.uint16)
        if path.is_file():
            values = np.array(read_painted(path, steps, chi).data)
        if images.start is not None:
            before, reading, matrix = _first_reading(study, item)
            labels = load_labels(study, reading, images.start, before.dseg(item.rater)).labels
            if labels is not None:
                own = carried_contours(labels, matrix, chi).data
                values[np.isin(values, np.unique(own))] = 0
                values = np.where(own > 0, own, values)
    except QsmError as error:
        _note(study, scan, item, error)
        return None
    return chi.with_data(values, unit="") if values.any() else None


def _first_reading(study: StudyFolder, item: Item) -> tuple[StudyScan, Reading, Array]:
    """The first visit, the rater's own reading of it, and how points come from there to here.

    Raises
    ------
    QsmError
        If it is not handed in, or the visits are not registered.
    """
    before = study.scan(item.participant, first_visit(study, item.participant))
    path = before.shapes(item.rater)
    reading = read_reading(path) if path.is_file() else None
    if reading is None or reading.record.state != "submitted":
        raise QsmError(f"{item.rater} has not handed in {before.name}.")
    matrix = points_between(study, item.participant, before.session, item.session)
    return before, reading, matrix


def _carried(
    study: StudyFolder, item: Item, start: Volume, chi: Volume
) -> tuple[list[FixedShape], list[str]]:
    """The shapes of the rater's own reading of the first visit in this one's head, and notes."""
    before, reading, matrix = _first_reading(study, item)
    first = start.to_canonical()
    grid = first.with_data(np.broadcast_to(np.float32(0), first.shape))
    made = [carried(shape, matrix, grid, chi) for shape in reading.shapes]
    doubts = doubts_of(study, item.participant, (before.session, item.session))
    return [each.shape for each in made], [*doubts, *(each.note for each in made if each.note)]
