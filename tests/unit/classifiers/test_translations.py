"""Translations: words of six languages mean what the English word means."""

from __future__ import annotations

import pytest

from classifiers.similarity import STEM_CHARS, cosine, fingerprints, fold, term_hash
from classifiers.translations import LANGUAGES, rarity_in, senses

_ENGLISH = (
    "Drones hit an oil depot",
    "Drones attacked an oil depot at night. Two workers were killed and a fire broke out.",
)
_SAME = {
    "de": (
        "Drohnen treffen ein Öllager",
        "Drohnen griffen nachts ein Öllager an. Zwei Arbeiter wurden getötet, ein Feuer brach aus.",
    ),
    "es": (
        "Drones golpean un depósito de petróleo",
        "Drones atacaron de noche un depósito de petróleo. Dos trabajadores murieron en el fuego.",
    ),
    "fr": (
        "Des drones frappent un dépôt de pétrole",
        "Des drones ont attaqué de nuit un dépôt de pétrole. Deux ouvriers tués dans un incendie.",
    ),
    "it": (
        "Droni colpiscono un deposito di petrolio",
        "Droni hanno attaccato di notte un deposito di petrolio. Due operai uccisi nel fuoco.",
    ),
    "ru": (
        "Беспилотники ударили по нефтебазе",
        "Ночью дроны атаковали склад нефти. Двое рабочих убиты, начался пожар.",
    ),
    "uk": (
        "Безпілотники вдарили по нафтобазі",
        "Вночі дрони атакували склад нафти. Двоє робітників вбито, почалася пожежа.",
    ),
}


def _stem(word: str) -> int:
    return term_hash(fold(word)[:STEM_CHARS])


@pytest.mark.parametrize(
    ("language", "word", "english"),
    [
        ("it", "terremoto", "earthquake"),
        ("de", "Polizei", "police"),
        ("fr", "incendie", "fire"),
        ("es", "muertos", "dead"),
        ("ru", "полиция", "police"),
        ("uk", "поліція", "police"),
    ],
)
def test_a_word_means_an_english_one(language: str, word: str, english: str) -> None:
    assert [sense.term for sense in senses(fold(word), language)] == [_stem(english)]


def test_a_german_compound_means_both_of_its_parts() -> None:
    found = {sense.term for sense in senses(fold("Polizeigebäude"), "de")}
    assert _stem("police") in found
    assert len(found) == 2


def test_a_word_belongs_to_its_language() -> None:
    assert senses(fold("terremoto"), "de") != senses(fold("terremoto"), "it")
    assert senses(fold("terremoto"), "") == ()
    assert senses(fold("zzyzxq"), "it") == ()


def test_common_words_of_a_language_are_common_and_others_rare() -> None:
    for language, word in zip(LANGUAGES, "nicht para dans della после після".split(), strict=True):
        common, rare = rarity_in(language, fold(word)[:STEM_CHARS]), rarity_in(language, "zzyzx")
        assert common is not None
        assert rare is not None
        assert common < 4 < rare
    assert rarity_in("en", "after") is None
    assert rarity_in("", "after") is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_report_is_more_alike_when_its_language_is_known(language: str) -> None:
    texts = [_ENGLISH, _SAME[language]]
    known, unknown = fingerprints(texts, (), ["en", language]), fingerprints(texts)
    assert cosine(*known) > cosine(*unknown) + 0.1


def test_an_equal_toll_makes_reports_more_alike_and_another_one_less() -> None:
    texts = [_ENGLISH, _SAME["it"]]
    plain = cosine(*fingerprints(texts, (), ["en", "it"]))
    equal = cosine(*fingerprints(texts, (), ["en", "it"], [[("killed", 20)]] * 2))
    other = cosine(*fingerprints(texts, (), ["en", "it"], [[("killed", 20)], [("killed", 3)]]))
    assert equal > plain > other
