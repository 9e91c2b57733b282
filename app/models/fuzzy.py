"""Find by a few letters: how well a typed text fits a name."""

from __future__ import annotations

import re

_WORDS = re.compile(r"\w+")


def fit(typed: str, name: str, *others: str) -> float | None:
    """Say how well what was typed fits; None = not at all.

    Every word of ``typed`` must be found: in ``name`` as the beginning of a word, anywhere, or as
    letters in order that begin at a word; in ``others`` as the beginning of a word or, from
    three letters on, anywhere. Case does not matter.

    Returns
    -------
    float
        0 to 1 for each word, their mean; earlier and tighter is higher.
    """
    words = typed.casefold().split()
    if not words:
        return 0.0
    total = 0.0
    for word in words:
        here = [_in_name(word, name.casefold())]
        here += [0.4 * _in_text(word, other.casefold()) for other in others]
        best = max(here)
        if best <= 0:
            return None
        total += best
    return total / len(words)


def _in_text(word: str, text: str) -> float:
    if word == text:
        return 1.0
    if any(found.group().startswith(word) for found in _WORDS.finditer(text)):
        return 0.8
    return 0.6 if len(word) >= 3 and word in text else 0.0


def _in_name(word: str, name: str) -> float:
    starts = [found.start() for found in _WORDS.finditer(name)]
    for number, start in enumerate(starts):
        if name.startswith(word, start):
            return 1.0 - 0.02 * min(number, 5)
    if word in name:
        return 0.8
    spans = [_span(word, name, start) for start in starts]
    tight = [len(word) / span for span in spans if span]
    return 0.6 * max(tight) if tight else 0.0


def _span(word: str, name: str, start: int) -> int:
    """Length from ``start`` in which the letters of ``word`` come in order; 0 = they do not."""
    if not name.startswith(word[0], start):
        return 0
    at = start
    for letter in word[1:]:
        at = name.find(letter, at + 1)
        if at < 0:
            return 0
    return at + 1 - start
