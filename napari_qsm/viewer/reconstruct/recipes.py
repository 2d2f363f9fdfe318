"""The row that chooses a recipe, and opens and saves recipe files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_qsm.errors import QsmError
from napari_qsm.io.atomic import write_text
from napari_qsm.recon.recipe import Recipe, load_recipe, preset_names
from napari_qsm.study.reconstruction import Reconstruction
from napari_qsm.viewer import ui
from napari_qsm.viewer.dialogs import ask_open_file, ask_save_file

_FILES = "Recipes (*.yaml *.yml *.json)"


class RecipeRow(QWidget):
    """Presets, files that were opened, and whether anything was changed since.

    Parameters
    ----------
    recon : Reconstruction
        Gets the recipe.
    say : callable
        Tells the user a sentence.
    """

    def __init__(self, recon: Reconstruction, say: Callable[[str], None]) -> None:
        super().__init__()
        self._recon = recon
        self._say = say
        self._recipes: list[Recipe] = [load_recipe(name) for name in preset_names()]
        self._choice = ui.combo(
            "qsm.reconstruct.recipe",
            lambda index: recon.use_recipe(self._recipes[index]),
            tip="Which methods and settings; every step can be changed below",
        )
        self._choice.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._open = ui.button(
            "Open …",
            "qsm.reconstruct.open_recipe",
            self._on_open,
            tip="A recipe file (YAML or JSON), the same as for the command line",
        )
        save = ui.button(
            "Save …",
            "qsm.reconstruct.save_recipe",
            self._on_save,
            tip="Write all methods and settings into a recipe file",
        )
        self._text = ui.quiet(" ", "qsm.reconstruct.recipe_text")
        row = ui.row((self._choice, 1), self._open, save)
        self.setLayout(ui.column(row, self._text, spacing=2))
        self.refresh()

    def refresh(self) -> None:
        """Show the recipe that is used, and whether it was changed."""
        recon = self._recon
        if recon.origin not in self._recipes:
            self._recipes.append(recon.origin)
        at = self._recipes.index(recon.origin)
        names = [recipe.name for recipe in self._recipes]
        if recon.is_changed:
            names[at] = f"{names[at]}, changed"
        ui.show_choices(self._choice, list(enumerate(names)), at)
        self._text.setText(recon.origin.description)
        self._text.setVisible(bool(recon.origin.description))
        for control in (self._choice, self._open):
            control.setEnabled(not recon.running)

    def open_file(self, path: Path) -> None:
        """Use a recipe file."""
        try:
            self._recon.use_recipe(path)
        except QsmError as error:
            self._say(str(error))

    def save_file(self, path: Path) -> None:
        """Write the recipe as it stands, as the command line reads it."""
        if path.suffix.lower() not in (".yaml", ".yml", ".json"):
            path = path.with_name(f"{path.name}.yaml")
        try:
            write_text(path, self._recon.recipe().to_yaml())
        except (QsmError, OSError) as error:
            self._say(f"The recipe could not be saved: {error}")
            return
        self._say(f"The recipe is in '{path.name}'.")

    def _on_open(self) -> None:
        path = ask_open_file(self, "Open a recipe", _FILES)
        if path is not None:
            self.open_file(path)

    def _on_save(self) -> None:
        chosen = ask_save_file(self, "Save the recipe", f"{self._recon.origin.name}.yaml", _FILES)
        if chosen is not None:
            self.save_file(chosen[0])
