"""A model that does worse than chance explains is refused; one that turns over a report is not."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from classifiers import course, promotion, teaching
from classifiers.course import NATURAL, OTHERS, SETS, Course
from classifiers.lessons import Labels
from classifiers.topics import TOPICS


@pytest.fixture(scope="module")
def lessons() -> Course:
    return course.load()


@pytest.fixture(scope="module")
def perfect(lessons: Course) -> Mapping[str, Labels]:
    return {name: lessons.truth(TOPICS)[lessons.judged_rows(name)] for name in SETS}


def test_the_same_answers_are_no_worse(lessons: Course) -> None:
    answers, _ = teaching.judge(lessons, lessons.said, "", None)
    changes = promotion.compare(lessons, answers, answers)
    assert len(changes) == 4
    assert promotion.refusals(changes) == []
    assert all(change.low == change.high == 0 for change in changes)


def test_one_report_turned_over_is_within_the_noise(
    lessons: Course, perfect: Mapping[str, Labels]
) -> None:
    for name in SETS:
        # The rarest topic's one report in the set, too.
        rarest = int(np.argmin(np.where(perfect[name].any(0), perfect[name].sum(0), 999)))
        for row in (0, 100, int(np.argmax(perfect[name][:, rarest]))):
            after = {each: answers.copy() for each, answers in perfect.items()}
            after[name][row, rarest] = ~after[name][row, rarest]
            assert promotion.refusals(promotion.compare(lessons, perfect, after)) == []


def test_a_topic_forgotten_is_refused_with_figures(
    lessons: Course, perfect: Mapping[str, Labels]
) -> None:
    after = {**perfect, OTHERS: perfect[OTHERS].copy()}
    after[OTHERS][:, 0] = False
    (refusal,) = promotion.refusals(promotion.compare(lessons, perfect, after))
    assert refusal.startswith("macro-F1, other languages 1.000 -> 0.929")


def test_false_bells_are_refused_though_every_topic_is_found(
    lessons: Course, perfect: Mapping[str, Labels]
) -> None:
    after = {**perfect, NATURAL: perfect[NATURAL].copy()}
    quiet = np.flatnonzero(~after[NATURAL].any(axis=1))
    after[NATURAL][quiet[: len(quiet) // 10], 5] = True
    refusals = promotion.refusals(promotion.compare(lessons, perfect, after))
    assert any(each.startswith("false bells per 1,000") for each in refusals)


def test_a_better_model_is_never_refused(lessons: Course, perfect: Mapping[str, Labels]) -> None:
    answers, _ = teaching.judge(lessons, lessons.said, "", None)
    changes = promotion.compare(lessons, answers, perfect)
    assert promotion.refusals(changes) == []
    assert all(change.after >= change.before for change in changes[:-1])
