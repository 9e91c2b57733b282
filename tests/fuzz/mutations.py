"""Ways to damage a file. The same seed, file and number always damage it in the same way."""

from __future__ import annotations

import json
import random
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

Mutation = "Callable[[bytes, random.Random], bytes]"

# Boxes of MP4 and MOV that hold boxes.
_HOLDERS = frozenset(
    b"moov trak mdia minf stbl edts dinf udta mvex moof traf mfra gmhd wave sinf schi".split()
)
_LENGTHS = (
    0,
    1,
    7,
    8,
    0x7F,
    0xFF,
    0x7FFF,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    1_000_000_000,
)
_DEEP = 100_000


def mutate(content: bytes, name: str, seed: str) -> tuple[str, bytes]:
    """Return how ``content`` of a file called ``name`` was damaged, and the result."""
    # NOTE: a seed of text is hashed by SHA-512, the same on every machine.
    rng = random.Random(seed)
    ways = dict(_ANY)
    suffix = name.rpartition(".")[2]
    if suffix in ("mp4", "mov", "3gp"):
        ways |= _BOXES
    elif suffix in ("carl", "json"):
        ways |= _JSON
    elif suffix in ("eaf", "csv", "ini"):
        ways |= _LINES
    elif suffix == "onnx":
        ways |= _ONNX
    elif suffix in ("ts", "avi", "mkv", "webm", "h264", "mpg", "flv", "wmv", "mxf", "nut"):
        ways |= {f"{way} at a mark": _at_marks(change) for way, change in _AT.items()}
    way = rng.choice(sorted(ways))
    return way, ways[way](content, rng)


def _flip_bits(content: bytes, rng: random.Random) -> bytes:
    out = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4, 8, 32))):
        place = rng.randrange(len(out))
        out[place] ^= 1 << rng.randrange(8)
    return bytes(out)


def _flip_bits_early(content: bytes, rng: random.Random) -> bytes:
    early = min(len(content), 512)
    return _flip_bits(content[:early], rng) + content[early:]


def _random_bytes(content: bytes, rng: random.Random) -> bytes:
    place, size = _span(content, rng, 256)
    return content[:place] + rng.randbytes(size) + content[place + size :]


def _noise(content: bytes, rng: random.Random) -> bytes:
    return rng.randbytes(rng.choice((1, 16, 300, len(content))))


def _truncate(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content))]


def _delete_block(content: bytes, rng: random.Random) -> bytes:
    place, size = _span(content, rng, max(2, len(content) // 4))
    return content[:place] + content[place + size :]


def _double_block(content: bytes, rng: random.Random) -> bytes:
    place, size = _span(content, rng, max(2, len(content) // 4))
    return content[: place + size] + content[place:]


def _swap_blocks(content: bytes, rng: random.Random) -> bytes:
    first, second, third = sorted(rng.randrange(len(content) + 1) for _ in range(3))
    return content[:first] + content[second:third] + content[first:second] + content[third:]


def _zero_end(content: bytes, rng: random.Random) -> bytes:
    """As a download or copy that was preallocated and broke off."""
    place = rng.randrange(len(content))
    return content[:place] + bytes(len(content) - place)


def _wrong_number(content: bytes, rng: random.Random) -> bytes:
    if len(content) < 8:
        return content + b"\xff" * 8
    kind = rng.choice((">I", "<I", ">H", "<H", ">Q", "<Q"))
    size = struct.calcsize(kind)
    value = rng.choice(_LENGTHS) if rng.random() < 0.8 else rng.getrandbits(32)
    place = rng.randrange(max(1, len(content) - size))
    packed = struct.pack(kind, value & (1 << 8 * size) - 1)
    return content[:place] + packed + content[place + size :]


def _span(content: bytes, rng: random.Random, most: int) -> tuple[int, int]:
    size = rng.randrange(1, max(2, min(most, len(content))))
    return rng.randrange(max(1, len(content) - size)), size


# -- recordings in blocks -------------------------------------------------------------------------

_MARKS = (
    b"\x00\x00\x01", b"\x47\x40", b"\x1f\x43\xb6\x75", b"\xa3", b"\x16\x54\xae\x6b", b"00dc",
    b"idx1", b"strf", b"strh", b"LIST", b"\x08\x00", b"\x09\x00", b"\x06\x0e\x2b\x34", b"NM",
)  # fmt: skip


def _marks(content: bytes) -> list[int]:
    found = []
    for mark in _MARKS:
        place = content.find(mark)
        while place >= 0 and len(found) < 4000:
            found.append(place)
            place = content.find(mark, place + 1)
    return sorted(found) or [0]


def _at_marks(
    change: Callable[[bytes, random.Random, list[int]], bytes],
) -> Callable[[bytes, random.Random], bytes]:
    return lambda content, rng: change(content, rng, _marks(content))


def _cut_between(content: bytes, rng: random.Random, marks: list[int]) -> bytes:
    start, end = sorted((rng.choice(marks), rng.choice(marks)))
    return content[:start] + content[end:]


def _swap_between(content: bytes, rng: random.Random, marks: list[int]) -> bytes:
    a, b, c = sorted(rng.choice(marks) for _ in range(3))
    return content[:a] + content[b:c] + content[a:b] + content[c:]


def _number_behind(content: bytes, rng: random.Random, marks: list[int]) -> bytes:
    place = rng.choice(marks) + rng.randrange(12)
    packed = struct.pack(rng.choice((">I", "<I")), rng.choice(_LENGTHS))
    return content[:place] + packed + content[place + 4 :]


_AT: dict[str, Callable[[bytes, random.Random, list[int]], bytes]] = {
    "block deleted": _cut_between,
    "blocks swapped": _swap_between,
    "wrong number": _number_behind,
}


# -- boxes of MP4 ---------------------------------------------------------------------------------


def _boxes(content: bytes, start: int = 0, end: int | None = None) -> list[tuple[int, int]]:
    """Start and end of every box, holders before what they hold."""
    found: list[tuple[int, int]] = []
    end = len(content) if end is None else end
    while start + 8 <= end:
        size = int.from_bytes(content[start : start + 4], "big")
        if size < 8 or start + size > end:
            break
        found.append((start, start + size))
        if content[start + 4 : start + 8] in _HOLDERS:
            found += _boxes(content, start + 8, start + size)
        start += size
    return found or [(0, len(content))]


def _delete_box(content: bytes, rng: random.Random) -> bytes:
    start, end = rng.choice(_boxes(content))
    return content[:start] + content[end:]


def _empty_box(content: bytes, rng: random.Random) -> bytes:
    """Take a box away but keep the place it takes, so that its holders stay whole."""
    start, end = rng.choice(_boxes(content))
    return content[: start + 4] + b"free" + content[start + 8 :] if end > start + 8 else content


def _swap_boxes(content: bytes, rng: random.Random) -> bytes:
    boxes = _boxes(content)
    (a, b), (c, d) = sorted((rng.choice(boxes), rng.choice(boxes)))
    if b > c:  # one holds the other
        return content[:a] + content[c:d] + content[a:c] + content[d:]
    return content[:a] + content[c:d] + content[b:c] + content[a:b] + content[d:]


def _wrong_box_size(content: bytes, rng: random.Random) -> bytes:
    start, _ = rng.choice(_boxes(content))
    return content[:start] + struct.pack(">I", rng.choice(_LENGTHS)) + content[start + 4 :]


def _wrong_number_in_box(content: bytes, rng: random.Random) -> bytes:
    boxes = [b for b in _boxes(content) if content[b[0] + 4 : b[0] + 8] != b"mdat"]
    start, end = rng.choice(boxes or [(0, len(content))])
    place = rng.randrange(start + 8, max(start + 9, end - 3), 4)
    return content[:place] + struct.pack(">I", rng.choice(_LENGTHS)) + content[place + 4 :]


# -- text -----------------------------------------------------------------------------------------

_HOSTILE_TEXT = (
    "NaN", "Infinity", "-Infinity", "1e999", "-1", "0", "null", "true", '""', "[]", "{}",
    "9" * 400, "-9223372036854775809", "1.5", '"\\ud800"', '"\\u0000"', '"../../../../etc/passwd"',
    '"/dev/zero"', '"C:\\\\nul"', "[" * _DEEP, '"' + "x" * 100_000 + '"', "1e-400", '"1"',
)  # fmt: skip


def _hostile_value(content: bytes, rng: random.Random) -> bytes:
    """Put something else in the place of one value, or of a key, anywhere in the document."""
    try:
        document: Any = json.loads(content)
    except ValueError:
        return _flip_bits(content, rng)
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in pairs:
            places.append((value, key))
            if isinstance(item, dict | list):
                walk(item)

    walk(document)
    holder, key = rng.choice(places)
    holder[key] = "\0here\0"
    text = json.dumps(document)
    return text.replace('"\\u0000here\\u0000"', rng.choice(_HOSTILE_TEXT)).encode()


def _drop_value(content: bytes, rng: random.Random) -> bytes:
    try:
        document: Any = json.loads(content)
    except ValueError:
        return _truncate(content, rng)
    holder = document
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not keys:
            return json.dumps(document).encode()
        key = rng.choice(keys)
        if isinstance(holder[key], dict | list) and holder[key] and rng.random() < 0.7:
            holder = holder[key]
            continue
        if isinstance(holder, list) and rng.random() < 0.5:
            holder.append(holder[key])
        else:
            del holder[key]
        return json.dumps(document).encode()


def _swap_lines(content: bytes, rng: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[a], lines[b] = lines[b], lines[a]
    return b"".join(lines)


def _drop_line(content: bytes, rng: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    del lines[rng.randrange(len(lines))]
    return b"".join(lines)


def _hostile_line(content: bytes, rng: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    line = rng.choice(
        (
            b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>\n',
            b'<!DOCTYPE x SYSTEM "file:///etc/passwd">\n',
            b"<A>" * 20_000,
            b",".join([b"nan", b"inf", b"1e400", b"-1"]) + b"\n",
            b"keys=" + b"[" * _DEEP + b"\n",
            b"\x00" * 64,
            b'"' + b"x" * 200_000,
            b"volume=@Variant(\\0\\0\\0\\x7f\\0\\0\\0\\xf)\n",
            b"volume=@Size(1 2)\ngeometry=@Invalid()\n",
        )
    )
    lines.insert(rng.randrange(len(lines) + 1), line)
    return b"".join(lines)


def _hostile_word(content: bytes, rng: random.Random) -> bytes:
    """Replace a number, wherever one stands, by another."""
    text = content.decode("utf-8", "replace")
    digits = [i for i, c in enumerate(text) if c.isdigit()]
    if not digits:
        return content
    place = rng.choice(digits)
    word = rng.choice(("nan", "-1", "1e999", "9" * 30, "inf", "", "\u0663", "1_0", "0x10"))
    return (text[:place] + word + text[place + 1 :]).encode()


# -- encoder files --------------------------------------------------------------------------------


def _damage_graph(content: bytes, rng: random.Random) -> bytes:
    import onnx
    from onnx import TensorProto

    model = onnx.ModelProto.FromString(content)
    graph = model.graph
    node = rng.choice(graph.node)
    weight = rng.choice(graph.initializer)

    def other_weight() -> None:
        raw = bytearray(weight.raw_data)
        if raw:
            size = min(8, len(raw))
            raw[:size] = struct.pack("<q", rng.choice((-1, 0, 2**31, 2**40, 2**62)))[:size]
            weight.raw_data = bytes(raw)

    def metadata() -> None:
        entry = rng.choice(model.metadata_props)
        entry.value = rng.choice(("", "-1", "0", "99999999999", "nan", "1e999", "x" * 10_000))

    def external() -> None:
        weight.ClearField("raw_data")
        weight.data_location = TensorProto.EXTERNAL
        entry = weight.external_data.add()
        entry.key, entry.value = "location", rng.choice(("../../etc/passwd", "/dev/zero", "w.bin"))

    def change_shape() -> None:
        del weight.dims[:]
        weight.dims.extend(rng.choice(([], [0], [-1], [2**31, 2**31], [2**62], [1] * 100)))

    rng.choice(
        (
            lambda: graph.node.remove(node),
            lambda: setattr(node, "op_type", rng.choice(("Loop", "If", "Nothing", "MatMul"))),
            lambda: setattr(node, "domain", rng.choice(("com.microsoft", "ai.onnx.ml", "mine"))),
            lambda: graph.initializer.remove(weight),
            lambda: setattr(weight, "data_type", rng.randrange(30)),
            lambda: graph.node.append(node),
            lambda: node.input.reverse(),
            lambda: node.input.append("nowhere"),
            lambda: setattr(model.opset_import[0], "version", rng.choice((0, 1, 7, 99, 2**40))),
            other_weight,
            metadata,
            external,
            change_shape,
        )
    )()
    return model.SerializeToString()


_ANY: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "bits flipped": _flip_bits,
    "bits flipped early": _flip_bits_early,
    "random bytes": _random_bytes,
    "noise": _noise,
    "truncated": _truncate,
    "block deleted": _delete_block,
    "block doubled": _double_block,
    "blocks swapped": _swap_blocks,
    "end zeroed": _zero_end,
    "wrong number": _wrong_number,
}
_BOXES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "atom deleted": _delete_box,
    "atom emptied": _empty_box,
    "atoms swapped": _swap_boxes,
    "wrong atom size": _wrong_box_size,
    "wrong number in an atom": _wrong_number_in_box,
    "another wrong number in an atom": _wrong_number_in_box,
}
_LINES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "lines swapped": _swap_lines,
    "line deleted": _drop_line,
    "hostile line": _hostile_line,
    "hostile word": _hostile_word,
}
_JSON: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "hostile value": _hostile_value,
    "another hostile value": _hostile_value,
    "value dropped or doubled": _drop_value,
    "hostile word": _hostile_word,
}
_ONNX: dict[str, Callable[[bytes, random.Random], bytes]] = {
    f"graph damaged {number}": _damage_graph for number in range(8)
}
