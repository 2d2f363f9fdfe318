"""The frame of the window: menus, status line, start page, and the dialogs that belong to all."""
