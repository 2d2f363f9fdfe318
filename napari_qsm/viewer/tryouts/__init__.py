"""Trying settings of one stage side by side in the window."""
