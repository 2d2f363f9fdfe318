"""How well a study's own readings repeat, region by region, from its table of agreement."""

from __future__ import annotations

import csv
import io
from math import isfinite

from napari_qsm.io.text import read_text
from napari_qsm.rois.pairs import base_name
from napari_qsm.rois.repeatability import Repeatability
from napari_qsm.study.agree import COLUMNS, POOLED
from napari_qsm.study.folder import StudyFolder


def repeatability_of(study: StudyFolder) -> list[Repeatability]:
    """What ``study agree`` found of each comparison of readings, its SEM as the SD within.

    Parameters
    ----------
    study : StudyFolder

    Returns
    -------
    list of Repeatability
        In the order of their files; empty where readings were not compared yet. Readings of one
        scan differ by reading alone: a person who is scanned again differs by more.
    """
    found = []
    for path in sorted(study.group.glob("agreement*.tsv")) if study.group.is_dir() else ():
        lines = csv.DictReader(io.StringIO(read_text(path, "agreement")), delimiter="\t")
        sems: dict[str, float] = {}
        for line in lines:
            if set(COLUMNS) <= set(line) and line["measure"] == "sem":
                value = _number(line["value"])
                if isfinite(value):
                    sems[line["region"]] = value
        whole = sems.pop(POOLED, None)
        if whole is None:
            whole = (sum(v**2 for v in sems.values()) / len(sems)) ** 0.5 if sems else None
        if whole is not None:
            source = (
                f"repeated readings of the study's scans ('{path.name}'): by reading alone, "
                "without a new scan"
            )
            by_region = {base_name(name).casefold(): value for name, value in sems.items()}
            found.append(Repeatability(whole, source, by_region))
    return found


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
