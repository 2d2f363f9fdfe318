"""Small volumes with a place in the head, and a workspace in a real window."""

from itertools import permutations, product

import numpy as np
import pytest

from napari_qsm.volume import StoredGrid, Volume
from tests.conftest import set_home

SHAPE = (24, 30, 18)
SIZE_MM = (2.0, 1.5, 3.0)
ORDERS = [
    tuple(zip(axes, signs, strict=True))
    for axes in permutations(range(3))
    for signs in product((1, -1), repeat=3)
]


def rotation(degrees=(0.0, 0.0, 0.0)):
    """Rotation matrix about x, then y, then z."""
    matrix = np.eye(3)
    for axis, angle in enumerate(np.radians(degrees)):
        a, b = [i for i in range(3) if i != axis]
        turn = np.eye(3)
        turn[a, a] = turn[b, b] = np.cos(angle)
        turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
        matrix = turn @ matrix
    return matrix


def affine_of(shape=SHAPE, size=SIZE_MM, degrees=(0.0, 0.0, 0.0), centre=(3.0, -7.0, 11.0)):
    """Affine of a RAS-like grid whose middle lies at ``centre``."""
    affine = np.eye(4)
    affine[:3, :3] = rotation(degrees) @ np.diag(size)
    affine[:3, 3] = centre - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine


def ramp(order=None, degrees=(0.0, 0.0, 0.0), name="χ test", unit="ppm"):
    """A map whose value tells the voxel (in RAS order), stored in any axis order."""
    values = np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE) * np.float32(1e-5)
    volume = Volume(values, affine_of(degrees=degrees), unit=unit, name=name)
    return volume if order is None else stored_in(volume, order)


def stored_in(volume, order):
    """The volume as a file of another axis order would give it."""
    turned = volume._reoriented(order)
    grid = StoredGrid(turned.shape, turned.affine)
    return Volume(turned.data, turned.affine, volume.unit, volume.name, stored=grid)


def code_of(order):
    """``"LPS"``-like name of an axis order, for test ids."""
    return stored_in(ramp(), order).orientation


@pytest.fixture(scope="module", autouse=True)
def swept(request):
    """Collect what the last module's window left, and see that nothing holds it."""
    import gc

    from napari._qt.qt_viewer import QtViewer

    gc.collect()
    alive = list(QtViewer._instances)
    QtViewer._instances.clear()  # told once; later counts of windows do not fail for it again
    # The report of a failed test holds all that the test had, its window too.
    assert not alive or request.session.testsfailed, "the last module's window is still alive"


@pytest.fixture(scope="module")
def one_window(qapp, tmp_path_factory):
    """A workspace in a shown window of 1200 x 800, for all tests of a module."""
    import gc

    import napari
    from napari._app_model import get_app_model

    from napari_qsm.viewer.workspace import Workspace

    # A window writes what it remembers when it closes: not where the next one would read it.
    home = tmp_path_factory.mktemp("window")
    # napari collects garbage at each layer removed: spare it everything imported so far.
    gc.freeze()
    # The fixtures of napari's own tests make it register plugins anew for each window,
    # which fails the second time outside of them; no plugin is needed here.
    with pytest.MonkeyPatch.context() as patch:
        set_home(patch.setenv, home)
        patch.setattr("napari.plugins._initialize_plugins", lambda: None)
        # They also forget that the actions of windows are known to the program already.
        if "napari.window.debug.start_trace_dialog" in get_app_model().commands:
            patch.setattr("napari._qt.qt_main_window.init_qactions", lambda: None)
        viewer = napari.Viewer(show=True)
        made = Workspace(viewer)
        viewer.window.resize(1200, 800)
        settle(20)
    yield made
    with pytest.MonkeyPatch.context() as patch:
        set_home(patch.setenv, home)
        made.leave()
        viewer.close()
    del made, viewer
    settle(10)
    gc.collect()


def renew(session, keep=()):
    """Bring a session to its start, but for maps of some names and their cases."""
    from napari_qsm.session import Case, Session

    for entry in list(session):
        if entry.name not in keep:
            session.remove(entry)
    made = ("scan", "midline_mm", "shapes", "annotations", "ratings", "painted", "labels_used")
    for case in session.cases:
        if case.maps:
            case.update({name: getattr(Case(), name) for name in made})
        else:
            session.close_case(case)
    fresh = Session()
    names = set(type(fresh).model_fields) - {"maps", "study", "active_case"}
    session.update({name: getattr(fresh, name) for name in names})


@pytest.fixture
def workspace(one_window):
    """The module's workspace as it was at its start: empty, with nothing chosen yet."""
    with pytest.MonkeyPatch.context() as patch:
        # napari collects garbage at each layer that goes; once a module is enough here.
        patch.setattr("gc.collect", lambda *generation: 0)
        renew(one_window.session)
    one_window.central.message.clear()
    one_window.help.hide()
    one_window.controller.main.reset_zoom()
    one_window.viewer.window.resize(1200, 800)
    settle()
    return one_window


@pytest.fixture
def own_window(make_napari_viewer, qtbot):
    """A workspace whose window is checked for leaks when the test is over."""
    from napari_qsm.viewer.workspace import Workspace

    viewer = make_napari_viewer(show=True)
    made = Workspace(viewer)
    settle()
    yield made
    made.leave()
    settle()


def settle(rounds=4):
    """Let Qt do what it has to do, as its own loop would."""
    from qtpy.QtCore import QEvent
    from qtpy.QtWidgets import QApplication

    # Without a running loop, Qt keeps everything that was to be deleted later, and napari makes
    # new sliders for each layer: windows would get slower from test to test.
    deletion = int(getattr(QEvent.Type.DeferredDelete, "value", QEvent.Type.DeferredDelete))
    for _ in range(rounds):
        QApplication.processEvents()
        QApplication.sendPostedEvents(None, deletion)
