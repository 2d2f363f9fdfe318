"""The register of panel kinds: what a panel says in a spec, and how it is drawn.

A kind is two classes, in one file: its data, under ``@panel_kind``, and its plan, under
``@plan_of`` the data. It can then stand in specs, is laid out, drawn, told in the caption and
counted in the table like every other::

    @panel_kind
    class RulePanel(BasePanel):
        kind: Literal["rule"] = "rule"

    @plan_of(RulePanel)
    @dataclass(frozen=True, eq=False)
    class RulePlan(PanelPlan):
        panel: RulePanel

        def height(self, page, width_mm): return 1.0
        def draw(self, page, rect, drawing): page.fill(rect, page.ink); return []
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeVar, Union

from pydantic import BeforeValidator, Field, SerializeAsAny, TypeAdapter, model_validator

from napari_qsm.figures.parts import Box, Cell, Model

if TYPE_CHECKING:
    import pandas as pd

    from napari_qsm.figures.gather import Loaded
    from napari_qsm.figures.lettering import Rect
    from napari_qsm.figures.page import Page
    from napari_qsm.figures.spec import FigureSpec


class BasePanel(Model):
    """What all panels have.

    Attributes
    ----------
    kind : str
        Under which it is registered.
    letter : str
        A, B, C above its left edge; empty for none.
    title : str
        Above the panel.
    cell, box : Cell or Box, optional
        Where it lies. Panels with neither fill the grid row by row.
    """

    #: What a list of panels calls it.
    noun: ClassVar[str] = "panel"
    #: Whether it takes a whole row of a figure that arranges itself.
    is_wide: ClassVar[bool] = True
    #: Whether it stands beside the wide panel that follows it.
    is_beside: ClassVar[bool] = False

    kind: str
    letter: str = Field(default="", max_length=4)
    title: str = ""
    cell: Cell | None = None
    box: Box | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.cell is not None and self.box is not None:
            raise ValueError("a panel has either a 'cell' or a 'box', not both")
        return self

    def sources(self) -> Iterator[tuple[str, str]]:
        """Keys of sources that it needs, each with the words for its part."""
        yield from ()

    def renamed(self, keys: Mapping[str, str]) -> Self:
        """The same with its sources under other keys."""
        return self.model_copy()


@dataclass(frozen=True, eq=False)
class Setting:
    """What a panel is planned from.

    Attributes
    ----------
    spec : FigureSpec
        The figure it belongs to.
    sources : dict
        Volumes by key.
    notes : list of str
        Takes what the user should know.
    """

    spec: FigureSpec
    sources: Mapping[str, Loaded]
    notes: list[str]


@dataclass(frozen=True)
class Drawing:
    """What panels share while a figure is drawn.

    Attributes
    ----------
    radiological : bool
        True where the patient's right is drawn on the left.
    rasters : dict
        Coloured slices, kept from one drawing to the next.
    called : dict
        What the figure calls regions otherwise than they are named.
    """

    radiological: bool = True
    rasters: dict[Any, Any] = field(default_factory=dict)
    called: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class PanelPlan:
    """A panel with all it will show, worked out and checked before anything is drawn.

    Attributes
    ----------
    who : str
        How errors and notes call the panel.
    panel : BasePanel
        What it was made from.
    """

    #: Whether it is left out where a neighbour in its row needs its room.
    yields: ClassVar[bool] = False

    who: str
    panel: BasePanel

    @classmethod
    def of(cls, panel: Any, who: str, setting: Setting) -> Self:
        """Work a panel out.

        Raises
        ------
        QsmError
            Naming the panel and what is wrong with it.
        """
        return cls(who, panel)

    def height(self, page: Page, width_mm: float) -> float:
        """Height that it would like to have, mm."""
        raise NotImplementedError

    @property
    def reads_itself(self) -> bool:
        """Whether it is words or a table, which somebody who hears a PDF hears as they are."""
        return False

    def least_width(self, page: Page) -> float:
        """Width below which nothing of it could be read, mm."""
        return 0.0

    def draw(self, page: Page, rect: Rect, drawing: Drawing) -> list[str]:
        """Draw it; returns what the user should know."""
        raise NotImplementedError

    def phrase(self) -> str:
        """What the caption says it shows; nothing for words that speak for themselves."""
        return ""

    def sentence(self) -> str:
        """What a reader of the caption must know of its numbers."""
        return ""

    def table(self) -> pd.DataFrame | None:
        """The numbers it shows."""
        return None


#: Kind to the class of its data.
PANELS: dict[str, type[BasePanel]] = {}
#: Class of data to the class of its plan.
PLANS: dict[type[BasePanel], type[PanelPlan]] = {}

_Panel = TypeVar("_Panel", bound=BasePanel)
_Plan = TypeVar("_Plan", bound=type[PanelPlan])


def panel_kind(panel: type[_Panel]) -> type[_Panel]:
    """Register the data of a kind, so that specs may hold it."""
    PANELS[panel.model_fields["kind"].default] = panel
    return panel


def plan_of(*panels: type[BasePanel]) -> Callable[[_Plan], _Plan]:
    """Register how panels are worked out and drawn."""

    def register(plan: _Plan) -> _Plan:
        PLANS.update(dict.fromkeys(panels, plan))
        return plan

    return register


def _registered(value: Any) -> BasePanel:
    return _reader(tuple(PANELS.values())).validate_python(value)


@lru_cache(maxsize=4)
def _reader(kinds: tuple[type[BasePanel], ...]) -> TypeAdapter[BasePanel]:
    return TypeAdapter(Annotated[Union[kinds], Field(discriminator="kind")])  # type: ignore[arg-type]  # noqa: UP007


#: A panel of any registered kind, as a field of a spec.
Panel = Annotated[SerializeAsAny[BasePanel], BeforeValidator(_registered)]
