"""The entries of a story's list in Redis: its articles, and the marks of editors among them.

Owns their form. What a mark does to the story is chronicle.py's; who writes one, editing.py's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from streams.facts import Facts, decode_facts

# merge   the next `number` entries are all that `story` held, which is part of this one now
# into    this story is part of `story` now, whose headline was `words`
# left    the article `words` left into a story of its own, `story`
# from    this story began with an article that left `story`
# mute    nothing rings from here on; unmute  again it does
MarkKind = Literal["merge", "into", "left", "from", "mute", "unmute"]

#: Stands where an article's deflated facts begin, and can begin none (RFC 1951, 3.2.3: block
#: type 11 is reserved).
_MARKED = 0xFF


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """What an editor did to the story at this point, at so many seconds since 1970."""

    kind: MarkKind
    at: float
    story: str = ""
    number: int = 0
    words: str = ""


class Entry(msgspec.Struct, frozen=True):
    """One entry: either an article's facts, with the likeness (0 to 1) by which it joined, or
    a mark.
    """

    score: float
    facts: Facts | None = None
    mark: Mark | None = None


class Member(msgspec.Struct, frozen=True):
    """An entry that is an article."""

    score: float
    facts: Facts


_decode_mark = msgspec.msgpack.Decoder(Mark).decode


def decode_entry(raw: bytes) -> Entry:
    """Read an entry.

    Raises:
        ValueError: what Redis holds under our prefix is not ours.
    """
    if raw[1:2] != bytes([_MARKED]):
        return Entry(raw[0] / 255, facts=decode_facts(raw[1:]))
    try:
        return Entry(0.0, mark=_decode_mark(raw[2:]))
    except msgspec.DecodeError as error:
        raise ValueError(f"an editor's mark cannot be read: {error}") from error


def encode_mark(mark: Mark) -> bytes:
    """A mark as an entry of a list."""
    return bytes([0, _MARKED]) + msgspec.msgpack.encode(mark)


def standing(entries: Sequence[Entry]) -> list[Member]:
    """The articles that are still in the story after all of these entries, in order."""
    held = []
    for at in standing_at(entries):
        entry = entries[at]
        assert entry.facts is not None
        held.append(Member(entry.score, entry.facts))
    return held


def standing_at(entries: Sequence[Entry]) -> list[int]:
    """Where the articles stand that are still in the story.

    Who left a story before it was merged left that one: within what a merge brought, its marks
    speak of nothing else.
    """
    kept: list[int] = []
    at = 0
    while at < len(entries):
        entry = entries[at]
        mark = entry.mark
        if mark is None:
            kept.append(at)
        elif mark.kind == "merge":
            brought = entries[at + 1 : at + 1 + mark.number]
            kept += [at + 1 + place for place in standing_at(brought)]
            at += mark.number
        elif mark.kind == "left":
            kept = [place for place in kept if article_of(entries[place]) != mark.words]
        at += 1
    return kept


def article_of(entry: Entry) -> str:
    """The id of the article that an entry is; "" for a mark."""
    return "" if entry.facts is None else entry.facts.article_id
