"""What the window remembers between starts: a small JSON file in the user's own folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_config_dir

from napari_qsm.io.atomic import write_text

if TYPE_CHECKING:
    from napari_qsm.session.model import Session

#: Fields of the session that are a matter of taste, not of the work at hand.
REMEMBERED = ("unit", "radiological", "views_linked", "windows_linked", "crosshair_visible")


def settings_file() -> Path:
    """Where the settings lie on this system."""
    return Path(user_config_dir("napari-qsm", appauthor=False, roaming=True)) / "window.json"


def recall(session: Session) -> None:
    """Give a session what is remembered; what a damaged file says is passed over."""
    known = load_settings()
    for name in REMEMBERED:
        try:
            setattr(session, name, known.get(name, getattr(session, name)))
        except ValueError:  # it must not keep the window from opening
            continue


def load_settings() -> dict[str, Any]:
    """The remembered settings; empty if there are none or the file is damaged."""
    try:
        known = json.loads(settings_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def save_settings(values: dict[str, Any]) -> None:
    """Remember some settings beside those remembered before; without a place, do nothing."""
    path = settings_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps({**load_settings(), **values}, indent=1) + "\n")
    except (OSError, ValueError):
        return
