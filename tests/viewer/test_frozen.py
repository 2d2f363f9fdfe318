"""What scripts and other programs rely on in the window: names of widgets, and the table's frame.

After a wanted change: ``python -m pytest tests/viewer/test_frozen.py --rewrite-kept``.
"""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from qtpy.QtWidgets import QApplication

from napari_qsm.session.opening import load
from tests.viewer.conftest import settle

pytestmark = pytest.mark.window
HERE = Path(__file__).resolve().parent
NAMES, FRAME = HERE / "object_names.txt", HERE / "table_of_session_0_1.csv"
SESSION = HERE.parent / "data" / "session-0.1"


@pytest.fixture
def opened(workspace, tmp_path):
    """Return the workspace with the session of version 0.1, unblinded."""
    shutil.copytree(SESSION, tmp_path / "study")
    workspace.show_loaded(load([tmp_path / "study" / "work"]))
    workspace.session.blinded = False
    settle(10)
    yield workspace
    for entry in list(workspace.session):
        workspace.session.remove(entry)
    workspace.session._saved = None
    workspace.saving.unsaved.saved()
    workspace.saving.autosave.forget()


def names_of_window():
    names = {widget.objectName() for widget in QApplication.allWidgets()}
    # Forms of settings follow the register of methods, which has tests of its own.
    return sorted(name for name in names if name.startswith("qsm.") and ".set." not in name)


def test_widgets_keep_their_names(opened, request):
    for index in range(opened.tabs.count()):
        opened.tabs.setCurrentIndex(index)
        settle(4)
    there = names_of_window()
    if request.config.getoption("--rewrite-kept"):
        NAMES.write_text("\n".join(there) + "\n", encoding="utf-8", newline="\n")
    kept = NAMES.read_text(encoding="utf-8").split()
    gone = sorted(set(kept) - set(there))
    assert not gone, f"scripts and other programs find these by name: {gone}"


def test_the_tables_frame_of_a_session_of_0_1(opened, request):
    frame = opened.table()
    if request.config.getoption("--rewrite-kept"):
        frame.to_csv(FRAME, index=False, lineterminator="\n")
    kept = pd.read_csv(FRAME, keep_default_na=False, na_values=["nan", ""])
    pd.testing.assert_frame_equal(
        frame.reset_index(drop=True).replace("", None).astype(kept.dtypes.to_dict()),
        kept,
        rtol=1e-9,
        atol=1e-6,
    )
