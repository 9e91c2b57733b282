"""Alignment by machine: reference, time base, by what, start and cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app import settings as keys
from app.actions import SPECS, ActionId, keys_of, tooltip
from app.bootstrap.parts import Feature
from app.models.methods import Method, lacking
from app.models.viewstate import PairChoice
from carl_core.project import edits

if TYPE_CHECKING:
    from PySide6.QtCore import QObject

    from app.bootstrap.parts import Handlers, Parts
    from carl_core.project.project import TimeBaseName

_BASES: dict[ActionId, TimeBaseName] = {
    ActionId.BASE_REFERENCE: "reference",
    ActionId.BASE_MEAN: "mean",
    ActionId.BASE_NATIVE: "native",
}
_METHODS = {
    ActionId.METHOD_PICTURES: Method.PICTURES,
    ActionId.METHOD_SOUND: Method.SOUND,
    ActionId.METHOD_TIMECODE: Method.TIMECODE,
}


class AligningFeature(Feature):
    """The Align menu."""

    needs_recordings = (ActionId.ALIGN, ActionId.MAKE_REFERENCE)

    def __init__(self, parts: Parts, parent: QObject) -> None:
        super().__init__(parts, parent)
        window = parts.window
        parts.session.recordings_changed.connect(self._on_recordings)
        window.reference_chosen.connect(self._make_reference)
        window.status.cancel_requested.connect(parts.loading.cancel)
        parts.actions[ActionId.METHOD_PICTURES].setChecked(True)
        base = parts.settings.get(keys.TIME_BASE)
        for name in _BASES.values():
            if name == base:
                parts.project.put(edits.set_base(parts.project.project, name))
        self._on_recordings()

    def handlers(self) -> Handlers:
        """Return the Align menu."""
        return {
            ActionId.ALIGN: self.parts.loading.align_again,
            ActionId.CANCEL_JOBS: self.parts.loading.cancel,
            ActionId.MAKE_REFERENCE: lambda: self._make_reference(self.parts.session.active_id),
            ActionId.METHOD_PICTURES: lambda: self._set_method(Method.PICTURES),
            ActionId.METHOD_SOUND: lambda: self._set_method(Method.SOUND),
            ActionId.METHOD_TIMECODE: lambda: self._set_method(Method.TIMECODE),
            ActionId.BASE_REFERENCE: lambda: self._set_base("reference"),
            ActionId.BASE_MEAN: lambda: self._set_base("mean"),
            ActionId.BASE_NATIVE: lambda: self._set_base("native"),
        }

    def on_project(self) -> None:
        """Check time base and method of the project."""
        project = self.parts.project.project
        for which, base in _BASES.items():
            if base == project.base:
                self.parts.actions[which].setChecked(True)
        for which, method in _METHODS.items():
            if method.value == project.method:
                self.parts.actions[which].setChecked(True)

    def _on_recordings(self) -> None:
        session = self.parts.session
        self.parts.window.set_references(
            tuple(PairChoice(e.id, f"{e.letter}  {e.recording.name}") for e in session.entries),
            session.reference_id,
        )
        self._offer_methods()

    def _offer_methods(self) -> None:
        """Let only such methods be chosen as all recordings allow, and say which does not."""
        session = self.parts.session
        for which, method in _METHODS.items():
            names = lacking(method, session.recordings)
            action = self.parts.actions[which]
            action.setEnabled(bool(session.entries) and not names)
            missing = self.tr("Not possible: no timecode in {names}.")
            if method is Method.SOUND:
                missing = self.tr("Not possible: no sound in {names}.")
            shown = ", ".join(names)
            action.setToolTip(
                missing.format(names=shown) if names else tooltip(SPECS[which], keys_of(action))
            )

    def _set_base(self, base: TimeBaseName) -> None:
        self.parts.files.edit(self.tr("change the time base"), lambda p: edits.set_base(p, base))
        self.parts.settings.set(keys.TIME_BASE, base)

    def _make_reference(self, recording_id: str) -> None:
        entry = self.parts.session.entry(recording_id)
        if entry is not None:
            self.parts.files.edit(
                self.tr("make {letter} the reference").format(letter=entry.letter),
                lambda p: edits.set_reference(p, recording_id),
            )

    def _set_method(self, method: Method) -> None:
        self.parts.files.edit(
            self.tr("change the method"), lambda p: edits.set_method(p, method.value)
        )
