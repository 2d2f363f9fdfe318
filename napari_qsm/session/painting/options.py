"""How the drawing tools are set."""

from __future__ import annotations

from typing import Literal

from psygnal import EventedModel
from pydantic import ConfigDict, Field

from napari_qsm.rois.brush import Tip

Kind = Literal["", "brush", "eraser", "polygon", "lasso", "fill", "pick"]
#: Widths the keys step through, mm.
WIDTHS_MM = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 15.0, 20.0, 25.0, 30.0)


class PaintOptions(EventedModel):
    """What is set under "Draw".

    Attributes
    ----------
    kind : str
        The tool that has the left button; empty for the crosshair.
    diameter_mm : float
        Width of the brush.
    tip : {"round", "square"}
        Its form.
    in_3d : bool
        Whether brush and fill reach into neighbouring slices.
    protect : bool
        Whether other regions keep their voxels.
    limited : bool
        Whether only some values are drawn.
    window_ppm : (low, high)
        Which ones.
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    kind: Kind = ""
    diameter_mm: float = Field(default=4.0, ge=0.1, le=100.0)
    tip: Tip = "round"
    in_3d: bool = False
    protect: bool = True
    limited: bool = False
    window_ppm: tuple[float, float] = (0.02, 0.3)

    def wider(self, steps: int) -> None:
        """Take the next wider, or with -1 narrower, width."""
        others = [width for width in WIDTHS_MM if (width - self.diameter_mm) * steps > 1e-6]
        if others:
            self.diameter_mm = min(others) if steps > 0 else max(others)
