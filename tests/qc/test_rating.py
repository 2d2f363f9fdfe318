"""Verdicts are kept, all of them, and belong to the map they were given on."""

import json

import pytest

from napari_qsm._version import __version__
from napari_qsm.errors import FileError, QsmError
from napari_qsm.io import atomic
from napari_qsm.qc.rating import RATING_FILE, add_rating, make_rating, read_ratings


def test_a_later_rating_does_not_replace_an_earlier_one(tmp_path):
    assert read_ratings(tmp_path).latest() is None
    add_rating(tmp_path, make_rating("doubtful", rater=" AB ", comment="rim", chi_sha256="one"))
    history = add_rating(tmp_path, make_rating("pass", rater="CD", chi_sha256="two"))
    assert read_ratings(tmp_path) == history
    assert [(r.verdict, r.rater, r.comment) for r in history.ratings] == [
        ("doubtful", "AB", "rim"),
        ("pass", "CD", ""),
    ]
    assert history.latest("one").verdict == "doubtful" and history.latest().verdict == "pass"
    assert history.latest("three") is None
    stored = json.loads((tmp_path / RATING_FILE).read_text("utf-8"))
    assert stored["ratings"][0]["software_version"] == __version__
    assert history.ratings[0].rated_at.utcoffset() is not None


def test_what_cannot_be_read_is_left_as_it_is(tmp_path):
    file = tmp_path / "sub-01_rating.json"
    file.write_text('{"ratings": [{"verdict": "superb"}]}', encoding="utf-8")
    before = file.read_bytes()
    with pytest.raises(FileError, match="left as it is"):
        add_rating(tmp_path, make_rating("fail", rater="AB"), prefix="sub-01_")
    assert file.read_bytes() == before
    with pytest.raises(FileError, match="no folder"):
        add_rating(tmp_path / "none", make_rating("fail", rater="AB"))


def test_an_interrupted_write_keeps_the_history(tmp_path, monkeypatch):
    add_rating(tmp_path, make_rating("pass", rater="AB"))
    before = (tmp_path / RATING_FILE).read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, "replace", fail)
    with pytest.raises(FileError, match="No space"):
        add_rating(tmp_path, make_rating("fail", rater="CD"))
    assert (tmp_path / RATING_FILE).read_bytes() == before
    assert [f.name for f in tmp_path.iterdir()] == [RATING_FILE]


@pytest.mark.parametrize(("verdict", "rater"), [("good", "AB"), ("pass", "  ")])
def test_impossible_ratings_are_refused(verdict, rater):
    with pytest.raises(QsmError):
        make_rating(verdict, rater=rater)
