"""Which key means what: sets of keys that hands know, and the user's own choice among them."""

from __future__ import annotations

from app_model.types import KeyBinding, KeyCode
from napari.settings import get_settings

from napari_qsm.session.settings import load_settings, save_settings
from napari_qsm.viewer.command import Command
from napari_qsm.viewer.commands import COMMANDS

#: Names of the sets, as they are kept, with what the user calls them.
KEY_SETS = {"qsm": "napari-qsm", "itksnap": "ITK-SNAP", "napari": "napari"}
_OWN, _SET = "keys", "key_set"


def taken_keys() -> set[str]:
    """Keys napari uses now, with whatever its user has changed."""
    shortcuts = get_settings().shortcuts.shortcuts
    return {str(key) for keys in shortcuts.values() for key in keys}


def key_set() -> str:
    """Name of the set of keys that is in use."""
    name = load_settings().get(_SET)
    return name if isinstance(name, str) and name in KEY_SETS else "qsm"


def key_in(command: Command, name: str) -> str:
    """The key that a command has in a set, unless the user has chosen another."""
    other = getattr(command, name) if name != "qsm" else None
    return command.key if other is None else str(other)


def chosen_keys() -> dict[str, str]:
    """The key of each command: the user's choice, or the one of the set."""
    known, name = load_settings().get(_OWN), key_set()
    known = known if isinstance(known, dict) else {}
    keys = {each.id: known.get(each.id, key_in(each, name)) for each in COMMANDS}
    # A damaged settings file must not keep the window from opening.
    return {
        each: key if isinstance(key, str) and _is_key(key) else "" for each, key in keys.items()
    }


def choose_key(command: Command, key: str) -> None:
    """Give a command a key for good."""
    known = load_settings().get(_OWN)
    own = dict(known) if isinstance(known, dict) else {}
    own[command.id] = key
    if key == key_in(command, key_set()):
        del own[command.id]
    save_settings({_OWN: own})


def choose_set(name: str) -> None:
    """Take all keys from a set; single keys of one's own choice are forgotten."""
    save_settings({_SET: name, _OWN: {}})


def digits(keys: dict[str, str]) -> str:
    """What the digits mean, in a sentence.

    Parameters
    ----------
    keys : dict of str to str
        Keys of commands by their ids.
    """
    found = {
        keys[each.id]: each
        for each in COMMANDS
        if len(keys.get(each.id, "")) == 1 and keys[each.id].isdigit()
    }
    regions = [key for key, each in found.items() if each.id.startswith("qsm.region_")]
    said = [f"{key} {each.title}" for key, each in sorted(found.items()) if key not in regions]
    if regions:
        said.insert(0, f"{min(regions)} to {max(regions)} choose the region of that place")
    return f"Digits: {', '.join(said)}." if said else "Digits have no meaning."


def _is_key(key: str) -> bool:
    parts = KeyBinding.from_str(key).parts
    return len(parts) == 1 and parts[0].key != KeyCode.UNKNOWN
