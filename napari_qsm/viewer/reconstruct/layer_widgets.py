"""Each stage of the reconstruction as a widget of plain napari, on layers of one's choice."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar
from weakref import ref

import napari
import numpy as np
from napari.layers import Image, Labels, Layer
from qtpy.QtWidgets import QFormLayout, QLineEdit, QSizePolicy

from napari_qsm.errors import Cancelled, MetadataError, QsmError
from napari_qsm.recon.pipeline import StageOutcome, run_stage
from napari_qsm.recon.recipe import Choice, first_choice
from napari_qsm.recon.stages import STAGES, Method, methods
from napari_qsm.session.layer_choice import ECHOES, chosen, head_of, lacking
from napari_qsm.session.stage_texts import STAGE_TEXTS, method_tooltip
from napari_qsm.study.scan_source import from_ms, from_tesla, in_ms
from napari_qsm.viewer import compat, ui
from napari_qsm.viewer.forms import Form, setting_field
from napari_qsm.viewer.jobs import Job
from napari_qsm.viewer.plain.choosers import WholeTextBox, layer_chooser, show_names
from napari_qsm.viewer.plain.docking import DockedWidget
from napari_qsm.viewer.plain.letters import show_letters
from napari_qsm.viewer.plain.stages import (
    IMAGES,
    MASKS,
    WIDGET_TITLES,
    Source,
    candidate,
    facts_of,
    result_layers,
    source_of,
    times_of,
    title_of,
    volume_in,
)
from napari_qsm.viewer.reconstruct.sections import fill_methods
from napari_qsm.volume import Volume, check_same_grid

#: Pixels of a widget, at least.
_WIDTH = 300


class StageWidget(DockedWidget):
    """Runs one stage on layers; what it makes becomes a layer.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Whose layers they are.
    """

    stage: ClassVar[str]

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        name, viewer = f"qsm.stage.{self.stage}", compat.unwrapped(napari_viewer)
        self.setObjectName(name)
        self._viewer = viewer
        self._form: Form | None = None
        self._choosers: dict[str, Any] = {}
        self._running: list[Job] = []
        self._by_hand: set[str] = set()  # inputs whose layers somebody chose
        self._choosing = False
        self._from_layers: dict[QLineEdit, str] = {}  # what the fields were given from layers
        self._method = ui.named(WholeTextBox(), f"{name}.method")
        fill_methods(self._method, self.stage, short=True)
        self._method.setCurrentIndex(self._method.findData(first_choice(self.stage).method.name))
        self._method.currentIndexChanged.connect(self._show_method)
        self._times = ui.line(f"{name}.echo_times", example="such as 5, 10")
        self._strength = ui.line(f"{name}.field_strength", example="such as 3")
        for field in (self._times, self._strength):
            field.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._inputs = ui.form()
        self._inputs.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapAllRows)
        self._inputs.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._settings = ui.column()
        self._run = ui.button("Run", f"{name}.run", self.run, main=True)
        self._cancel = ui.button("Cancel", f"{name}.cancel", self._on_cancel)
        self._cancel.setEnabled(False)
        self._lacks = ui.label("", f"{name}.lacks")
        self._message = ui.label("", f"{name}.said")
        body = ui.column(
            ui.quiet(STAGE_TEXTS[self.stage].purpose),
            self._method,
            self._inputs,
            self._settings,
            self._lacks,
            self._run,
            self._cancel,
            self._message,
            None,
            spacing=6,
            margins=(9, 9, 9, 9),
        )
        layout = ui.column(ui.scrolled(ui.panel(body)))
        layout.addStrut(_WIDTH)  # a least width of the widget would let longer names be cut
        self.setLayout(layout)
        viewer.layers.events.inserted.connect(self._on_layers)
        viewer.layers.events.removed.connect(self._on_layers)
        # Of the list alone: a widget that is held by its own signal would never be destroyed.
        self.destroyed.connect(partial(_let_go, self._running))
        self._show_method()

    @property
    def method(self) -> Method:
        """The method chosen."""
        return methods(self.stage)[self._method.currentData()]

    def choice(self) -> Choice:
        """The method with the settings of the form."""
        assert self._form is not None
        return Choice(self.method, self._form.values())

    def run(self) -> None:
        """Run in a thread; a second run waits for nothing, it is refused."""
        if self._running:
            return
        try:
            have, source = self.quantities()
            choice = self.choice()
        except QsmError as error:
            self._say(str(error))
            return
        self._run.setEnabled(False)
        self._cancel.setEnabled(True)
        self._say("Running …")

        def work(progress: object, cancelled: Callable[[], bool]) -> StageOutcome:
            return run_stage(self.stage, choice, have, cancelled=cancelled)

        job = Job(
            STAGE_TEXTS[self.stage].title,
            work,
            lambda made: self._on_done(made, source),
            self._on_failed,
        )
        self._running.append(job)
        job.start_alone()

    def quantities(self) -> tuple[dict[str, Any], Source]:
        """What the chosen layers and fields say, as the method takes it.

        Raises
        ------
        QsmError
            If something is missing, or layers lie on different grids.
        """
        volumes: dict[str, list[Volume]] = {}
        chosen_layers = self._chosen_layers()
        for name in self._choosers:
            layers = chosen_layers.get(name)
            if layers:
                volumes[name] = [volume_in(layer, name) for layer in layers]
        needed = self._needed(chosen_layers)
        if needed:
            raise MetadataError(needed)
        listed = [v for vs in volumes.values() for v in vs]
        grid = listed[0]
        have: dict[str, Any] = {
            "voxel_size_mm": grid.voxel_size_mm,
            "b0_direction": grid.b0_direction,
            "metadata": {},
            "magnitude": None,
            "magnitude_echo_times_s": (),
        }
        for name, parts in volumes.items():
            for part in parts:
                check_same_grid(part, grid)
            arrays = [np.ascontiguousarray(part.data) for part in parts]
            if name in MASKS:
                have[name] = arrays[0] != 0
            else:
                have[name] = np.stack(arrays) if name in ECHOES else arrays[0]
        if "raw_phase" in volumes:
            have["metadata"] = facts_of(chosen_layers["raw_phase"][0])
        # Unwrapping needs times only in some ways, which it says itself; a field is nothing without.
        typed = self.stage != "unwrap" or self._times.text().strip()
        if "echo_times_s" in self.method.inputs and typed:
            have["echo_times_s"] = times = from_ms(self._times.text())
            count = len(volumes.get("unwrapped", volumes.get("phase", [])))
            if count != len(times):
                raise MetadataError(
                    f"{count} phase layers are chosen but {len(times)} echo times were typed."
                )
            if len(volumes.get("magnitude", [])) == len(times):
                have["magnitude_echo_times_s"] = times
        elif "magnitude_echo_times_s" in self.method.inputs:
            have["magnitude_echo_times_s"] = from_ms(self._times.text())
        if "field_strength_t" in self.method.inputs:
            have["field_strength_t"] = from_tesla(self._strength.text())
        return have, source_of(chosen_layers, grid, have)

    def _needed(self, chosen_layers: dict[str, list[Layer]]) -> str:
        """Which layers have to be chosen yet, and what makes them; empty if none."""
        said = []
        for name in self._choosers:
            if name in chosen_layers or name in self.method.optional_inputs or name == "magnitude":
                continue
            maker = next((stage for stage, made in STAGES.items() if name in made), "")
            makes = f" ({WIDGET_TITLES[maker]} makes one)" if maker else ""
            said.append(f"Choose a layer for: {title_of(name)}{makes}.")
        return " ".join(said)

    def _chosen_layers(self) -> dict[str, list[Layer]]:
        """The layers of each input that has any."""
        found: dict[str, list[Layer]] = {}
        for name, chooser in self._choosers.items():
            value = chooser.value
            listed = list(value) if isinstance(value, list | tuple) else [value]
            layers = [layer for layer in listed if layer is not None]
            if layers:
                found[name] = layers
        return found

    def _choose(self) -> None:
        """Put the likeliest layers where nobody has chosen any."""
        layers = list(self._viewer.layers)
        known = [candidate(layer) for layer in layers]
        active = self._viewer.layers.selection.active
        head = head_of(known, None if active is None else layers.index(active))
        self._choosing = True
        for name, chooser in self._choosers.items():
            if name in self._by_hand and self._chosen_layers().get(name):
                continue
            there = set(chooser.choices)
            found = [layers[i] for i in chosen(name, known, head) if layers[i] in there]
            chooser.value = found if name in ECHOES else next(iter(found), None)
        self._choosing = False
        self._show_facts()

    def _on_chosen(self, name: str) -> None:
        if not self._choosing:
            self._by_hand.add(name)
            self._show_facts()

    def _show_facts(self) -> None:
        """Say what is lacking, and what the layers' sidecars say where nobody typed anything."""
        chosen_layers = self._chosen_layers()
        for chooser in self._choosers.values():
            show_names(chooser.native)
        needed = self._needed(chosen_layers)
        self._run.setEnabled(not needed and not self._running)
        self._lacks.setText(f"{needed} {lacking(self.choice(), chosen_layers)}".strip())
        times = times_of(chosen_layers)
        strengths = {
            float(facts_of(layer)["MagneticFieldStrength"])
            for name in chosen_layers
            if name not in MASKS
            for layer in chosen_layers[name]
            if isinstance(facts_of(layer).get("MagneticFieldStrength"), int | float)
        }
        said = {
            self._times: in_ms(times) if times else "",
            self._strength: f"{strengths.pop():g}" if len(strengths) == 1 else "",
        }
        for field, text in said.items():
            if field.text() in ("", self._from_layers.get(field, "")):
                self._from_layers[field] = text
                field.setText(text)

    def _show_method(self, index: int = 0) -> None:
        """Choosers and form of the chosen method."""
        for field in (self._times, self._strength):
            field.setParent(None)
        while self._inputs.rowCount():
            self._inputs.removeRow(0)
        self._choosers.clear()
        method = self.method
        self._method.setToolTip(method_tooltip(method))
        for name in method.inputs:
            if name in IMAGES or name in MASKS:
                self._add_chooser(name, name in method.optional_inputs)
        if {"echo_times_s", "magnitude_echo_times_s"} & set(method.inputs):
            self._inputs.addRow("Echo times (ms)", self._times)
        if "field_strength_t" in method.inputs:
            self._inputs.addRow("Field (T)", self._strength)
        if self._form is not None:
            self._form.setParent(None)
            self._form.deleteLater()
        self._form = Form(
            map(setting_field, method.settings.values()),
            f"qsm.stage.{self.stage}.set",
            partial(_tell, ref(self)),
        )
        self._form.show_values(first_choice(self.stage, method.name).settings)
        self._settings.addWidget(self._form)
        self._choose()

    def _add_chooser(self, name: str, optional: bool) -> None:
        def layers(widget: Any) -> list[Any]:
            wanted = (Labels, Image) if name in MASKS else (Image,)
            return [
                layer
                for layer in self._viewer.layers
                if isinstance(layer, wanted) and layer.ndim == 3
            ]

        chooser = layer_chooser(name, layers, several=name in ECHOES)
        chooser.native.setObjectName(f"qsm.stage.{self.stage}.{name}")
        chooser.changed.connect(partial(_tell, ref(self), name))
        self._choosers[name] = chooser
        self._inputs.addRow(title_of(name) + (" (if any)" if optional else ""), chooser.native)

    def _on_layers(self, event: Any = None) -> None:
        self._choosing = True
        for chooser in self._choosers.values():
            chooser.reset_choices()
        self._choose()

    def _on_failed(self, error: Exception) -> None:
        self._end("Stopped." if isinstance(error, Cancelled) else str(error))
        if not isinstance(error, QsmError):
            raise error

    def _on_cancel(self) -> None:
        for job in self._running:
            job.cancel()

    def _on_done(self, made: StageOutcome, source: Source) -> None:
        show_letters(self._viewer)
        for name in STAGES[self.stage]:
            value = made.quantities.get(name)
            if isinstance(value, np.ndarray):
                for layer in result_layers(self.stage, name, value, source, made.record):
                    self._viewer.add_layer(layer)
        said = " ".join(made.warnings)
        self._end(f"Done in {made.seconds:.1f} s. {said}".strip())

    def _end(self, sentence: str) -> None:
        self._running.clear()
        self._run.setEnabled(not self._needed(self._chosen_layers()))
        self._cancel.setEnabled(False)
        self._say(sentence)

    def _say(self, sentence: str) -> None:
        self._message.setText(sentence)


def _tell(widget: ref[StageWidget], name: str, *_: object) -> None:
    """Tell a widget of a choice; a chooser that held it would keep it alive."""
    there = widget()
    if there is not None:
        there._on_chosen(name)


def _let_go(jobs: list[Job], *_: object) -> None:
    for job in jobs:
        job.let_go()


class PhaseWidget(StageWidget):
    """Stored phase to radians."""

    stage = "phase"


class MaskWidget(StageWidget):
    """Brain mask."""

    stage = "mask"


class UnwrapWidget(StageWidget):
    """Phase without jumps."""

    stage = "unwrap"


class EchoesWidget(StageWidget):
    """Field from the phase of all echoes."""

    stage = "echoes"


class BackgroundWidget(StageWidget):
    """Field of the tissue alone."""

    stage = "background"


class InversionWidget(StageWidget):
    """Susceptibility from the field."""

    stage = "inversion"


class ReferenceWidget(StageWidget):
    """Which tissue counts as zero."""

    stage = "reference"
