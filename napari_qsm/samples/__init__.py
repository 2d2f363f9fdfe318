"""Real scans that come with the program, each with its licence beside it."""

from __future__ import annotations

from pathlib import Path

#: Three gradient echoes of a part of a brain: ``phase.nii.gz`` and ``magnitude.nii.gz`` (x, y, z,
#: echo) with their sidecars. The field strength was not recorded, and the sidecars do not give one.
GRE_CROP = Path(__file__).parent / "gre-crop"
