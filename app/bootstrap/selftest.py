"""``--self-test``: open, align, play two seconds, take a picture, say what was seen."""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from app.models.playing import TileFigures
from app.models.session import Entry, Stage
from carl_core.atomic import replacing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from app.bootstrap.program import Program
    from app.faults.messages import Message

log = logging.getLogger("carl.window")

PLAY_S = 2.0
POLL_MS = 50
SETTLE_S = 1.0
"""After playing: for the last frames, thumbnails and the heatmap to be painted."""

OK, FAULT, UNREADABLE, NOT_ALIGNED = 0, 1, 3, 4


class SelfTest(QObject):
    """Drives the real window once.

    Signals
    -------
    finished(int) : the exit code
    """

    finished = Signal(int)

    def __init__(
        self, program: Program, files: Sequence[Path], picture: Path, *, limit_s: float
    ) -> None:
        super().__init__(program)
        self.report: dict[str, Any] = {}
        self._program = program
        self._files = list(files)
        self._picture = picture
        self._until = time.monotonic() + limit_s
        self._messages: list[str] = []
        self._phase = self._wait_for_alignment
        self._at = 0.0
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._poll)
        program.reporter.reported.connect(self._on_message)

    def start(self) -> None:
        """Begin."""
        self._timer.start()

    def _on_message(self, message: Message) -> None:
        self._messages.append(message.text)

    def _poll(self) -> None:
        if time.monotonic() > self._until:
            self._end(FAULT, "it took too long: no alignment within the time limit")
            return
        self._phase()

    def _wait_for_alignment(self) -> None:
        loading, session = self._program.loading, self._program.session
        if loading.is_busy:
            return
        if len(session.entries) < 2:
            if not self._messages and not session.entries:
                return  # nothing has been opened yet
            reason = self._said() or "a second recording is needed to compare"
            self._end(UNREADABLE, reason)
            return
        failed = [e for e in session.entries if e.stage in (Stage.FAILED, Stage.CANCELLED)]
        if failed:
            self._end(FAULT, self._said() or f"{failed[0].recording.name} failed")
            return
        mapped = [e for e in session.others if e.is_mapped]
        if not mapped:
            reasons = [e.alignment.reason for e in session.others if e.alignment]
            self._picture_taken()
            self._end(NOT_ALIGNED, "no convincing alignment: " + " ".join(reasons))
            return
        assert mapped[0].alignment is not None
        start_s, end_s = mapped[0].alignment.time_map.domain
        player = self._program.player
        # Two seconds from the middle of what is aligned, so that every tile has something to show.
        player.seek(max(start_s, (start_s + end_s - PLAY_S) / 2))
        self._at = time.monotonic()
        self._phase = self._wait_for_first_frames

    def _wait_for_first_frames(self) -> None:
        player = self._program.player
        if not player.is_up_to_date or time.monotonic() - self._at < 0.3:
            return
        player.reset_figures()
        player.play()
        self._at = time.monotonic()
        self._phase = self._wait_while_playing

    def _wait_while_playing(self) -> None:
        player = self._program.player
        if time.monotonic() - self._at < PLAY_S and player.clock.is_playing:
            return
        self._figures = dict(player.figures)
        player.pause()
        self._at = time.monotonic()
        self._phase = self._wait_for_paint

    def _wait_for_paint(self) -> None:
        if time.monotonic() - self._at < SETTLE_S:
            return
        if not self._picture_taken():
            self._end(FAULT, f"the picture {self._picture} cannot be written")
            return
        session = self._program.session
        tiles = [self._tile(e) for e in session.entries]
        maps = [self._map(e) for e in session.others]
        mapped = next(m for m in maps if m["map_domain"] is not None)
        self.report = {
            "tiles": tiles,
            "path_length": mapped["path_length"],
            "map_domain": mapped["map_domain"],
            "maps": maps,
            "provider": self._program.engine_state.provider if self._program.engine_state else "",
            "messages": list(dict.fromkeys(self._messages)),
            "screenshot": str(self._picture),
        }
        silent = [t["name"] for t in tiles if t["frames_shown"] < 2]
        if silent:
            self._end(FAULT, f"hardly a frame was shown of {', '.join(silent)}")
        else:
            self._end(OK, "")

    def _tile(self, entry: Entry) -> dict[str, Any]:
        figures = self._figures.get(entry.id, TileFigures())
        return {
            "name": entry.recording.name,
            "frames_shown": figures.shown,
            "distinct_pts": len(figures.pts),
            "late_share": round(figures.late / figures.shown, 4) if figures.shown else 0.0,
        }

    @staticmethod
    def _map(entry: Entry) -> dict[str, Any]:
        alignment = entry.alignment
        assert alignment is not None
        return {
            "name": entry.recording.name,
            "verdict": alignment.verdict,
            "match": round(alignment.match, 4),
            "method": alignment.method,
            "path_length": len(alignment.raw_reference),
            "map_domain": (
                [round(s, 6) for s in alignment.time_map.domain] if entry.is_mapped else None
            ),
        }

    def _said(self) -> str:
        return " ".join(dict.fromkeys(self._messages))

    def _picture_taken(self) -> bool:
        self._program.window.banner.clear()  # the report has the messages
        picture, kind = self._program.window.grab(), self._picture.suffix[1:].upper() or "PNG"
        try:
            with replacing(self._picture) as partial:
                if not picture.save(str(partial), kind):
                    raise OSError(f"Qt writes no {kind}")
        except OSError as error:
            log.warning("%s", error)
            return False
        return True

    def _end(self, code: int, reason: str) -> None:
        self._timer.stop()
        if code != OK:
            self.report = {
                **self.report,
                "error": reason,
                "messages": list(dict.fromkeys(self._messages)),
            }
        self.finished.emit(code)

    def text(self) -> str:
        """Return the report as JSON."""
        return json.dumps(self.report, ensure_ascii=False, indent=1)
