"""The figures are those that a hand count gives."""

from __future__ import annotations

import json

import numpy as np
import pytest

from classifiers import evaluate
from classifiers.examples import Example
from classifiers.model import TopicModel
from classifiers.topics import TOPIC_IDS


class _Told:
    """A model whose answers are given: a real port of the judge's, without weights."""

    version = "told"
    topics = TopicModel.load(thresholds=dict.fromkeys(TOPIC_IDS, 0.5)).topics

    def __init__(self, answers: list[set[str]]) -> None:
        self._answers = answers

    def predict(self, texts: list[str]) -> np.ndarray:
        assert len(texts) == len(self._answers)
        return np.array(
            [[0.9 if name in answer else 0.1 for name in TOPIC_IDS] for answer in self._answers],
            dtype=np.float32,
        ).reshape(len(self._answers), len(TOPIC_IDS))


def _examples(*truths: set[str], language: str = "en") -> list[Example]:
    return [
        Example(str(n), "text", frozenset(truth), language, "", str(n))
        for n, truth in enumerate(truths)
    ]


def test_precision_recall_and_f1_are_counted_by_topic() -> None:
    truths = _examples({"arson"}, {"arson"}, {"protest"}, set())
    judged = evaluate.judge(_Told([{"arson"}, set(), {"protest", "arson"}, set()]), truths)
    assert judged.topics["arson"] == evaluate.Score(0.5, 0.5, 0.5, 2)
    assert judged.topics["protest"].f1 == 1.0
    assert judged.macro_f1 == pytest.approx(0.75)
    assert judged.micro == evaluate.Score(2 / 3, 2 / 3, pytest.approx(2 / 3), 3)


def test_false_bells_are_counted_among_reports_without_a_topic() -> None:
    judged = evaluate.judge(
        _Told([{"arson"}, set(), {"arson"}]), _examples(set(), set(), {"arson"})
    )
    assert (judged.false_bells_per_1000, judged.topicless) == (500.0, 2)


def test_languages_are_judged_apart() -> None:
    examples = _examples({"arson"}) + _examples({"arson"}, language="ru")
    judged = evaluate.judge(_Told([{"arson"}, set()]), examples)
    assert judged.languages == {"en": 1.0, "ru": 0.0}
    assert judged.by_language["ru"].topics["arson"] == evaluate.Score(0.0, 0.0, 0.0, 1)
    assert judged.by_language["en"].micro.f1 == 1.0


def test_false_bells_are_counted_in_each_language() -> None:
    examples = _examples(set()) + _examples(set(), set(), language="ru")
    by_language = evaluate.judge(_Told([set(), {"arson"}, set()]), examples).by_language
    assert (by_language["en"].false_bells_per_1000, by_language["en"].topicless) == (0.0, 1)
    assert (by_language["ru"].false_bells_per_1000, by_language["ru"].topicless) == (500.0, 2)


def test_calibration_error_is_the_mean_gap_between_promise_and_truth() -> None:
    truth = np.array([[True], [True], [True], [False]])
    assert evaluate.calibration_error(truth, np.full((4, 1), 0.75, np.float32)) == 0.0
    assert evaluate.calibration_error(truth, np.full((4, 1), 0.25, np.float32)) == 0.5


def test_the_interval_holds_the_figure_and_is_repeatable() -> None:
    truths = _examples(*([{"arson"}, {"protest"}, set()] * 10))
    told = [{"arson"}, set(), set()] * 5 + [{"arson"}, {"protest"}, {"arson"}] * 5
    one, two = (evaluate.judge(_Told(told), truths) for _ in range(2))
    assert one == two
    told = {"macro_f1": one.macro_f1, "micro.f1": one.micro.f1} | {
        "false_bells_per_1000": one.false_bells_per_1000,
        "topics.protest.f1": one.topics["protest"].f1,
    }
    for name, figure in told.items():
        low, high = (one.intervals | {"macro_f1": one.macro_f1_interval})[name]
        assert low <= figure <= high, name
        assert low < high, name


def test_no_reports_give_zeros_instead_of_an_error() -> None:
    judged = evaluate.judge(_Told([]), [])
    assert (judged.reports, judged.macro_f1, judged.topicless) == (0, 0.0, 0)


def test_the_judgement_is_told_as_text_and_json() -> None:
    judged = evaluate.judge(_Told([{"arson"}]), _examples({"arson"}))
    assert "arson" in judged.as_text()
    both = evaluate.judge(
        _Told([{"arson"}, set()]), _examples({"arson"}) + _examples(set(), language="uk")
    )
    assert "1.00 (1)" in both.as_text()
    assert json.loads(json.dumps(evaluate.as_dict(judged)))["topics"]["arson"]["f1"] == 1.0


def test_a_figure_below_its_floor_is_told() -> None:
    judged = evaluate.judge(_Told([{"arson"}, set()]), _examples({"arson"}, {"arson"}))
    floors = {"macro_f1": 0.9, "topics.arson.recall": 0.4, "false_bells_per_1000": 20.0}
    (fault,) = evaluate.below_floors(judged, floors)
    assert "macro_f1" in fault
    with pytest.raises(KeyError):
        evaluate.below_floors(judged, {"topics.gossip.f1": 0.1})
