"""The parts of the Reconstruct panel, and each stage as a widget of plain napari."""
