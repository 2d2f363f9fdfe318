"""How far could noise alone have moved these numbers? A section that finds the noise of the map."""

from __future__ import annotations

from collections.abc import Callable

from napari_qsm.errors import QsmError
from napari_qsm.recon.uncertainty import NO_NOISE, REPEATS, Uncertainty
from napari_qsm.session.noise import noise_finder, put, take
from napari_qsm.session.quality import Subject
from napari_qsm.session.stage_texts import seconds_text
from napari_qsm.study.reconstruction import Reconstruction
from napari_qsm.units import with_unit
from napari_qsm.viewer import ui
from napari_qsm.viewer.services import Services

_NOTHING = "Once every step above has run, the noise of the map can be found here."
_AGAIN = ("background", "inversion", "reference")


class NoiseBox(ui.Section):
    """Finds the noise of the finished map in the background, and says what it comes to.

    Parameters
    ----------
    context : Services
    recon : Reconstruction
        Of the case on show.
    subject : callable
        Gives its finished map, or None.
    """

    def __init__(
        self, context: Services, recon: Reconstruction, subject: Callable[[], Subject | None]
    ) -> None:
        super().__init__("How much is noise?", "qsm.noise", is_open=False)
        self._context, self._recon, self._subject = context, recon, subject
        self._state = ui.label(_NOTHING, "qsm.noise.state")
        self._find = ui.button(
            "Find the noise of the map",
            "qsm.noise.find",
            self._on_find,
            tip="<p>Makes a few more maps from a field with a little more noise, and from how they "
            "differ the standard deviation of each voxel and the standard errors of regional "
            "means. Only the scan's noise is in them, no systematic error.</p>",
        )
        self.body.addWidget(self._state)
        self.body.addWidget(self._find)

    def refresh(self) -> None:
        """Say what is known, and whether it can be found."""
        finished = self._subject() is not None
        found = self._recon.noise
        self._find.setEnabled(finished and found is None)
        if found is not None:
            size = with_unit(1e3 * found.record["field_noise_ppm"], "ppb")
            text = (
                f"The field has noise of {size} (median). The map “noise of χ” lies in the list; the "
                "table's column “SE by noise” tells how far noise moves the mean of a region."
            )
        elif finished:
            records = [r for r in self._recon.records() if r["stage"] in _AGAIN]
            seconds = REPEATS * sum(float(record["seconds"]) for record in records)
            text = f"Not known yet; it takes about {seconds_text(seconds)}."
        else:
            text = _NOTHING
        self._state.setText(text)

    def _on_find(self) -> None:
        subject, recon = self._subject(), self._recon
        if subject is None:
            return
        try:
            work = noise_finder(recon)
        except QsmError as error:
            self._context.message(str(error))
            return
        number = recon.number("reference")

        def done(found: Uncertainty | None) -> None:
            if found is None:
                self._context.message(NO_NOISE.partition(": ")[2].capitalize())
            elif take(recon, number, found):
                put(self._context.session, subject.case, subject.grid, found)
                self._context.success(
                    "The noise of the map is known; the table has a column for it."
                )

        self._context.run("The noise of the map", work, done)
