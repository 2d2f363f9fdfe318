"""The patients that are open: which is on show, the next one, and closing one."""

from __future__ import annotations

from qtpy.QtWidgets import QComboBox, QInputDialog, QWidget
from superqt.utils import signals_blocked

from napari_qsm.session.blinding import shown_case
from napari_qsm.study.identity import identity_of
from napari_qsm.viewer import ui
from napari_qsm.viewer.data.saving import Saving
from napari_qsm.viewer.services import Services


class CaseBar(QWidget):
    """Choice of the case on show, with what is done to cases as a whole."""

    def __init__(self, services: Services, saving: Saving) -> None:
        super().__init__()
        self._session = services.session
        self._saving = saving
        self._cases = QComboBox()
        self._cases.setObjectName("qsm.data.case")
        self._cases.setToolTip("The patient and visit on show; each has its own maps and regions")
        # A long name is cut here, rather than the panel at the window's edge.
        self._cases.setMinimumWidth(100)
        self._cases.activated.connect(self._on_chosen)
        self._next = ui.button("Next", "qsm.data.case_next", self._on_next)
        self._next.setToolTip("Show the next case (Shift N)")
        self._rename = ui.button("Rename …", "qsm.data.case_rename", self._on_rename)
        self._rename.setToolTip("Give the case another name, for example sub-01 ses-t0")
        self._close = ui.button("Close", "qsm.data.case_close", self._on_close)
        self._close.setToolTip("Take all of this case out of the window; its files stay")
        self.setLayout(
            ui.row(ui.quiet("Case"), (self._cases, 1), self._next, self._rename, self._close)
        )
        self._session.case_edited.connect(self.refresh)
        self._session.events.active_case.connect(self.refresh)
        self._session.study.cases.events.inserted.connect(self.refresh)
        self._session.study.cases.events.removed.connect(self.refresh)
        self.refresh()

    def dispose(self) -> None:
        """Stop listening."""
        self._session.case_edited.disconnect(self.refresh)
        self._session.events.active_case.disconnect(self.refresh)
        self._session.study.cases.events.inserted.disconnect(self.refresh)
        self._session.study.cases.events.removed.disconnect(self.refresh)

    def refresh(self) -> None:
        """Show the cases as they are."""
        session = self._session
        with signals_blocked(self._cases):
            wanted = [(shown_case(session, case), case.id) for case in session.cases]
            if wanted != [
                (self._cases.itemText(i), self._cases.itemData(i))
                for i in range(self._cases.count())
            ]:
                self._cases.clear()
                for name, key in wanted:
                    self._cases.addItem(name, key)
            self._cases.setCurrentIndex(self._cases.findData(session.active_case))
        self.setVisible(len(wanted) > 1 or not session.case.is_empty)
        self._next.setVisible(len(wanted) > 1)
        self._rename.setEnabled(not session.blinded)

    def _on_chosen(self, index: int) -> None:
        self._session.active_case = self._cases.itemData(index)

    def _on_next(self) -> None:
        self._session.step_case()

    def _on_rename(self) -> None:
        case = self._session.case
        name, agreed = QInputDialog.getText(
            self.window(), "Name of the case", "Participant and visit:", text=case.name
        )
        name = name.strip()
        if not agreed or not name or name == case.name:
            return
        who = identity_of(name.replace(" ", "_"), is_folder=False)
        fields = {"name": self._session.study.free_name(name, besides=case)}
        if name == who.name:
            fields |= {"participant": who.participant, "visit": who.visit}
        self._session.change("name of the case", case, **fields)

    def _on_close(self) -> None:
        self._saving.close_case(self._session.case)
