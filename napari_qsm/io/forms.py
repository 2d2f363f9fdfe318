"""The two places that a NIfTI header may give an image: their unit, the scanner's own, conflicts."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_qsm.arrays import Array
from napari_qsm.volume import SCANNER_Z, Volume, b0_direction, orientation_code

#: Code of a form that places the image as it lay in the scanner.
_SCANNER = 1
#: Corners of the grid that lie further apart than this part of a voxel count as elsewhere.
_VOXELS_APART = 0.5
#: Directions of B0 that differ by less are the same but for rounding, rad.
_SAME_DIRECTION = 1e-3
_TEMPLATES = {3: "the atlas of Talairach", 4: "the MNI template", 5: "a template"}
_MM = {"meter": 1e3, "mm": 1.0, "micron": 1e-3}


def mm_per_unit(header: Any) -> float:
    """Millimetres in the header's unit of length; 1 where it names none."""
    try:
        return _MM.get(header.get_xyzt_units()[0], 1.0)
    except (AttributeError, KeyError):
        return 1.0


def b0_in_world(header: Any, affine: Array) -> tuple[float, float, float]:
    """Direction of the main field in the world of the form that is displayed.

    Parameters
    ----------
    header : nibabel.Nifti1Header
        As read.
    affine : (4, 4) ndarray
        The form that is displayed: the sform if it has a code, else the qform.

    Returns
    -------
    tuple of float
        World z, unless the sform leads elsewhere (code 2 to 5: another image, a template)
        while the qform has code 1: then that form, which is the scanner's, tells it.
    """
    if int(header["sform_code"]) in (0, _SCANNER) or int(header["qform_code"]) != _SCANNER:
        return SCANNER_Z
    try:
        in_voxels = np.array(b0_direction(header.get_qform()))
    except Exception:  # a qform that holds no rotation; form_problem says so
        return SCANNER_Z
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    world = axes @ in_voxels
    world /= np.linalg.norm(world)
    if np.linalg.norm(world - np.array(SCANNER_Z)) < _SAME_DIRECTION:
        return SCANNER_Z
    return float(world[0]), float(world[1]), float(world[2])


def side_notes(volume: Volume, what: str = "") -> list[str]:
    """What a file leaves open about left and right, for every command that uses sides.

    Parameters
    ----------
    volume : Volume
        As read.
    what : str
        What the sentences call it; its file's name unless given.
    """
    who = what or f"'{volume.origin.name if volume.origin else volume.name}'"
    notes = []
    if not volume.orientation_known:
        notes.append(
            f"{who} records no orientation, so left and right cannot be told apart; its sides "
            "are a guess."
        )
    problem = form_problem(volume.stored.header) if volume.stored else ""
    if problem:
        notes.append(f"The header of {who} contradicts itself: {problem}")
    return notes


def form_problem(header: Any) -> str:
    """What is wrong between the qform and the sform of a header, in one sentence.

    Programs differ in which of the two they read, so that where they disagree one image is
    shown in two ways, at worst with left and right exchanged.

    Parameters
    ----------
    header : nibabel.Nifti1Header or None
        Header as read.

    Returns
    -------
    str
        Empty where both agree within half a voxel, or only one is recorded.
    """
    if header is None or not all(int(header[code]) for code in ("qform_code", "sform_code")):
        return ""
    try:
        qform, sform = header.get_qform(), header.get_sform()
        codes = orientation_code(qform), orientation_code(sform)
    except Exception:
        return "its qform holds no orientation, though it says so; the sform is used."
    if np.linalg.det(qform[:3, :3]) * np.linalg.det(sform[:3, :3]) < 0:
        return (
            f"its sform ({codes[1]}) and qform ({codes[0]}) are mirror images of each other, so "
            "programs will disagree on left and right; the sform is used."
        )
    if codes[0] != codes[1]:
        return (
            f"its sform says {codes[1]} but its qform {codes[0]}, so programs will turn it "
            "differently; the sform is used."
        )
    shape = np.array(header.get_data_shape()[:3])
    corners = np.array([[i, j, k, 1] for i in (0, 1) for j in (0, 1) for k in (0, 1)], float)
    corners[:, :3] *= shape - 1
    apart = float(np.linalg.norm((corners @ (qform - sform).T)[:, :3], axis=1).max())
    if apart > _VOXELS_APART * min(np.linalg.norm(sform[:3, :3], axis=0)):
        apart *= mm_per_unit(header)
        return (
            f"its sform and qform place its corners up to {apart:.1f} mm apart; the sform is used."
        )
    return ""


def b0_note(volume: Volume) -> str:
    """Where the direction of B0 comes from, in a sentence, if that is not the usual place."""
    header = volume.stored.header if volume.stored is not None else None
    if volume.b0_world != SCANNER_Z:
        return (
            "The direction of B0 was taken from the qform, which is the scanner's own (code 1), not "
            "from the sform, which leads elsewhere."
        )
    if header is None:
        return ""
    code = int(header["sform_code"]) or int(header["qform_code"])
    if code not in _TEMPLATES or int(header["qform_code"]) == _SCANNER:
        return ""
    return (
        f"The only orientation in the header is that of {_TEMPLATES[code]} (code {code}), so B0 was "
        "taken to run along its third axis; if the head was turned to get there, that is wrong."
    )
