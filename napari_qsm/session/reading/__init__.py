"""Blinded reading of a study's scans: what the reader's window works out without Qt.

A rater sees codes. Whose scan it is, where it lies and what is measured in it stays with
:class:`~napari_qsm.session.reading.kept.ReadingFile` and the
:class:`~napari_qsm.session.reading.desk.Desk`, which hand no name, path or value on.
"""
