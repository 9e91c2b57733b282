"""ELAN's annotation files (``.eaf``): one tier per recording, times in whole milliseconds.

Format: the schema EAFv3.0 of the Max Planck Institute for Psycholinguistics. A moment, which ELAN
does not know, is written as an annotation of one millisecond and read back as a moment. What was
carried over from another recording stands on a tier of its own, "B.mp4 (from A.mp4)".

Times are rounded up: a frame is shown from its time on, so a time before it would name the frame
before.
"""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from carl_core.errors import ProjectError

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOMENT_MS = 1
_TYPE = "default-lt"

_DERIVED = re.compile(r"(?P<recording>.+) \(from (?P<derived>.+)\)")

Row = tuple[str, str, float, float, str]
"""Recording, name, start and end in seconds, equal for a moment; carried over from, "" = not."""


def to_eaf(rows: Sequence[Row], media: Sequence[str] = ()) -> str:
    """Return the text of a file.

    Parameters
    ----------
    media : file names the file refers to
    """
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")
    root = ET.Element(
        "ANNOTATION_DOCUMENT",
        {"AUTHOR": "", "DATE": now, "FORMAT": "3.0", "VERSION": "3.0"},
    )
    header = ET.SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    for name in media:
        ET.SubElement(header, "MEDIA_DESCRIPTOR", {"MEDIA_URL": name, "MIME_TYPE": "video/mp4"})
    order = ET.SubElement(root, "TIME_ORDER")
    tiers: dict[str, ET.Element] = {}
    slots = 0
    for number, (recording, name, start_s, end_s, derived) in enumerate(rows, 1):
        start_ms, end_ms = _milliseconds(start_s), _milliseconds(end_s)
        if start_s == end_s:
            end_ms = start_ms + _MOMENT_MS
        end_ms = max(end_ms, start_ms + _MOMENT_MS)
        for value in (start_ms, end_ms):
            slots += 1
            ET.SubElement(
                order, "TIME_SLOT", {"TIME_SLOT_ID": f"ts{slots}", "TIME_VALUE": str(value)}
            )
        where = f"{recording or 'default'} (from {derived})" if derived else recording or "default"
        tier = tiers.get(where)
        if tier is None:
            tier = tiers[where] = ET.Element(
                "TIER", {"LINGUISTIC_TYPE_REF": _TYPE, "TIER_ID": where}
            )
        holder = ET.SubElement(tier, "ANNOTATION")
        annotation = ET.SubElement(
            holder,
            "ALIGNABLE_ANNOTATION",
            {
                "ANNOTATION_ID": f"a{number}",
                "TIME_SLOT_REF1": f"ts{slots - 1}",
                "TIME_SLOT_REF2": f"ts{slots}",
            },
        )
        ET.SubElement(annotation, "ANNOTATION_VALUE").text = _sayable(name)
    root.extend(tiers.values())
    ET.SubElement(
        root,
        "LINGUISTIC_TYPE",
        {"GRAPHIC_REFERENCES": "false", "LINGUISTIC_TYPE_ID": _TYPE, "TIME_ALIGNABLE": "true"},
    )
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def from_eaf(text: str, where: str) -> list[Row]:
    """Read the time-aligned annotations of all tiers; a tier's id is taken as its recording.

    Annotations that refer to others (translations, glosses) have no times and are left out.

    Raises
    ------
    ProjectError
        When it is no such file, or its times cannot be read; ``where`` names it.
    """
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        # The only way a file of ours or ELAN's could make the parser work without end.
        raise ProjectError(f"{where} declares entities, which no ELAN file needs. It is not read.")
    try:
        root = ET.fromstring(text)
    except ET.ParseError as error:
        raise ProjectError(f"{where} is not valid XML: {error}. Save it again in ELAN.") from error
    if root.tag != "ANNOTATION_DOCUMENT":
        raise ProjectError(f"{where} is no ELAN file: it begins with <{root.tag}>.")
    slots = {
        slot.get("TIME_SLOT_ID", ""): slot.get("TIME_VALUE") for slot in root.iter("TIME_SLOT")
    }
    rows: list[Row] = []
    for tier in root.iter("TIER"):
        recording, derived = tier.get("TIER_ID", ""), ""
        if found := _DERIVED.fullmatch(recording):
            recording, derived = found["recording"], found["derived"]
        for annotation in tier.iter("ALIGNABLE_ANNOTATION"):
            value = annotation.findtext("ANNOTATION_VALUE") or ""
            times = [slots.get(annotation.get(f"TIME_SLOT_REF{side}", "")) for side in (1, 2)]
            try:
                start_ms, end_ms = (int(time) for time in times if time is not None)
            except ValueError as error:
                which = annotation.get("ANNOTATION_ID", "?")
                raise ProjectError(
                    f"{where}: annotation {which} has no times. Give it times in ELAN first."
                ) from error
            if end_ms - start_ms <= _MOMENT_MS:
                end_ms = start_ms
            rows.append((recording, value, start_ms / 1000, end_ms / 1000, derived))
    return rows


def _milliseconds(time_s: float) -> int:
    return math.ceil(round(time_s * 1000, 3))  # first what binary numbers lack to a whole one


def _sayable(text: str) -> str:
    """Drop what XML cannot hold."""
    return "".join(c for c in text if c in "\t\n\r" or (ord(c) >= 0x20 and c not in "\ufffe\uffff"))
