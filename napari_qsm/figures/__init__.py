"""Figures for papers: a description as data, and its drawing from the maps themselves."""
