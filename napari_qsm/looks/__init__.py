"""What the window and figures share: colours of numbers, planes and their letters."""
