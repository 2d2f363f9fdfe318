"""Settings of one stage side by side: variants, slab and previews."""
