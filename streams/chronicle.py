"""A story told from all entries of its list: articles, and what editors did in between.

Pure, as the fold of single articles is (story.py): the same entries give the same story and the
same alerts, whoever tells them and however often. Owns what editors' marks do to a story.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from streams.entries import Entry, Mark, standing
from streams.facts import Facts
from streams.material import Verdict, judge_merge
from streams.publishers import publisher_key
from streams.story import Folded, Step, add, conclude, fold, grown

_SILENT = Verdict(None)


def tell(
    before: Folded | None, entries: Sequence[Entry], story_id: str, languages: tuple[str, ...]
) -> Iterator[Step | None]:
    """The step that each entry is, in order, on from a story told so far (None: from nothing).

    None for an entry that is no step by itself: what a merge brings is one step, its last. A
    list cannot be told on from within a merge, and must be told from its beginning where an
    article leaves it: the caller gives no others (lua/stories.lua keeps no such snapshot).
    """
    folded, at = before, 0
    began: Mark | None = None
    step: Step | None
    while at < len(entries):
        entry = entries[at]
        if entry.facts is not None:
            step = _article(folded, entry.facts, began, story_id, languages)
        else:
            assert entry.mark is not None
            mark, past = entry.mark, entries[:at]
            if mark.kind == "left" and before is not None:
                raise ValueError("an article leaves a story that is not told from its beginning")
            if mark.kind == "from":
                began = mark
            if mark.kind == "merge":
                yield from [None] * mark.number
                block = entries[at + 1 : at + 1 + mark.number]
                at += mark.number
                step = _merged(folded, mark, block, languages)
            else:
                step = _marked(folded, mark, past, languages)
        if step is not None:
            folded = step.folded
        yield step
        at += 1


def _article(
    folded: Folded | None,
    facts: Facts,
    began: Mark | None,
    story_id: str,
    languages: tuple[str, ...],
) -> Step:
    if folded is not None or began is None:
        return fold(folded, facts, story_id, languages)
    # A copy that leaves is a report of its own, and the only one that its story has to show.
    first = add(None, msgspec.structs.replace(facts, copy=False), story_id, languages)
    verdict = Verdict("new", (f"split off from “{began.words}”",))
    return conclude(first, verdict, facts)


def _marked(
    folded: Folded | None, mark: Mark, past: Sequence[Entry], languages: tuple[str, ...]
) -> Step | None:
    if folded is None or mark.kind == "from":
        return None
    if mark.kind == "left":
        return _left(folded, mark, past, languages)
    if mark.kind == "into":
        said = f"Merged into: {mark.words}"
        ended = _changed(folded, corrected=said, merged_into=mark.story)
        verdict = Verdict("correction", (f"merged into “{mark.words}” ({mark.story})",))
        return conclude(ended, verdict, mark.at)
    if mark.kind == "mute":
        return conclude(_changed(folded, muted=True), _SILENT, mark.at)
    heard = msgspec.structs.replace(_changed(folded, muted=False), missed=())
    verdict = Verdict("update", ("no longer muted", *folded.missed)) if folded.missed else _SILENT
    return conclude(heard, verdict, mark.at)


def _merged(
    folded: Folded | None, mark: Mark, block: Sequence[Entry], languages: tuple[str, ...]
) -> Step | None:
    """All that the other story still held, as one step of this one."""
    if folded is None:
        return None
    other = folded
    for step in tell(None, block, mark.story, languages):
        other = step.folded if step is not None else other
    after = folded
    for member in standing(block):
        after = add(after, member.facts, folded.story.id, languages)
    more = len(_publishers(after)) - len(_publishers(folded))
    verdict = judge_merge(other.story.headline, more, grown(folded, after))
    return conclude(after, verdict, mark.at)


def _left(
    folded: Folded, mark: Mark, past: Sequence[Entry], languages: tuple[str, ...]
) -> Step | None:
    """The story without one article: told anew from those that stay."""
    title, rest = mark.words, None
    for member in standing(past):
        facts = member.facts
        if facts.article_id == mark.words:
            title = facts.title or title
        else:
            rest = add(rest, facts, folded.story.id, languages)
    if rest is None:
        return None
    now = folded.story
    rest = msgspec.structs.replace(rest, broke=folded.broke, missed=folded.missed)
    said = f"Split off, another story: {title}"
    rest = _changed(rest, revision=now.revision, muted=now.muted, corrected=said)
    return conclude(rest, Verdict("correction", (f"split off: “{title}”",)), mark.at)


def _changed(folded: Folded, **change: object) -> Folded:
    story = msgspec.structs.replace(folded.story, **change)
    return msgspec.structs.replace(folded, story=story)


def _publishers(folded: Folded) -> set[str]:
    return {publisher_key(report.publisher) for report in folded.story.reports}
