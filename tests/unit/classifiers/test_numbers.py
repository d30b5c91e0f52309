"""The toll of an incident, in seven languages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.numbers import MAX_TOLL, find_tolls

CASES = [
    ("A car bomb killed 12 people and injured at least 30 others.", {"killed": 12, "injured": 30}),
    ("Twelve dead, 34 hurt after blast", {"killed": 12, "injured": 34}),
    ("The death toll rises to 1,204 after quake", {"killed": 1204}),
    ("A dam broke, killing at least 41 and injuring 320 others", {"killed": 41, "injured": 320}),
    (
        "Число погибших при взрыве выросло до 15, ранены 40 человек",
        {"killed": 15, "injured": 40},
    ),
    ("Погибли пять человек, ещё 12 пострадали", {"killed": 5, "injured": 12}),
    ("Троє загинули, семеро поранені внаслідок удару", {"killed": 3, "injured": 7}),
    ("Almeno 4 morti e 22 feriti", {"killed": 4, "injured": 22}),
    ("Mindestens drei Tote und 17 Verletzte nach Anschlag", {"killed": 3, "injured": 17}),
    ("Au moins 9 morts et 25 blessés", {"killed": 9, "injured": 25}),
    ("Al menos 7 muertos y 18 heridos", {"killed": 7, "injured": 18}),
    ("Los terroristas secuestraron a 20 alumnos", {"kidnapped": 20}),
    ("El coche bomba mató a tres personas", {"killed": 3}),
    ("Кількість загиблих зросла до чотирьох", {"killed": 4}),
    ("Police arrested 14 people in 2023", {"detained": 14}),
    ("Two people were killed in 2022 in a mortar attack", {"killed": 2}),
    ("A 25-year-old man was arrested", {}),
    ("mortar fire hit 3 villages before the deadline", {}),
    ("In 1999, killed", {}),
    ("", {}),
]


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[text[:40] for text, _ in CASES])
def test_tolls_are_read_beside_the_word_they_count(text: str, expected: dict[str, int]) -> None:
    assert {toll.kind: toll.number for toll in find_tolls(text)} == expected


@given(st.text(max_size=400))
def test_any_text_gives_plausible_tolls(text: str) -> None:
    tolls = find_tolls(text)
    assert [toll.kind for toll in tolls] == sorted({toll.kind for toll in tolls})
    assert all(0 <= toll.number <= MAX_TOLL for toll in tolls)


def test_only_sentences_with_a_word_that_counts_are_read_and_no_number_beyond_them_counts() -> None:
    text = "There were 14 guests.\nMany were killed in the blast. Some 15 cars burned\nnine injured"
    assert {toll.kind: toll.number for toll in find_tolls(text)} == {"injured": 9}
