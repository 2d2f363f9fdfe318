"""The button that proposes outlines, and what is done with proposed ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import QWidget

from napari_qsm.errors import QsmError
from napari_qsm.outlines.files import sentences_of
from napari_qsm.outlines.propose import Proposal, is_seed, propose_outlines
from napari_qsm.session import MapEntry, proposals
from napari_qsm.session.regions import region_of
from napari_qsm.viewer import ui
from napari_qsm.viewer.services import Services


class ProposalBox(QWidget):
    """Proposes outlines of the deep nuclei for the map under view; they are accepted one by one."""

    def __init__(self, context: Services) -> None:
        super().__init__()
        self.setObjectName("qsm.proposals")
        self._context = context
        self._session = context.session
        self._propose = ui.button(
            "Propose outlines",
            "qsm.proposals.propose",
            self.propose,
            tip="First outlines of the deep nuclei in the map under view, from an atlas and the map's own "
            "edges; to be looked at slice by slice",
        )
        self._hint = ui.quiet("", "qsm.proposals.hint")
        self._accept = ui.button(
            "Accept region",
            "qsm.proposals.accept",
            lambda: self._try(self.accept),
            tip="Copy the chosen outline into your region map",
            main=True,
        )
        self._all = ui.button(
            "Accept all",
            "qsm.proposals.accept_all",
            lambda: self._try(self.accept_all),
            tip="Copy all outlines into your region map; balls to start from stay",
        )
        self._discard = ui.button(
            "Discard", "qsm.proposals.discard", self.discard, tip="Take all that is proposed away"
        )
        self._choice = ui.panel(
            ui.column(self._hint, ui.row(self._accept, self._all, self._discard))
        )
        self.setLayout(ui.column(self._propose, self._choice))
        session = self._session
        self._heard = ui.Subscriptions()
        self._heard.connect(
            session.maps.events.inserted, session.maps.events.removed,
            session.events.active_case, session.events.selected, session.events.painted,
            session.events.active_region, session.history.changed,
            to=self.refresh,
        )  # fmt: skip
        self.refresh()

    def dispose(self) -> None:
        """Stop listening."""
        self._heard.dispose()

    def refresh(self, *_: Any) -> None:
        """Show what can be done now."""
        entry, like = proposals.proposal_of(self._session), self._like()
        self._propose.setVisible(entry is None and like is not None)
        self._choice.setVisible(entry is not None)
        if entry is None:
            return
        count = len(entry.regions)
        in_hand = self._session.painted == entry.id
        label = self._session.active_region
        chosen = region_of(entry, label).name if in_hand and label in entry.regions else ""
        self._accept.setEnabled(bool(chosen))
        self._hint.setText(
            f"{count} proposed. Look at every slice of '{chosen}', correct it, and accept it."
            if chosen
            else f"{count} proposed in '{entry.name}': choose that region map and look at every slice."
        )

    def _like(self) -> MapEntry | None:
        entry = self._context.controller.shown_in(self._context.controller.main)
        return entry if entry is not None and entry.is_susceptibility else None

    def _try(self, call: Callable[[], Any]) -> None:
        try:
            call()
        except QsmError as error:
            self._context.message(str(error))

    # -- what the user does ---------------------------------------------------------------

    def propose(self) -> None:
        """Propose outlines for the map under view, in the background."""
        entry = self._like()
        if entry is None:
            return
        chi, mask, magnitude = proposals.inputs_for(self._session, entry)

        def work(progress: Callable[[float, str], None], _: Callable[[], bool]) -> Proposal:
            return propose_outlines(
                chi,
                mask=mask,
                magnitude=magnitude,
                progress=lambda fraction: progress(fraction, "Proposing outlines"),
            )

        def done(proposal: Proposal) -> None:
            self._propose.setEnabled(True)
            if entry in self._session.maps:
                proposals.add_proposal(self._session, entry, proposal)
                self._context.message(" ".join(sentences_of(proposal)))

        def failed(error: Exception) -> None:
            self._propose.setEnabled(True)
            self._context.failed(error)

        self._propose.setEnabled(False)
        self._context.jobs.run("Proposing outlines", work, done=done, failed=failed, computes=True)

    def accept(self) -> None:
        """Accept the chosen region, and choose the next one."""
        entry = proposals.proposal_of(self._session)
        if entry is None or self._session.painted != entry.id:
            raise QsmError("Choose a proposed region in the list first.")
        label = self._session.active_region
        later = [key for key in sorted(entry.regions) if key > label]
        self._accepted(entry, [label])
        if later and self._session.painted == entry.id:
            self._session.active_region = later[0]

    def accept_all(self) -> None:
        """Accept all outlines that are left; balls to start from are accepted one by one."""
        entry = proposals.proposal_of(self._session)
        if entry is not None:
            outlines = [key for key, row in entry.regions.items() if not is_seed(row)]
            self._accepted(entry, outlines)

    def _accepted(self, entry: MapEntry, labels: list[int]) -> None:
        done = proposals.accept(self._session, entry, labels)
        said = f"{len(done.names)} in '{done.target.name}'."
        if done.refused:
            said += f" Drawn there already and left: {', '.join(done.refused)}."
        if done.missed:
            said += f" {done.missed} voxels belong to other regions there and stayed theirs."
        self._context.success(f"Accepted: {said}")
        if not any(not is_seed(row) for row in entry.regions.values()):
            self._session.painted = done.target.id

    def discard(self) -> None:
        """Take the proposed outlines away; can be undone."""
        entry = proposals.proposal_of(self._session)
        if entry is not None:
            self._session.discard(entry)
