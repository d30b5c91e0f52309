"""Lessons: what a model is fitted on, as hashed features with labels; no text is needed any more.

Owns the shape of it, and how reports become it. Does not fit: train.py does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from classifiers import features
from classifiers.examples import Example
from classifiers.topics import Topic

#: The language of most reports, calibrated apart from all others.
HOME_LANGUAGE: Final = "en"

F64 = NDArray[np.float64]
Labels = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Lessons:
    """Reports to learn from, one row each.

    `counts` are rows x features and `kind_weights` one a feature (see `count_matrix`). `labels`
    are rows x topics; where `known` is false nobody has said, and the row teaches that topic
    nothing. `weights` say how many reports a row counts for. Rows of one group say the same thing
    and never stand on both sides of a split; `english` says which are in the home language, and
    `added` which were taught on top of a course: they move neither the folds nor the idf of it.
    """

    counts: sparse.csr_matrix
    kind_weights: F64
    labels: Labels
    known: Labels
    weights: F64
    groups: tuple[str, ...]
    english: Labels
    added: Labels

    @property
    def bits(self) -> int:
        """The base-2 logarithm of the number of hashed features."""
        return int(self.counts.shape[1]).bit_length() - 1


def lessons_of(examples: Sequence[Example], bits: int, topics: Sequence[Topic]) -> Lessons:
    """Reports whose labels say everything about every topic, each counting once."""
    counts, kind_weights = count_matrix([example.text for example in examples], bits)
    labels = label_matrix(examples, topics)
    return Lessons(
        counts,
        kind_weights,
        labels,
        np.ones_like(labels),
        np.ones(len(examples)),
        tuple(example.group for example in examples),
        np.array([example.language == HOME_LANGUAGE for example in examples], dtype=np.bool_),
        np.zeros(len(examples), dtype=np.bool_),
    )


def joined(one: Lessons, other: Lessons) -> Lessons:
    """The rows of both, which have the same topics and as many features. A feature weighs as one
    knows it.
    """
    return Lessons(
        sparse.vstack([one.counts, other.counts], format="csr"),
        np.where(one.kind_weights > 0, one.kind_weights, other.kind_weights),
        np.vstack([one.labels, other.labels]),
        np.vstack([one.known, other.known]),
        np.concatenate([one.weights, other.weights]),
        one.groups + other.groups,
        np.concatenate([one.english, other.english]),
        np.concatenate([one.added, other.added]),
    )


def chosen(lessons: Lessons, rows: Labels) -> Lessons:
    """Those of the rows for which it is true."""
    at = np.flatnonzero(rows)
    return Lessons(
        lessons.counts[at].tocsr(),
        lessons.kind_weights,
        lessons.labels[at],
        lessons.known[at],
        lessons.weights[at],
        tuple(lessons.groups[row] for row in at),
        lessons.english[at],
        lessons.added[at],
    )


def seen_in(counts: sparse.csr_matrix, others: sparse.csr_matrix) -> Labels:
    """Which rows of counts are also among others: the same words, as far as features tell."""
    random = np.random.default_rng(0)
    marks = random.random((2, counts.shape[1]))  # two sums tell rows apart as a digest would
    known = {tuple(row) for row in (others @ marks.T).round(6).tolist()}
    return np.array([tuple(row) in known for row in (counts @ marks.T).round(6).tolist()], np.bool_)


def label_matrix(examples: Sequence[Example], topics: Sequence[Topic]) -> Labels:
    """Examples x topics, true where the example is about the topic."""
    rows = [[topic.id in example.topics for topic in topics] for example in examples]
    return np.array(rows, dtype=np.bool_).reshape(len(examples), len(topics))


def count_matrix(texts: Sequence[str], bits: int) -> tuple[sparse.csr_matrix, F64]:
    """Texts x features counts, and the weight of each feature's kind.

    One row a text: training reports are hardly longer than a window.
    """
    found = features.extract(texts, bits)
    ones = np.ones(len(found.rows), dtype=np.float32)
    places = (found.row_texts[found.rows], found.columns)
    kind_weights = np.zeros(1 << bits)
    weights = np.array(list(features.KIND_WEIGHTS.values()))
    np.maximum.at(kind_weights, found.columns, weights[found.kinds])
    return sparse.csr_matrix((ones, places), shape=(len(texts), 1 << bits)), kind_weights
