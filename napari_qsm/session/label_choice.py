"""Which of several label maps (of raters, of follow-ups) counts, chosen for the whole window at once."""

from __future__ import annotations

from napari_qsm.figures.editing import with_fields
from napari_qsm.figures.panels import ImagePanel, MosaicPanel
from napari_qsm.figures.spec import FigureSpec
from napari_qsm.session.blinding import shown_name
from napari_qsm.session.figure.from_session import source_of
from napari_qsm.session.model import Session
from napari_qsm.study.entry import MapEntry


def choices(session: Session, measured: MapEntry) -> list[tuple[str, str]]:
    """Ids of the label maps that a map can be measured under, with what the user calls them."""
    return [
        (entry.id, called(session, entry)) for entry in session.case_of(measured).of_role("labels")
    ]


def called(session: Session, labels: MapEntry) -> str:
    """The name of a label map, with its rater's where it does not tell."""
    name, rater = shown_name(session, labels), labels.rater
    return name if session.blinded or not rater or rater in name else f"{name} ({rater})"


def choose_labels(session: Session, measured: MapEntry, labels: MapEntry) -> None:
    """Measure a map under another label map, and let table, views, tools and figure follow.

    The views show it instead of the one before. A figure that holds both is left as it is: it
    compares them.

    Parameters
    ----------
    session : Session
    measured, labels : MapEntry
        Of one case.
    """
    before = session.labels_of(measured)
    session.case_of(measured).use_labels(measured, labels)
    session.painted = labels.id
    session.set_display(labels, visible=True)
    if before is None or before is labels:
        return
    session.set_display(before, visible=False)
    figure = session.figure
    if figure is not None and before.id in figure.sources and labels.id not in figure.sources:
        keys = {key: labels.id if key == before.id else key for key in figure.sources}
        own = source_of(labels, figure.sources[before.id].name)
        spec = with_fields(
            figure,
            sources={
                keys[key]: own if key == before.id else source
                for key, source in figure.sources.items()
            },
            panels=tuple(panel.renamed(keys) for panel in figure.panels),
        )
        session.change("the figure's regions", figure=spec)


def apart(session: Session, figure: FigureSpec) -> list[str]:
    """Sentences about maps that a figure draws or measures under other regions than the table."""
    pairs: dict[tuple[str, str], None] = {}
    for panel in figure.panels:
        if isinstance(panel, ImagePanel | MosaicPanel) and panel.regions is not None:
            pairs[panel.map, panel.regions.labels] = None
        for one in getattr(panel, "measured", ()):
            pairs[one.map, one.labels] = None
    said = []
    for key, held in pairs:
        measured, labels = session.entry(key), session.entry(held)
        now = session.labels_of(measured) if measured is not None else None
        if measured is not None and labels is not None and now is not None and now is not labels:
            said.append(
                f"'{shown_name(session, measured)}' stands here with '{called(session, labels)}', "
                f"in the table with '{called(session, now)}': choose one beside the table."
            )
    return said
