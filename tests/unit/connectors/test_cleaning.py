"""What a crawler leaves in texts goes, what a person wrote stays."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.cleaning import clean_line, clean_text, clean_title, html_to_text, split_title

BODY = "\n\n".join(
    f"Paragraph {n} of the report says at some length what was seen at the harbour that night "
    f"and who was asked about it, in words of its own number {n}."
    for n in range(6)
)


def test_a_stamp_before_a_title_goes() -> None:
    assert clean_title("1683425930 Fire at the harbour") == "Fire at the harbour"
    assert clean_title("1683425921 81 Fire at the harbour") == "Fire at the harbour"


@pytest.mark.parametrize("title", ["1984", "2024 Olympics open", "12 dead in fire", "1683425930"])
def test_numbers_that_are_no_stamp_stay(title: str) -> None:
    assert clean_title(title) == title


def test_stamped_repetitions_of_the_title_go() -> None:
    text = f"1683425921 81 Fire at the harbour\n\n{BODY}\n\n1683425923 963 Fire at the harbour"
    assert clean_text(text, "Fire at the harbour") == BODY


def test_a_paragraph_after_a_stamp_stays() -> None:
    assert clean_text("1683425921 81 Three men were seen.") == "Three men were seen."


def test_a_caption_and_its_alternative_text_go() -> None:
    captions = 'Anna Berg, mayor of "Old Town" since May, at the gate.\n' * 2
    assert clean_text(captions + BODY) == BODY


def test_a_doubled_line_that_is_all_there_is_stays_once() -> None:
    assert clean_text("Three men were seen.\n\nThree men were seen.") == "Three men were seen."


def test_neighbours_on_one_subject_stay() -> None:
    text = "He was seen in Rome on Monday by a friend.\n\nHe was not seen in Rome on Tuesday."
    assert clean_text(text) == text


@pytest.mark.parametrize(
    "notice",
    [
        "© Reproduction reserved",
        "© RIPRODUZIONE RISERVATA",
        "Copyright 2024 The Courier. All rights reserved.",
        "Все права защищены",
        "Усі права захищено",
        "Alle Rechte vorbehalten.",
        "Tous droits réservés",
        "Todos los derechos reservados",
    ],
)
def test_rights_notices_go(notice: str) -> None:
    assert clean_text(f"{BODY}\n\n{notice}") == BODY


def test_a_report_about_copyright_stays() -> None:
    text = "The court ruled on copyright " + "and on many other matters of the case " * 5
    assert clean_text(text) == text.strip()


def test_invisible_characters_go() -> None:
    assert clean_line("a\u200bb\u202ec\x00d\x1be\ufefff\u00ad") == "abcdef"
    assert clean_line("one\u2028two\u00a0three\r\nfour") == "one two three four"
    assert clean_line("Київ cafe\u0301 🙂") == "Київ café 🙂"


def test_entities_are_read_even_when_escaped_twice() -> None:
    assert clean_line("Q&amp;amp;A &#8220;yes&#8221; AT&T &unknown;") == "Q&A “yes” AT&T &unknown;"


def test_markup_becomes_lines_and_scripts_go() -> None:
    markup = "<p>One <b>two</b></p><script>x<y</script><ul><li>three</li></ul>a &lt; b"
    assert clean_text(html_to_text(markup)) == "One two\n\nthree\n\na < b"


def test_plain_text_with_a_less_than_sign_is_no_markup() -> None:
    assert html_to_text("5 < 6 and 7 > 2") == "5 < 6 and 7 > 2"


def test_the_title_of_a_plain_text_is_its_first_line() -> None:
    assert split_title(f"Fire at the harbour\n\n{BODY}") == ("Fire at the harbour", BODY)
    assert split_title("\n \n") == ("", "")


def test_a_cut_title_gives_way_to_the_whole_one() -> None:
    title, text = split_title(
        f"1683425930 Fire at the harbour\nFire at the harbour: 3 held\n{BODY}"
    )
    assert (title, text) == ("Fire at the harbour: 3 held", BODY)


@given(st.text(max_size=400), st.text(max_size=60))
def test_whatever_comes_leaves_no_invisible_character(text: str, title: str) -> None:
    for character in clean_text(html_to_text(text), title) + clean_title(title):
        assert character == "\n" or unicodedata.category(character) not in ("Cc", "Cs", "Co")
        assert character not in "\u200b\u200e\u202a\u202e\u2066\u2069\ufeff"


@pytest.mark.parametrize(
    "piece", ["<", "<a ", "<!--", "&", "a\n", "<script>", "</", "&#", "same line here\n"]
)
def test_hostile_markup_takes_time_in_proportion_to_its_size(piece: str) -> None:
    def seconds(size: int) -> float:
        start = time.process_time()
        clean_text(html_to_text(piece * (size // len(piece))), "a title of five words")
        return time.process_time() - start

    small, large = min(seconds(20_000) for _ in range(3)), seconds(200_000)
    assert large < 40 * small + 1.0
