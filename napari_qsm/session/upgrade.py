"""Sessions of older programs as this one has them: groups of maps become cases."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import Any
from uuid import uuid4

from napari_qsm.session.records import Record
from napari_qsm.study.case import NEUTRAL_NAME
from napari_qsm.study.identity import case_name, identity_of

#: Version of the format that this program writes; older ones are read.
FORMAT = 3
#: Fields that belonged to the session and belong to a case now.
_OF_CASE = ("midline_mm", "shapes", "annotations", "ratings")


def upgraded(content: Record, number: int) -> Record:
    """The content of a session's file in the present format.

    Parameters
    ----------
    content : dict
        Of format ``number``; not changed.
    number : int
        1 is the first ever written, 2 that of version 0.1.
    """
    if number == 1:
        content = _from_first(content)
    if number < FORMAT:
        content = _with_cases(content)
    return content


def _from_first(content: Record) -> Record:
    maps = [
        {**item, "file": {"name": item["file"]}}
        if isinstance(item, dict) and isinstance(item.get("file"), str)
        else item
        for item in _list(content.get("maps"))
    ]
    return {**content, "maps": maps, "session": content.get("settings")}


def _with_cases(content: Record) -> Record:
    """One case for each group of maps; maps without a group join the only one there is."""
    state = _dict(content.get("session"))
    maps = _list(content.get("maps"))
    scan_group = _text(_dict(_dict(content.get("reconstruction")).get("scan")).get("group"))
    groups = [_text(item.get("group")) for item in maps if isinstance(item, dict)]
    groups += [_text(_dict(each).get("group")) for each in _list(state.get("shapes"))]
    groups += [scan_group, _text(state.get("active_group"))]
    named = list(dict.fromkeys(group for group in groups if group))
    alone = named[0] if len(named) == 1 else ""
    if not alone:
        named = ([""] if "" in groups or not named else []) + named
    active = _text(state.get("active_group")) or scan_group
    active = active if active in named else alone or named[0]
    cases: dict[str, Record] = {}
    for group in named:
        case = _case(group, len(cases) + 1)
        for name in ("shapes", "annotations"):
            case[name] = [
                {k: v for k, v in each.items() if k != "group"} if isinstance(each, dict) else each
                for each in _list(state.get(name))
                if (_text(_dict(each).get("group")) or active) == group
            ]
        cases[group] = case
    # One midline and one list of verdicts for everybody: those of who was on show.
    cases[active]["midline_mm"] = state.get("midline_mm")
    cases[active]["ratings"] = _list(state.get("ratings"))
    owner = cases[scan_group if scan_group in cases else active]
    owner["scan"] = content.get("scan")
    owner["reconstruction"] = content.get("reconstruction")
    new_maps = []
    for item in maps:
        if isinstance(item, dict):
            group = _text(item.get("group")) or alone or ""
            more = _dict(item.get("more"))
            item = {
                **{k: v for k, v in item.items() if k not in ("group", "more")},
                "case": cases.get(group, cases[active])["id"],
                "provenance": more.get("provenance", {}),
            }
        new_maps.append(item)
    session = {k: v for k, v in state.items() if k not in (*_OF_CASE, "active_group")}
    session["active_case"] = cases[active]["id"]
    kept = {k: v for k, v in content.items() if k not in ("scan", "reconstruction", "settings")}
    return {**kept, "session": session, "cases": list(cases.values()), "maps": new_maps}


def _case(group: str, number: int) -> Record:
    """A case for a group, which was a subject's name or the path of a folder."""
    path = _as_path(group)
    case: Record = {"id": uuid4().hex, "name": group or f"{NEUTRAL_NAME} {number}"}
    if path is not None:
        who = identity_of(str(path), is_folder=True)
        case |= {
            "name": case_name(who.participant, who.visit) or f"{NEUTRAL_NAME} {number}",
            "participant": who.participant,
            "visit": who.visit,
            "folders": [path.as_posix()],
        }
    return case


def _as_path(group: str) -> PurePath | None:
    if PureWindowsPath(group).is_absolute():
        return PureWindowsPath(group)
    if "/" in group or "\\" in group:
        return PurePosixPath(group)
    return None


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
