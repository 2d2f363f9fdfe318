"""The list of what was opened lately: kept, updated, emptied, and harmless where it cannot be."""

import json

import numpy as np
import pytest
from PIL import Image

from napari_qsm.session import Session, recents
from napari_qsm.session.settings import save_settings
from napari_qsm.volume import Volume


@pytest.fixture
def session():
    """A session with one map, dark but for a bright block to the right and in front."""
    made = Session()
    values = np.zeros((20, 30, 6), np.float32)
    values[14:18, 22:27, 3] = 0.2
    affine = np.diag([1.0, 1.0, 3.0, 1.0])
    entry = made.add(Volume(values, affine, unit="ppm", name="χ"))
    made.set_display(entry, window=(0.0, 0.1))
    made.case.name, made.case.participant = "sub-01 ses-t0", "01"
    made.crosshair_mm = (0.0, 0.0, 9.0)
    return made


def kept(session, *paths, **options):
    recents.remember(session, list(paths), session.cases, **options)
    return recents.listed()


def test_what_was_opened_comes_back_with_state_and_picture(session, tmp_path):
    labels = session.add(
        Volume(np.zeros((20, 30, 6), np.uint8), np.diag([1.0, 1.0, 3.0, 1.0])),
        role="labels",
        regions={1: "Putamen L", 2: "Putamen R"},
    )
    labels.labels[3:5, 3, 3] = (1, 2)
    (only,) = kept(session, tmp_path)
    assert (only.paths, only.names) == ((str(tmp_path),), ("sub-01 ses-t0",))
    assert only.state == "map, 2 regions"
    assert only.is_there and not only.is_session
    # Radiological: what is to the right lies on the left; what is in front lies on top.
    shot = np.asarray(Image.open(only.thumbnail)) > 128
    rows, columns = np.nonzero(shot)
    assert rows.mean() < shot.shape[0] / 2 and columns.mean() < shot.shape[1] / 2
    assert max(shot.shape) == recents.THUMBNAIL_PIXELS
    # The latest first, each place once.
    other = tmp_path / "other"
    assert [row.paths[0] for row in kept(session, other)] == [str(other), str(tmp_path)]
    again = kept(session, tmp_path, is_session=True)
    assert [row.paths[0] for row in again] == [str(tmp_path), str(other)]
    assert again[0].is_session and not again[1].is_there


def test_a_blinded_readers_cases_are_kept_without_name_and_picture(session, tmp_path):
    kept(session, tmp_path)
    session.blinded = True
    (only,) = kept(session, tmp_path)
    assert only.names == ("Case A",) and only.thumbnail is None
    assert not list(recents.home().glob("*.png"))


def test_clearing_leaves_no_picture_and_no_place_behind(session, tmp_path):
    kept(session, tmp_path)
    recents.clear()
    assert recents.listed() == [] and not list(recents.home().glob("*.png"))
    assert str(tmp_path) not in (recents.home() / "list.json").read_text(encoding="utf-8")
    recents.set_remembering(False)
    assert kept(session, tmp_path) == []
    save_settings({"remember_recents": True})
    assert len(kept(session, tmp_path)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "[",
        "7",
        '[{"paths": "a"}, 3, null, {"paths": [1], "names": []}, {"paths": [], "names": []}]',
        '[{"paths": ["x"], "names": ["y"], "when": 5}]',
    ],
)
def test_a_damaged_list_does_no_harm(session, tmp_path, text):
    recents.home().mkdir(parents=True)
    (recents.home() / "list.json").write_text(text, encoding="utf-8")
    assert recents.listed() == []
    assert len(kept(session, tmp_path)) == 1


def test_a_picture_outside_of_the_folder_is_neither_shown_nor_removed(session, tmp_path):
    victim = tmp_path / "mine.png"
    victim.write_bytes(b"kept")
    recents.home().mkdir(parents=True)
    row = {"paths": ["x"], "names": ["y"], "picture": str(victim)}
    (recents.home() / "list.json").write_text(json.dumps([row]), encoding="utf-8")
    assert recents.listed()[0].thumbnail is None
    recents.clear()
    assert victim.read_bytes() == b"kept"


def test_without_a_place_to_keep_it_nothing_else_changes(session, tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("no folder", encoding="utf-8")
    monkeypatch.setattr(recents, "home", lambda: blocked / "recent")
    assert kept(session, tmp_path) == []
    recents.clear()
    assert blocked.read_text(encoding="utf-8") == "no folder"
