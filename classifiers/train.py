"""Training: labelled reports to a model artifact.

Owns how weights, calibration and thresholds are found. What it makes is judged in evaluate.py.
Everything that is tuned here is tuned on predictions for reports left out of the fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.svm import LinearSVC

from classifiers.artifact import Artifact
from classifiers.examples import Example
from classifiers.histogram import histogram
from classifiers.lessons import F64, Labels, Lessons, lessons_of
from classifiers.topics import TOPIC_IDS, TOPICS, Topic

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
class Gate:
    """What the model of any incident learns from: which rows have a topic that is an incident,
    and of which that much is `sure`.
    """

    incident: Labels
    sure: Labels


@dataclass(frozen=True, slots=True)
class LinearPart:
    """Weights and intercepts of one linear model a topic, features x topics."""

    weights: F64
    intercepts: F64


@dataclass(frozen=True, slots=True)
class Curves:
    """Slopes and offsets of Platt's curves, English first: one a topic, and for any incident."""

    slopes: F64
    offsets: F64
    incident: F64


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
    idf = inverse_frequencies(lessons.counts) * lessons.kind_weights
    rows = weigh(lessons.counts, idf)
    gated = np.array([topic.id in TOPIC_IDS for topic in topics])
    gate = _gate(labels, known, gated)
    left_out = _left_out_scores(rows, lessons, gate, recipe, done)
    curves = _curves(left_out, lessons, gate, gated)
    probabilities = _probabilities(left_out, lessons.english, curves, gated)
    told = (labels, known, gate.incident, probabilities)
    thresholds = _thresholds(*told, recipe.aim_precision)
    precise = _thresholds(*told, PRECISE)
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


def inverse_frequencies(counts: sparse.csr_matrix) -> F64:
    """Smoothed idf of each feature; 0 for those never seen, which then weigh nothing."""
    present = np.asarray((counts > 0).sum(axis=0)).ravel()
    n_texts = counts.shape[0]
    return np.where(present > 0, np.log((1 + n_texts) / (1 + present)) + 1, 0.0)


def weigh(counts: sparse.csr_matrix, idf: F64) -> sparse.csr_matrix:
    """Counts times idf, over the length that `Scorer` divides by."""
    lengths = np.sqrt((counts @ (idf * idf)).clip(min=1e-12))
    return (sparse.diags(1 / lengths) @ counts @ sparse.diags(idf)).tocsr()


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


def _gate(labels: Labels, known: Labels, gated: Labels) -> Gate:
    incident: Labels = np.any(labels[:, gated], axis=1)
    said_of_all: Labels = np.all(known[:, gated], axis=1)
    return Gate(incident, incident | said_of_all)


def _curves(left_out: F64, lessons: Lessons, gate: Gate, gated: Labels) -> Curves:
    """Which topic it is is learned from reports of some incident; whether there is one, apart."""
    labels, english = lessons.labels & lessons.known, lessons.english
    which = lessons.known & (gate.incident[:, None] | ~gated)
    slopes, offsets = _calibrate_by_language(left_out[:, :-1], labels, which, english)
    incident = _calibrate_by_language(
        left_out[:, -1:], gate.incident[:, None], gate.sure[:, None], english
    )
    return Curves(slopes, offsets, np.column_stack(incident))


def _probabilities(left_out: F64, english: Labels, curves: Curves, gated: Labels) -> F64:
    curve = np.where(english, 0, 1)
    topics = _chances(left_out[:, :-1], curves.slopes[curve], curves.offsets[curve])
    incident = _chances(left_out[:, -1], *curves.incident[curve].T)
    return topics * np.where(gated, incident[:, None], 1)


def _chances(scores: F64, slopes: F64, offsets: F64) -> F64:
    return np.asarray(1 / (1 + np.exp(-(scores * slopes + offsets))))


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
    for seen, unseen in GroupKFold(recipe.folds).split(rows, groups=lessons.groups):
        part = _fit_linear(rows, lessons, recipe, seen)
        some = _fit_incident(rows, lessons, gate, recipe, seen)
        scores[unseen, :-1] = rows[unseen] @ part.weights + part.intercepts
        scores[unseen, -1:] = rows[unseen] @ some.weights + some.intercepts
        done()
    return scores


def _thresholds(
    labels: Labels,
    known: Labels,
    incident: Labels,
    probabilities: F64,
    aim_precision: float | None,
) -> F64:
    """`find_thresholds`, each topic's on the rows that say something about it.

    For the best F1 a topic of few cases is drawn towards what is best for all topics together:
    its own best threshold is chance (by half of the left-out reports or the other it differed by
    0.06, and macro-F1 on the other half was no better than with one threshold for all).
    """
    said = [(column, known[:, column]) for column in range(labels.shape[1])]
    parts = [
        (labels[rows][:, [c]], probabilities[rows][:, [c]], aim_precision, incident[rows])
        for c, rows in said
    ]
    own = np.concatenate([find_thresholds(*part) for part in parts])
    if aim_precision is not None:
        return own
    rows = np.nonzero(known)
    (common,) = find_thresholds(
        labels[rows][:, None], probabilities[rows][:, None], None, incident[rows[0]]
    )
    cases = (labels & known).sum(axis=0)
    return np.asarray((cases * own + COMMON_CASES * common) / (cases + COMMON_CASES))


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
        if labels[said, column].all():  # nothing to tell apart
            slopes[column], offsets[column] = 0.0, SURE
            continue
        curve = LogisticRegression(C=100.0).fit(scores[said][:, [column]], labels[said, column])
        slopes[column], offsets[column] = curve.coef_[0, 0], curve.intercept_[0]
    return slopes, offsets


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
