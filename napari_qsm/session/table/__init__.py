"""The table of regions: what it measures and what its rows say."""
