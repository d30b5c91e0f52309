"""Editors' corrections as labels: would the line join, or keep apart, wrongly again? Pure.

Owns what a merge and a split say of articles, by which rule a wrong join came, and which
threshold would have prevented it. Knows no file and no Redis.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from classifiers.similarity import Fingerprint, cosine, resemblance
from streams.feedback import Feedback
from streams.stories import (
    JOIN_LIKENESS,
    JOIN_SHORT_LIKENESS,
    SHARED_TERM,
    SHORT_TERMS,
    TRANSLATED_BONUS,
)

Rule = Literal["copy", "short", "long"]
#: What decides: the setting in streams/stories.py, and what it is there.
_SETTINGS: Mapping[Rule, tuple[str, float]] = {
    "short": ("JOIN_SHORT_LIKENESS", JOIN_SHORT_LIKENESS),
    "long": ("JOIN_LIKENESS", JOIN_LIKENESS),
}
_STEP = 0.01
MAX_STEPS = 4


@dataclass(frozen=True, slots=True)
class Joined:
    """What a backtest made of one article with a topic. `score`: the likeness by which it
    joined, 0 where it began its story.
    """

    article_id: str
    title: str
    language: str
    story_id: str
    score: float
    copy: bool
    fingerprint: Fingerprint


@dataclass(frozen=True, slots=True)
class Mistake:
    """A correction that the line would need again. `rule` and `likeness` of a join, or of the
    two articles most alike that stayed apart; `translated`: across languages.
    """

    correction: Feedback
    one: Joined
    other: Joined
    rule: Rule
    likeness: float
    translated: bool


@dataclass(frozen=True, slots=True)
class Cure:
    """A threshold that prevents some of the mistakes, and how many other joins it undoes."""

    setting: str
    now: float
    better: float
    prevents: int
    of: int
    undoes: int
    joins: int


@dataclass(frozen=True, slots=True)
class Judged:
    """What corrections say of a backtest. `unknown`: about articles that the file has not."""

    stories: int
    merges: int
    splits: int
    unknown: int
    joined_wrongly: tuple[Mistake, ...]
    kept_apart_wrongly: tuple[Mistake, ...]
    cures: tuple[Cure, ...]


def judge_corrections(corrections: Sequence[Feedback], joined: Sequence[Joined]) -> Judged:
    """Hold merges and splits against what a backtest made of the same articles, in its order."""
    by_id = {one.article_id: one for one in joined}
    by_story: dict[str, list[Joined]] = {}
    for one in by_id.values():
        by_story.setdefault(one.story_id, []).append(one)
    wrong, apart = [], []
    counts: Counter[str] = Counter()
    for correction in corrections:
        ours, theirs = _sides(correction, by_id, by_story)
        if not ours or not theirs:
            counts["unknown"] += correction.verdict in ("merge", "split")
            continue
        counts[correction.verdict] += 1
        if correction.verdict == "split":
            wrong += _wrong_join(correction, theirs[0], ours, joined)
        elif not {one.story_id for one in ours} & {one.story_id for one in theirs}:
            apart.append(_nearest(correction, ours, theirs))
    return Judged(
        stories=len(by_story),
        merges=counts["merge"],
        splits=counts["split"],
        unknown=counts["unknown"],
        joined_wrongly=tuple(wrong),
        kept_apart_wrongly=tuple(apart),
        cures=tuple(_cures(wrong, joined)),
    )


def rule_of(one: Joined) -> Rule:
    """The rule by which an article joined."""
    if one.copy:
        return "copy"
    return "short" if len(one.fingerprint.terms) < SHORT_TERMS else "long"


def _sides(
    correction: Feedback, by_id: Mapping[str, Joined], by_story: Mapping[str, list[Joined]]
) -> tuple[list[Joined], list[Joined]]:
    """The articles that a correction is about: those that stay, and those that leave or come."""
    ours = [by_id[each] for each in correction.article_ids if each in by_id]
    if correction.verdict == "split":
        leaving = by_id.get(correction.article_id)
        ours = [one for one in ours if one.article_id != correction.article_id]
        return ours, [leaving] if leaving else []
    if correction.verdict != "merge":
        return [], []
    # A story has the same id wherever it begins with the same article.
    return ours or by_story.get(correction.story_id, []), by_story.get(
        correction.other_story_id, []
    )


def _wrong_join(
    correction: Feedback, leaving: Joined, ours: Sequence[Joined], joined: Sequence[Joined]
) -> list[Mistake]:
    """The join that put the article and the others together again, if any did."""
    together = [one for one in ours if one.story_id == leaving.story_id]
    if not together:
        return []
    order = {one.article_id: at for at, one in enumerate(joined)}
    earlier = [one for one in together if order[one.article_id] < order[leaving.article_id]]
    # Where the article came first, the first of the others joined it.
    culprit = leaving if earlier else min(together, key=lambda one: order[one.article_id])
    others = earlier or [leaving]
    other = max(others, key=lambda one: cosine(culprit.fingerprint, one.fingerprint))
    likeness = culprit.score
    if culprit.copy:
        likeness = resemblance(culprit.fingerprint, other.fingerprint)
    return [
        Mistake(correction, culprit, other, rule_of(culprit), likeness, _across(culprit, other))
    ]


def _nearest(correction: Feedback, ours: Sequence[Joined], theirs: Sequence[Joined]) -> Mistake:
    pairs = [(_likeness(one, other), one, other) for one in ours for other in theirs]
    likeness, one, other = max(pairs, key=lambda pair: pair[0])
    return Mistake(correction, one, other, rule_of(other), likeness, _across(one, other))


def _likeness(one: Joined, other: Joined) -> float:
    """The likeness of two texts by their words; what speaks against is not in it."""
    theirs = {term for term, _ in other.fingerprint.terms}
    common = sum(term in theirs for term, _ in one.fingerprint.terms)
    found = cosine(one.fingerprint, other.fingerprint) + SHARED_TERM * common
    return min(1.0, found + TRANSLATED_BONUS if _across(one, other) else found)


def _across(one: Joined, other: Joined) -> bool:
    return bool(one.language and other.language and one.language != other.language)


def _cures(wrong: Sequence[Mistake], joined: Sequence[Joined]) -> list[Cure]:
    """For each threshold that let wrong joins pass, the steps that prevent one more each."""
    cures = []
    for rule, (setting, now) in _SETTINGS.items():
        mistakes = [mistake.likeness for mistake in wrong if mistake.rule == rule]
        joins = [one.score for one in joined if one.score and rule_of(one) == rule]
        steps = sorted({(math.floor(likeness / _STEP) + 1) * _STEP for likeness in mistakes})
        for better in steps[:MAX_STEPS]:
            prevents = sum(likeness < better for likeness in mistakes)
            undoes = max(0, sum(score < better for score in joins) - prevents)
            cures.append(Cure(setting, now, better, prevents, len(wrong), undoes, len(joins)))
    return cures
