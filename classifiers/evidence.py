"""Evidence: which words and which sentence made the model choose a topic.

Owns the way from the weights back to the article's own words. It reads the very contributions
(coefficient times value) that the score is the sum of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
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
#: Texts are taken in slices, so that the arrays of one stay in the processor's cache: 32 and 64
#: texts of 3 KB score a tenth faster than 256, 16 slower.
_SLICE: Final = 64
_FUNCTION_WORDS: Final = frozenset(
    word
    for line in (Path(__file__).parent / "data" / "function_words.txt")
    .read_text(encoding="utf-8")
    .splitlines()
    if not line.startswith("#")
    for word in line.split()
)

F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a topic was chosen: words, strongest first, and the sentence, verbatim."""

    topic: str
    words: tuple[str, ...]
    sentence: str


@dataclass(frozen=True, slots=True)
class _Slice:
    """Texts that were read together."""

    scorer: Scorer
    found: Features


@dataclass(frozen=True, slots=True)
class _Text:
    """One text's words within a batch: positions in the text, sentences by running number."""

    text: str
    first_word: int
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    sentences: NDArray[np.int64]


def explain(scorer: Scorer, text: str, topic_id: str, column: int) -> Evidence:
    """The evidence in a text for the topic in a column of the model."""
    return explain_all(scorer, [(text, [(topic_id, column)])])[0][0]


def explain_all(
    scorer: Scorer, wanted: Sequence[tuple[str, Sequence[tuple[str, int]]]]
) -> list[tuple[Evidence, ...]]:
    """The evidence in each text for each of its (topic id, column): features are found once."""
    explained = []
    for start in range(0, len(wanted), _SLICE):
        explained += _explain_slice(scorer, wanted[start : start + _SLICE])
    return explained


def _explain_slice(
    scorer: Scorer, wanted: Sequence[tuple[str, Sequence[tuple[str, int]]]]
) -> list[tuple[Evidence, ...]]:
    found = features.extract([text for text, _ in wanted], scorer.bits)
    scores = scorer.competing_scores(found)
    numbers = np.arange(len(wanted) + 1)
    rows = np.searchsorted(found.row_texts, numbers).tolist()
    words = np.searchsorted(found.split.texts, numbers).tolist()
    read = _Slice(scorer, found)
    explained = []
    for number, (text, topics) in enumerate(wanted):
        first, last = rows[number], rows[number + 1]
        if first == last:
            explained.append(tuple(Evidence(topic_id, (), "") for topic_id, _ in topics))
            continue
        view = _view(found, number, text, words[number], words[number + 1])
        explained.append(
            tuple(
                _evidence(
                    topic_id,
                    view,
                    _word_weights(
                        read, view, column, first + int(scores[first:last, column].argmax())
                    ),
                )
                for topic_id, column in topics
            )
        )
    return explained


def _view(found: Features, number: int, text: str, first: int, last: int) -> _Text:
    offset = found.split.text_starts[number]
    return _Text(
        text,
        first,
        found.split.starts[first:last] - offset,
        found.split.ends[first:last] - offset,
        found.split.sentences[first:last],
    )


def _evidence(topic_id: str, view: _Text, weights: F64) -> Evidence:
    sentence = _best_sentence(view, weights)
    return Evidence(topic_id, _named(view, weights), _sentence_text(view, sentence))


def _word_weights(read: _Slice, view: _Text, column: int, window: int) -> F64:
    """What each word brings, in the window that decided; pairs count half for each word."""
    found = read.found
    inside, words, others = [], [], []
    for group, bounds in zip(found.groups, found.bounds, strict=True):
        start, end = bounds[window : window + 2]
        within = slice(start - bounds[0], end - bounds[0])
        inside.append(found.columns[start:end])
        words.append(group.words[within])
        others.append(group.others[within])
    columns = np.concatenate(inside)
    gains = read.scorer.contributions(found, columns, window, column).astype(np.float64) / 2
    both = np.concatenate([*words, *others]) - view.first_word
    return _totals(both, np.concatenate([gains, gains]), len(view.starts))


def _totals(places: NDArray[np.int64], values: F64, size: int) -> F64:
    """The values added up, in their order, each at its place."""
    return np.asarray(np.bincount(places, values, size), dtype=np.float64)


def _named(view: _Text, weights: F64) -> tuple[str, ...]:
    """The strongest words. "At" beside "harbour" tells an editor nothing, though a pair of both
    counts: such words are named where there are no others.
    """
    floor = max(float(np.max(weights, initial=0.0)) * _WORTH_NAMING, 1e-9)
    phrases: dict[str, float] = {}
    for word in np.flatnonzero(weights >= floor).tolist():
        said = view.text[view.starts[word] : view.ends[word]]
        phrases[said] = max(phrases.get(said, 0.0), float(weights[word]))
    strongest = sorted(phrases, key=lambda said: -phrases[said])
    telling = [said for said in strongest if said.lower() not in _FUNCTION_WORDS]
    return tuple((telling or strongest)[:MAX_WORDS])


def _best_sentence(view: _Text, weights: F64) -> int:
    """The sentence whose words speak most for the topic."""
    first = int(view.sentences[0])
    totals = _totals(view.sentences - first, weights, 0)
    return first + int(totals.argmax())


def _sentence_text(view: _Text, sentence: int) -> str:
    """The sentence as it stands, cut at a word when it is too long for a message."""
    text = view.text
    words = np.flatnonzero(view.sentences == sentence)
    if not len(words):
        return ""
    start, last = int(view.starts[words[0]]), int(view.ends[words[-1]])
    while start > 0 and text[start - 1] in "\"'«“„(":
        start -= 1
    end = min(last + 2, len(text))
    while end > last and not tokens.closes_sentence(text[end - 1]):
        end -= 1
    said = " ".join(text[start:end].split())
    if len(said) <= MAX_SENTENCE_CHARS:
        return said
    return said[:MAX_SENTENCE_CHARS].rsplit(" ", 1)[0] + "…"
