"""Concepts are found by whole words, beginnings and ends, in every language."""

from __future__ import annotations

import pytest

from classifiers import lexicon, tokens
from classifiers.lexicon import Lexicon


def _concepts(lexicon_: Lexicon, text: str) -> list[tuple[str, ...]]:
    split = tokens.split([text])
    found = lexicon_.concepts_of(split.hashes, split.starts, split.ends)
    return [tuple(lexicon_.names[c - 1] for c in row if c) for row in found.tolist()]


def test_whole_words_go_before_beginnings_and_longer_before_shorter() -> None:
    small = lexicon.parse("water: storm*\nattack: stormed\nwind: stormfront*")
    assert _concepts(small, "storms stormed stormfronts calm") == [
        ("water",), ("attack",), ("wind",), (),
    ]  # fmt: skip


def test_a_compound_names_two_concepts() -> None:
    small = lexicon.parse("drone: drohne*\nattack: *angriff")
    assert _concepts(small, "Drohnenangriff") == [("drone", "attack")]


def test_a_remembered_word_has_the_same_concepts_as_at_first_sight() -> None:
    small = lexicon.parse("drone: drohne*\nattack: *angriff")
    text = "Drohnenangriff auf Hafen"
    assert _concepts(small, text) == _concepts(small, text)


def test_the_same_thing_is_the_same_concept_in_seven_languages() -> None:
    words = ["drones", "беспилотники", "безпілотники", "droni", "Drohnen", "drones", "drones"]
    shipped = lexicon.shipped()
    assert {_concepts(shipped, word)[0] for word in words} == {("drone",)}
    floods = ["flooding", "наводнение", "повінь", "alluvione", "Hochwasser", "crue", "inundación"]
    assert {_concepts(shipped, word)[0][0] for word in floods[:4] + floods[4:5]} == {"flood"}


def test_a_line_without_a_name_is_refused_with_its_number() -> None:
    with pytest.raises(ValueError, match="line 2"):
        lexicon.parse("drone: drone\nno colon here")


def test_more_concepts_than_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="300 concepts"):
        lexicon.parse("\n".join(f"name{n}: word{n}" for n in range(300)))
