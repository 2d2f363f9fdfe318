"""Small volumes with a place in the head, and a workspace in a real window."""

from itertools import permutations, product

import numpy as np
import pytest

from napari_qsm.volume import StoredGrid, Volume

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


@pytest.fixture
def workspace(make_napari_viewer, qtbot):
    """A workspace in a shown window of 1200 x 800, left and closed afterwards."""
    from napari_qsm.viewer.workspace import Workspace

    viewer = make_napari_viewer(show=True)
    made = Workspace(viewer)
    viewer.window.resize(1200, 800)
    qtbot.waitExposed(viewer.window._qt_window)
    settle()
    yield made
    made.leave()
    settle()


def settle(rounds=4):
    """Let Qt do what it has to do."""
    from qtpy.QtWidgets import QApplication

    for _ in range(rounds):
        QApplication.processEvents()
