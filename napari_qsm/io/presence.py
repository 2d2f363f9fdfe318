"""Whether a file that a folder names has its content here."""

from __future__ import annotations

from pathlib import Path

_POINTER_SIZE = 32 * 1024


def absence(path: Path) -> str:
    """Why a file that a folder names has no content; empty where it may have some.

    Returns
    -------
    str
        What follows the file's name in a sentence.
    """
    if path.is_symlink() and not path.exists():
        if "annex" in path.readlink().parts:
            return (
                "was not fetched: it is a link of git-annex (DataLad) whose content is not here; "
                "get it with 'datalad get' or 'git annex get'"
            )
        return "is a link that leads nowhere"
    if not path.is_file():
        return ""
    size = path.stat().st_size
    if size == 0:
        return "is empty"
    if size < _POINTER_SIZE:
        with path.open("rb") as handle:
            start = handle.read(200)
        if start.startswith((b"/annex/objects/", b"\\annex\\objects\\")):
            return (
                "was not fetched: it is a pointer of git-annex (DataLad), not the image; get it "
                "with 'datalad get' or 'git annex get'"
            )
        if start.startswith(b"version https://git-lfs"):
            return "was not fetched: it is a pointer of git-lfs, not the image; 'git lfs pull'"
    return ""


def is_listed(path: Path) -> bool:
    """Whether a folder names a file, be its content there or not."""
    return path.is_file() or path.is_symlink()
