"""Teaching: a model fitted anew from the course and what editors or a newsroom add to it, and
how it answers the pinned evaluation.

Owns what is added and how a candidate is judged. Does not decide whether it is good enough:
promotion.py does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from classifiers import course as courses
from classifiers import evaluate, lessons, train
from classifiers.artifact import Artifact
from classifiers.course import Course, Said
from classifiers.evaluate import Judgement
from classifiers.examples import Example
from classifiers.lessons import HOME_LANGUAGE, Labels, Lessons
from classifiers.scoring import Scorer
from classifiers.second_opinions import SecondReading
from classifiers.topics import TOPIC_IDS, TOPICS, Topic

#: A report that was judged once against some ten thousand that were not: it counts for several.
#: on two invented series of false bells 1 took 3 to 5 verdicts, 3 took 1 to 5, 5 no fewer.
VERDICT_WEIGHT: Final = 3.0


@dataclass(frozen=True, slots=True)
class Taught:
    """One report that somebody judged: about `holds`, not about `falls`, nothing said of other
    topics. Reports of one `group` say the same thing.
    """

    text: str
    holds: frozenset[str]
    falls: frozenset[str]
    language: str
    group: str
    weight: float = VERDICT_WEIGHT


@dataclass(frozen=True, slots=True)
class Candidate:
    """A fitted model, and how it did on each pinned set: what its fast path `said`, which
    built-in topics a line would choose (`answers`, reports x topics), and its figures.

    On the sets that the course learns from, the figures are those of a trial model that learned
    only what is older, and the same that was taught.
    """

    trained: Artifact
    said: Mapping[str, Said]
    answers: Mapping[str, Labels]
    judged: Mapping[str, Judgement]


def steps(course: Course) -> int:
    """How often `retrain` calls `done`."""
    return 2 * course.recipe.folds


def retrain(
    course: Course,
    taught: Sequence[Taught],
    topics: Sequence[Topic] = TOPICS,
    facts: Mapping[str, Any] = MappingProxyType({}),
    *,
    done: Callable[[], None] = lambda: None,
    second: SecondReading | None = None,
) -> Candidate:
    """Fit a model on the course and on what was taught; `facts` are added to what it says of
    itself. It is judged as a line would use it that reads twice as `second` says. Takes some
    half a minute of a core.

    Raises:
        ValueError: there is no example of a topic.
    """
    extra = taught_lessons(taught, topics, course.bits)
    told = {**course.facts, "feature_space": course.space, **facts}

    def fitted(*, early: bool) -> Artifact:
        rows = together(course, extra, topics, early=early)
        return train.fit_lessons(rows, course.recipe, topics, told, done)

    trial, trained = fitted(early=True), fitted(early=False)
    said = {
        name: fast_answers(trained if name in courses.NEVER_LEARNED else trial, course, name)
        for name in courses.SETS
    }
    answers, judged = judge(course, said, trained.version, second)
    return Candidate(trained, said, answers, judged)


def together(course: Course, extra: Lessons, topics: Sequence[Topic], *, early: bool) -> Lessons:
    """What a model, or a trial model (`early`), learns of the course and of what was taught.

    Who says everything of a report of ours is believed instead of us (our row stays, but says
    nothing, so that the folds are what they were); and nothing is learned by heart that this very
    model is judged on.
    """
    ours = course.lessons(topics, early=early)
    if not extra.groups:
        return ours
    built_in = [column for column, topic in enumerate(topics) if topic.id in TOPIC_IDS]
    whole = lessons.chosen(extra, np.asarray(extra.known[:, built_in].all(axis=1)))
    judged = course.text_counts(course.judges(early=early))
    believed = ours.known & ~lessons.seen_in(ours.counts, whole.counts)[:, None]
    return lessons.joined(
        replace(ours, known=believed),
        lessons.chosen(extra, ~lessons.seen_in(extra.counts, judged)),
    )


def taught_lessons(taught: Sequence[Taught], topics: Sequence[Topic], bits: int) -> Lessons:
    """What was taught, as lessons."""
    counts, kind_weights = lessons.count_matrix([each.text for each in taught], bits)
    shape = (len(taught), len(topics))
    holds = np.array([[t.id in each.holds for t in topics] for each in taught], dtype=np.bool_)
    falls = np.array([[t.id in each.falls for t in topics] for each in taught], dtype=np.bool_)
    return Lessons(
        counts,
        kind_weights,
        holds.reshape(shape),
        (holds | falls).reshape(shape),
        np.array([each.weight for each in taught], dtype=np.float64),
        tuple(f"taught-{each.group}" for each in taught),
        np.array([each.language == HOME_LANGUAGE for each in taught], dtype=np.bool_),
        np.ones(len(taught), dtype=np.bool_),
    )


def fast_answers(trained: Artifact, course: Course, name: str) -> Said:
    """What a model's fast path says of the built-in topics on a pinned set."""
    rows = course.judged_rows(name)
    scored = Scorer(trained).features_probabilities(course.features_of(rows), len(rows))
    columns = {topic.id: column for column, topic in enumerate(trained.topics)}
    thresholds = [trained.topics[columns[topic]].threshold for topic in TOPIC_IDS]
    return Said(scored[:, [columns[topic] for topic in TOPIC_IDS]], np.array(thresholds))


def judge(
    course: Course, said: Mapping[str, Said], version: str, second: SecondReading | None
) -> tuple[dict[str, Labels], dict[str, Judgement]]:
    """Which built-in topics a line would choose on each pinned set (reports x topics), and the
    figures, where a model's fast path says so and the line reads twice as `second` says.
    """
    answers: dict[str, Labels] = {}
    judged: dict[str, Judgement] = {}
    for name in courses.SETS:
        rows, told = course.judged_rows(name), course.read_twice(name, said[name], second)
        answers[name] = told.probabilities >= told.thresholds
        topics = tuple(
            replace(topic, threshold=float(limit))
            for topic, limit in zip(TOPICS, told.thresholds, strict=True)
        )
        truth = course.truth(TOPICS)[rows]
        reports = [
            Example("", "", _topics_of(row), course.languages[at], "", "")
            for at, row in zip(rows, truth, strict=True)
        ]
        answered = evaluate.Answered(version, topics, told.probabilities)
        judged[name] = evaluate.judge(answered, reports)
    return answers, judged


def _topics_of(row: Labels) -> frozenset[str]:
    return frozenset(topic for topic, true in zip(TOPIC_IDS, row, strict=True) if true)
