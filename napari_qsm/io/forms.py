"""Where the two orientations that a NIfTI header may carry contradict each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_qsm.volume import orientation_code

#: Corners of the grid that lie further apart than this part of a voxel count as elsewhere.
_VOXELS_APART = 0.5


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
    if header is None or int(header["qform_code"]) == 0 or int(header["sform_code"]) == 0:
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
        return (
            f"its sform and qform place its corners up to {apart:.1f} mm apart; the sform is used."
        )
    return ""
