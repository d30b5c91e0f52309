"""Who is named as the source of a number, in seven languages."""

from __future__ import annotations

import pytest

from classifiers.attribution import attribute, speaker_of
from classifiers.numbers import find_tolls


def _named(text: str) -> dict[str, str]:
    return attribute(text, find_tolls(text))


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("Nine people were killed in Texas, police said.", "police"),
        (
            "A bus fell into the Drava and 18 people were killed, Velden police said.",
            "Velden police",
        ),
        ("At least 12 killed in blast: officials", "officials"),
        ("Five were killed, according to the local health department.", "local health department"),
        ("A fire killed six people, the prime minister said.", "prime minister"),
        ("The governor came. Lirov said two workers were killed.", "Lirov"),
        ("В результате удара погибли 3 человека, сообщили местные власти.", "местные власти"),
        ("Губернатор Павел Лиров сообщил, что погибли двое.", "Губернатор Павел Лиров"),
        ("По данным МЧС, погибли 12 человек.", "МЧС"),
        ("Внаслідок атаки загинули 3 людини, повідомила поліція.", "поліція"),
        ("Due persone sono state uccise, ha detto la polizia.", "polizia"),
        ("Drei Menschen wurden getötet, teilte die Polizei mit.", "Polizei"),
        ("Nach Angaben der Feuerwehr wurden 5 Menschen getötet.", "Feuerwehr"),
        ("Trois personnes ont été tuées, a annoncé la police.", "police"),
        ("Tres personas murieron, dijo la policía.", "policía"),
    ],
)
def test_who_gave_the_number_is_read_as_it_is_written(text: str, who: str) -> None:
    assert _named(text) == {"killed": who}


@pytest.mark.parametrize(
    "text",
    [
        "Three police officers were killed on Monday.",
        "Three people were killed. Police said the road was closed.",
        "He said three people were killed.",
        "Soldiers of the military government reportedly killed 19 villagers.",
        "Police said the road was closed.",
        "Zwei weitere Opfer meldeten sich, damit sind sechs Menschen verletzt.",
    ],
)
def test_nobody_is_named_where_nobody_gave_the_number(text: str) -> None:
    assert _named(text) == {}


def test_the_speaker_is_the_one_beside_the_word_of_saying() -> None:
    assert speaker_of("A gunman killed 5, among them a police chief, the mayor said.") == "mayor"


def test_each_number_has_its_own_source() -> None:
    text = "Two people were killed, police said. The hospital said 12 people were injured."
    assert _named(text) == {"killed": "police", "injured": "hospital"}
