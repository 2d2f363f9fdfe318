"""What a stroke writes, and where it may."""
