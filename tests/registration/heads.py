"""Heads at two visits whose motion is known without any interpolation.

The second visit is scanned on a grid that is tilted against the head, and its file says that the
grid lies elsewhere: the head has moved by what stands between the two affines.
"""

import numpy as np
from scipy.spatial.transform import Rotation

from napari_qsm.phantom import make_head
from napari_qsm.volume import Volume

#: A grid on which a head is made and registered in about half a second each.
TINY = {"shape": (64, 74, 42), "voxel_size_mm": (2.7, 2.7, 3.2)}


def rigid(angles_deg, shift_mm):
    """Return 4 x 4: turns about x, y, z through the middle of the head, then a shift."""
    centre = np.array([0.0, -15.5, 10.0])
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", angles_deg, degrees=True).as_matrix()
    matrix[:3, 3] = centre - matrix[:3, :3] @ centre + shift_mm
    return matrix


def moved_head(matrix, subject="control", seed=1, **grid):
    """Return the scan of a moved head; everything on its grid lies where ``matrix`` brings it."""
    # The main field runs along the slices of the tilted grid, as seen from the head.
    b0 = np.linalg.inv(matrix[:3, :3]) @ [0, 0, 1]
    head = make_head(subject, b0_direction=tuple(b0), seed=seed, **(grid or TINY))
    return head, matrix @ head.chi.affine


def placed(volume, affine, data=None):
    """Return a volume with another affine."""
    return Volume(volume.data if data is None else data, affine)


def shaded(volume):
    """Return a magnitude as coils that stay with the scanner shade it."""
    at = volume.voxel_to_world(np.moveaxis(np.indices(volume.shape), 0, -1))
    shade = np.exp(at[..., 1] / 160 + 0.4 * (at[..., 0] / 70) ** 2 - at[..., 2] / 140)
    return volume.with_data((volume.data * shade).astype(np.float32))


def cut(volume, low, high):
    """Return a volume without its lowest and highest slices."""
    affine = volume.affine.copy()
    affine[:3, 3] += affine[:3, 2] * low
    return Volume(volume.data[:, :, low : volume.shape[2] - high], affine)


def nuclei_mm(head):
    """Return the centres of the deep nuclei of a head in world mm; (n, 3)."""
    labels = head.labels.data
    voxels = [np.argwhere(labels == region.index).mean(axis=0) for region in head.label_names]
    return head.labels.voxel_to_world(np.array(voxels))
