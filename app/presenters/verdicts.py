"""How good an alignment is, in words."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from app.models.session import Entry, Stage
from app.models.viewstate import Verdict
from app.resources.text import format_match, format_time

if TYPE_CHECKING:
    from carl_core.alignment.alignment import Alignment


def verdict_on(reference: Entry | None, other: Entry | None) -> Verdict:
    """Return what is known about the alignment of two recordings."""
    if reference is None or other is None:
        return Verdict(
            "busy",
            _tr("Nothing to compare yet"),
            _tr("Add a second recording: the two are aligned at once."),
        )
    alignment = other.alignment
    if alignment is not None:
        verdict = _verdict_of(alignment)
        if not other.is_coarsely_aligned:
            return verdict
        first_look = _tr("a first look at 2 frames a second; the map in full follows")
        return replace(verdict, facts=(first_look, *verdict.facts))
    stages = {reference.stage, other.stage}
    if Stage.FAILED in stages or Stage.CANCELLED in stages:
        return Verdict(
            "warning",
            _tr("Not aligned"),
            _tr("Choose Align again (Ctrl+R) to go on where it stopped."),
        )
    if other.stage is Stage.ALIGNING:
        return Verdict("busy", _tr("Aligning…"), "")
    return Verdict(
        "busy",
        _tr("Embedding…"),
        _tr("Frames are turned into vectors; then the two are aligned."),
    )


def kind_of(alignment: Alignment) -> str:
    """Return in a word how a map came about, e.g. "warped"."""
    names = {
        "dtw": _tr("warped"),
        "open-end": _tr("warped, ends open"),
        "subsequence": _tr("one in the other"),
        "gaps": _tr("warped, with gaps"),
        "identity": _tr("same content"),
        "linear": _tr("linear"),
        "offset": _tr("offset"),
        "anchors": _tr("by pins"),
        "audio": _tr("by sound"),
        "timecode": _tr("by timecode"),
    }
    return names.get(alignment.method, alignment.method)


def _verdict_of(alignment: Alignment) -> Verdict:
    kind, title = {
        "aligned": ("good", _tr("Aligned")),
        "uncertain": ("warning", _tr("Uncertain alignment")),
        "none": ("error", _tr("No convincing alignment")),
    }[alignment.verdict]
    reason = alignment.reason
    if alignment.verdict == "none" and alignment.is_playable:
        kind, title = "chosen", _tr("Aligned by hand")
        reason = _tr("The pictures alone would not confirm this map.")
    start_s, end_s = alignment.time_map.domain
    facts = [
        _tr("match {share}").format(share=format_match(alignment.match)),
        kind_of(alignment),
    ]
    if alignment.verdict != "none":
        facts.append(
            _tr("reference {start} – {end}").format(
                start=format_time(start_s, decimals=1), end=format_time(end_s, decimals=1)
            )
        )
    if alignment.gaps:
        count = len(alignment.gaps)
        facts.append(_tr("1 gap") if count == 1 else _tr("{n} gaps").format(n=count))
    return Verdict(kind, title, reason, tuple(facts))


def _tr(text: str) -> str:
    return QCoreApplication.translate("Verdicts", text)
