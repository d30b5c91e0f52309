"""Words, sentences and windows are found in any text, at their true positions."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from classifiers import tokens


def _words(texts: list[str]) -> list[str]:
    split = tokens.split(texts)
    joined = "\n".join(texts) + "\n"
    return [joined[a:b] for a, b in zip(split.starts, split.ends, strict=True)]


def test_words_are_parted_by_everything_that_is_no_letter_or_digit() -> None:
    assert _words(["L'attentato, a Milano: 3 morti!"]) == [
        "L", "attentato", "a", "Milano", "3", "morti",
    ]  # fmt: skip


def test_case_accents_and_the_number_itself_do_not_change_a_words_hash() -> None:
    assert tokens.hash_of("ÉVACUÉ") == tokens.hash_of("evacue")
    assert tokens.hash_of("2024") == tokens.hash_of("1999")
    assert tokens.hash_of("Війна") == tokens.hash_of("війна")


def test_the_cyrillic_short_i_is_a_letter_of_its_own() -> None:
    assert tokens.hash_of("бой") != tokens.hash_of("бои")


def test_a_words_hash_does_not_depend_on_where_it_stands() -> None:
    split = tokens.split(["drone over the port", "", "a port and a drone"])
    hashes = split.hashes.of(split.starts, split.ends)
    assert hashes[0] == hashes[-1]
    assert hashes[3] == hashes[5]
    assert int(hashes[0]) == tokens.hash_of("drone")


def test_sentences_never_run_over_the_end_of_a_text() -> None:
    split = tokens.split(["One two. Three", "four"])
    first, second, third, fourth = split.sentences.tolist()
    assert first == second
    assert len({second, third, fourth}) == 3


def test_the_lead_is_one_window_and_long_texts_have_several() -> None:
    text = "A word here and there. " * 100
    windows = tokens.split([text]).windows
    assert windows[0] == 0
    assert np.all(np.diff(windows) >= 0)
    sizes = np.bincount(windows)
    assert sizes[0] >= tokens.LEAD_WORDS
    assert len(sizes) > 5


def test_only_the_first_characters_of_an_endless_text_are_read() -> None:
    split = tokens.split(["word " * 500_000, "next"])
    assert split.ends[-2] <= tokens.MAX_CHARS
    assert split.texts[-1] == 1


@given(st.lists(st.text(max_size=80), max_size=5))
def test_any_text_can_be_split_and_positions_stay_inside_it(texts: list[str]) -> None:
    split = tokens.split(texts)
    lengths = [len(text) for text in texts]
    for start, end, number in zip(split.starts, split.ends, split.texts, strict=True):
        begin = split.text_starts[number]
        assert begin <= start < end <= begin + lengths[number]


@given(st.text(alphabet="абвabc .", min_size=1, max_size=60), st.text(max_size=20))
def test_words_of_a_text_are_the_same_in_every_batch(text: str, other: str) -> None:
    alone, later = tokens.split([text]), tokens.split([other, text])
    mine = later.texts == 1
    assert np.array_equal(
        alone.hashes.of(alone.starts, alone.ends),
        later.hashes.of(later.starts[mine], later.ends[mine]),
    )
    assert np.array_equal(alone.windows, later.windows[mine])
