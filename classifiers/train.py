"""Training: labelled reports to a model artifact.

Owns how weights are found; calibration.py makes the scores of left-out reports probabilities and
thresholds. What is made is judged in evaluate.py.
Everything that is tuned here is tuned on predictions for reports left out of the fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.model_selection import GroupKFold
from sklearn.svm import LinearSVC

from classifiers import calibration
from classifiers.artifact import Artifact
from classifiers.calibration import Gate
from classifiers.examples import Example
from classifiers.histogram import histogram
from classifiers.lessons import F64, Labels, Lessons, lessons_of
from classifiers.topics import TOPIC_IDS, TOPICS, Topic


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
    """Train on examples that are labelled for every topic.

    Raises:
        ValueError: there is no example of a topic.
    """
    return fit_lessons(
        lessons_of(examples, recipe.bits, topics), recipe, topics, facts_of(examples, recipe)
    )


def fit_lessons(
    lessons: Lessons,
    recipe: Recipe,
    topics: Sequence[Topic],
    facts: Mapping[str, Any],
    done: Callable[[], None] = lambda: None,
) -> Artifact:
    """Train: weights, then calibration and thresholds from left-out folds. `done` is called
    after each fold.

    Raises:
        ValueError: there is no example of a topic.
    """
    labels, known = lessons.labels & lessons.known, lessons.known
    unseen = [topic.id for topic, n in zip(topics, labels.sum(axis=0), strict=True) if n == 0]
    if unseen:
        raise ValueError(f"no example of {', '.join(unseen)}")
    counts = lessons.counts.sorted_indices()  # the last bits of a sum are those of its order
    idf = inverse_frequencies(counts, lessons.added) * lessons.kind_weights
    rows = weigh(counts, idf)
    gated = np.array([topic.id in TOPIC_IDS for topic in topics])
    gate = calibration.gate_of(labels, known, gated)
    left_out = _left_out_scores(rows, lessons, gate, recipe, done)
    curves = calibration.curves_of(left_out, lessons, gate)
    probabilities = calibration.probabilities_of(left_out, lessons.english, curves, gated)
    told = (labels, known, gate, probabilities)
    thresholds = calibration.thresholds_of(*told, recipe.aim_precision)
    precise = calibration.thresholds_of(*told, calibration.PRECISE)
    linear = _fit_linear(rows, lessons, recipe)
    any_topic = _fit_incident(rows, lessons, gate, recipe)
    language = _fit_english(rows, lessons.english, recipe)
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
        slopes=curves.slopes.astype(np.float32),
        offsets=curves.offsets.astype(np.float32),
        incident=any_topic.weights[:, 0].astype(np.float32),
        incident_intercept=any_topic.intercepts.astype(np.float32),
        incident_curves=curves.incident.astype(np.float32),
        facts=dict(facts)
        | {
            "probabilities": _left_out_histogram(topics, probabilities),
            "precise_thresholds": {
                topic.id: round(float(value), 4)
                for topic, value in zip(topics, precise, strict=True)
            },
        },
    )


def inverse_frequencies(counts: sparse.csr_matrix, added: Labels) -> F64:
    """Smoothed idf of each feature; 0 for those never seen, which then weigh nothing. What is
    `added` counts for features that only it has: all else is what it was without.
    """

    def frequencies(rows: sparse.csr_matrix) -> F64:
        present = np.asarray((rows > 0).sum(axis=0)).ravel()
        return np.where(present > 0, np.log((1 + rows.shape[0]) / (1 + present)) + 1, 0.0)

    ours = frequencies(counts[np.flatnonzero(~added)])
    return np.where(ours > 0, ours, frequencies(counts)) if added.any() else ours


def weigh(counts: sparse.csr_matrix, idf: F64) -> sparse.csr_matrix:
    """Counts times idf, over the length that `Scorer` divides by."""
    lengths = np.sqrt((counts @ (idf * idf)).clip(min=1e-12))
    return (sparse.diags(1 / lengths) @ counts @ sparse.diags(idf)).tocsr()


def _left_out_scores(
    rows: sparse.csr_matrix,
    lessons: Lessons,
    gate: Gate,
    recipe: Recipe,
    done: Callable[[], None],
) -> F64:
    """Scores of each row by a model that saw neither it nor a rendering of it: one a topic, and
    for any incident in the last column.
    """
    scores = np.zeros((rows.shape[0], lessons.labels.shape[1] + 1))
    folds = folds_of(lessons, recipe.folds)
    for fold in range(recipe.folds):
        seen, unseen = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        part = _fit_linear(rows, lessons, recipe, seen)
        some = _fit_incident(rows, lessons, gate, recipe, seen)
        scores[unseen, :-1] = rows[unseen] @ part.weights + part.intercepts
        scores[unseen, -1:] = rows[unseen] @ some.weights + some.intercepts
        done()
    return scores


def folds_of(lessons: Lessons, n_folds: int) -> NDArray[np.int64]:
    """The fold of each row. What is added falls by its group's name, and leaves the others where
    they are: drawn anew they would turn 1 % of the answers by chance.
    """
    folds = np.array([crc32(group.encode()) % n_folds for group in lessons.groups], dtype=np.int64)
    ours = np.flatnonzero(~lessons.added)
    groups = [lessons.groups[row] for row in ours]
    for fold, (_, unseen) in enumerate(GroupKFold(n_folds).split(ours, groups=groups)):
        folds[ours[unseen]] = fold
    return folds


def _fit_linear(
    rows: sparse.csr_matrix, lessons: Lessons, recipe: Recipe, seen: NDArray[np.intp] | None = None
) -> LinearPart:
    """One machine a topic, on the rows (of those `seen`) that say something about it."""
    n_topics = lessons.labels.shape[1]
    weights, intercepts = np.zeros((rows.shape[1], n_topics)), np.zeros(n_topics)
    for column in range(n_topics):
        chosen = lessons.known[:, column] if seen is None else seen[lessons.known[seen, column]]
        machine = LinearSVC(C=recipe.cost, random_state=0)
        machine.fit(rows[chosen], lessons.labels[chosen, column], lessons.weights[chosen])
        weights[:, column] = machine.coef_[0]
        intercepts[column] = machine.intercept_[0]
    return LinearPart(weights, intercepts)


def _fit_incident(
    rows: sparse.csr_matrix,
    lessons: Lessons,
    gate: Gate,
    recipe: Recipe,
    seen: NDArray[np.intp] | None = None,
) -> LinearPart:
    """Whether a row tells of any incident; where all rows are alike, it is always so."""
    chosen = np.flatnonzero(gate.sure) if seen is None else seen[gate.sure[seen]]
    incident = gate.incident
    if incident[chosen].all() or not incident[chosen].any():
        return LinearPart(np.zeros((rows.shape[1], 1)), np.ones(1))
    machine = LinearSVC(C=recipe.cost, random_state=0)
    machine.fit(rows[chosen], incident[chosen], lessons.weights[chosen])
    return LinearPart(machine.coef_.T, machine.intercept_)


def _fit_english(rows: sparse.csr_matrix, english: Labels, recipe: Recipe) -> LinearPart:
    """Whether a report is in English; where there is one kind only, it is all of that kind."""
    if english.all() or not english.any():
        sign = 1.0 if english.all() else -1.0
        return LinearPart(np.zeros((rows.shape[1], 1)), np.array([sign]))
    machine = LinearSVC(C=recipe.cost, random_state=0).fit(rows, english)
    return LinearPart(machine.coef_.T, machine.intercept_)


def _left_out_histogram(topics: Sequence[Topic], probabilities: F64) -> dict[str, list[int]]:
    """How probabilities fall on left-out reports, by topic: drift is measured from there."""
    counts = histogram(probabilities).tolist()
    return dict(zip((topic.id for topic in topics), counts, strict=True))


def facts_of(examples: Sequence[Example], recipe: Recipe) -> dict[str, Any]:
    """What a model says of how it was made: from how many reports, of when, in which languages."""
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
