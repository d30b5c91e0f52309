"""What the reader once said of reports gives the very answers of a model that reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from classifiers import artifact, course, examples, reader
from classifiers.course import NATURAL, NEVER_LEARNED, Course, Said
from classifiers.model import TopicModel
from classifiers.reader import Reader
from classifiers.scoring import Scorer
from classifiers.second_opinions import SecondReading, hear
from classifiers.topics import TOPIC_IDS
from tests.unit.classifiers.small_reader import small_reader

TEXTS = (
    "Fire breaks out at the depot; police do not exclude arson",
    "Council opens a library",
    "Взрыв на складе в порту, причина выясняется. " * 40,
    "",
)


@pytest.fixture(scope="module")
def shipped() -> Course:
    return course.load()


@pytest.mark.parametrize("doubt", [None, 0.2, 30.0])
def test_opinions_kept_give_the_answers_of_reading(doubt: float | None) -> None:
    slow = Reader.of(small_reader())
    trained = artifact.load(artifact.SHIPPED)
    fast = TopicModel(trained).predict(TEXTS)
    both = TopicModel(trained, slow=slow if doubt is None else slow.doubting(doubt)).predict(TEXTS)
    kept = hear(slow, TEXTS)
    home = Scorer(trained).answers(TEXTS).home
    assert home.tolist() == [True, True, False, True]
    assert np.array_equal(kept.over(fast, home, TOPIC_IDS, doubt), both)
    rows = np.array([2, 0])
    again = kept.of_rows(rows).over(fast[rows], home[rows], TOPIC_IDS, doubt)
    assert np.array_equal(again, both[rows])
    if doubt == 30.0:
        assert not np.array_equal(both, fast)


def test_the_course_knows_what_the_reader_that_ships_says(shipped: Course) -> None:
    ships = reader.shipped()
    assert ships is not None
    for name in NEVER_LEARNED:
        assert shipped.heard[name].outline.version == ships.version, "run wirebell train again"
        assert len(shipped.heard[name].opinions) == len(shipped.judged_rows(name))


def test_opinions_of_another_reader_are_not_taken_for_the_lines(shipped: Course) -> None:
    said = shipped.said[NATURAL]
    heard = shipped.heard[NATURAL].outline.version
    assert shipped.read_twice(NATURAL, said, None) is said
    assert shipped.read_twice(NATURAL, said, SecondReading("another")) is said
    again = shipped.read_twice(NATURAL, said, SecondReading(heard))
    assert not np.array_equal(again.probabilities, said.probabilities)
    everything = shipped.read_twice(NATURAL, said, SecondReading(heard, 30.0))
    assert (everything.probabilities != said.probabilities).mean() > 0.9


def test_the_pinned_evaluation_is_what_the_line_would_answer(shipped: Course, shared: Path) -> None:
    model, ships = TopicModel.load(), reader.shipped()
    assert ships is not None
    path = shared / "topics" / examples.UNLABELLED_FILE
    reports = examples.read_labelled_since(path, examples.NATURAL_LABELS)
    told: Said = shipped.read_twice(NATURAL, shipped.said[NATURAL], SecondReading(ships.version))
    assert len(reports) == len(told.probabilities)
    some = slice(0, 100)
    read = model.predict([report.text for report in reports[some]])
    assert np.abs(read - told.probabilities[some]).max() < 0.01
    limits = [topic.threshold for topic in model.topics]
    assert np.array_equal(read >= limits, told.probabilities[some] >= told.thresholds)
