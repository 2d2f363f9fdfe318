"""Proposed outlines from files and into files."""

from __future__ import annotations

import json
from pathlib import Path

from napari_qsm.errors import FileError
from napari_qsm.io.atomic import write_text
from napari_qsm.io.formats import stem
from napari_qsm.io.maps import read_map, read_volume
from napari_qsm.io.segmentation import write_labels
from napari_qsm.io.targets import check_out_file
from napari_qsm.outlines.propose import Proposal, propose_outlines
from napari_qsm.outlines.seeds import SEED_MARK
from napari_qsm.recon.provenance import input_record
from napari_qsm.recon.stages import Progress, Warn, no_progress, no_warning

_LABELS = (".nii", ".nii.gz", ".seg.nrrd")


def propose_file(
    map_path: Path,
    out: Path,
    *,
    magnitude_path: Path | None = None,
    mask_path: Path | None = None,
    unit: str = "",
    overwrite: bool = False,
    progress: Progress = no_progress,
    warn: Warn = no_warning,
) -> list[Path]:
    """Propose outlines for a map file.

    Parameters
    ----------
    map_path : Path
        Susceptibility map; its unit comes from its sidecar, ppm if that is silent and its
        values allow it.
    out : Path
        ``.nii.gz``, ``.nii`` or ``.seg.nrrd``; names of the regions and ``..._provenance.json``
        go beside it.
    magnitude_path, mask_path : Path, optional
        See :func:`~napari_qsm.outlines.propose.propose_outlines`.
    unit : str
        Unit of the map, if somebody stated it.
    overwrite : bool
        Whether label maps that are there may be replaced.
    progress, warn : callables
        Told the fraction done, and what the user should know.

    Returns
    -------
    list of Path
        The files written, the label map first.

    Raises
    ------
    QsmError
        Where a file cannot be used, or nothing can be proposed; then nothing is written.
    """
    if not out.name.lower().endswith(_LABELS):
        raise FileError(f"'{out.name}' must end in one of {', '.join(_LABELS)}.")
    record_path = out.with_name(f"{stem(out)}_provenance.json")
    inputs = [path for path in (map_path, magnitude_path, mask_path) if path is not None]
    for target in (out, record_path):
        check_out_file(target, overwrite=overwrite, inputs=inputs)
    chi = read_map(map_path, unit=unit, warn=warn)
    given = {"chi": chi}
    for role, path in (("magnitude", magnitude_path), ("mask", mask_path)):
        if path is not None:
            given[role] = read_volume(path)
    proposal = propose_outlines(
        chi, mask=given.get("mask"), magnitude=given.get("magnitude"), progress=progress
    )
    for sentence in sentences_of(proposal):
        warn(sentence)
    written = write_labels(proposal.labels, proposal.regions, out)
    record = {**proposal.record(), "inputs": [input_record(r, v) for r, v in given.items()]}
    write_text(record_path, json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    return [*written, record_path]


def sentences_of(proposal: Proposal) -> list[str]:
    """What somebody who takes over proposed outlines should know, in sentences."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in proposal.without.items():
        by_reason.setdefault(reason, []).append(name)
    sentences = [f"Left out: {', '.join(names)} ({reason})." for reason, names in by_reason.items()]
    if any(SEED_MARK in region.name for region in proposal.regions):
        sentences.append(
            "Thalamus, pulvinar and dentate nucleus are balls to start from, not outlines."
        )
    sentences.append("These outlines are proposals: look at every one before it is measured.")
    return sentences
