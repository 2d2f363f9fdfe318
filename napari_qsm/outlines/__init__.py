"""First outlines of the deep nuclei: the atlas, bent onto a map, then edges of the map itself.

Arrays, volumes and files only: nothing here reads a session or opens a window.
"""
