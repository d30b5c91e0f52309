"""Scores: hashed features times weights, pooled over a text's windows, made probabilities.

Owns the arithmetic that training and prediction share, so that they cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifiers import features
from classifiers.artifact import Artifact
from classifiers.features import Features
from classifiers.row_sums import sums_of_rows
from classifiers.tokens import I64
from classifiers.topics import TOPIC_IDS

#: What a later window's score loses against the lead's where the lead tells of no incident: what
#: stands further down is background then. Where it surely tells of one it loses the second figure:
#: an article about one attack tells of others. Measured on joined reports and whole articles
#: (docs/topics.md); between the two the lead's probability of an incident decides.
LATER_WINDOW_PENALTY: Final = 1.2
LATER_WINDOW_PENALTY_AFTER_INCIDENT: Final = 0.2
#: A later window is at least as long as a common report (the median is 64): a scrap at the end
#: of a page ("Read more: ...") must not speak as loud as a title.
LATER_WINDOW_MIN_LENGTH: Final = 70.0
#: Logits beyond this are certainty in float32 anyway.
_MAX_LOGIT: Final = 30.0
F32 = NDArray[np.float32]
Flags = NDArray[np.bool_]
#: Sees what there is of a slice of texts before it is given up.
Look = Callable[[int, Features, F32, F32], None]


@dataclass(frozen=True, slots=True)
class Answers:
    """What the model says of n texts: n x topics probabilities, and which texts are in the home
    language, as far as it can tell (one without words is).
    """

    probabilities: F32
    home: Flags


class Scorer:
    """The arrays of a model, laid out for one sparse product a batch."""

    def __init__(self, trained: Artifact) -> None:
        """Fold idf into the weights; the last three columns give whether it is an incident,
        whether it is English, and the squared length.
        """
        self.bits = trained.bits
        self.n_topics = len(trained.topics)
        idf = trained.idf[:, None]
        others = np.column_stack([trained.incident, trained.english])
        columns = [trained.weights * idf, others * idf, idf * idf]
        self._table = np.ascontiguousarray(np.hstack(columns))
        self._english_intercept = trained.english_intercept
        self._intercepts = np.concatenate([trained.intercepts, trained.incident_intercept])
        self._slopes = np.column_stack([trained.slopes, trained.incident_curves[:, 0]])
        self._offsets = np.column_stack([trained.offsets, trained.incident_curves[:, 1]])
        # A newsroom's own topic need not be an incident.
        self._gated = np.array([topic.id in TOPIC_IDS for topic in trained.topics])

    def probabilities(self, texts: Sequence[str]) -> F32:
        """n texts to n x topics probabilities."""
        return self.answers(texts).probabilities

    def answers(self, texts: Sequence[str], look: Look | None = None) -> Answers:
        """All that is said of n texts. `look` is given, slice by slice, the number of its first
        text, its features, their competing scores and its probabilities.
        """
        rows = np.zeros((len(texts), self.n_topics), np.float32)
        home = np.zeros(len(texts), np.bool_)
        for place in features.slices(texts):
            part = texts[place]
            found = features.extract(part, self.bits)
            said, scores = self._answers(found, len(part))
            rows[place], home[place] = said.probabilities, said.home
            if look is not None:
                look(place.start, found, scores[:, : self.n_topics], said.probabilities)
        return Answers(rows, home)

    def competing_scores(self, found: Features) -> F32:
        """One row of scores a window, as the windows of a text compete: each topic's highest one
        is the text's.
        """
        return self._competing_and_curves(found)[0][:, : self.n_topics]

    def _competing_and_curves(self, found: Features) -> tuple[F32, I64]:
        """Each window's scores less its penalty, and the curve of each text that has words."""
        scores, english = self._scores_and_english(found)
        leads = _leads(found)
        curves = (english[leads] < 0).astype(np.int64)
        logits = scores[leads, -1] * self._slopes[curves, -1] + self._offsets[curves, -1]
        relief = _chances(logits) * (LATER_WINDOW_PENALTY - LATER_WINDOW_PENALTY_AFTER_INCIDENT)
        windows = np.append(leads[1:], len(found.row_texts)) - leads
        penalties = np.repeat(LATER_WINDOW_PENALTY - relief, windows)
        penalties[found.row_windows == 0] = 0
        return np.asarray(scores - penalties[:, None], dtype=np.float32), curves

    def _scores_and_english(self, found: Features) -> tuple[F32, F32]:
        """The scores of each window, for any incident in the last column, and how much it speaks
        for English (0 is the border).
        """
        sums = self._sums(found)
        lengths = _lengths(sums[:, -1], found)
        scores = sums[:, :-2] / lengths[:, None] + self._intercepts
        return scores, sums[:, -2] / lengths + self._english_intercept

    def _sums(self, found: Features) -> F32:
        """Table rows summed over each window's features.

        Kind by kind, because within a kind the features already stand in the order of the rows:
        no sorting, and the same order of additions whatever else is in the batch.
        """
        n_rows = len(found.row_texts)
        bounds = found.bounds
        # One product for all kinds: kind k of row r is its row k * n_rows + r.
        pointers = np.append(bounds[:, :-1], bounds[-1, -1]).astype(np.int32)
        added = sums_of_rows(self._table, found.columns, pointers)
        by_kind = added.reshape(len(bounds), n_rows, self._table.shape[1])
        sums = np.zeros(by_kind.shape[1:], dtype=np.float32)
        for part in by_kind:
            sums += part
        return sums

    def contributions(self, found: Features, columns: NDArray[np.int32], window: int) -> F32:
        """What each occurrence of a window (row) adds to its scores; `columns` are those of all
        of them, in their order.
        """
        weights = self._table.take(columns, axis=0)
        # A running sum, so that what is added first does not depend on how many there are.
        squares = weights[:, -1].cumsum()[-1:]
        least = _least_length(found.row_windows[window : window + 1])
        length = np.maximum(np.sqrt(squares), least)
        return np.asarray(weights[:, : self.n_topics] / length, dtype=np.float32)

    def features_probabilities(self, found: Features, n_texts: int) -> F32:
        """The features of n texts to n x topics probabilities: each topic's best window times
        the chance that there is an incident at all. A text without words scores as the intercepts.
        """
        return self._answers(found, n_texts)[0].probabilities

    def _answers(self, found: Features, n_texts: int) -> tuple[Answers, F32]:
        """What is said of the texts, and each window's competing scores."""
        pooled = np.tile(self._intercepts, (n_texts, 1))
        curve = np.zeros(n_texts, dtype=np.int64)
        competing = np.zeros((0, len(self._intercepts)), np.float32)
        if len(found.row_texts):
            competing, curves = self._competing_and_curves(found)
            leads = _leads(found)
            pooled[found.row_texts[leads]] = np.maximum.reduceat(competing, leads)
            curve[found.row_texts[leads]] = curves
        chances = _chances(pooled * self._slopes[curve] + self._offsets[curve])
        incident = np.where(self._gated, chances[:, -1:], 1)
        rows = np.asarray(chances[:, :-1] * incident, dtype=np.float32)
        return Answers(rows, curve == 0), competing


def _leads(found: Features) -> I64:
    """The first row of each text that has one."""
    texts = found.row_texts
    new = np.ones(len(texts), dtype=np.bool_)
    np.not_equal(texts[1:], texts[:-1], out=new[1:])
    return new.nonzero()[0]


def _lengths(squares: F32, found: Features) -> F32:
    """What the sums of each window are divided by."""
    return np.maximum(np.sqrt(squares), _least_length(found.row_windows))


def _least_length(windows: I64) -> F32:
    return np.where(windows > 0, np.float32(LATER_WINDOW_MIN_LENGTH), np.float32(1e-6))


def _chances(logits: F32) -> F32:
    return np.asarray(1 / (1 + np.exp(-logits.clip(-_MAX_LOGIT, _MAX_LOGIT))), dtype=np.float32)
