"""Quality of a reconstruction: numbers, warnings in plain words, a rating and a report."""
