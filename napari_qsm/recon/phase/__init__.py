"""Phase stage: scanner files to radians, paramagnetic tissue positive."""

from napari_qsm.recon.phase.scale import (
    PhaseUnit,
    decide_phase_unit,
    from_real_imaginary,
    scale,
    wrap_phase,
)

__all__ = ["PhaseUnit", "decide_phase_unit", "from_real_imaginary", "scale", "wrap_phase"]
