"""Reconstruction: from wrapped phase to susceptibility in ppm. One file per stage."""

from napari_qsm.recon.caches import settle_cache

settle_cache()
