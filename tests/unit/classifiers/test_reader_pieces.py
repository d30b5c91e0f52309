"""Segmentation: the likeliest pieces, for any string."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.reader_pieces import BEGIN, END, MAX_WORD_CHARS, UNKNOWN, Pieces

TEXTS = ("<s>", "<pad>", "</s>", "<unk>", "\u2581", "a", "b", "ab", "\u2581a", "\u2581ab", "ba")
SCORES = (0.0, 0.0, 0.0, 0.0, -3.0, -2.0, -2.5, -3.0, -4.0, -9.0, -3.5)


@pytest.fixture
def pieces() -> Pieces:
    return Pieces(TEXTS, SCORES, {ord("Á"): "a", ord("\t"): " "})


def _read(pieces: Pieces, text: str) -> list[str]:
    return [TEXTS[n] for n in pieces.ids(text, 50)[1:-1]]


def test_the_pieces_are_those_whose_scores_add_up_to_most(pieces: Pieces) -> None:
    assert _read(pieces, "ab") == ["\u2581", "ab"]
    assert _read(pieces, "a") == ["\u2581a"]


def _best_score(word: str) -> float:
    """By trying every way to cut the word."""
    known = dict(zip(TEXTS[4:], SCORES[4:], strict=True))
    best = -math.inf
    for cuts in range(1 << (len(word) - 1)):
        places = [0, *(n for n in range(1, len(word)) if cuts >> (n - 1) & 1), len(word)]
        best = max(best, sum(known.get(word[a:b], -math.inf) for a, b in pairwise(places)))
    return best


@given(st.text("ab", min_size=1, max_size=9))
def test_no_other_way_to_cut_a_word_is_likelier(word: str) -> None:
    found = Pieces(TEXTS, SCORES, {}).ids(word, 50)[1:-1]
    assert "".join(TEXTS[n] for n in found) == f"\u2581{word}"
    assert sum(SCORES[n] for n in found) == pytest.approx(_best_score(f"\u2581{word}"))


def test_characters_are_replaced_and_runs_of_spaces_are_one(pieces: Pieces) -> None:
    assert _read(pieces, "Á\t  b") == _read(pieces, "a b")


def test_what_no_piece_covers_is_unknown(pieces: Pieces) -> None:
    assert pieces.ids("語", 50) == [BEGIN, 4, UNKNOWN, END]


def test_special_pieces_are_never_found_in_a_text(pieces: Pieces) -> None:
    assert not {BEGIN, 1, END} & set(pieces.ids("<s> </s> <pad>", 50)[1:-1])


@given(st.text(max_size=300), st.integers(2, 30))
def test_any_text_fits_the_limit_between_beginning_and_end(text: str, limit: int) -> None:
    found = Pieces(TEXTS, SCORES, {}).ids(text, limit)
    assert found[0] == BEGIN
    assert found[-1] == END
    assert len(found) <= limit


def test_a_word_longer_than_any_is_cut_and_stays_whole(pieces: Pieces) -> None:
    told = pieces.ids("ab" * MAX_WORD_CHARS, 10 * MAX_WORD_CHARS)[1:-1]
    assert "".join(TEXTS[n] for n in told) == "\u2581" + "ab" * MAX_WORD_CHARS
