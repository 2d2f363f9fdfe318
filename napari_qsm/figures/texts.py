"""Words on a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from napari_qsm.errors import QsmError
from napari_qsm.figures.gather import Loaded
from napari_qsm.figures.kinds import Drawing, PanelPlan, Setting, plan_of
from napari_qsm.figures.lettering import MIN_PT, Rect
from napari_qsm.figures.page import Page
from napari_qsm.figures.panels import TextPanel
from napari_qsm.recon.provenance import methods_paragraph


@plan_of(TextPanel)
@dataclass(frozen=True, eq=False)
class TextPlan(PanelPlan):
    """Words, complete."""

    panel: TextPanel
    text: str

    @classmethod
    def of(cls, panel: TextPanel, who: str, setting: Setting) -> Self:
        """The words, with a methods paragraph where one is asked for.

        Raises
        ------
        QsmError
            If there are none.
        """
        return cls(who, panel, _text(panel, setting.sources, who))

    def height(self, page: Page, width_mm: float) -> float:
        """That of the wrapped words."""
        lines = page.wrapped(self.text, width_mm, page.style.size_pt)
        return len(lines) * page.line_height() + 0.6

    def draw(self, page: Page, rect: Rect, drawing: Drawing) -> list[str]:
        """Write them, smaller where the panel is too low.

        Raises
        ------
        QsmError
            If they don't fit in the smallest letters: words are never cut off.
        """
        size = page.style.size_pt
        while True:
            lines = page.wrapped(self.text, rect.width, size)
            if len(lines) * page.line_height(size) <= rect.height + 0.05:
                break
            if size <= MIN_PT:
                raise QsmError(f"{self.who} is too small for its words; give it more room.")
            size = max(size - 0.25, MIN_PT)
        for at, line in enumerate(lines):
            page.text(rect.left, rect.top + at * page.line_height(size), line, size_pt=size)
        return []


def _text(panel: TextPanel, sources: Mapping[str, Loaded], who: str) -> str:
    parts = [panel.text] if panel.text.strip() else []
    if panel.methods_of:
        parts.append(methods_of(sources[panel.methods_of]))
        if not parts[-1]:
            raise QsmError(
                f"{who}: nothing beside '{sources[panel.methods_of].name}' tells how the map was "
                "made (provenance.json), so there is no methods paragraph."
            )
    if not parts:
        raise QsmError(f"{who} has no words.")
    return "\n\n".join(parts)


def methods_of(map_: Loaded) -> str:
    """The methods paragraph of a map; empty where nothing tells how it was made."""
    said = map_.provenance.get("methods")
    if isinstance(said, str) and said:
        return said
    stages = map_.provenance.get("stages")
    try:
        return methods_paragraph(stages) if stages else ""
    except (QsmError, KeyError, TypeError):
        return ""
