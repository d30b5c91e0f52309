"""Evidence: which words and which sentence made the model choose a topic.

Owns the way from the weights back to the article's own words. It reads the very contributions
(coefficient times value) that the score is the sum of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifiers import features, tokens
from classifiers.features import Features
from classifiers.scoring import Scorer

MAX_WORDS: Final = 6
MAX_SENTENCE_CHARS: Final = 400
#: A word that brings less than this share of the strongest one's weight decided nothing.
_WORTH_NAMING: Final = 0.15


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a topic was chosen: words, strongest first, and the sentence, verbatim."""

    topic: str
    words: tuple[str, ...]
    sentence: str


def explain(scorer: Scorer, text: str, topic_id: str, column: int) -> Evidence:
    """The evidence in a text for the topic in a column of the model."""
    found = features.extract([text], scorer.bits)
    if not len(found.row_texts):
        return Evidence(topic_id, (), "")
    window = int(np.argmax(scorer.window_scores(found)[:, column]))
    weights = _word_weights(scorer, found, column, window)
    sentence = _best_sentence(found, weights)
    return Evidence(topic_id, _named(found, weights, text), _sentence_text(found, sentence, text))


def _word_weights(scorer: Scorer, found: Features, column: int, window: int) -> NDArray[np.float64]:
    """What each word brings, in the window that decided; pairs count half for each word."""
    inside = found.rows == window
    gains = np.where(inside, scorer.contributions(found, column), 0.0).astype(np.float64)
    weights = np.zeros(len(found.split.starts))
    np.add.at(weights, found.words, gains / 2)
    np.add.at(weights, found.others, gains / 2)
    return weights


def _named(found: Features, weights: NDArray[np.float64], text: str) -> tuple[str, ...]:
    """The strongest words; neighbours that both count become one phrase."""
    starts, ends = found.split.starts, found.split.ends
    floor = max(float(weights.max(initial=0.0)) * _WORTH_NAMING, 1e-9)
    phrases: dict[str, float] = {}
    for word in np.flatnonzero(weights >= floor):
        said = text[starts[word] : ends[word]]
        phrases[said] = max(phrases.get(said, 0.0), float(weights[word]))
    return tuple(sorted(phrases, key=lambda said: -phrases[said])[:MAX_WORDS])


def _best_sentence(found: Features, weights: NDArray[np.float64]) -> int:
    """The sentence whose words speak most for the topic."""
    numbers = found.split.sentences
    totals = np.zeros(int(numbers.max()) + 1)
    np.add.at(totals, numbers, weights)
    return int(np.argmax(totals))


def _sentence_text(found: Features, sentence: int, text: str) -> str:
    """The sentence as it stands, cut at a word when it is too long for a message."""
    words = np.flatnonzero(found.split.sentences == sentence)
    if not len(words):
        return ""
    start, last = int(found.split.starts[words[0]]), int(found.split.ends[words[-1]])
    while start > 0 and text[start - 1] in "\"'«“„(":
        start -= 1
    end = min(last + 2, len(text))
    while end > last and not tokens.closes_sentence(text[end - 1]):
        end -= 1
    said = " ".join(text[start:end].split())
    if len(said) <= MAX_SENTENCE_CHARS:
        return said
    return said[:MAX_SENTENCE_CHARS].rsplit(" ", 1)[0] + "…"
