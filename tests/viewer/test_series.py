"""A folder with several scans is never opened at a guess: the user chooses."""

from qtpy.QtWidgets import QInputDialog

from napari_qsm.io.bids import write_bids_raw
from napari_qsm.phantom import make_head
from napari_qsm.session.opening import load, load_series


def two_scans(folder):
    for subject, name in (("01", "control"), ("02", "patient")):
        head = make_head(name, shape=(40, 48, 24), voxel_size_mm=(4.5, 4.5, 6.0))
        write_bids_raw(head.scan, folder, subject=subject)
    return folder


def test_several_scans_are_listed_and_the_chosen_one_is_read(tmp_path):
    folder = two_scans(tmp_path / "study")
    loaded = load([folder])
    assert loaded.scan is None and not loaded.maps and not loaded.problems
    ((path, several),) = loaded.undecided
    assert path == folder
    labels = [scan.label for scan in several.candidates]
    assert len(labels) == 2 and "sub-01" in labels[0] and "sub-02" in labels[1]
    chosen = load_series(folder, labels[1])
    assert chosen.scan is not None
    assert "sub-02" in chosen.scan.phase[0].origin.name


def test_the_window_asks_which_scan(tmp_path, workspace, qtbot, monkeypatch):
    folder = two_scans(tmp_path / "study")
    asked = []

    def choose(parent, title, text, lines, *rest):
        asked.append(lines)
        return lines[1], True

    monkeypatch.setattr(QInputDialog, "getItem", choose)
    workspace.open([folder])
    qtbot.waitUntil(lambda: workspace.session.case.scan is not None, timeout=20000)
    assert len(asked) == 1 and len(asked[0]) == 2
    assert "sub-02" in workspace.session.case.scan.phase[0].origin.name
