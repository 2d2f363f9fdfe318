"""The answer to "how was this made?"."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from qtpy.QtWidgets import (
    QApplication,
    QDialog,
    QHBoxLayout,
    QPushButton,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from napari_qsm.recon.stages import CONTRASTS, get_method
from napari_qsm.session.stage_results import Results
from napari_qsm.session.stage_texts import STAGE_TEXTS, label_of
from napari_qsm.study.reconstruction import Reconstruction
from napari_qsm.study.scan_source import in_ms


def how_made(recon: Reconstruction, results: Results, stage: str) -> tuple[str, Mapping[str, Any]]:
    """Return the name and the provenance of a stage's result, as it is shown or as it is."""
    entry = results.entry(stage)
    if entry is not None:
        return entry.name, entry.provenance
    return STAGE_TEXTS[stage].result, recon.provenance(stage)


class HowMade(QDialog):
    """Steps and settings of a result, and the paragraph for a paper, to copy."""

    def __init__(self, name: str, provenance: Mapping[str, Any], parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("qsm.reconstruct.how_made")
        self.setWindowTitle(f"How was this made? {name}")
        self.resize(620, 560)
        self._methods = str(provenance.get("methods", ""))
        text = QTextBrowser()
        text.setObjectName("qsm.reconstruct.how_made.text")
        text.setHtml(page(name, provenance))
        copy = QPushButton("Copy the text for a paper")
        copy.setObjectName("qsm.reconstruct.how_made.copy")
        copy.clicked.connect(self.copy)
        close = QPushButton("Close")
        close.setObjectName("qsm.reconstruct.how_made.close")
        close.clicked.connect(self.accept)
        row = QHBoxLayout()
        row.addWidget(copy)
        row.addStretch(1)
        row.addWidget(close)
        layout = QVBoxLayout(self)
        layout.addWidget(text)
        layout.addLayout(row)

    def copy(self) -> None:
        """Put the paragraph on the clipboard."""
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self._methods)


def page(name: str, provenance: Mapping[str, Any]) -> str:
    """Everything as HTML."""
    rows = "".join(_step(step) for step in provenance.get("stages", ()))
    times = in_ms(provenance.get("echo_times_s", ()))
    strength = provenance.get("field_strength_t")
    facts = [f"TE {times} ms"] if times else []
    facts += [f"B0 {strength:g} T"] if strength else []
    facts += ["phase difference"] if provenance.get("phase_difference") else []
    recipe = provenance.get("recipe", {}).get("name", "")
    notes = "".join(f"<li>{html.escape(str(s))}</li>" for s in provenance.get("warnings", ()))
    software = provenance.get("software", {})
    versions = ", ".join(f"{html.escape(k)} {html.escape(v)}" for k, v in software.items())
    methods = html.escape(str(provenance.get("methods", ""))).replace("\n", "<br>")
    return (
        f"<h3>{html.escape(name)}</h3><p>{html.escape(', '.join(facts))}"
        f"{'; recipe ' + html.escape(recipe) if recipe else ''}</p>"
        f"<table cellpadding='3'>{rows}</table>"
        + (f"<h4>Notes</h4><ul>{notes}</ul>" if notes else "")
        + f"<h4>For a paper</h4><p>{methods}</p><p>{versions}</p>"
    )


def _step(step: Mapping[str, Any]) -> str:
    method = get_method(step["stage"], step["method"])
    settings = []
    for key, value in step["settings"].items():
        setting = method.settings[key]
        said = {True: "on", False: "off"}[value] if isinstance(value, bool) else f"{value}"
        settings.append(f"{label_of(setting)} {said} {setting.param.unit}".rstrip())
    hand = step.get("edited_by_hand")
    if hand:
        settings.append(
            f"<b>then edited by hand: {hand['added']} voxels added, {hand['removed']} removed</b>"
        )
    title = "Also" if method.stage == CONTRASTS else STAGE_TEXTS[method.stage].title
    return (
        f"<tr><td valign='top'><b>{title}</b></td><td>{html.escape(method.title)}"
        + (f"<br><small>{'; '.join(settings)}</small>" if settings else "")
        + "</td></tr>"
    )
