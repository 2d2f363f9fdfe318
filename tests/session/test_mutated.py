"""A wrong value in a session's file costs the entry it stands in, never the rest."""

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_qsm.errors import QsmError
from napari_qsm.figures.annotations import Annotation
from napari_qsm.rois.shapes import FixedShape
from napari_qsm.session import Session
from napari_qsm.session.folder import save_session
from napari_qsm.session.records import session_record
from napari_qsm.session.store import read_session
from napari_qsm.volume import Volume

DATA = Path(__file__).resolve().parents[1] / "data"

#: Texts that take the place of a value in the file.
WRONG = (
    "null",
    "true",
    '"x"',
    "[]",
    "{}",
    "-1",
    "1e999",
    "NaN",
    "9" * 400,
    "[[[[]]]]",
    '{"a": {}}',
)


def saved(folder):
    session = Session()
    first = session.case_called("one", participant="01")
    data = np.zeros((4, 5, 6), np.float32)
    chi = session.add(Volume(data, np.eye(4), unit="ppm", name="chi"), case=first)
    labels = session.add(
        Volume(data.astype(np.uint8), np.eye(4), name="labels"), role="labels", regions={1: "A L"}
    )
    first.midline_mm = 1.5
    first.shapes = (
        FixedShape(kind="sphere", size_mm=(2.0,)),
        FixedShape(kind="circle", size_mm=(2.0,)),
    )
    first.annotations = (Annotation(kind="text", plane="axial", at_mm=(0, 0, 0), text="a"),)
    first.use_labels(chi, labels)
    session.add(Volume(data, np.eye(4), unit="ppm", name="other"), case=session.case_called("two"))
    session.notes = "seen"
    save_session(session, folder, copy_scans=True)
    return json.loads((folder / "session.json").read_text(encoding="utf-8"))


def places(value, path=()):
    """Return the paths of all values in a JSON object."""
    found = [path] if path else []
    if isinstance(value, dict):
        for key, each in value.items():
            found += places(each, (*path, key))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            found += places(each, (*path, number))
    return found


def with_wrong(content, path, text):
    """Return the file's text with another text at one place."""
    mark = "<<here>>"
    copy = json.loads(json.dumps(content))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = mark
    return json.dumps(copy).replace(f'"{mark}"', text)


def test_any_wrong_value_costs_no_more_than_its_entry(tmp_path):
    content = saved(tmp_path)
    file = tmp_path / "session.json"
    every = [(path, text) for path in places(content) for text in WRONG]
    for path, text in random.Random(0).sample(every, 60):
        file.write_text(with_wrong(content, path, text), encoding="utf-8")
        session = Session()
        try:
            found = read_session(tmp_path)
            found.into(session)
        except QsmError:
            assert path[0] in ("format", "session", "maps", "cases") and len(path) == 1, (
                path,
                text,
            )
            continue
        names = {entry.name for entry in session}
        spoilt = content["maps"][path[1]]["name"] if path[0] == "maps" and len(path) > 1 else ""
        if path != ("maps",):
            assert {"chi", "labels", "other"} - names <= {spoilt}, (path, text)
        if path[0] != "cases":
            shapes = [case.shapes for case in session.cases if case.name == "one"]
            assert [len(each) for each in shapes] == [2], (path, text)
        if path[0] != "session":
            assert session.notes == "seen", (path, text)


@pytest.mark.parametrize(
    ("number", "shapes"), [(0, ["circle"]), (1, ["sphere"])], ids=["first", "second"]
)
def test_one_broken_shape_costs_itself_and_a_sentence(tmp_path, number, shapes):
    content = saved(tmp_path)
    one = next(c for c in content["cases"] if c["name"] == "one")
    one["shapes"][number]["size_mm"] = "big"
    (tmp_path / "session.json").write_text(json.dumps(content), encoding="utf-8")
    session = Session()
    found = read_session(tmp_path)
    problems = found.problems + found.into(session)
    case = session.study.case("one")
    assert [shape.kind for shape in case.shapes] == shapes
    assert problems == ["1 fixed shape of 'one' could not be read and was left out."]


FROZEN = {
    "session-0.1/work": "session.json",
    "session-0.1/portable": "session.json",
    Path("session-0.1", "work", "previous").as_posix(): "session.json",
    "recovery-0.1/recovery/20261121-160000-4242-0a1b2c": "recovery.json",
}
#: Besides :data:`WRONG`; the last takes the value away with its key.
MORE = ("[" * 100000 + "]" * 100000, '{"a":' * 500 + "1" + "}" * 500, "[null]", "-Infinity", "")


def changed(content, path, text):
    """Return the file's text with another text at one place, or without it."""
    if text:
        return with_wrong(content, path, text)
    copy = json.loads(json.dumps(content))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return json.dumps(copy)


@pytest.mark.parametrize("name", FROZEN)
def test_a_wrong_value_in_a_folder_of_version_0_1_costs_its_entry(tmp_path, name):
    shutil.copytree(DATA / name.split("/")[0], tmp_path / "study")
    folder = tmp_path / "study" / name.partition("/")[2]
    file = folder / FROZEN[name]
    content = json.loads(file.read_text(encoding="utf-8"))
    every = [(path, text) for path in places(content) for text in (*WRONG, *MORE)]
    told = 0
    for path, text in random.Random(1).sample(every, 60):
        file.write_text(changed(content, path, text), encoding="utf-8")
        where = (path, text[:40])
        session = Session()
        try:
            found = read_session(folder)
            problems = found.problems + found.into(session)
        except QsmError:
            assert len(path) == 1 and path[0] in ("format", "session", "maps"), where
            continue
        told += bool(problems)
        assert json.dumps(session_record(session, folder)), where
        if path == ("maps",):
            continue
        names = {entry.name for entry in session}
        there = {each["name"] for each in content["maps"]}
        spoilt = (
            {content["maps"][path[1]]["name"]} if path[0] == "maps" and len(path) > 1 else set()
        )
        assert there - names <= spoilt, where
        if there - names and path[-1] != "name":
            assert problems, where
        if path[0] != "session":
            assert session.notes == content["session"]["notes"], where
            assert sum(len(case.shapes) for case in session.cases) == 2, where
            assert sum(len(case.annotations) for case in session.cases) == 2, where
        elif path[1:2] == ("shapes",) and len(path) > 2:
            assert sum(len(case.shapes) for case in session.cases) >= 1, where
    assert told > 20


def test_numbers_that_are_none_are_told(tmp_path):
    content = saved(tmp_path)
    one = next(n for n, c in enumerate(content["cases"]) if c["name"] == "one")
    for text in ("9" * 400, "NaN", "1e999"):
        wrong = with_wrong(content, ("cases", one, "midline_mm"), text)
        (tmp_path / "session.json").write_text(wrong, encoding="utf-8")
        session = Session()
        found = read_session(tmp_path)
        assert found.problems + found.into(session) == [
            "The midline of 'one' is no number and was left out."
        ]


def test_deep_nesting_is_refused_in_words(tmp_path):
    (tmp_path / "session.json").write_text("[" * 100000 + "]" * 100000)
    with pytest.raises(QsmError, match="not a readable session"):
        read_session(tmp_path)


def test_a_map_without_a_case_is_said_and_shown_with_the_one_on_show(tmp_path):
    content = saved(tmp_path)
    next(m for m in content["maps"] if m["name"] == "labels")["case"] = "nobody"
    (tmp_path / "session.json").write_text(json.dumps(content), encoding="utf-8")
    session = Session()
    said = read_session(tmp_path).into(session)
    assert any("belonged to no case" in sentence for sentence in said)
    assert session.entry("labels") is not None
