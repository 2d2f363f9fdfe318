"""Drawing regions with the mouse: what is drawn into, the tools, and their cursor."""
