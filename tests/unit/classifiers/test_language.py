"""Short titles are told apart in seven languages, and what is none of them is `other`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers import language, language_training
from classifiers.language import LANGUAGES, OTHER, identify_language


@pytest.mark.parametrize(
    ("title", "code"),
    [
        ("Gunmen attack convoy near the border", "en"),
        ("Взрыв на заводе в Самаре, есть погибшие", "ru"),
        ("Дрони атакували склад у порту", "uk"),
        ("Esplosione in una fabbrica, tre operai feriti", "it"),
        ("Anschlag auf Bahnstrecke bei Köln", "de"),
        ("Attentat devant une gare à Lyon", "fr"),
        ("Detenidos dos hombres por el incendio", "es"),
        ("Wybuch w fabryce, są ranni", "pl"),
        ("Explosão em fábrica deixa três feridos", "pt"),
    ],
)
def test_a_short_title_is_recognised(title: str, code: str) -> None:
    assert identify_language(title) == code


@pytest.mark.parametrize("text", ["北京发生爆炸", "انفجار في بيروت", "Έκρηξη στην Αθήνα", "הפגנה"])
def test_other_scripts_are_other(text: str) -> None:
    assert identify_language(text) == OTHER


@pytest.mark.parametrize(
    "text",
    [
        "Београд: експлозија у фабрици, троје повређених",
        "Ankara'da patlama: üç ölü, saldırgan yakalandı",
        "Алматыда жарылыс болды, үш адам жараланды",
        "У Мінску затрымалі журналістаў, суд ідзе зноў",
        "Výbuch v Ústí: tři zranění, příčina neznámá",
    ],
)
def test_letters_that_none_of_the_named_languages_has_make_a_text_other(text: str) -> None:
    assert identify_language(text) == OTHER


@pytest.mark.parametrize(
    ("title", "code"),
    [
        ("Erdoğan and Šefčovič meet in Brussels after the attack on the port", "en"),
        ("Nach dem Anschlag in Škofja Loka: Polizei sucht zwei Männer", "de"),
    ],
)
def test_a_name_with_strange_letters_does_not_make_a_text_other(title: str, code: str) -> None:
    assert identify_language(title) == code


@pytest.mark.parametrize("text", ["", "  ", "123 456", "🔥🔥", "!?"])
def test_a_text_without_letters_has_no_language(text: str) -> None:
    assert identify_language(text) == ""


@pytest.mark.parametrize("text", ["Explosion", "Sabotage!", "Kassel:", "Streik", "«Взрыв»"])
def test_one_word_is_of_no_language_that_anybody_could_name(text: str) -> None:
    assert identify_language(text) == ""


@given(st.text(max_size=300))
def test_any_text_is_answered(text: str) -> None:
    assert identify_language(text) in {*LANGUAGES, OTHER, ""}


def test_a_file_that_is_no_language_model_is_refused(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "x.npz", names=np.array(["en"]), weights=np.ones((3, 1)), intercepts=np.ones(1)
    )
    with pytest.raises(ValueError, match="not a language model"):
        language.load(tmp_path / "x.npz")


@pytest.mark.slow
def test_titles_not_seen_in_training_are_recognised(shared: Path) -> None:
    samples = language_training.read_samples(shared / "topics")
    model = language_training.fit([sample for sample in samples if sample.date < "2023"])
    new = [s for s in samples if s.date >= "2023" and s.language in LANGUAGES[:7]]
    by_language = [
        language_training.accuracy(model, [s for s in new if s.language == code], words=8)
        for code in LANGUAGES[:7]
    ]
    assert np.mean(by_language) >= 0.98
