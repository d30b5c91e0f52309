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
    """Texts that were read together; `joined` has the two words that each occurrence joins."""

    scorer: Scorer
    found: Features
    joined: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Window:
    """What each occurrence of a window brings, occurrences x topics, and its words within the
    text: of all occurrences the first ones, then the others.
    """

    gains: NDArray[np.float32]
    words: NDArray[np.int64]


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
    texts, explained = [text for text, _ in wanted], []
    for place in features.slices(texts):
        found = features.extract(texts[place], scorer.bits)
        asked = [(number, *one) for number, one in enumerate(wanted[place])]
        told = explain_found(scorer, found, scorer.competing_scores(found), asked)
        explained += [told[number] for number, _, _ in asked]
    return explained


def explain_found(
    scorer: Scorer,
    found: Features,
    scores: NDArray[np.float32],
    wanted: Sequence[tuple[int, str, Sequence[tuple[str, int]]]],
) -> dict[int, tuple[Evidence, ...]]:
    """The evidence in some of the texts whose features and competing scores these are: for each
    number of a text, the text, and its (topic id, column).
    """
    numbers = np.array([number for number, _, _ in wanted], dtype=np.int64)
    borders = np.stack([numbers, numbers + 1], axis=1)
    rows = found.row_texts.searchsorted(borders).tolist()
    words = found.split.texts.searchsorted(borders).tolist()
    joined = np.concatenate([(group.words, group.others) for group in found.groups], axis=1)
    read, told = _Slice(scorer, found, joined), {}
    for (number, text, topics), (first, last), within in zip(wanted, rows, words, strict=True):
        if first == last:
            told[number] = tuple(Evidence(topic_id, (), "") for topic_id, _ in topics)
            continue
        view = _view(found, number, text, *within)
        windows: dict[int, _Window] = {}
        told[number] = tuple(
            _evidence(topic_id, view, _word_weights(read, view, windows, column, best))
            for topic_id, column in topics
            for best in [first + int(scores[first:last, column].argmax())]
        )
    return told


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


def _word_weights(
    read: _Slice, view: _Text, windows: dict[int, _Window], column: int, number: int
) -> F64:
    """What each word brings, in the window that decided; pairs count half for each word."""
    window = windows.get(number)
    if window is None:
        window = windows[number] = _window(read, view, number)
    gains = window.gains[:, column].astype(np.float64) / 2
    return _totals(window.words, np.concatenate([gains, gains]), len(view.starts))


def _window(read: _Slice, view: _Text, number: int) -> _Window:
    found = read.found
    spans = found.bounds[:, number : number + 2].tolist()
    filled = [(start, end) for start, end in spans if start < end]
    columns = np.concatenate([found.columns[start:end] for start, end in filled])
    joined = np.concatenate([read.joined[:, start:end] for start, end in filled], axis=1)
    words = joined.ravel() - view.first_word
    return _Window(read.scorer.contributions(found, columns, number), words)


def _totals(places: NDArray[np.int64], values: F64, size: int) -> F64:
    """The values added up, in their order, each at its place."""
    return np.asarray(np.bincount(places, values, size), dtype=np.float64)


def _named(view: _Text, weights: F64) -> tuple[str, ...]:
    """The strongest words. "At" beside "harbour" tells an editor nothing, though a pair of both
    counts: such words are named where there are no others.
    """
    floor = max(float(weights.max()) * _WORTH_NAMING, 1e-9)
    strong = (weights >= floor).nonzero()[0]
    phrases: dict[str, float] = {}
    places = zip(view.starts[strong].tolist(), view.ends[strong].tolist(), strict=True)
    for (start, end), weight in zip(places, weights[strong].tolist(), strict=True):
        said = view.text[start:end]
        phrases[said] = max(phrases.get(said, 0.0), weight)
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
    first, beyond = view.sentences.searchsorted((sentence, sentence + 1)).tolist()
    if first == beyond:
        return ""
    start, last = int(view.starts[first]), int(view.ends[beyond - 1])
    while start > 0 and text[start - 1] in "\"'«“„(":
        start -= 1
    end = min(last + 2, len(text))
    while end > last and not tokens.closes_sentence(text[end - 1]):
        end -= 1
    said = " ".join(text[start:end].split())
    if len(said) <= MAX_SENTENCE_CHARS:
        return said
    return said[:MAX_SENTENCE_CHARS].rsplit(" ", 1)[0] + "…"
