"""The Regions tab: painting, fixed shapes, lists and the table."""
