"""The window's side of figures: from the session to a spec, its editing, marks, preview, export."""
