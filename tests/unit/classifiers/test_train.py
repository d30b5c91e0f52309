"""Training finds what is there to find, repeatably, and never tunes on what it reports."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from classifiers import artifact, calibration, course, evaluate, reader, train
from classifiers.course import Said
from classifiers.examples import UNLABELLED_FILE, Example, read_directory, read_labelled_since
from classifiers.model import TopicModel
from classifiers.second_opinions import SecondReading
from classifiers.topics import TOPICS, Topic

FLOORS = Path(__file__).parents[3] / "classifiers" / "data" / "floors.json"


def _lessons() -> list[Example]:
    lessons = [
        ("drone hits depot number {}", {"drone_strike"}),
        ("hackers leak files of company {}", {"cyberattack"}),
        ("council opens library number {}", set()),
    ]
    return [
        Example(f"{n}-{k}", text.format(n), frozenset(topics), "en", f"2020-01-{n + 1:02}", f"{n}")
        for n in range(20)
        for k, (text, topics) in enumerate(lessons)
    ]


SMALL = train.Recipe(bits=12, folds=3)
FEW = tuple(topic for topic in TOPICS if topic.id in {"drone_strike", "cyberattack"})


def test_a_model_learns_and_tells_apart() -> None:
    model = TopicModel(train.fit(_lessons(), SMALL, FEW))
    rows = model.predict(["drone hits depot", "hackers leak files", "council opens library"])
    assert [model.choose(row) for row in rows] == [("drone_strike",), ("cyberattack",), ()]


def test_training_twice_gives_the_same_file(tmp_path: Path) -> None:
    versions = {artifact.save(train.fit(_lessons(), SMALL, FEW), tmp_path / "m") for _ in range(2)}
    assert len(versions) == 1


def test_a_newsroom_can_add_a_topic_of_its_own() -> None:
    own = Topic("library", "Libraries", "Libraries opened or closed.")
    lessons = [
        replace(lesson, topics=lesson.topics | {"library"}) if "library" in lesson.text else lesson
        for lesson in _lessons()
    ]
    model = TopicModel(train.fit(lessons, SMALL, (*FEW, own)))
    assert model.choose(model.predict(["council opens library"])[0]) == ("library",)


def test_a_topic_without_an_example_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="arson"):
        train.fit(_lessons(), SMALL, (*FEW, TOPICS[4]))


def test_aiming_at_precision_keeps_it() -> None:
    labels = np.array([[True]] * 6 + [[False]] * 6)
    scores = np.array([[0.95], [0.9], [0.85], [0.8], [0.5], [0.4]] + [[0.6], [0.45]] + [[0.1]] * 4)
    (strict,) = calibration.find_thresholds(labels, scores, 0.9)
    (loose,) = calibration.find_thresholds(labels, scores, None)
    assert loose < strict
    told = scores[:, 0] >= strict
    assert labels[told].mean() >= 0.9


def test_a_bell_for_a_report_without_a_topic_costs_more_than_another_wrong_one() -> None:
    labels = np.array([[True]] * 4 + [[False], [True]] + [[False]] * 4)
    scores = np.array([[0.9], [0.85], [0.8], [0.75], [0.6], [0.5]] + [[0.1]] * 4)
    of_another = np.ones(10, dtype=bool)
    of_none = np.array([True] * 4 + [False] + [True] * 5)
    (lenient,) = calibration.find_thresholds(labels, scores, None, of_another)
    (strict,) = calibration.find_thresholds(labels, scores, None, of_none)
    assert lenient < 0.5 < 0.6 < strict


def test_a_model_carries_thresholds_for_precision_too() -> None:
    trained = train.fit(_lessons(), SMALL, FEW)
    assert trained.facts["precise_thresholds"].keys() == {topic.id for topic in FEW}


def test_facts_say_what_the_model_was_made_from() -> None:
    facts = train.fit(_lessons(), SMALL, FEW).facts
    assert (facts["reports"], facts["languages"]) == (60, {"en": 60})
    assert (facts["first_date"], facts["last_date"]) == ("2020-01-01", "2020-01-20")


@pytest.mark.slow
def test_models_of_the_years_before_2023_hold_their_floors_after(shared: Path) -> None:
    examples = read_directory(shared / "topics")
    model = TopicModel(train.fit([e for e in examples if e.date < "2023"], train.Recipe()))
    floors = json.loads(FLOORS.read_text(encoding="utf-8"))
    since = {e.id for e in read_labelled_since(shared / "topics" / UNLABELLED_FILE)}
    after = [e for e in examples if e.date >= "2023" and e.id not in since]
    shipped, slow = course.load(), reader.shipped()
    assert slow is not None
    thresholds = np.array([topic.threshold for topic in model.topics])
    for name, chosen in (
        (course.ENGLISH, [e for e in after if e.language == "en"]),
        (course.OTHERS, [e for e in after if e.language != "en"]),
    ):
        once = Said(model.predict([e.text for e in chosen]), thresholds)
        # The reader of before 2023 has read them when the course was made.
        twice = shipped.read_twice(name, once, SecondReading(slow.version))
        assert twice is not once
        answered = evaluate.Answered("", model.topics, twice.probabilities)
        judged = evaluate.judge(answered, chosen)
        assert evaluate.below_floors(judged, floors[name]) == [], judged.as_text()
