"""The table of regions: what it measures, what its rows say, and how it is shown and copied."""
