"""Which of the layers of plain napari a stage most likely wants, so that nobody has to look for them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from napari_qsm.recon.recipe import Choice
from napari_qsm.recon.result import UNITS
from napari_qsm.session import Role

#: Inputs that are somebody's decision; nothing is put there unasked.
DECISIONS = frozenset({"given_mask", "reference_roi"})
#: Inputs of which every echo is one.
ECHOES = frozenset({"raw_phase", "phase", "magnitude", "unwrapped"})
_MASKS = frozenset({"mask", "local_mask"})
#: What kind of image an input is, and a word of its name that it must and must not have.
_KINDS: dict[str, tuple[Role | None, str, str]] = {
    "raw_phase": ("phase", "", "unwrapped"),
    "phase": ("phase", "", "unwrapped"),
    "unwrapped": ("phase", "unwrapped", ""),
    "magnitude": ("magnitude", "", ""),
    "total_field_ppm": ("other", "total.?field", ""),
    "local_field_ppm": ("other", "local.?field", ""),
    "noise_ppm": ("other", "noise", ""),
    "chi_ppm": ("map", "", ""),
    "mask": ("mask", "", "local"),
    "local_mask": ("mask", "local", ""),
}
_NOT, _PERHAPS, _LIKELY, _MADE = range(4)


@dataclass(frozen=True)
class Candidate:
    """One layer, as far as a choice goes by it.

    Attributes
    ----------
    name : str
        What the layer is called.
    labels : bool
        A labels layer, not an image.
    role : str or None
        What it holds; None for what is not of this plugin.
    unit : str
        Of its values; empty if unknown.
    quantity : str
        Which quantity of the reconstruction it was made as; empty for anything else.
    head : str
        Whose it is; empty if unknown.
    """

    name: str
    labels: bool = False
    role: Role | None = None
    unit: str = ""
    quantity: str = ""
    head: str = ""


def head_of(layers: Sequence[Candidate], active: int | None = None) -> str:
    """Whose layers are meant: those of the active layer, else of the one on top."""
    order = [*([] if active is None else [active]), *reversed(range(len(layers)))]
    return next((layers[i].head for i in order if layers[i].head), "")


def chosen(wanted: str, layers: Sequence[Candidate], head: str = "") -> list[int]:
    """The layers to begin with for one input of a stage; empty where none is more likely than others.

    Parameters
    ----------
    wanted : str
        A quantity of :data:`napari_qsm.recon.stages.QUANTITIES`.
    layers : sequence of Candidate
        From the bottom to the top.
    head : str
        Whose they have to be; layers of nobody known count as theirs.

    Returns
    -------
    list of int
        Places in ``layers``. Several only for echoes: those whose names differ by a number alone.
    """
    if wanted in DECISIONS:
        return []
    own = [i for i, layer in enumerate(layers) if not head or layer.head in ("", head)]
    marks = {i: _mark(wanted, layers[i]) for i in own}
    best = max(marks.values(), default=_NOT)
    found = [i for i in own if marks[i] == best]
    if best == _NOT or (best == _PERHAPS and len(found) > 1):  # it could be any of them
        return []
    last = found[-1]
    if wanted not in ECHOES:
        return [last]
    return [i for i in found if _series(layers[i].name) == _series(layers[last].name)]


def lacking(choice: Choice, found: Collection[str]) -> str:
    """What a map will lack with these settings and inputs; empty if nothing.

    Parameters
    ----------
    choice : Choice
        A method and its settings.
    found : collection of str
        Inputs that have a layer.
    """
    said = []
    if "updates" in choice.settings:
        missing = [
            word
            for name, word in (
                ("total_field_ppm", "total field"),
                ("mask", "mask of the total field"),
            )
            if name not in found
        ]
        if not choice.settings["updates"]:
            said.append("With 0 updates the background is not estimated anew:")
        elif missing:
            said.append(f"Without the {' and the '.join(missing)} the background stays as it is:")
        if said:
            said.append("means of nuclei will come out too small.")
    if choice.settings.get("weighted") and not {"noise_ppm", "magnitude"} & set(found):
        said.append("Without field noise or magnitude all voxels count alike.")
    return " ".join(said)


def _mark(wanted: str, layer: Candidate) -> int:
    if layer.quantity:
        if layer.quantity == wanted or {layer.quantity, wanted} == {"raw_phase", "phase"}:
            return _MADE
        return _PERHAPS if (wanted, layer.quantity) == ("local_mask", "mask") else _NOT
    role, with_word, without = _KINDS[wanted]
    is_one = layer.role == role and not (without and _says(layer, without))
    if with_word:
        is_one = is_one and _says(layer, with_word)
    if wanted in _MASKS:
        drawn = layer.labels and layer.role is None
        return _LIKELY if is_one else _PERHAPS if drawn or layer.role == "mask" else _NOT
    # Values of an unknown unit are put nowhere: what they mean is not for a program to guess.
    unit = UNITS.get(wanted, "")
    if layer.labels or (unit and layer.unit != unit):
        return _NOT
    return _LIKELY if is_one else _NOT


def _says(layer: Candidate, word: str) -> bool:
    return re.search(word, layer.name.lower()) is not None


def _series(name: str) -> tuple[str, str]:
    """The name without the number of the echo (and others: whose it is, the head tells), and what napari puts behind one that is taken."""
    own = re.sub(r" \[\d+\]$", "", name)
    return re.sub(r"\d+", "#", own), name[len(own) :]
