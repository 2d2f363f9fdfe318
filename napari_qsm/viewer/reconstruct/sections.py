"""One stage of the reconstruction: its light, its method and settings, its Run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QIcon
from qtpy.QtWidgets import (
    QComboBox,
    QFrame,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel

from napari_qsm.recon.stages import Method, methods
from napari_qsm.session.open_scans import offers
from napari_qsm.session.stage_texts import (
    STAGE_TEXTS,
    STATE_WORDS,
    method_tooltip,
    seconds_text,
)
from napari_qsm.study import Case
from napari_qsm.study.reconstruction import Reconstruction, State
from napari_qsm.viewer import ui
from napari_qsm.viewer.central import Drops
from napari_qsm.viewer.forms import Form, setting_field
from napari_qsm.viewer.icons import pixmap
from napari_qsm.viewer.reconstruct.inputs import BAD

_FROM_HERE = "computed here"
_FROM_FILE = "a file …"
_LIGHT_SIDE = 18
_NARROW = (QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)


class StatusIndicator(QLabel):
    """How a stage stands: a shape and a colour for each state, so that neither stands alone."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setFixedSize(_LIGHT_SIDE, _LIGHT_SIDE)
        self.show_state("not run")

    def show_state(self, state: State) -> None:
        """Show another state."""
        self.state = state
        self.setToolTip(STATE_WORDS[state])
        self.setAccessibleName(STATE_WORDS[state])
        self.setPixmap(pixmap(f"state-{state.replace(' ', '-')}", side=_LIGHT_SIDE))


class StageSection(QFrame):
    """A header that is always there, and a body that folds.

    Parameters
    ----------
    stage : str
        Which.
    number : int
        From 1.
    recon : Reconstruction
        What is shown and set.
    case : Case
        Whose maps are offered instead of this stage's result.
    do : callable
        Called with what the user asks for and the stage: ``"run"``, ``"look"`` at the result,
        ``"flip"`` to the one before, ``"how"`` it was made, ``"paint"`` on it, ``"try"``
        settings, take it from a ``"file"``.
    give : callable
        Called with the stage and the key of a map to use, or None to compute it.
    drop : callable
        Called with the stage and files dropped on it.
    """

    def __init__(
        self,
        stage: str,
        number: int,
        recon: Reconstruction,
        case: Case,
        do: Callable[[str, str], None],
        give: Callable[[str, Any], None],
        drop: Callable[[str, list[Path]], None],
    ) -> None:
        super().__init__()
        name = f"qsm.reconstruct.{stage}"
        self.setObjectName(name)
        self.stage = stage
        self._recon, self._case = recon, case
        self._do, self._give = do, give
        self._fraction = 0.0
        self._form: Form | None = None
        self._shown_method: Method | None = None
        self.setStyleSheet(
            f"#{name.replace('.', chr(92) + '.')} {{ border: none;"
            " border-top: 1px solid palette(mid); }"
        )
        text = STAGE_TEXTS[stage]
        self._body: QWidget
        self._fold = ui.named(QToolButton(), f"{name}.fold", text.purpose)
        self._fold.setText(f"{number}  {text.title}")
        self._fold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._fold.setArrowType(Qt.ArrowType.RightArrow)
        self._fold.setStyleSheet(
            "QToolButton { border: none; font-weight: bold; background: transparent; }"
        )
        self._fold.setSizePolicy(*_NARROW)
        self._fold.clicked.connect(lambda _=False: self.open(not self.is_open))
        self._light = StatusIndicator(f"{name}.light")
        self._eye = ui.tool(
            f"{name}.eye",
            lambda _: do("look", stage),
            tip=f"Show the result of this step: {text.result}",
            checkable=True,
        )
        self._eye.setIconSize(QSize(18, 18))
        self._run = ui.button("Run", f"{name}.run", lambda: do("run", stage))
        self._run.setFixedWidth(52)
        self._status = ui.named(QElidingLabel(), f"{name}.status")
        self._status.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._error = ui.label("", f"{name}.error", selectable=True)
        self._error.setStyleSheet(BAD)
        self._body = ui.panel(self._build_body(name))
        self._body.hide()
        words = ui.column(self._fold, self._status, spacing=0)
        top = ui.row(self._light, (words, 1), self._eye, self._run, spacing=6)
        self.setLayout(ui.column(top, self._error, self._body, spacing=3, margins=(0, 5, 0, 3)))
        if text.given:
            self.setAcceptDrops(True)
            self._drops = Drops(lambda paths: drop(stage, paths))
            self.installEventFilter(self._drops)

    def _build_body(self, name: str) -> QVBoxLayout:
        stage, text = self.stage, STAGE_TEXTS[self.stage]
        self._from = ui.combo(
            f"{name}.from",
            self._on_from,
            tip="Compute it, or use a map that is open or in a file; files can also be dropped here",
        )
        what = {"mask": "Mask", "reference": "Region", "inversion": "χ"}
        what_text = what.get(stage, text.result.capitalize())
        from_row = ui.panel(ui.row(QLabel(what_text), (self._from, 1), spacing=6))
        from_row.setVisible(bool(text.given))
        self._method = ui.combo(
            f"{name}.method", lambda method: self._recon.choose(self.stage, method)
        )
        fill_methods(self._method, stage)
        for box in (self._from, self._method):
            box.setSizePolicy(*_NARROW)
        self._summary = ui.quiet(" ")
        self._form_place = ui.column()
        self._notes = ui.label("", f"{name}.notes")
        self._reset = self._button("Reset", "reset", "Back to what the recipe says")
        self._flip = self._button(
            "Old / new", "flip", "The result before this one, or this one (J)"
        )
        self._flip.setCheckable(True)
        self._how = self._button("How made?", "how", "Steps, settings, and a text for a paper")
        self._paint = self._button(
            "Paint it", "paint", "Draw on the mask; later steps are then out of date"
        )
        self._paint.setVisible(stage == "mask")
        self._flip.setVisible(stage != "mask")
        try_ = ui.button(
            "Try settings …",
            f"qsm.tryouts.open.{stage}",
            lambda: self._do("try", stage),
            tip="Run this step in two or three ways, see them side by side, and pick one",
        )
        return ui.column(
            ui.quiet(text.purpose),
            from_row,
            self._method,
            self._summary,
            self._form_place,
            self._notes,
            ui.row(self._paint, self._reset, self._flip, self._how, spacing=6),
            try_,
            margins=(22, 2, 0, 6),
        )

    def _button(self, text: str, name: str, tip: str) -> QPushButton:
        def clicked() -> None:
            if name == "reset":
                self._recon.reset(self.stage)
            else:
                self._do(name, self.stage)

        button = ui.button(text, f"qsm.reconstruct.{self.stage}.{name}", clicked, tip=tip)
        button.setSizePolicy(*_NARROW)
        return button

    def open(self, opened: bool) -> None:
        """Unfold or fold the body."""
        self._body.setVisible(opened)
        self._fold.setArrowType(Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow)
        if opened:
            self.refresh_offers()
            if self.isVisible():
                ui.bring_into_view(self)

    @property
    def is_open(self) -> bool:
        """Whether the body is unfolded."""
        return not self._body.isHidden()

    def show_fraction(self, fraction: float) -> None:
        """How far the running stage is."""
        self._fraction = fraction
        self._show_status()

    def set_icon(self, icon: QIcon) -> None:
        """The eye, in the theme's ink."""
        self._eye.setIcon(icon)

    def show_eye(self, shown: bool) -> None:
        """Whether this stage's result is the one on show."""
        self._eye.setChecked(shown and self._eye.isEnabled())

    def refresh(self, *, shown: bool, flipped: bool) -> None:
        """Show the stage as it stands."""
        recon, stage = self._recon, self.stage
        state = recon.state(stage)
        if state not in ("running", "waiting"):
            self._fraction = 0.0
        self._light.show_state(state)
        self._show_status()
        failure = recon.failure(stage)
        self._error.setText(failure)
        self._error.setVisible(bool(failure))
        idle, taking_part = not recon.running, state not in ("given", "not needed")
        self._run.setEnabled(idle and taking_part)
        first = [s for s in recon.needed(stage) if s != stage] if taking_part else []
        also = ", ".join(STAGE_TEXTS[s].title.lower() for s in first)
        self._run.setToolTip(
            f"Run this step; before it, what it needs: {also}" if also else "Run this step"
        )
        result = recon.result_of(stage)
        self._eye.setEnabled(result is not None)
        self._eye.setChecked(shown and result is not None)
        self._how.setEnabled(result is not None)
        self._paint.setEnabled(result is not None and idle)
        self._flip.setEnabled(recon.previous_of(stage) is not None and idle)
        self._flip.setChecked(flipped)
        self._reset.setEnabled(idle and recon.choices[stage] != recon.origin.choices[stage])
        self._show_choice(idle and taking_part)
        said = [f"Note: {sentence}" for sentence in (result.record["warnings"] if result else [])]
        if stage == "mask" and recon.hand is not None:
            said.insert(
                0,
                f"Edited by hand: {recon.hand.added} voxels added, {recon.hand.removed} removed. "
                "Run makes a new mask in its place; Ctrl+Z brings the painted one back.",
            )
        self._notes.setText("\n".join(said))
        self._notes.setVisible(bool(said))
        self._from.setEnabled(idle)
        if self.is_open:
            self.refresh_offers()

    def refresh_offers(self) -> None:
        """Offer the open maps that could be used here."""
        role = STAGE_TEXTS[self.stage].given
        if not role:
            return
        given = self._recon.given.get(role)
        first = "none given" if self.stage == "reference" else _FROM_HERE
        wanted: list[tuple[Any, str]] = [(None, first)]
        wanted += [(key, text) for text, key in offers(self.stage, self._case, self._recon)]
        if given is not None and given.name not in [text for _, text in wanted]:
            wanted.insert(1, ("kept", given.name))
        wanted.append(("file", _FROM_FILE))
        chosen = next((key for key, text in wanted if given and text == given.name), None)
        ui.show_choices(self._from, wanted, chosen)

    def _show_status(self) -> None:
        recon, stage = self._recon, self.stage
        state = recon.state(stage)
        result = recon.result_of(stage)
        words = [STATE_WORDS[state]]
        if state == "running" and self._fraction > 0:
            words = [f"running, {100 * self._fraction:.0f} %"]
        elif state == "done" and result is not None:
            seconds = seconds_text(float(result.record["seconds"]))
            words = [f"done in {seconds}"]
            if stage == "mask" and recon.hand is not None:
                words = ["edited by hand"]
        role = STAGE_TEXTS[stage].given
        if state == "given":
            words.append(recon.given[role].name)
        elif state != "not needed":
            words.append(recon.choices[stage].method.title)
        text = " · ".join(words)
        self._status.setText(text)
        self._status.setToolTip(text)

    def _show_choice(self, enabled: bool) -> None:
        choice = self._recon.choices[self.stage]
        method = choice.method
        if self._form is None or self._shown_method is not method:
            if self._form is not None:
                self._form_place.removeWidget(self._form)
                self._form.hide()
                self._form.deleteLater()
            self._shown_method = method
            self._form = Form(
                map(setting_field, method.settings.values()),
                f"qsm.reconstruct.{self.stage}.set",
                lambda name, value: self._recon.set(self.stage, **{name: value}),
            )
            self._form_place.addWidget(self._form)
            self._form.setVisible(bool(method.settings))
            self._method.setCurrentIndex(self._method.findData(method.name))
            self._method.setToolTip(method_tooltip(method))
            self._summary.setText(method.summary)
        self._form.show_values(choice.settings)
        self._form.setEnabled(enabled)
        self._method.setEnabled(enabled)

    def _on_from(self, key: Any) -> None:
        if key == "file":
            self._do("file", self.stage)
        elif key != "kept":
            self._give(self.stage, key)
        self.refresh_offers()


def fill_methods(box: QComboBox, stage: str, *, short: bool = False) -> None:
    """Offer the methods of a stage; ``short`` leaves out what stands in brackets."""
    for index, method in enumerate(methods(stage).values()):
        title = method.title.partition(" (")[0] if short else method.title
        box.addItem(title, method.name)
        box.setItemData(index, method_tooltip(method), Qt.ItemDataRole.ToolTipRole)
