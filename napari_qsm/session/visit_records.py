"""Where the heads of visits lie in each other, as a saved session keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic_core import to_jsonable_python

from napari_qsm.study.case import Study
from napari_qsm.study.transforms import rigid_matrix
from napari_qsm.study.visit_link import VisitLink, Way

#: Fields of a link besides case, matrix and quality; titles and pictures are made anew.
_PLAIN = ("way", "shift_mm", "turn_deg", "of", "doubt")


def links_record(links: Sequence[VisitLink]) -> list[dict[str, Any]]:
    """Links ready for JSON, without what could not be used."""
    return [
        {
            "case": link.case,
            **{name: to_jsonable_python(getattr(link, name)) for name in _PLAIN},
            "matrix": link.matrix.tolist(),
            "quality": to_jsonable_python(dict(link.quality)),
        }
        for link in links
        if link.is_usable
    ]


def links_of(said: object, study: Study, ids: Mapping[str, str]) -> tuple[VisitLink, ...]:
    """Links from a record.

    Parameters
    ----------
    said : object
        From :func:`links_record`, or anything.
    study : Study
        Holds the cases.
    ids : dict
        Ids of cases as saved to those they have now.

    Returns
    -------
    tuple of VisitLink
        None where one of them cannot be meant: heads are then brought together anew.
    """
    links = []
    for each in said if isinstance(said, list) else ():
        try:
            case = study.case(ids[each["case"]])
            matrix, way = rigid_matrix(each["matrix"]), each["way"]
            if case is None or matrix is None or way not in get_args(Way):
                return ()
            quality = {str(k): v for k, v in each["quality"].items() if isinstance(v, float)}
            shift, turn = float(each["shift_mm"]), float(each["turn_deg"])
            of, doubt = str(each["of"]), str(each["doubt"])
        except (AttributeError, KeyError, TypeError, ValueError):
            return ()
        links.append(VisitLink(case.id, case.title, matrix, way, quality, shift, turn, of, doubt))
    return tuple(links)
