"""The shipped model: any text gives fourteen probabilities, the same in every batch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers import artifact
from classifiers.model import TopicModel, compose
from classifiers.topics import TOPIC_IDS

ODD_TEXTS = {
    "empty": "",
    "blank": " \n\t ",
    "one word": "drone",
    "emoji": "🔥🚁💥" * 50,
    "mixed scripts": "Дрон attacks 北京 ميناء λιμάνι Hafen",
    "control characters": "\x00\x01\x1b[31mbomb\x7f\u202eexploded\u200b",
    "lone surrogate": "attack \ud800 on port",
    "no spaces": "a" * 100_000,
    "punctuation": "?!" * 5_000,
    "beyond the plane": "𝔡𝔯𝔬𝔫𝔢 𐌰𐌱",
    "other language": "Sprängning i Malmö: tre personer gripna",
}


@pytest.fixture(scope="module")
def model() -> TopicModel:
    return TopicModel.load()


@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS.keys())
def test_odd_texts_give_fourteen_finite_probabilities(model: TopicModel, text: str) -> None:
    row = model.predict([text])
    assert row.shape == (1, 14)
    assert np.isfinite(row).all()
    assert ((row >= 0) & (row <= 1)).all()


def test_a_text_of_a_megabyte_is_answered(model: TopicModel) -> None:
    row = model.predict(["Saboteurs derailed a train. " * 40_000])
    assert np.isfinite(row).all()
    assert "sabotage" in model.choose(row[0])


def test_nothing_gives_no_rows(model: TopicModel) -> None:
    assert model.predict([]).shape == (0, 14)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=200), min_size=1, max_size=8))
def test_a_text_has_the_same_answer_in_every_batch(model: TopicModel, texts: list[str]) -> None:
    together = model.predict(texts)
    alone = np.concatenate([model.predict([text]) for text in texts])
    assert np.array_equal(together, alone)


def test_odd_texts_that_are_all_read_twice_have_finite_and_always_the_same_answers() -> None:
    model = TopicModel.load(doubt=30.0)
    texts = [*ODD_TEXTS.values(), "Saboteurs derailed a train. " * 40_000]
    together = model.read(texts)
    assert len(together.first) == len(texts)
    assert together.probabilities.shape == (len(texts), 14)
    assert np.isfinite(together.probabilities).all()
    assert ((together.probabilities >= 0) & (together.probabilities <= 1)).all()
    assert np.array_equal(model.predict(texts[::-1])[::-1], together.probabilities)
    assert np.array_equal(model.predict(texts[3:4])[0], together.probabilities[3])


def test_long_texts_have_the_same_answer_in_every_batch(model: TopicModel) -> None:
    texts = [f"Report {n}. A drone hit the depot. The mayor spoke. " * (n + 1) for n in range(40)]
    together = model.predict(texts)
    assert np.array_equal(together[17:18], model.predict([texts[17]]))
    assert np.array_equal(together[::-1], model.predict(texts[::-1]))


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("Overnight drones hit an oil depot; air defences shot down eleven", "drone_strike"),
        ("Неизвестные подожгли релейный шкаф, движение поездов остановлено", "sabotage"),
        ("Ransomware legt Krankenhaus lahm", "cyberattack"),
        ("Terremoto de magnitud 6,2 sacude la costa", "natural_disaster"),
        ("Des milliers de manifestants défilent contre la réforme", "protest"),
        ("Rapiti due operatori umanitari nel nord del paese", "hostage_taking"),
        ("Суд засудив колишнього чиновника до семи років в'язниці", "arrest"),
    ],
)
def test_clear_reports_get_their_topic(model: TopicModel, text: str, topic: str) -> None:
    assert topic in model.choose(model.predict([text])[0])


@pytest.mark.parametrize(
    "text",
    [
        "Central bank leaves interest rates unchanged",
        "Сборная вышла в финал чемпионата",
        "Le Parlement adopte le budget",
        "Striker signs new four-year contract",
    ],
)
def test_reports_without_a_topic_get_none(model: TopicModel, text: str) -> None:
    assert model.choose(model.predict([text])[0]) == ()


def test_topics_are_chosen_highest_first_and_from_their_threshold_on() -> None:
    model = TopicModel.load(thresholds={"arson": 0.7, "protest": 0.2})
    row = np.zeros(14)
    row[TOPIC_IDS.index("arson")] = 0.7
    row[TOPIC_IDS.index("protest")] = 0.9
    assert model.choose(row) == ("protest", "arson")
    row[TOPIC_IDS.index("arson")] = 0.69
    assert model.choose(row) == ("protest",)


def test_a_threshold_for_an_unknown_topic_or_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="gossip"):
        TopicModel.load(thresholds={"gossip": 0.5})
    with pytest.raises(ValueError, match="below 0"):
        TopicModel.load(thresholds={"arson": -0.5})
    with pytest.raises(ValueError, match="arson"):
        TopicModel.load(thresholds={"arson": float("nan")})


def test_a_threshold_above_one_turns_a_topic_off() -> None:
    model = TopicModel.load(thresholds={"arson": 1.1})
    assert model.choose(np.ones(14)) == tuple(name for name in TOPIC_IDS if name != "arson")


def test_later_paragraphs_can_add_a_topic_but_count_less(model: TopicModel) -> None:
    calm = "The council met on Tuesday and agreed on the plan for the new library. " * 8
    told = "Gunmen kidnapped twelve villagers and hold them hostage."
    hostage = TOPIC_IDS.index("hostage_taking")
    alone, last, none = model.predict([told, calm + told, calm])[:, hostage]
    assert alone > last > none


def test_what_stands_further_down_counts_more_where_the_lead_tells_of_an_incident(
    model: TopicModel,
) -> None:
    calm = "The council met on Tuesday and agreed on the plan for the new library. " * 4
    attack = "Gunmen opened fire on worshippers leaving a mosque and killed nine of them. " * 4
    told = "Hackers stole the data of two million patients from a hospital."
    cyber = TOPIC_IDS.index("cyberattack")
    after_calm, after_attack, attack_alone = model.predict([calm + told, attack + told, attack])[
        :, cyber
    ]
    assert after_attack > after_calm
    assert after_attack > attack_alone


def test_where_there_is_no_incident_no_topic_of_ours_is_probable_but_a_newsrooms_own_is() -> None:
    shipped = artifact.load(artifact.SHIPPED)
    own = replace(shipped.topics[0], id="own")
    quiet = replace(
        shipped,
        topics=(own, *shipped.topics[1:]),
        incident=np.zeros_like(shipped.incident),
        incident_intercept=np.array([-30], np.float32),
    )
    text = "Drones hit an oil depot and missiles a hospital; gunmen killed nine."
    before = TopicModel(shipped).predict([text])[0]
    after = TopicModel(quiet).predict([text])[0]
    assert after[0] >= before[0] > 0.5
    assert after[1:].max() < 0.01 < before[1:].max()


def test_composing_does_not_say_the_title_twice() -> None:
    assert compose("Fire in port", "Fire in port. Two hurt.") == "Fire in port. Two hurt."
    assert compose(" Fire ", " Two hurt. ") == "Fire\n\nTwo hurt."
    assert compose("", "Two hurt.") == "Two hurt."
    assert compose("Fire", "") == "Fire"


def test_the_seed_article_rings_for_what_it_tells(model: TopicModel, shared: Path) -> None:
    (path,) = (shared / "seed").glob("*.txt")
    chosen = set(model.choose(model.predict([path.read_text(encoding="utf-8")])[0]))
    assert chosen >= {"sabotage", "arrest", "assassination"}
