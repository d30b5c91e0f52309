"""Evidence is in the article's own words, from the sentence that decided."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.evidence import MAX_SENTENCE_CHARS, MAX_WORDS
from classifiers.model import TopicModel
from classifiers.topics import TOPIC_IDS


@pytest.fixture(scope="module")
def model() -> TopicModel:
    return TopicModel.load()


def test_the_deciding_sentence_and_words_are_quoted_as_they_stand(model: TopicModel) -> None:
    text = (
        "The minister spoke for an hour. In the night DRONES hit the refinery at Novomorsk. "
        "Prices rose."
    )
    evidence = model.explain(text, "drone_strike")
    assert evidence.topic == "drone_strike"
    assert evidence.words[0] == "DRONES"
    assert evidence.sentence == "In the night DRONES hit the refinery at Novomorsk."


def test_evidence_is_found_in_cyrillic(model: TopicModel) -> None:
    evidence = model.explain("Погода ясная. Хакеры взломали сайт банка.", "cyberattack")
    assert "Хакеры" in evidence.words
    assert evidence.sentence == "Хакеры взломали сайт банка."


def test_small_words_are_named_only_where_there_are_no_others(model: TopicModel) -> None:
    texts = ("Drohnen treffen in der Nacht ein Lager", "Fire at a plant in the harbour of Aldmouth")
    for text, topic in zip(texts, ("drone_strike", "accident"), strict=True):
        words = model.explain(text, topic).words
        assert words
        assert not {"in", "der", "ein", "at", "a", "the", "of"} & set(words)
    assert set(model.explain("At the", "accident").words) <= {"At", "the"}


def test_a_chosen_topic_has_at_least_one_word(model: TopicModel) -> None:
    text = "Thousands march against the pension plan; police arrest forty"
    for topic in model.choose(model.predict([text])[0]):
        assert model.explain(text, topic).words


def test_an_endless_sentence_is_cut_at_a_word(model: TopicModel) -> None:
    evidence = model.explain("bomb explodes near the market and " * 100, "bombing")
    assert len(evidence.sentence) <= MAX_SENTENCE_CHARS + 1
    assert evidence.sentence.endswith("…")


def test_nothing_said_is_no_evidence(model: TopicModel) -> None:
    evidence = model.explain("", "arson")
    assert (evidence.words, evidence.sentence) == ((), "")


def test_an_unknown_topic_is_refused(model: TopicModel) -> None:
    with pytest.raises(KeyError, match="gossip"):
        model.explain("text", "gossip")


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300), st.sampled_from(TOPIC_IDS))
def test_every_word_of_the_evidence_stands_in_the_text(
    model: TopicModel, text: str, topic: str
) -> None:
    evidence = model.explain(text, topic)
    assert len(evidence.words) <= MAX_WORDS
    assert all(word in text for word in evidence.words)
