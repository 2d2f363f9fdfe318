"""Questions in boxes of their own, and the files and folders that a user picks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from qtpy.QtWidgets import QFileDialog, QMessageBox, QPushButton, QWidget

from napari_qsm.io.formats import dialog_filter
from napari_qsm.session.settings import load_settings, save_settings

IMAGES = dialog_filter("Images")
_ROLES = {
    "yes": QMessageBox.ButtonRole.AcceptRole,
    "destroys": QMessageBox.ButtonRole.DestructiveRole,
    "no": QMessageBox.ButtonRole.RejectRole,
}


@dataclass(frozen=True)
class Answer:
    """One button of a question.

    Attributes
    ----------
    key : str
        What :func:`ask` returns; the button is called ``<question>.<key>``.
    text : str
        On the button.
    does : {"yes", "destroys", "no"}
        Goes on, goes on and something is lost, or leaves everything as it is. Escape and
        closing the box give the last "no".
    tip : str
        Its tooltip.
    """

    key: str
    text: str
    does: Literal["yes", "destroys", "no"] = "yes"
    tip: str = ""


def ask(
    parent: QWidget | None,
    name: str,
    title: str,
    question: str,
    more: str,
    answers: Sequence[Answer],
    *,
    default: str = "",
) -> str:
    """Ask, and wait for the answer.

    Parameters
    ----------
    parent : QWidget
        The window that waits.
    name : str
        The box's object name.
    title : str
        Of the box.
    question : str
        One sentence, shown bold; plain text.
    more : str
        What follows from the answers; plain text.
    answers : sequence of Answer
        Buttons, from left to right as the desktop orders their kinds.
    default : str
        Key of the button that Enter presses; the first "yes" unless given.

    Returns
    -------
    str
        The answer's key.
    """
    box = QMessageBox(parent)
    box.setObjectName(name)
    box.setWindowTitle(title)
    box.setText(f"<b>{_escaped(question)}</b>")
    box.setInformativeText(_escaped(more))
    buttons: dict[str, QPushButton] = {}
    for answer in answers:
        button = QPushButton(answer.text)
        button.setObjectName(f"{name}.{answer.key}")
        button.setToolTip(answer.tip)
        box.addButton(button, _ROLES[answer.does])
        buttons[answer.key] = button
    leaving = next(each.key for each in reversed(answers) if each.does == "no")
    first = default or next((each.key for each in answers if each.does == "yes"), leaving)
    box.setDefaultButton(buttons[first])
    box.setEscapeButton(buttons[leaving])
    box.exec()
    box.deleteLater()
    clicked = box.clickedButton()
    return next((key for key, button in buttons.items() if button is clicked), leaving)


def _escaped(text: str) -> str:
    """The text as HTML: names of files are shown, not read as marks."""
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\n", "<br>")):
        text = text.replace(sign, entity)
    return text


def last_folder() -> str:
    """The folder that was used last, if it is still there."""
    folder = load_settings().get("folder", "")
    return folder if isinstance(folder, str) and Path(folder).is_dir() else ""


def ask_open_files(parent: QWidget, title: str, kinds: str = IMAGES) -> list[Path]:
    """Let the user pick files; empty if none was picked."""
    names, _ = QFileDialog.getOpenFileNames(parent, title, last_folder(), kinds)
    if names:
        save_settings({"folder": str(Path(names[0]).parent)})
    return [Path(name) for name in names]


def ask_open_file(parent: QWidget, title: str, kinds: str = IMAGES) -> Path | None:
    """Let the user pick a file; None if none was picked."""
    name, _ = QFileDialog.getOpenFileName(parent, title, last_folder(), kinds)
    if not name:
        return None
    save_settings({"folder": str(Path(name).parent)})
    return Path(name)


def ask_save_file(
    parent: QWidget, title: str, proposed: str | Path, kinds: str
) -> tuple[Path, str] | None:
    """Let the user say where to write.

    Parameters
    ----------
    parent : QWidget
        The window that waits.
    title : str
        Of the dialog.
    proposed : str or path
        A file's name, for the folder used last, or a whole path.
    kinds : str
        As Qt's dialogs take them: ``"Table (*.csv);;Excel workbook (*.xlsx)"``.

    Returns
    -------
    (path, str) or None
        The path, with the ending of the kind if none was typed, and the kind chosen. None if
        the user gave up.
    """
    start = str(Path(last_folder()) / proposed)
    name, kind = QFileDialog.getSaveFileName(parent, title, start, kinds)
    if not name:
        return None
    path = Path(name)
    if not path.suffix:
        ending = (kind or kinds).partition("*")[2].split(")")[0].split(" ")[0]
        path = path.with_name(path.name + ending)
    save_settings({"folder": str(path.parent)})
    return path, kind


def ask_folder(parent: QWidget, title: str, start: str = "") -> Path | None:
    """Let the user pick a folder; None if none was picked."""
    name = QFileDialog.getExistingDirectory(parent, title, start or last_folder())
    if not name:
        return None
    save_settings({"folder": name})
    return Path(name)
