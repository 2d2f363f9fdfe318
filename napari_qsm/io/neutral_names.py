"""Names for what is shared that do not come from names of files: those often name a patient."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from napari_qsm.io.formats import stem

#: ``sub-01_ses-t0_Chimap``: its labels are codes by the rules of BIDS.
_BIDS = re.compile(r"sub-[A-Za-z0-9]+(_[a-z]+-[A-Za-z0-9+]+)*_[A-Za-z0-9]+")
#: Names that this program gives, and kinds that may stand in other names.
_KINDS = {
    "chi": "susceptibility map",
    "chimap": "susceptibility map",
    "qsm": "susceptibility map",
    "r2star": "R2* map",
    "r2starmap": "R2* map",
    "swi": "SWI",
    "tswi": "tSWI",
    "t2star": "T2* map",
    "t2starmap": "T2* map",
    "magnitude": "magnitude",
    "mag": "magnitude",
    "phase": "phase",
    "mask": "mask",
    "labels": "labels",
    "dseg": "labels",
    "seg": "labels",
    "roi": "labels",
    "rois": "labels",
}
_OWN = {
    "chi", "chi_noise", "r2star", "t2star", "local_field", "total_field", "field_noise", "unwrapped", "mask",
    "local_mask", "labels", "magnitude", "phase", "swi", "tswi", "mip", "chi_positive", "chi_negative",
}  # fmt: skip


def neutral_name(path: Path | str, otherwise: str = "map") -> str:
    """What a file is called in tables and figures that are shared.

    Parameters
    ----------
    path : Path or str
        The file, or its name.
    otherwise : str
        For a file whose name does not tell its kind.

    Returns
    -------
    str
        Its own name where that is a BIDS name or one that this program gives; else its kind.

    Examples
    --------
    >>> neutral_name("Mueller_Hans_1951_chi.nii.gz"), neutral_name("sub-01_Chimap.nii.gz")
    ('susceptibility map', 'sub-01_Chimap')
    """
    name = stem(path)
    if name in _OWN or _BIDS.fullmatch(name):
        return name
    words = re.split(r"[\W_]+", name.lower())
    return next((_KINDS[word] for word in reversed(words) if word in _KINDS), otherwise)


def shared_name(name: str, origin: Path | None, otherwise: str = "map") -> str:
    """A name that somebody gave, as it is; one that is only that of the file, neutral."""
    if origin is not None and name in (stem(origin), origin.name):
        return neutral_name(origin, otherwise)
    return name


def told_apart(names: Iterable[str]) -> list[str]:
    """Names with a number where several are the same."""
    given = list(names)
    return [
        f"{name} {given[: place + 1].count(name)}" if given.count(name) > 1 else name
        for place, name in enumerate(given)
    ]
