"""Reconstruction: from wrapped phase to susceptibility in ppm. One file per stage."""
