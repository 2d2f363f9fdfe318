"""Regions: fixed shapes, label maps, and the numbers in them."""
