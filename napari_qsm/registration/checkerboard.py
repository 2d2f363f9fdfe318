"""Two registered heads as the squares of one board: edges run on where they fit."""

from __future__ import annotations

import io
from itertools import product

import numpy as np

from napari_qsm.arrays import Array, bounding_box
from napari_qsm.registration.images import coarser, evened, on_grid
from napari_qsm.volume import Volume

_SQUARE_MM = 20.0
_PIXEL_MM = 1.0
#: Evened magnitudes are about 1 in the head.
_BLACK, _WHITE = 0.3, 1.5
_LETTERS = {0: "RL", 1: "RL", 2: "AP"}
_GAP = 6


def checkerboard_png(fixed: Volume, moving: Volume, matrix: Array) -> bytes:
    """An axial, a coronal and a sagittal slice through the middle of the head, as a PNG.

    Parameters
    ----------
    fixed, moving : Volume
        3-D magnitudes.
    matrix : (4, 4) ndarray
        World RAS mm of ``fixed`` to that of ``moving``.

    Returns
    -------
    bytes
        The patient's right is on the left of the picture, and the front on that of the
        sagittal one; letters say so. The brighter squares are those of ``fixed``.
    """
    one, head = evened(coarser(fixed.to_canonical(), 1.5))
    other = evened(coarser(moving, 1.5))[0]
    box = bounding_box(head, 2)
    corner = one.affine.copy()
    corner[:3, 3] = one.voxel_to_world([part.start for part in box])
    sizes = np.array([(part.stop - part.start) for part in box]) * np.array(one.voxel_size_mm)
    shape = tuple(int(n) for n in np.ceil(sizes / _PIXEL_MM))
    corner[:3, :3] = corner[:3, :3] / one.voxel_size_mm * _PIXEL_MM
    grid = Volume(np.broadcast_to(np.float32(0), shape), corner)
    squares = [(np.arange(n) * _PIXEL_MM // _SQUARE_MM).astype(int) for n in shape]
    images = []
    for axis in (2, 1, 0):
        index = shape[axis] // 2
        part = [slice(None)] * 3
        part[axis] = slice(index, index + 1)
        place = grid.affine.copy()
        place[:3, 3] = grid.voxel_to_world([index if a == axis else 0 for a in range(3)])
        size = tuple(1 if a == axis else shape[a] for a in range(3))
        plane = Volume(np.broadcast_to(np.float32(0), size), place)
        a, b = on_grid(one, plane)[0], 0.9 * on_grid(other, plane, matrix)[0]
        across, up = (each for each in range(3) if each != axis)
        even = (squares[across][:, None] + squares[up][None, :]) % 2 == 0
        picture = np.where(even, a.squeeze(axis), b.squeeze(axis))
        grey = (picture - _BLACK) / (_WHITE - _BLACK)
        images.append(np.clip(grey[::-1, ::-1].T, 0, 1))
    return _png(images)


def _png(images: list[Array]) -> bytes:
    from PIL import Image, ImageDraw

    height = max(image.shape[0] for image in images)
    width = sum(image.shape[1] + _GAP for image in images) - _GAP
    sheet = Image.new("L", (width, height))
    pen = ImageDraw.Draw(sheet)
    left = 0
    for number, image in enumerate(images):
        top = (height - image.shape[0]) // 2
        sheet.paste(Image.fromarray((image * 255).astype(np.uint8)), (left, top))
        for letter, (x, y) in zip(
            _LETTERS[number],
            product((left + 2, left + image.shape[1] - 9), (height // 2 - 6,)),
            strict=True,
        ):
            pen.text((x, y), letter, fill=255)
        left += image.shape[1] + _GAP
    out = io.BytesIO()
    sheet.save(out, "PNG", optimize=True)
    return out.getvalue()
