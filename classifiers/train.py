"""Training: labelled reports to a model artifact.

Owns how weights, calibration and thresholds are found. What it makes is judged in evaluate.py.
Everything that is tuned here is tuned on predictions for reports left out of the fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.svm import LinearSVC

from classifiers import features
from classifiers.artifact import Artifact
from classifiers.drift import histogram
from classifiers.examples import Example
from classifiers.topics import TOPICS, Topic

#: Outside these a threshold only follows the noise of a few reports; lower ones ring too often.
MIN_THRESHOLD: Final = 0.4
MAX_THRESHOLD: Final = 0.95

#: A language group with fewer cases of a topic takes the curve of all languages.
MIN_CASES: Final = 20
#: The language of most reports, calibrated apart from all others.
HOME_LANGUAGE: Final = "en"

F64 = NDArray[np.float64]
Labels = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What can be chosen about a training run; the defaults are those of the shipped model.

    `cost` is the support vector machines' C. Thresholds aim at the best F1 or, with an
    `aim_precision`, at the highest recall that keeps this precision, topic by topic.
    """

    bits: int = 18
    cost: float = 1.0
    folds: int = 5
    aim_precision: float | None = None


@dataclass(frozen=True, slots=True)
class LinearPart:
    """Weights and intercepts of one linear model a topic, features x topics."""

    weights: F64
    intercepts: F64


def fit(examples: Sequence[Example], recipe: Recipe, topics: Sequence[Topic] = TOPICS) -> Artifact:
    """Train on the examples: weights, then calibration and thresholds from left-out folds.

    Raises:
        ValueError: there is no example of a topic.
    """
    labels = label_matrix(examples, topics)
    unseen = [topic.id for topic, n in zip(topics, labels.sum(axis=0), strict=True) if n == 0]
    if unseen:
        raise ValueError(f"no example of {', '.join(unseen)}")
    counts, kind_weights = count_matrix([example.text for example in examples], recipe.bits)
    idf = inverse_frequencies(counts) * kind_weights
    rows = weigh(counts, idf)
    left_out = _left_out_scores(rows, labels, examples, recipe)
    english = np.array([example.language == HOME_LANGUAGE for example in examples])
    slopes, offsets = _calibrate_by_language(left_out, labels, english)
    curve = np.where(english, 0, 1)
    probabilities = 1 / (1 + np.exp(-(left_out * slopes[curve] + offsets[curve])))
    thresholds = find_thresholds(labels, probabilities, recipe.aim_precision)
    linear = _fit_linear(rows, labels, recipe)
    language = _fit_english(rows, english, recipe)
    return Artifact(
        topics=tuple(
            replace(topic, threshold=round(float(value), 4))
            for topic, value in zip(topics, thresholds, strict=True)
        ),
        weights=linear.weights.astype(np.float32),
        idf=idf.astype(np.float32),
        intercepts=linear.intercepts.astype(np.float32),
        english=language.weights[:, 0].astype(np.float32),
        english_intercept=language.intercepts.astype(np.float32),
        slopes=slopes.astype(np.float32),
        offsets=offsets.astype(np.float32),
        facts=_facts(examples, recipe)
        | {"probabilities": _left_out_histogram(topics, probabilities)},
    )


def label_matrix(examples: Sequence[Example], topics: Sequence[Topic]) -> Labels:
    """Examples x topics, true where the example is about the topic."""
    return np.array([[topic.id in example.topics for topic in topics] for example in examples])


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


def inverse_frequencies(counts: sparse.csr_matrix) -> F64:
    """Smoothed idf of each feature; 0 for those never seen, which then weigh nothing."""
    present = np.asarray((counts > 0).sum(axis=0)).ravel()
    n_texts = counts.shape[0]
    return np.where(present > 0, np.log((1 + n_texts) / (1 + present)) + 1, 0.0)


def weigh(counts: sparse.csr_matrix, idf: F64) -> sparse.csr_matrix:
    """Counts times idf, over the length that `Scorer` divides by."""
    lengths = np.sqrt((counts @ (idf * idf)).clip(min=1e-12))
    return (sparse.diags(1 / lengths) @ counts @ sparse.diags(idf)).tocsr()


def find_thresholds(labels: Labels, probabilities: F64, aim_precision: float | None) -> F64:
    """The threshold of each topic: best F1, or the highest recall at a wanted precision."""
    chosen = np.full(labels.shape[1], MAX_THRESHOLD)
    for column in range(labels.shape[1]):
        order = np.argsort(-probabilities[:, column], kind="stable")
        hits = np.cumsum(labels[order, column])
        told = np.arange(1, len(order) + 1)
        if aim_precision is None:
            last = int((2 * hits / (told + labels[:, column].sum())).argmax())
        else:
            good = np.flatnonzero(hits / told >= aim_precision)
            if not len(good):
                continue
            last = int(good[-1])
        after = order[min(last + 1, len(order) - 1)]
        chosen[column] = (probabilities[order[last], column] + probabilities[after, column]) / 2
    return chosen.clip(MIN_THRESHOLD, MAX_THRESHOLD)


def _left_out_scores(
    rows: sparse.csr_matrix, labels: Labels, examples: Sequence[Example], recipe: Recipe
) -> F64:
    """Scores of each example by a model that saw neither it nor a rendering of it."""
    scores = np.zeros(labels.shape)
    groups = [example.group for example in examples]
    for seen, unseen in GroupKFold(recipe.folds).split(rows, groups=groups):
        part = _fit_linear(rows[seen], labels[seen], recipe)
        scores[unseen] = rows[unseen] @ part.weights + part.intercepts
    return scores


def _fit_linear(rows: sparse.csr_matrix, labels: Labels, recipe: Recipe) -> LinearPart:
    weights = np.zeros((rows.shape[1], labels.shape[1]))
    intercepts = np.zeros(labels.shape[1])
    for column in range(labels.shape[1]):
        machine = LinearSVC(C=recipe.cost, random_state=0)
        machine.fit(rows, labels[:, column])
        weights[:, column] = machine.coef_[0]
        intercepts[column] = machine.intercept_[0]
    return LinearPart(weights, intercepts)


def _fit_english(rows: sparse.csr_matrix, english: Labels, recipe: Recipe) -> LinearPart:
    """Whether a report is in English; where there is one kind only, it is all of that kind."""
    if english.all() or not english.any():
        sign = 1.0 if english.all() else -1.0
        return LinearPart(np.zeros((rows.shape[1], 1)), np.array([sign]))
    return _fit_linear(rows, english[:, None], recipe)


def _calibrate_by_language(scores: F64, labels: Labels, english: Labels) -> tuple[F64, F64]:
    """Slopes and offsets, 2 x topics: scores of other languages are lower for the same truth,
    because fewer of their words have been seen.
    """
    slopes, offsets = (np.stack([part, part]) for part in _calibrate(scores, labels))
    for row, chosen in enumerate((english, ~english)):
        enough = labels[chosen].sum(axis=0) >= MIN_CASES
        if enough.any():
            own = _calibrate(scores[chosen][:, enough], labels[chosen][:, enough])
            slopes[row, enough], offsets[row, enough] = own
    return slopes, offsets


def _calibrate(scores: F64, labels: Labels) -> tuple[F64, F64]:
    """Platt's slope and offset for each topic."""
    slopes, offsets = np.ones(labels.shape[1]), np.zeros(labels.shape[1])
    for column in range(labels.shape[1]):
        curve = LogisticRegression(C=100.0).fit(scores[:, [column]], labels[:, column])
        slopes[column], offsets[column] = curve.coef_[0, 0], curve.intercept_[0]
    return slopes, offsets


def _left_out_histogram(topics: Sequence[Topic], probabilities: F64) -> dict[str, list[int]]:
    """How probabilities fall on left-out reports, by topic: drift is measured from there."""
    counts = histogram(probabilities).tolist()
    return dict(zip((topic.id for topic in topics), counts, strict=True))


def _facts(examples: Sequence[Example], recipe: Recipe) -> dict[str, Any]:
    dates = sorted(example.date[:10] for example in examples if example.date)
    languages = sorted({example.language for example in examples})
    return {
        "reports": len(examples),
        "first_date": dates[0] if dates else None,
        "last_date": dates[-1] if dates else None,
        "languages": {
            language: sum(example.language == language for example in examples)
            for language in languages
        },
        "recipe": asdict(recipe),
    }
