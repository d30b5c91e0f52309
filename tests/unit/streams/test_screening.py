"""Screening a batch: one prediction, and the rest only where it matters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from classifiers.model import Reading
from classifiers.topics import TOPIC_IDS
from streams.facts import MAX_SUMMARY_CHARS, decode_facts, encode_facts, material_digest
from streams.screening import screen, summarize
from tests.reports import DEPOT, FERRY, SPORT, START, SignModel, article, facts


class _CountingModel(SignModel):
    def __init__(self) -> None:
        self.batches: list[int] = []

    def predict(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.batches.append(len(texts))
        return super().predict(texts)


def test_a_batch_is_one_prediction() -> None:
    model = _CountingModel()
    screen([article("a"), article("b", SPORT), article("c", FERRY)], model, START)
    assert model.batches == [3]


def test_an_empty_batch_asks_nothing() -> None:
    model = _CountingModel()
    assert screen([], model, START) == []
    assert model.batches == []


def test_off_topic_articles_carry_no_facts() -> None:
    asked: list[str] = []
    (sport, depot) = screen(
        [article("a", SPORT), article("b", DEPOT)],
        SignModel(),
        START,
        places_of=lambda text: asked.append(text) or (),  # type: ignore[func-returns-value]
    )
    assert sport.chosen == ()
    assert sport.facts is None
    assert sport.fingerprint is None
    assert depot.chosen == ("drone_strike",)
    assert depot.facts is not None
    assert len(asked) == 1


def test_facts_say_where_how_many_and_why() -> None:
    (depot,) = screen([article()], SignModel(), START)
    assert depot.facts is not None
    assert depot.facts.places[0].name == "Bryansk"
    assert ("injured", 4) in depot.facts.tolls
    assert depot.facts.evidence[0].words == ("drone",)
    assert depot.facts.topics == (("drone_strike", 0.95),)


class _Overruled(SignModel):
    """Thinks twice about the depot, and agrees with itself about the ferry."""

    def read(self, texts: Sequence[str], explain: int = 0, /) -> Reading:
        rows = self.predict(texts)
        first = rows.copy()
        first[0, TOPIC_IDS.index("drone_strike")] = 0.349
        first[1] -= 0.01
        return Reading(rows, {0: first[0], 1: first[1]})


def test_who_was_read_twice_keeps_what_its_words_alone_had_said() -> None:
    batch = [article("a"), article("b", FERRY), article("c", DEPOT)]
    depot, ferry, clear = screen(batch, _Overruled(), START)
    assert depot.facts is not None
    assert ferry.facts is not None
    assert clear.facts is not None
    assert depot.probabilities[TOPIC_IDS.index("drone_strike")] == pytest.approx(0.95)
    assert depot.first[TOPIC_IDS.index("drone_strike")] == pytest.approx(0.349)
    assert depot.facts.evidence[0].first == 0.35
    assert decode_facts(encode_facts(depot.facts)) == depot.facts
    assert ferry.first
    assert ferry.facts.evidence[0].first is None  # the second reading agreed
    assert clear.first == ()
    assert clear.facts.evidence[0].first is None


def test_withdrawal_without_a_topic_keeps_its_facts() -> None:
    (notice,) = screen(
        [article(told=("Article withdrawn", ""), status="withdrawn")], SignModel(), START
    )
    assert notice.chosen == ()
    assert notice.facts is not None
    assert notice.facts.status == "withdrawn"


def test_language_of_the_article_is_kept_and_a_missing_one_is_found() -> None:
    given, found = screen(
        [article("a", language="pl"), article("b", language="")], SignModel(), START
    )
    assert (given.language, found.language) == ("pl", "en")


def test_summary_ends_with_a_sentence_and_within_the_limit() -> None:
    summary = summarize(DEPOT[1])
    assert len(summary) <= MAX_SUMMARY_CHARS
    assert summary.endswith(".")
    assert DEPOT[1].startswith(summary)
    assert summarize("word " * 500).endswith("…")


def test_facts_survive_redis_and_stay_small() -> None:
    (depot,) = screen([article()], SignModel(), START)
    assert depot.facts is not None
    raw = encode_facts(depot.facts)
    assert decode_facts(raw) == depot.facts
    assert len(raw) < 1_000


def test_material_digest_sees_only_what_could_ring() -> None:
    assert material_digest(facts()) == material_digest(facts(minutes=50, language="de"))
    changed = [
        facts(title="Another title"),
        facts(tolls=(("killed", 1),)),
        facts(places=()),
        facts(status="correction"),
        facts(topics=(("arson", 0.95),)),
    ]
    assert material_digest(facts()) not in {material_digest(one) for one in changed}
