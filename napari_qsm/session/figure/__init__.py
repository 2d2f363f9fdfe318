"""From what is open in the session to a figure, and its files."""
