"""Each stage of the reconstruction as a widget of plain napari, on layers of one's choice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import napari
import numpy as np
from magicgui.widgets import create_widget
from napari.layers import Image, Labels, Layer
from qtpy.QtWidgets import QComboBox, QFormLayout, QSizePolicy, QWidget

from napari_qsm.errors import Cancelled, MetadataError, QsmError
from napari_qsm.recon.pipeline import UNITS, StageOutcome, run_stage
from napari_qsm.recon.recipe import Choice
from napari_qsm.recon.stages import STAGES, Method, methods
from napari_qsm.session.stage_texts import STAGE_TEXTS, method_tooltip
from napari_qsm.study.scan_source import from_ms, from_tesla, in_ms
from napari_qsm.viewer import ui
from napari_qsm.viewer.contributions import VOLUME_KEY, layer_data
from napari_qsm.viewer.forms import Form, setting_field
from napari_qsm.viewer.jobs import Job
from napari_qsm.viewer.reconstruct.sections import fill_methods
from napari_qsm.volume import Volume, check_same_grid

#: What a method's inputs are called, and whether echoes come as several layers.
_IMAGES: Mapping[str, str] = {
    "raw_phase": "Phase",
    "phase": "Phase (rad)",
    "magnitude": "Magnitude",
    "unwrapped": "Unwrapped phase",
    "total_field_ppm": "Total field (ppm)",
    "noise_ppm": "Field noise",
    "local_field_ppm": "Local field (ppm)",
    "chi_ppm": "χ (ppm)",
}
_MASKS: Mapping[str, str] = {
    "mask": "Mask",
    "local_mask": "Mask of the local field",
    "given_mask": "Mask of your own",
    "reference_roi": "Reference region",
}
_ECHOES = frozenset({"raw_phase", "phase", "magnitude", "unwrapped"})
_FROM_GRID = frozenset({"voxel_size_mm", "b0_direction"})


class StageWidget(QWidget):
    """Runs one stage on layers; what it makes becomes a layer.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Whose layers they are.
    """

    stage: ClassVar[str]

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        name, viewer = f"qsm.stage.{self.stage}", napari_viewer
        self.setObjectName(name)
        self._viewer = viewer
        self._form: Form | None = None
        self._choosers: dict[str, Any] = {}
        self._running: list[Job] = []
        self._method = ui.named(QComboBox(), f"{name}.method")
        fill_methods(self._method, self.stage)
        self._method.currentIndexChanged.connect(self._show_method)
        self._times = ui.line(f"{name}.echo_times", example="such as 5, 10")
        self._strength = ui.line(f"{name}.field_strength", example="such as 3")
        for field in (self._method, self._times, self._strength):
            field.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._inputs = ui.form()
        self._inputs.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
        self._inputs.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._settings = ui.column()
        self._run = ui.button("Run", f"{name}.run", self.run, main=True)
        self._cancel = ui.button("Cancel", f"{name}.cancel", self._on_cancel)
        self._cancel.setEnabled(False)
        self._said = ui.label("", f"{name}.said")
        body = ui.column(
            ui.quiet(STAGE_TEXTS[self.stage].purpose),
            self._method,
            self._inputs,
            self._settings,
            self._run,
            self._cancel,
            self._said,
            None,
            spacing=6,
            margins=(9, 9, 9, 9),
        )
        self.setMinimumWidth(300)
        self.setLayout(ui.column(ui.scrolled(ui.panel(body))))
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
            have, grid = self.quantities()
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
            lambda made: self._on_done(made, grid),
            self._on_failed,
        )
        self._running.append(job)
        job.start_alone()

    def quantities(self) -> tuple[dict[str, Any], Volume]:
        """What the chosen layers and fields say, as the method takes it.

        Raises
        ------
        QsmError
            If something is missing, or layers lie on different grids.
        """
        volumes: dict[str, list[Volume]] = {}
        for name, chooser in self._choosers.items():
            chosen = chooser.value
            layers = list(chosen) if isinstance(chosen, list | tuple) else [chosen]
            layers = [layer for layer in layers if layer is not None]
            if layers:
                volumes[name] = [_volume(layer, name) for layer in layers]
            elif name not in self.method.optional_inputs and name != "magnitude":
                raise MetadataError(f"Choose a layer for: {_title(name)}.")
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
            if name in _MASKS:
                have[name] = arrays[0] != 0
            else:
                have[name] = np.stack(arrays) if name in _ECHOES else arrays[0]
        sidecars = [_sidecar(part) for name in _ECHOES for part in volumes.get(name, [])]
        if "raw_phase" in volumes:
            have["metadata"] = _sidecar(volumes["raw_phase"][0])
        self._fill_in(volumes, sidecars)
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
        return have, grid

    def _fill_in(self, volumes: Mapping[str, list[Volume]], sidecars: list[dict[str, Any]]) -> None:
        """Take what was not typed from the sidecars of the layers' files, where they agree."""
        signal = volumes.get("phase") or volumes.get("raw_phase") or volumes.get("magnitude") or []
        times = [_sidecar(part).get("EchoTime") for part in signal]
        if not self._times.text() and times and all(isinstance(t, float | int) for t in times):
            self._times.setText(in_ms([float(t) for t in times if t is not None]))
        strengths = {s["MagneticFieldStrength"] for s in sidecars if "MagneticFieldStrength" in s}
        if not self._strength.text() and len(strengths) == 1:
            self._strength.setText(f"{strengths.pop():g}")

    def _show_method(self, index: int = 0) -> None:
        """Choosers and form of the chosen method."""
        kept = (self._times, self._strength)
        for field in kept:
            field.setParent(None)
        while self._inputs.rowCount():
            self._inputs.removeRow(0)
        self._choosers.clear()
        method = self.method
        self._method.setToolTip(method_tooltip(method))
        for name in method.inputs:
            if name in _IMAGES or name in _MASKS:
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
            lambda name, value: None,
        )
        self._settings.addWidget(self._form)

    def _add_chooser(self, name: str, optional: bool) -> None:
        several = name in _ECHOES
        kind = "Select" if several else "ComboBox"

        def layers(widget: Any) -> list[Any]:
            wanted = (Labels, Image) if name in _MASKS else (Image,)
            return [
                layer
                for layer in self._viewer.layers
                if isinstance(layer, wanted) and layer.ndim == 3
            ]

        options: dict[str, Any] = {"choices": layers}
        if not several:
            options["nullable"] = True
        chooser = create_widget(widget_type=kind, options=options, name=name)
        chooser.native.setObjectName(f"qsm.stage.{self.stage}.{name}")
        policy = chooser.native.sizePolicy()
        policy.setHorizontalPolicy(QSizePolicy.Policy.Ignored)
        chooser.native.setSizePolicy(policy)
        if several:
            chooser.native.setMaximumHeight(70)
            chooser.tooltip = "One layer for each echo, in their order; Ctrl + click for several"
        self._choosers[name] = chooser
        self._inputs.addRow(_title(name) + (" (if any)" if optional else ""), chooser.native)

    def _on_layers(self, event: Any = None) -> None:
        for chooser in self._choosers.values():
            chooser.reset_choices()

    def _on_failed(self, error: Exception) -> None:
        self._end("Stopped." if isinstance(error, Cancelled) else str(error))
        if not isinstance(error, QsmError):
            raise error

    def _on_cancel(self) -> None:
        for job in self._running:
            job.cancel()

    def _on_done(self, made: StageOutcome, grid: Volume) -> None:
        for name in STAGES[self.stage]:
            value = made.quantities.get(name)
            if isinstance(value, np.ndarray):
                for layer in result_layers(self.stage, name, value, grid, made.record):
                    self._viewer.add_layer(layer)
        said = " ".join(made.warnings)
        self._end(f"Done in {made.seconds:.1f} s. {said}".strip())

    def _end(self, sentence: str) -> None:
        self._running.clear()
        self._run.setEnabled(True)
        self._cancel.setEnabled(False)
        self._say(sentence)

    def _say(self, sentence: str) -> None:
        self._said.setText(sentence)


def _let_go(jobs: list[Job], *_: object) -> None:
    for job in jobs:
        job.let_go()


def result_layers(
    stage: str, name: str, values: Any, grid: Volume, record: Mapping[str, Any]
) -> list[Layer]:
    """What a stage has made, as layers with their place and how they were made."""
    text = STAGE_TEXTS[stage]
    role = "mask" if values.dtype == bool else text.role if name == text.quantity else "other"
    title = text.result if name == text.quantity else _title(name)
    parts = list(values) if values.ndim == 4 else [values]
    layers = []
    for number, part in enumerate(parts, 1):
        data = part.astype(np.uint8) if part.dtype == bool else part
        named = title if len(parts) == 1 else f"{title} {number}"
        volume = grid.with_data(data, unit=UNITS.get(name, ""), name=named)
        for layer in layer_data(volume, role):
            made = Layer.create(*layer)
            made.metadata["qsm_made"] = dict(record)
            layers.append(made)
    return layers


def _volume(layer: Layer, name: str) -> Volume:
    """A layer's values in (x, y, z) with their place; masks from labels or images alike.

    Raises
    ------
    MetadataError
        If the layer's unit is another one than is needed.
    """
    data = np.asarray(layer.data).transpose(2, 1, 0)
    known = layer.metadata.get(VOLUME_KEY)
    if isinstance(known, Volume) and known.shape == data.shape:
        wanted = UNITS.get(name, "")
        if wanted and known.unit and known.unit != wanted:
            raise MetadataError(
                f"'{layer.name}' is in {known.unit}, but {_title(name)} needs {wanted}."
            )
        return replace(known, data=data, name=layer.name)
    affine = np.eye(4)
    affine[:3, :3] = np.diag(np.asarray(layer.scale)[::-1])
    affine[:3, 3] = np.asarray(layer.translate)[::-1]
    return Volume(data, affine, name=layer.name, orientation_known=False)


def _sidecar(volume: Volume) -> dict[str, Any]:
    """What stands beside the file that a layer came from; empty without one."""
    if volume.origin is None or not volume.origin.is_file():
        return {}
    from napari_qsm.io.bids import sidecar_of

    return sidecar_of(volume.origin)


def _title(name: str) -> str:
    return _IMAGES.get(name) or _MASKS.get(name) or name


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
