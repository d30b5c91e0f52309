"""Places from text: spellings, cases, what is no place, and the order of what is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.places import DATA, find_places

NAMED = [
    ("Взрыв под Брянском: сошел с рельсов поезд", "Bryansk", "RU"),
    ("У Києві пролунали вибухи", "Kyiv", "UA"),
    ("Вибух під Харковом", "Kharkiv", "UA"),
    ("Нижнем Новгороде взорван автомобиль", "Nizhny Novgorod", "RU"),
    ("Пожар в Ростове-на-Дону", "Rostov-on-Don", "RU"),
    ("Взрыв в Крыму", "Crimea", "UA"),
    ("Attentato a Mosca", "Moscow", "RU"),
    ("Anschlag in Sankt Petersburg", "Saint Petersburg", "RU"),
    ("Explosion près de Nijni Novgorod", "Nizhny Novgorod", "RU"),
    ("Ataque en Ciudad Juárez", "Ciudad Juárez", "MX"),
    ("a fire outside London's airport", "London", "GB"),
    ("Una planta química de Tarragona. Los bomberos", "Tarragona", "ES"),
    ("U.S. Capitol riot", "United States", "US"),
    ("Man in Florida charged", "Florida", "US"),
]


@pytest.mark.parametrize(("text", "name", "country"), NAMED, ids=[text for text, _, _ in NAMED])
def test_a_place_is_found_in_every_language_and_case(text: str, name: str, country: str) -> None:
    assert [(place.name, place.country) for place in find_places(text)] == [(name, country)]


@pytest.mark.parametrize(
    "text",
    [
        "the biography of Jack London is out",
        "crashes near the White House",
        "we had a nice reading about mobile bars in may",
        "",
        "1234 ... ---",
    ],
)
def test_people_buildings_and_ordinary_words_are_no_places(text: str) -> None:
    assert find_places(text) == ()


def test_where_it_happened_comes_before_where_it_was_said() -> None:
    places = find_places("Moscow blames Ukraine. A bomb went off in Kursk on Friday.")
    assert places[0].name == "Kursk"
    assert places[0].weight > 2 * next(p.weight for p in places if p.name == "Moscow")


def test_a_shared_name_goes_to_the_country_that_the_text_names() -> None:
    assert find_places("A fire in Cambridge, United States, killed two.")[0].country == "US"
    assert find_places("A fire in Cambridge, United Kingdom, killed two.")[0].country == "GB"


def test_the_gazetteer_stays_compact() -> None:
    assert DATA.stat().st_size < 5_000_000


@given(st.text(max_size=300))
def test_any_text_gives_places_on_the_globe(text: str) -> None:
    for place in find_places(text):
        assert -90 <= place.latitude <= 90
        assert -180 <= place.longitude <= 180
        assert len(place.country) == 2
        assert place.count >= 1
