"""What every test stands on: settings of its own, a display or none, the shared data."""

import atexit
import os
import shutil
import sys
import tempfile
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings

# The same inputs at every run; HYPOTHESIS_PROFILE=explore looks for new ones.
settings.register_profile("same", derandomize=True)
settings.register_profile("explore")
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"


def own_display():
    """Start a display that nobody else uses, with its own mouse and focus; None if there is none.

    The process that starts the workers tells them, by a variable, to do the same.
    """
    if sys.platform != "linux" or os.environ.get("QT_QPA_PLATFORM") or not shutil.which("Xvfb"):
        return None
    shown = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if shown and not os.environ.get("NAPARI_QSM_OWN_DISPLAYS"):
        return None
    from pyvirtualdisplay import Display

    os.environ["NAPARI_QSM_OWN_DISPLAYS"] = "1"
    display = Display(size=(1920, 1200), color_depth=24)
    display.start()
    atexit.register(display.stop)
    return display


OWN_DISPLAY = own_display()
HAS_DISPLAY = sys.platform != "linux" or bool(
    os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
)

# Libraries read these once, while they are imported, which is before any
# fixture could set them; hence here, in a folder for the whole process.
PROCESS_HOME = Path(tempfile.mkdtemp(prefix="napari-qsm-tests-"))
os.environ["NAPARI_CONFIG"] = str(PROCESS_HOME / "napari" / "settings.yaml")
os.environ["XDG_CACHE_HOME"] = str(PROCESS_HOME / "cache")
os.environ["MPLBACKEND"] = "Agg"
os.environ.pop("MATPLOTLIBRC", None)
if not HAS_DISPLAY:
    # Without a display Qt would end the whole process at its first widget.
    os.environ["QT_QPA_PLATFORM"] = "offscreen"

# Everything a program may take for "the user's own folder" somewhere.
HOME_VARIABLES = {
    "HOME": "",
    "USERPROFILE": "",
    "APPDATA": "AppData/Roaming",
    "LOCALAPPDATA": "AppData/Local",
    # Windows asks the system, not these variables; platformdirs lets tests say otherwise.
    "WIN_PD_OVERRIDE_APPDATA": "AppData/Roaming",
    "WIN_PD_OVERRIDE_LOCAL_APPDATA": "AppData/Local",
    "XDG_CONFIG_HOME": ".config",
    "XDG_DATA_HOME": ".local/share",
    "XDG_STATE_HOME": ".local/state",
}

HOMES = count()

QT_FIXTURES = {"qapp", "qtbot", "make_napari_viewer", "make_napari_viewer_proxy"}


def pytest_addoption(parser):
    parser.addoption(
        "--rewrite-kept", action="store_true", help="write anew what tests compare with"
    )


def pytest_configure(config):
    # matplotlib's list of fonts takes seconds to make: keep it between runs.
    if hasattr(config, "cache"):
        os.environ["MPLCONFIGDIR"] = str(config.cache.mkdir("matplotlib"))
    set_home(os.environ.__setitem__, PROCESS_HOME)


def pytest_unconfigure():
    shutil.rmtree(PROCESS_HOME, ignore_errors=True)


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(config, items):
    for item in items:
        is_window = item.get_closest_marker("window") is not None
        if is_window and not HAS_DISPLAY:
            item.add_marker(pytest.mark.skip(reason="opens a window, and there is no display"))
        uses_qt = is_window or QT_FIXTURES.intersection(item.fixturenames)
        if uses_qt and config.pluginmanager.hasplugin("xdist"):
            # Widgets of one display share its mouse and its focus.
            group = item.path.name if OWN_DISPLAY is not None else "window"
            item.add_marker(pytest.mark.xdist_group(group))
        elif item.get_closest_marker("together") and config.pluginmanager.hasplugin("xdist"):
            item.add_marker(pytest.mark.xdist_group(item.path.name))


def set_home(set_variable, home):
    """Point every variable that names the user's own folder into ``home``."""
    for name, folder in HOME_VARIABLES.items():
        path = home / folder
        path.mkdir(parents=True, exist_ok=True)
        set_variable(name, str(path))


@pytest.fixture(autouse=True)
def own_settings(monkeypatch, tmp_path_factory):
    """Give each test a home folder and napari settings nobody has touched."""
    # Not by mktemp, which looks through all folders of the tests before.
    home = tmp_path_factory.getbasetemp() / "homes" / str(next(HOMES))
    set_home(monkeypatch.setenv, home)
    shutil.rmtree(PROCESS_HOME / "napari", ignore_errors=True)
    settings = sys.modules.get("napari.settings")
    if settings is not None:
        monkeypatch.setattr(settings, "_SETTINGS", None)
        monkeypatch.setattr(settings, "_PLUGIN_SETTINGS", {})
    return home


@pytest.fixture(scope="session")
def shared_data():
    """Return the folder with the shared scans; skip where it is not there."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the shared scans are not here ({SHARED_DATA})")
    return SHARED_DATA
