"""Is this map good? Findings, numbers, histogram, rating and report in the window."""
