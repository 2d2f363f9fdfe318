"""The linked views: controller, slices, what stands over them, and napari's layers."""
