"""Signs for severities and verdicts: each has a shape and a letter of its own, not only a colour."""

from __future__ import annotations

from qtpy.QtGui import QPixmap

from napari_qsm.viewer.icons import pixmap

SEVERITY_WORDS = {"serious": "Serious", "warning": "Warning", "note": "Note"}
VERDICT_WORDS = {"pass": "Pass", "doubtful": "Doubtful", "fail": "Fail"}
_SAME = {"fail": "serious", "pass": "good"}


def sign(kind: str, side: int = 20) -> QPixmap:
    """The picture of a severity or verdict."""
    return pixmap(f"sign-{_SAME.get(kind, kind)}", side=side)
