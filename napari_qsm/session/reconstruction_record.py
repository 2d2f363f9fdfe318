"""How the scan of a session is reconstructed, as JSON: recipe, scan, and what was typed in.

Results are maps of the session; each of them carries how it was made.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from napari_qsm.errors import QsmError
from napari_qsm.session.model import Session


def reconstruction_record(session: Session) -> dict[str, Any] | None:
    """What must be kept of a session's reconstruction; None without one."""
    work = session.reconstruction
    if work is None:
        return None
    source = work.source
    return {
        "recipe": work.recipe().to_dict(),
        "scan": None if source is None else {"title": source.title, "group": source.group},
        "facts": asdict(work.facts),
    }


def restore_reconstruction(record: dict[str, Any] | None, session: Session) -> list[str]:
    """Take recipe, scan and facts up again; the reconstruction that is there stays the same one.

    Returns
    -------
    list of str
        Sentences about what could not be brought back.
    """
    if record is None:
        return []
    from napari_qsm.recon.recipe import parse_recipe
    from napari_qsm.session.reconstruction import Reconstruction
    from napari_qsm.session.scan_source import source_of_scan, sources_among

    work = session.reconstruction
    if work is None:
        work = Reconstruction()
        session.reconstruction = work
    try:
        work.use_recipe(parse_recipe(record["recipe"], where="The session's recipe"))
        wanted = record["scan"]
        if wanted is not None:
            sources = sources_among(list(session))
            if session.scan is not None:
                sources.insert(0, source_of_scan(session.scan, wanted["group"]))
            source = next(
                (s for s in sources if (s.title, s.group) == (wanted["title"], wanted["group"])),
                None,
            )
            if source is not None:
                work.use_scan(source)
                facts = dict(record["facts"])
                facts["echo_times_s"] = tuple(facts["echo_times_s"])
                work.set_facts(**facts)
    except QsmError as error:
        return [str(error)]
    except (KeyError, TypeError):
        return ["How the scan was reconstructed could not be read and was left out."]
    return []
