"""Where a point of one head lies in another: visit to visit, and from an atlas to a map.

Arrays, places and numbers only: nothing here reads a study or opens a window.
"""
