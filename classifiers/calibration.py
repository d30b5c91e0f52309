"""Calibration: left-out scores to probabilities, and thresholds for a stated aim.

Owns Platt's curves, the product with any incident at all, and how thresholds are chosen. Does not
fit what gives the scores: train.py does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from sklearn.linear_model import LogisticRegression

from classifiers.lessons import F64, Labels, Lessons

#: Outside these a threshold only follows the noise of a few reports; lower ones ring too often.
MIN_THRESHOLD: Final = 0.3
MAX_THRESHOLD: Final = 0.95

#: A language group with fewer cases of a topic takes the curve of all languages.
MIN_CASES: Final = 20
#: For a threshold a topic told of a report without any counts as that many other wrong ones: a
#: bell for nothing is worse than the wrong bell. On left-out folds 3 takes a sixth of these bells
#: for 0.002 of macro-F1; 6 takes 0.013.
QUIET_COST: Final = 3.0
#: A topic of so many cases goes half of the way from the common threshold to its own.
COMMON_CASES: Final = 500
#: The precision that the second set of thresholds aims at, which a model carries in its facts.
PRECISE: Final = 0.9
#: The logit of what has always been so.
SURE: Final = 10.0


@dataclass(frozen=True, slots=True)
class Gate:
    """What the model of any incident learns from: which topics (`gated`) are incidents, which rows
    have one of them, and of which that much is `sure`.
    """

    gated: Labels
    incident: Labels
    sure: Labels


@dataclass(frozen=True, slots=True)
class Curves:
    """Slopes and offsets of Platt's curves, English first: one a topic, and for any incident."""

    slopes: F64
    offsets: F64
    incident: F64


def gate_of(labels: Labels, known: Labels, gated: Labels) -> Gate:
    """The gate of labels, where `gated` topics are incidents."""
    incident: Labels = np.any(labels[:, gated], axis=1)
    said_of_all: Labels = np.all(known[:, gated], axis=1)
    return Gate(gated, incident, incident | said_of_all)


def curves_of(left_out: F64, lessons: Lessons, gate: Gate) -> Curves:
    """The curves of left-out scores (topics, then any incident): which topic it is is learned from
    reports of some incident, whether there is one apart.
    """
    labels, english = lessons.labels & lessons.known, lessons.english
    which = lessons.known & (gate.incident[:, None] | ~gate.gated)
    slopes, offsets = _calibrate_by_language(left_out[:, :-1], labels, which, english)
    incident = _calibrate_by_language(
        left_out[:, -1:], gate.incident[:, None], gate.sure[:, None], english
    )
    return Curves(slopes, offsets, np.column_stack(incident))


def probabilities_of(left_out: F64, english: Labels, curves: Curves, gated: Labels) -> F64:
    """Left-out scores to rows x topics probabilities, as `Scorer` makes them."""
    curve = np.where(english, 0, 1)
    topics = _chances(left_out[:, :-1], curves.slopes[curve], curves.offsets[curve])
    incident = _chances(left_out[:, -1], *curves.incident[curve].T)
    return topics * np.where(gated, incident[:, None], 1)


def find_thresholds(
    labels: Labels, probabilities: F64, aim_precision: float | None, incident: Labels | None = None
) -> F64:
    """The threshold of each topic: best F1, or the highest recall at a wanted precision.

    With `incident` (which rows have a topic at all) what is told of the others costs more.
    """
    chosen = np.full(labels.shape[1], MAX_THRESHOLD)
    cost = np.ones(len(labels)) if incident is None else np.where(incident, 1.0, QUIET_COST)
    for column in range(labels.shape[1]):
        order = np.argsort(-probabilities[:, column], kind="stable")
        hits = np.cumsum(labels[order, column])
        if aim_precision is None:
            told = hits + np.cumsum(~labels[order, column] * cost[order])
            last = int((2 * hits / (told + labels[:, column].sum())).argmax())
        else:
            told = np.arange(1, len(order) + 1)
            good = np.flatnonzero(hits / told >= aim_precision)
            if not len(good):
                continue
            last = int(good[-1])
        after = order[min(last + 1, len(order) - 1)]
        chosen[column] = (probabilities[order[last], column] + probabilities[after, column]) / 2
    return chosen.clip(MIN_THRESHOLD, MAX_THRESHOLD)


def thresholds_of(
    labels: Labels,
    known: Labels,
    gate: Gate,
    probabilities: F64,
    aim_precision: float | None,
) -> F64:
    """`find_thresholds`, each topic's on the rows that say something about it.

    For the best F1 a topic of few cases is drawn towards what is best for all topics together:
    its own best threshold is chance (by half of the left-out reports or the other it differed by
    0.06, and macro-F1 on the other half was no better than with one threshold for all).
    All together are the gated ones: a topic of a newsroom's own moves no threshold of ours.
    """
    said = [(column, known[:, column]) for column in range(labels.shape[1])]
    parts = [
        (labels[rows][:, [c]], probabilities[rows][:, [c]], aim_precision, gate.incident[rows])
        for c, rows in said
    ]
    own = np.concatenate([find_thresholds(*part) for part in parts])
    if aim_precision is not None:
        return own
    rows = np.nonzero(known & (gate.gated if gate.gated.any() else ~gate.gated))
    (common,) = find_thresholds(
        labels[rows][:, None], probabilities[rows][:, None], None, gate.incident[rows[0]]
    )
    cases = (labels & known).sum(axis=0)
    return np.asarray((cases * own + COMMON_CASES * common) / (cases + COMMON_CASES))


def _chances(scores: F64, slopes: F64, offsets: F64) -> F64:
    return np.asarray(1 / (1 + np.exp(-(scores * slopes + offsets))))


def _calibrate_by_language(
    scores: F64, labels: Labels, known: Labels, english: Labels
) -> tuple[F64, F64]:
    """Slopes and offsets, 2 x topics: scores of other languages are lower for the same truth,
    because fewer of their words have been seen.
    """
    slopes, offsets = (np.stack([part, part]) for part in _calibrate(scores, labels, known))
    for row, chosen in enumerate((english, ~english)):
        enough = labels[chosen].sum(axis=0) >= MIN_CASES
        if enough.any():
            parts = (part[chosen][:, enough] for part in (scores, labels, known))
            slopes[row, enough], offsets[row, enough] = _calibrate(*parts)
    return slopes, offsets


def _calibrate(scores: F64, labels: Labels, known: Labels) -> tuple[F64, F64]:
    """Platt's slope and offset for each topic, from the rows that say something about it."""
    slopes, offsets = np.ones(labels.shape[1]), np.zeros(labels.shape[1])
    for column in range(labels.shape[1]):
        said = known[:, column]
        if labels[said, column].all() or not labels[said, column].any():  # nothing to tell apart
            slopes[column], offsets[column] = 0.0, SURE
            continue
        curve = LogisticRegression(C=100.0).fit(scores[said][:, [column]], labels[said, column])
        slopes[column], offsets[column] = curve.coef_[0, 0], curve.intercept_[0]
    return slopes, offsets
