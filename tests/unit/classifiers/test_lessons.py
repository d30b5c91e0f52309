"""What is not known teaches nothing, what weighs more teaches more, and no text is needed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from classifiers import course, lessons, train
from classifiers.examples import Example
from classifiers.lessons import Lessons
from classifiers.model import TopicModel
from classifiers.teaching import Taught, taught_lessons
from classifiers.topics import TOPICS, Topic
from classifiers.train import Recipe

FEW = tuple(topic for topic in TOPICS if topic.id in {"drone_strike", "cyberattack"})
SMALL = Recipe(bits=12, folds=3)


def _lessons(topics: tuple[Topic, ...] = FEW) -> Lessons:
    told = [
        ("drone hits depot number {}", {"drone_strike"}),
        ("hackers leak files of company {}", {"cyberattack"}),
        ("council opens library number {}", set[str]()),
    ]
    examples = [
        Example(f"{n}-{k}", text.format(n), frozenset(topics), "en", "", f"{n}")
        for n in range(20)
        for k, (text, topics) in enumerate(told)
    ]
    return lessons.lessons_of(examples, SMALL.bits, topics)


def _chosen(learned: Lessons, text: str) -> tuple[str, ...]:
    model = TopicModel(train.fit_lessons(learned, SMALL, FEW, {}))
    return model.choose(model.predict([text])[0])


def _false_bells(falls: frozenset[str], weight: float) -> Lessons:
    taught = [
        Taught(f"drone hits the beach show {n}", frozenset(), falls, "en", f"{n}", weight)
        for n in range(6)
    ]
    return taught_lessons(taught, FEW, SMALL.bits)


def test_a_false_bell_that_editors_report_falls_silent_and_nothing_else_does() -> None:
    base = _lessons()
    assert _chosen(base, "drone hits the beach show") == ("drone_strike",)
    taught = lessons.joined(base, _false_bells(frozenset({"drone_strike"}), 3.0))
    assert _chosen(taught, "drone hits the beach show") == ()
    assert _chosen(taught, "drone hits depot number 3") == ("drone_strike",)


def test_where_nobody_has_said_anything_nothing_is_learned() -> None:
    base = _lessons()
    silent = lessons.joined(base, _false_bells(frozenset(), 3.0))
    assert not silent.known[-6:].any()
    assert _chosen(silent, "drone hits the beach show") == ("drone_strike",)


def test_a_topic_of_ones_own_leaves_the_others_as_they_were() -> None:
    own = (*FEW, Topic("border", "Border closure", "A crossing is closed."))
    base, wider = _lessons(), _lessons(own)
    said = [
        Taught(f"crossing {n} closed after drone", frozenset({"border"}), frozenset(), "en", f"{n}")
        for n in range(12)
    ]
    both = lessons.joined(wider, taught_lessons(said, own, SMALL.bits))
    before, after = train.fit_lessons(base, SMALL, FEW, {}), train.fit_lessons(both, SMALL, own, {})

    assert after.topics[:-1] == before.topics  # thresholds among them
    for name in ("weights", "slopes", "offsets", "intercepts"):
        assert np.array_equal(getattr(after, name)[..., :-1], getattr(before, name)), name
    for name in ("incident", "incident_intercept", "incident_curves"):
        assert np.array_equal(getattr(after, name), getattr(before, name)), name
    assert np.array_equal(after.idf[before.idf > 0], before.idf[before.idf > 0])
    model = TopicModel(after)
    assert model.choose(model.predict(["crossing 99 closed"])[0]) == ("border",)


def test_what_is_added_leaves_the_folds_as_they_were_and_falls_the_same_each_time() -> None:
    base, bells = _lessons(), _false_bells(frozenset(), 1.0)
    alone, before = train.folds_of(base, 3), len(base.groups)
    both = train.folds_of(lessons.joined(base, bells), 3)
    one = train.folds_of(lessons.joined(base, lessons.chosen(bells, np.arange(6) == 5)), 3)
    assert np.array_equal(both[:before], alone)
    assert np.array_equal(one, [*alone, both[-1]])
    assert len(set(both[before:].tolist())) > 1


def test_a_course_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    shipped = course.load()
    course.save(shipped, tmp_path / "course.npz")
    again = course.load(tmp_path / "course.npz")
    assert (shipped.counts != again.counts).nnz == 0
    assert again.version == shipped.version  # equal courses, equal bytes
    for name in ("kind_weights", "window_texts", "labels", "groups", "early", "judged"):
        assert np.array_equal(getattr(shipped, name), getattr(again, name)), name


def test_the_judged_reports_are_never_among_the_early_lessons() -> None:
    shipped = course.load()
    judged = shipped.judged < len(course.SETS)
    assert judged.sum() > 1_000
    assert not (judged & shipped.early).any()
    for name in course.NEVER_LEARNED:
        assert not shipped.learned[shipped.judged_rows(name)].any()


def test_lessons_from_the_course_are_those_from_the_texts(shared: Path) -> None:
    built = course.build(shared / "topics", SMALL)
    learned = built.lessons(TOPICS, early=False)
    reports = course.examples.read_directory(shared / "topics")
    direct = lessons.lessons_of(reports, SMALL.bits, TOPICS)
    assert (learned.counts != direct.counts).nnz == 0
    assert np.array_equal(learned.labels, direct.labels)
    assert np.array_equal(learned.kind_weights, direct.kind_weights)
    assert np.unique(learned.groups).size == np.unique(direct.groups).size


def test_a_course_for_other_features_is_refused(tmp_path: Path) -> None:
    course.save(replace(course.load(), space="another"), tmp_path / "course.npz")
    try:
        course.load(tmp_path / "course.npz")
    except course.CourseError as error:
        assert "other features" in str(error)
    else:
        raise AssertionError("a course for other features was read")
