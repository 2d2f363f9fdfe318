"""Fixed shapes in the views: placing, moving and drawing them."""
