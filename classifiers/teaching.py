"""Teaching: a model fitted anew from the course and what editors or a newsroom add to it, and
how it answers the pinned evaluation.

Owns what is added and how a candidate is judged. Does not decide whether it is good enough:
promotion.py does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifiers import course as courses
from classifiers import evaluate, lessons, train
from classifiers.artifact import Artifact
from classifiers.course import Course
from classifiers.evaluate import Judgement
from classifiers.examples import Example
from classifiers.lessons import HOME_LANGUAGE, Labels, Lessons
from classifiers.scoring import Scorer
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
    """A fitted model, and how it did on each pinned set: whether it chose each built-in topic
    (reports x topics), and the figures.

    On the sets that the course learns from, the figures are those of a trial model that learned
    only what is older, and the same that was taught.
    """

    trained: Artifact
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
    done: Callable[[], None] = lambda: None,
) -> Candidate:
    """Fit a model on the course and on what was taught; `facts` are added to what it says of
    itself. Takes some fifteen seconds of a core.

    Raises:
        ValueError: there is no example of a topic.
    """
    extra = taught_lessons(taught, topics, course.bits)
    told = {**course.facts, "feature_space": course.space, **facts}

    def fitted(*, early: bool) -> Artifact:
        rows = course.lessons(topics, early=early)
        both = lessons.joined(rows, extra) if taught else rows
        return train.fit_lessons(both, course.recipe, topics, told, done)

    trial, trained = fitted(early=True), fitted(early=False)
    answers: dict[str, Labels] = {}
    judged: dict[str, Judgement] = {}
    for name in courses.SETS:
        judge = trained if name in courses.NEVER_LEARNED else trial
        answers[name], judged[name] = answer(judge, course, name)
    return Candidate(trained, answers, judged)


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
    )


def answer(trained: Artifact, course: Course, name: str) -> tuple[Labels, Judgement]:
    """What a model chooses of the built-in topics on a pinned set, and its figures there."""
    rows = course.judged_rows(name)
    scored = Scorer(trained).features_probabilities(course.features_of(rows), len(rows))
    columns = [k for k, topic in enumerate(trained.topics) if topic.id in TOPIC_IDS]
    topics = tuple(trained.topics[k] for k in columns)
    probabilities = scored[:, columns]
    said = probabilities >= np.array([topic.threshold for topic in topics])
    truth = course.truth(topics)[rows]
    reports = [
        Example(
            "",
            "",
            frozenset(t.id for t, true in zip(topics, row, strict=True) if true),
            course.languages[at],
            "",
            "",
        )
        for at, row in zip(rows, truth, strict=True)
    ]
    return said, evaluate.judge(_Scored(trained.version, topics, probabilities), reports)


@dataclass(frozen=True, slots=True)
class _Scored:
    """Answers like a model, whatever it is asked: what it said before."""

    version: str
    topics: tuple[Topic, ...]
    said: NDArray[np.float32]

    def predict(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See evaluate.Model."""
        return self.said
