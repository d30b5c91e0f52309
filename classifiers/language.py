"""Which language a short text is in, among those a newsroom here reads.

Owns the identification and the honesty of `other`. Its small linear model over character
n-grams is made by language_training.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

OTHER: Final = "other"
#: The languages that are named; the first seven are those that the topic model learned from.
LANGUAGES: Final = ("en", "ru", "uk", "it", "de", "fr", "es", "pl", "pt")
MODEL_FILE: Final = Path(__file__).parent / "artifacts" / "language.npz"

#: A title is enough; a body's first lines are more than enough.
MAX_CHARS: Final = 600
NGRAM_LENGTHS: Final = (1, 2, 3, 4)
BITS: Final = 15

#: Scripts in which none of the languages named is written: from Greek on, without Cyrillic.
_LAST_LATIN: Final = 0x024F
_CYRILLIC: Final = range(0x0400, 0x0530)
#: The letters of the languages that are named. A name may hold others; a text in which two words
#: and a quarter of all do is in another language: Serbian, Kazakh, Turkish, Czech.
_LETTERS: Final = frozenset(
    "abcdefghijklmnopqrstuvwxyzªºßàáâãäæçèéêëìíîïñòóôõöùúûüÿœąćęłńśźż"
    "абвгдежзийклмнопрстуфхцчшщъыьэюяёєіїґ"
)
_STRANGE_WORDS: Final = 2


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """Weights, n-grams x languages, and one intercept a language (`OTHER` among them)."""

    names: tuple[str, ...]
    weights: NDArray[np.float32]
    intercepts: NDArray[np.float32]

    def scores(self, text: str) -> NDArray[np.float32]:
        """One score a language; the highest is the answer."""
        columns = ngram_columns(text)
        sums = self.weights[columns].sum(axis=0) / np.sqrt(max(len(columns), 1))
        return np.asarray(sums + self.intercepts, dtype=np.float32)


def identify_language(text: str) -> str:
    """The ISO 639-1 code of a text's language, `other`, or an empty string where nobody can say: a
    text without words, or of one alone, for which too many guesses are wrong.
    """
    letters = [ord(char) for char in text[:MAX_CHARS] if char.isalpha()]
    if not letters:
        return ""
    foreign = sum(point > _LAST_LATIN and point not in _CYRILLIC for point in letters)
    if 2 * foreign > len(letters):
        return OTHER
    folded = "".join(char if char.isalpha() else " " for char in text[:MAX_CHARS].lower())
    words = folded.split()
    if len(words) == 1:
        return ""
    if _is_strange(words):
        return OTHER
    model = _shipped()
    return model.names[int(np.argmax(model.scores(text)))]


def _is_strange(words: Sequence[str]) -> bool:
    """Whether many words hold letters that none of the languages named has."""
    strange = sum(not _LETTERS.issuperset(word) for word in words)
    return strange >= _STRANGE_WORDS and 4 * strange >= len(words)


def ngram_columns(text: str) -> NDArray[np.int64]:
    """The hashed character n-grams of a text's first characters; words are padded by a space."""
    folded = "".join(char if char.isalpha() else " " for char in text[:MAX_CHARS].lower())
    padded = f" {' '.join(folded.split())} "
    points = np.frombuffer(padded.encode("utf-32-le", "surrogatepass"), np.uint32)
    found = []
    for size in NGRAM_LENGTHS:
        if len(points) < size:
            break
        hashes = np.full(len(points) - size + 1, size, dtype=np.uint64)
        for offset in range(size):
            part = points[offset : len(points) - size + 1 + offset].astype(np.uint64)
            hashes = (hashes ^ part) * np.uint64(0x9E3779B97F4A7C15)
        found.append((hashes >> np.uint64(64 - BITS)).astype(np.int64))
    return np.concatenate(found)


def load(path: Path) -> LanguageModel:
    """Read a language model's arrays; nothing in the file can be executed.

    Raises:
        ValueError: the file is no language model of ours.
    """
    with np.load(path, allow_pickle=False) as arrays:
        names = tuple(str(name) for name in arrays["names"])
        weights = arrays["weights"].astype(np.float32)
        intercepts = arrays["intercepts"].astype(np.float32)
    if weights.shape != (1 << BITS, len(names)) or intercepts.shape != (len(names),):
        raise ValueError(f"{path}: not a language model of this version")
    return LanguageModel(names, weights, intercepts)


@lru_cache(maxsize=1)
def _shipped() -> LanguageModel:
    return load(MODEL_FILE)
