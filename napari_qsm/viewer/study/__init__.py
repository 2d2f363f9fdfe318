"""The page of a study: its grid, its steps in the order of the work, its results."""
