"""One stage of the reconstruction: its light, its method and settings, its Run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel

from napari_qsm.recon.stages import methods
from napari_qsm.session.stage_texts import (
    STAGE_TEXTS,
    STATE_WORDS,
    method_tooltip,
    seconds_text,
)
from napari_qsm.study.reconstruction import Reconstruction
from napari_qsm.viewer import ui
from napari_qsm.viewer.central import Drops
from napari_qsm.viewer.reconstruct.forms import SettingsForm
from napari_qsm.viewer.reconstruct.inputs import BAD
from napari_qsm.viewer.reconstruct.lights import StatusIndicator

_FROM_HERE = "computed here"
_FROM_FILE = "a file …"


@dataclass(frozen=True)
class Actions:
    """What the buttons of a section do; each is called with the stage's name.

    Attributes
    ----------
    run : callable
        Run this stage, and before it what it needs.
    look : callable
        Show its result.
    flip : callable
        Old result or new.
    how : callable
        How it was made.
    paint : callable
        Paint on its result, a mask.
    offers : callable
        Returns (text, key) of the open maps that can take the place of its result.
    give : callable
        Called with the stage and the key of one of those, or None to compute it.
    ask_file, drop : callable
        Take it from a file; ``drop`` is called with the stage and paths.
    """

    run: Callable[[str], None]
    look: Callable[[str], None]
    flip: Callable[[str], None]
    how: Callable[[str], None]
    paint: Callable[[str], None]
    offers: Callable[[str], list[tuple[str, Any]]]
    give: Callable[[str, Any], None]
    ask_file: Callable[[str], None]
    drop: Callable[[str, list[Path]], None]


class StageSection(QFrame):
    """A header that is always there, and a body that folds.

    Attributes
    ----------
    extra : QHBoxLayout
        A row for more buttons of this stage.
    below : QVBoxLayout
        Below them.
    """

    def __init__(self, stage: str, number: int, recon: Reconstruction, actions: Actions) -> None:
        super().__init__()
        name = f"qsm.reconstruct.{stage}"
        self.setObjectName(name)
        self.stage = stage
        self._recon = recon
        self._actions = actions
        self._fraction = 0.0
        self._form: SettingsForm | None = None
        self._filling = False
        self.setStyleSheet(
            f"#{name.replace('.', chr(92) + '.')} {{ border: none;"
            " border-top: 1px solid palette(mid); }"
        )
        text = STAGE_TEXTS[stage]
        self._body = QWidget()
        self._fold = QToolButton()
        self._fold.setObjectName(f"{name}.fold")
        self._fold.setText(f"{number}  {text.title}")
        self._fold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._fold.setArrowType(Qt.ArrowType.RightArrow)
        self._fold.setStyleSheet(
            "QToolButton { border: none; font-weight: bold; background: transparent; }"
        )
        self._fold.setToolTip(text.purpose)
        self._fold.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._fold.clicked.connect(lambda _=False: self.open(self._body.isHidden()))
        self._light = StatusIndicator(f"{name}.light")
        self._eye = QToolButton()
        self._eye.setObjectName(f"{name}.eye")
        self._eye.setToolTip(f"Show the result of this step: {text.result}")
        self._eye.setStyleSheet(ui.TOOL_BUTTONS)
        self._eye.setIconSize(QSize(18, 18))
        self._eye.setCheckable(True)
        self._eye.clicked.connect(lambda _=False: actions.look(stage))
        self._run = QPushButton("Run")
        self._run.setObjectName(f"{name}.run")
        self._run.setFixedWidth(52)
        self._run.clicked.connect(lambda _=False: actions.run(stage))
        self._status = QElidingLabel()
        self._status.setObjectName(f"{name}.status")
        self._status.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._error = QLabel()
        self._error.setObjectName(f"{name}.error")
        self._error.setWordWrap(True)
        self._error.setStyleSheet(BAD)
        self._error.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        top = QHBoxLayout()
        top.setSpacing(6)
        top.addWidget(self._light)
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(self._fold)
        words.addWidget(self._status)
        top.addLayout(words, 1)
        top.addWidget(self._eye)
        top.addWidget(self._run)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 5, 0, 3)
        layout.setSpacing(3)
        layout.addLayout(top)
        layout.addWidget(self._error)
        layout.addWidget(self._body)
        self._build_body(name)
        self._body.hide()
        if text.given:
            self.setAcceptDrops(True)
            self._drops = Drops(lambda paths: actions.drop(stage, paths))
            self.installEventFilter(self._drops)

    def _build_body(self, name: str) -> None:
        stage, actions, text = self.stage, self._actions, STAGE_TEXTS[self.stage]
        layout = QVBoxLayout(self._body)
        layout.setContentsMargins(22, 2, 0, 6)
        layout.setSpacing(4)
        layout.addWidget(ui.quiet(text.purpose))
        self._from = QComboBox()
        self._from.setObjectName(f"{name}.from")
        self._from.setToolTip(
            "Compute it, or use a map that is open or in a file; files can also be dropped here"
        )
        self._from.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._from.activated.connect(self._on_from)
        ui.spare_wheel(self._from)
        self._from_row = QWidget()
        row = QHBoxLayout(self._from_row)
        row.setContentsMargins(0, 0, 0, 0)
        what = {"mask": "Mask", "reference": "Region"}.get(stage, text.result.capitalize())
        row.addWidget(QLabel(what if stage != "inversion" else "χ"))
        row.addWidget(self._from, 1)
        self._from_row.setVisible(bool(text.given))
        layout.addWidget(self._from_row)
        self._method = QComboBox()
        self._method.setObjectName(f"{name}.method")
        self._method.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        for index, method in enumerate(methods(stage).values()):
            self._method.addItem(method.title, method.name)
            self._method.setItemData(index, method_tooltip(method), Qt.ItemDataRole.ToolTipRole)
        self._method.activated.connect(self._on_method)
        ui.spare_wheel(self._method)
        layout.addWidget(self._method)
        self._summary = ui.quiet(" ")
        layout.addWidget(self._summary)
        self._form_place = QVBoxLayout()
        layout.addLayout(self._form_place)
        self._notes = QLabel()
        self._notes.setObjectName(f"{name}.notes")
        self._notes.setWordWrap(True)
        layout.addWidget(self._notes)
        self.extra = QHBoxLayout()
        self._reset = self._button("Reset", "reset", "Back to what the recipe says")
        self._reset.clicked.connect(lambda _=False: self._recon.reset(stage))
        self._flip = self._button(
            "Old / new", "flip", "The result before this one, or this one (J)"
        )
        self._flip.setCheckable(True)
        self._flip.clicked.connect(lambda _=False: actions.flip(stage))
        self._how = self._button("How made?", "how", "Steps, settings, and a text for a paper")
        self._how.clicked.connect(lambda _=False: actions.how(stage))
        for button in (self._reset, self._flip, self._how):
            self.extra.addWidget(button)
        layout.addLayout(self.extra)
        self.below = QVBoxLayout()
        layout.addLayout(self.below)
        self._paint = self._button(
            "Paint it", "paint", "Draw on the mask; later steps are then out of date"
        )
        self._paint.clicked.connect(lambda _=False: actions.paint(stage))
        self._paint.setVisible(stage == "mask")
        self._flip.setVisible(stage != "mask")
        if stage == "mask":
            self.extra.insertWidget(0, self._paint)

    def _button(self, text: str, name: str, tip: str) -> QPushButton:
        button = QPushButton(text)
        button.setObjectName(f"qsm.reconstruct.{self.stage}.{name}")
        button.setToolTip(tip)
        button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        return button

    def open(self, opened: bool) -> None:
        """Unfold or fold the body."""
        self._body.setVisible(opened)
        self._fold.setArrowType(Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow)
        if opened:
            self.refresh_offers()

    @property
    def is_open(self) -> bool:
        """Whether the body is unfolded."""
        return not self._body.isHidden()

    def show_fraction(self, fraction: float) -> None:
        """How far the running stage is."""
        self._fraction = fraction
        self._show_status()

    def set_icon(self, icon: Any) -> None:
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
        offers = [(_FROM_HERE, None), *self._actions.offers(self.stage)]
        if self.stage == "reference":
            offers[0] = ("none given", None)
        known = [
            (self._from.itemText(i), self._from.itemData(i)) for i in range(self._from.count())
        ]
        wanted = [*offers, (_FROM_FILE, "file")]
        if given is not None and given.name not in [text for text, _ in offers]:
            wanted.insert(1, (given.name, "kept"))
        if known != wanted:
            self._from.clear()
            for text, key in wanted:
                self._from.addItem(text, key)
        index = 0 if given is None else max(self._from.findText(given.name), 0)
        self._from.setCurrentIndex(index)

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
        if self._form is None or self._form.method is not method:
            if self._form is not None:
                self._form_place.removeWidget(self._form)
                self._form.hide()
                self._form.deleteLater()
            self._form = SettingsForm(
                method, choice.settings, f"qsm.reconstruct.{self.stage}.set", self._on_setting
            )
            self._form_place.addWidget(self._form)
            self._form.setVisible(bool(method.settings))
            self._method.setCurrentIndex(self._method.findData(method.name))
            self._method.setToolTip(method_tooltip(method))
            self._summary.setText(method.summary)
        else:
            self._form.show_values(choice.settings)
        self._form.setEnabled(enabled)
        self._method.setEnabled(enabled)

    def _on_setting(self, name: str, value: Any) -> None:
        self._recon.set(self.stage, **{name: value})

    def _on_method(self, index: int) -> None:
        self._recon.choose(self.stage, self._method.itemData(index))

    def _on_from(self, index: int) -> None:
        key = self._from.itemData(index)
        if key == "file":
            self._actions.ask_file(self.stage)
        elif key != "kept":
            self._actions.give(self.stage, key)
        self.refresh_offers()
