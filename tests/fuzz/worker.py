"""A child process that takes damaged files one after the other and says what became of each.

``python -m tests.fuzz.worker SEEDS SCRATCH``: one JSON line per case on stdin (target, file, seed),
one per outcome on stdout. The parent (``tests.fuzz.runner``) watches the time and notices a crash.
"""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import resource
import shutil
import sys
import time
import traceback
from pathlib import Path

from carl_core.errors import CarlError
from carl_core.video import recording
from tests.fuzz.mutations import mutate
from tests.fuzz.targets import TARGETS

# What a case may take beyond what the process has once everything is loaded.
MEMORY_LIMIT = 1536 * 2**20


def outcome_of(target: str, path: Path) -> tuple[str, str]:
    """Use a file; return "used", "refused" or "fault", and the sentence or the traceback."""
    try:
        if target == "act":  # for the test of the runner itself
            exec(path.read_text(encoding="utf-8"), globals())
        else:
            TARGETS[target](path)
    except CarlError as error:
        text = str(error)
        if "\n" in text or not text.endswith((".", ".)")) or len(text) > 2000:
            return "fault", f"no sentence: {text[:3000]!r}"
        text.encode("utf-8", "surrogateescape")
        return "refused", text
    except MemoryError:
        return "memory", traceback.format_exc()
    except BaseException:
        return "fault", traceback.format_exc()
    return "used", ""


def main(seeds: Path, scratch: Path) -> None:
    """Take cases until stdin ends."""
    faulthandler.enable()
    # The log may say anything, but to write it must not fail: that would show on stderr.
    logging.basicConfig(level=logging.DEBUG, stream=Path(os.devnull).open("w"))
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints counts as noise
    scratch.mkdir(parents=True, exist_ok=True)
    recording.SETTLE_S = 0.0  # the files were written a moment ago, and nobody goes on
    is_limited = False
    for line in sys.stdin:
        target, name, seed = json.loads(line)
        path = _damaged(seeds, scratch, name, seed)
        before = _peak_bytes()
        began = time.perf_counter()
        outcome, text = outcome_of(target, path[1])
        took_s = time.perf_counter() - began
        grown = _peak_bytes() - before
        if outcome in ("used", "refused") and grown > MEMORY_LIMIT:
            outcome, text = "memory", f"took {grown >> 20} MiB"
        answer = {"way": path[0], "outcome": outcome, "text": text, "s": round(took_s, 3)}
        answers.write(json.dumps(answer | {"mib": max(0, grown >> 20)}) + "\n")
        answers.flush()
        if not is_limited:
            # Once one case ran, all libraries are loaded: from here on little may be added.
            _limit_memory()
            is_limited = True


def _damaged(seeds: Path, scratch: Path, name: str, seed: str) -> tuple[str, Path]:
    """Write the damaged file, with the files it belongs to where it is one of a folder."""
    path = scratch / name
    if "/" in name:
        folder = name.partition("/")[0]
        shutil.rmtree(scratch / folder, ignore_errors=True)
        shutil.copytree(seeds / folder, scratch / folder)
    if path.suffix == ".act":
        way, content = "acts", seed.encode()
    elif seed == "":
        way, content = "undamaged", (seeds / name).read_bytes()
    else:
        way, content = mutate((seeds / name).read_bytes(), name, f"{name} {seed}")
    path.write_bytes(content)
    return way, path


def _peak_bytes() -> int:
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def _limit_memory() -> None:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:
        return
    limit = pages * resource.getpagesize() + MEMORY_LIMIT
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
