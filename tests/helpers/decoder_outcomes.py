"""Write down what a full decode with PyAV makes of each developer recording of the decoder group.

``python -m tests.helpers.decoder_outcomes ../shared/data/decoder`` rewrites
``tests/video/decoder_outcomes.json``. It knows nothing of ``carl_core``: it decodes every packet
on one thread and goes on after errors. What it writes is reviewed by hand before it is committed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import av

TABLE = Path(__file__).resolve().parents[1] / "video" / "decoder_outcomes.json"


def full_decode(path: Path) -> tuple[list[int], int, str | None]:
    """Timestamps of all frames presented, number of errors, reason when it does not open."""
    av.logging.set_level(None)
    try:
        container = av.open(str(path))
    except av.FFmpegError as exc:
        return [], 0, exc.strerror
    with container:
        if not container.streams.video:
            return [], 0, "no video stream"
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        pts, errors = [], 0
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                break
            except av.FFmpegError:
                errors += 1
                break
            try:
                pts += [frame.pts for frame in packet.decode()]
            except av.FFmpegError:
                errors += 1
    return pts, errors, None


def outcome(path: Path) -> dict[str, object]:
    """One row of the table."""
    pts, errors, reason = full_decode(path)
    if not pts:
        return {"outcome": "refused", "reason": reason or f"{errors} errors and no frame"}
    return {
        "outcome": "opens",
        "frames": len(pts),
        "first_pts": pts[0],
        "last_pts": pts[-1],
        "errors": errors,
    }


def main() -> None:
    folder = Path(sys.argv[1])
    table = {path.name: outcome(path) for path in sorted(folder.iterdir())}
    TABLE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
