"""Fingerprints: what one story, one text, and two different reports look like."""

from __future__ import annotations

import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers import remembered, similarity
from classifiers.similarity import (
    MAX_TERMS,
    SIGNATURE_BYTES,
    Fingerprint,
    cosine,
    fingerprints,
    fold,
    resemblance,
    shared_words,
)
from tests.reports import DEPOT, DEPOT_RETOLD, FERRY

_WORDS = [a + b + c for a in "bdfgklm" for b in ("ara", "eno", "il", "ost") for c in "prstvz"]


def _print(told: tuple[str, str]) -> Fingerprint:
    return fingerprints([told])[0]


def test_retold_story_is_nearer_than_another_one() -> None:
    assert cosine(_print(DEPOT), _print(DEPOT_RETOLD)) > 0.3
    assert cosine(_print(DEPOT), _print(FERRY)) < 0.1


def test_a_text_is_wholly_like_itself() -> None:
    assert cosine(_print(DEPOT), _print(DEPOT)) == pytest.approx(1, abs=0.02)
    assert resemblance(_print(DEPOT), _print(DEPOT)) == 1


def test_retold_story_is_no_copy() -> None:
    assert resemblance(_print(DEPOT), _print(DEPOT_RETOLD)) < 0.6


def test_five_per_cent_of_words_replaced_leaves_a_copy() -> None:
    chance = random.Random(4)
    alike = []
    for _ in range(200):
        words = chance.choices(_WORDS, k=400)
        other = [chance.choice(_WORDS) + "q" if chance.random() < 0.05 else w for w in words]
        one, two = fingerprints([("", " ".join(words)), ("", " ".join(other))])
        alike.append(resemblance(one, two))
    assert min(alike) > 0.75
    assert statistics.mean(alike) > 0.85


def test_names_are_the_same_in_two_scripts() -> None:
    for cyrillic, latin in (("Зеленский", "Zelensky"), ("Брянск", "Bryansk"), ("Мадуро", "Maduro")):
        assert fold(cyrillic)[:5] == fold(latin)[:5]


def test_a_place_is_one_term_in_every_language() -> None:
    place = [[("Bryansk", "RU", False)]] * 2
    one, other = fingerprints([("Fire", ""), ("Пожар", "")], place)
    alone = fingerprints([("Fire", ""), ("Пожар", "")])
    assert cosine(one, other) > cosine(*alone) == 0


def test_shared_words_come_as_the_first_text_writes_them() -> None:
    words = shared_words(DEPOT, DEPOT_RETOLD)
    assert {"Lirov", "Bryansk"} <= set(words)


@given(st.lists(st.tuples(st.text(max_size=60), st.text(max_size=300)), max_size=6))
def test_any_text_has_a_fingerprint_that_its_neighbours_do_not_change(
    texts: list[tuple[str, str]],
) -> None:
    found = fingerprints(texts)
    assert found == [_print(text) for text in texts]
    for one in found:
        assert len(one.terms) <= MAX_TERMS
        assert all(0 <= term < 2**32 and 1 <= weight <= 255 for term, weight in one.terms)
        assert len(one.signature) == (SIGNATURE_BYTES if one.words else 0)


def test_marks_part_words_as_spaces_do() -> None:
    parted = ("", "Fire,flood.Storm(quake)-riot/blast_harbour")
    spaced = ("", "Fire flood Storm quake riot blast harbour")
    one, other = fingerprints([parted, spaced], languages=["en", "en"])
    assert one == other


def test_what_is_remembered_of_words_is_bounded_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = [("Bomb at a port", " ".join(f"word{at}, other{at}" for at in range(60)))] * 2
    before = fingerprints(texts)
    monkeypatch.setattr(remembered, "MAX_PIECES", 10)
    similarity._known("").clear()
    assert fingerprints(texts) == before
    assert len(similarity._known("")) <= 10
    long = "x" * 5_000
    fingerprints([("", long)])
    assert long not in similarity._known("")
