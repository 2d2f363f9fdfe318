"""What napari itself shows of this plugin, outside the workspace: layers, letters, stages."""
