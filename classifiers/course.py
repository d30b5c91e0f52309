"""The course: the lessons of the shipped model and the pinned evaluation, as hashed features.

It ships, so that a newsroom can fit a model anew and judge it without the texts, which do not
ship. Owns which reports are learned and which are judged, and the file. Does not fit or judge.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from classifiers import examples, features, tokens, train
from classifiers.examples import Example
from classifiers.feature_space import feature_space
from classifiers.features import Features
from classifiers.lessons import F64, HOME_LANGUAGE, Labels, Lessons
from classifiers.tokens import I64
from classifiers.topics import TOPICS, Topic
from classifiers.train import Recipe

SHIPPED: Final = Path(__file__).parent / "artifacts" / "course.npz"
#: The split in time: a trial model learns from what is older and is judged on what is younger.
SPLIT: Final = "2023"
#: The judged sets by their names in floors.json. The last two are never learned from.
ENGLISH, OTHERS, NATURAL, FEED = "english", "other_languages", "natural", "feed_items"
SETS: Final = (ENGLISH, OTHERS, NATURAL, FEED)
NEVER_LEARNED: Final = (NATURAL, FEED)
_NOT_JUDGED: Final = 255


class CourseError(ValueError):
    """The course cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Course:
    """Reports as counts of hashed features, one row a window.

    `window_texts` and `window_numbers` place the rows; `labels` are texts x topics (`topic_ids`).
    `learned` reports make a model, the `early` ones of them a trial model; `judged` is the index
    in SETS of the set that a report is judged in, or 255. `space` names the features: counts of
    one space mean nothing in another. `answers` are what the shipped model says to the judged
    sets, reports x topics; `version` is the digest of the file.
    """

    topic_ids: tuple[str, ...]
    counts: sparse.csr_matrix
    kind_weights: F64
    window_texts: I64
    window_numbers: I64
    labels: Labels
    languages: tuple[str, ...]
    groups: I64
    learned: Labels
    early: Labels
    judged: NDArray[np.uint8]
    space: str
    facts: dict[str, Any]
    answers: Mapping[str, Labels]
    version: str = ""

    @property
    def bits(self) -> int:
        """The base-2 logarithm of the number of hashed features."""
        return int(self.counts.shape[1]).bit_length() - 1

    @property
    def recipe(self) -> Recipe:
        """How the shipped model was fitted."""
        return Recipe(**self.facts["recipe"])

    def lessons(self, topics: Sequence[Topic], *, early: bool) -> Lessons:
        """What a model, or a trial model (`early`), learns. None of it is about a topic that the
        course does not know.
        """
        chosen = np.flatnonzero(self.early if early else self.learned)
        n_texts = len(self.languages)
        by_text = sparse.csr_matrix(
            (np.ones(len(self.window_texts), np.float32), (self.window_texts, self._windows())),
            shape=(n_texts, len(self.window_texts)),
        )
        labels = self.truth(topics)[chosen]
        return Lessons(
            (by_text @ self.counts)[chosen].tocsr(),
            self.kind_weights,
            labels,
            np.ones_like(labels),
            np.ones(len(chosen)),
            tuple(f"course-{group:07}" for group in self.groups[chosen]),
            np.array([self.languages[row] == HOME_LANGUAGE for row in chosen], dtype=np.bool_),
        )

    def truth(self, topics: Sequence[Topic]) -> Labels:
        """Texts x topics: what each report is about."""
        truth = np.zeros((len(self.languages), len(topics)), dtype=np.bool_)
        for column, topic in enumerate(topics):
            if topic.id in self.topic_ids:
                truth[:, column] = self.labels[:, self.topic_ids.index(topic.id)]
        return truth

    def judged_rows(self, name: str) -> I64:
        """The reports of a judged set."""
        return np.flatnonzero(self.judged == SETS.index(name))

    def features_of(self, texts: I64) -> Features:
        """The features of some reports, numbered anew from 0, as a scorer reads them."""
        order = {int(text): number for number, text in enumerate(texts)}
        windows = np.flatnonzero(np.isin(self.window_texts, texts))
        part = self.counts[windows].tocoo()
        times = part.data.astype(np.int64)
        rows, columns = np.repeat(part.row, times), np.repeat(part.col, times)
        nothing = np.zeros(len(rows), dtype=np.int64)
        return Features(
            rows.astype(np.int64),
            columns.astype(np.int64),
            nothing,
            nothing,
            nothing.astype(np.uint8),
            ((0, len(rows)),),
            np.array([order[int(text)] for text in self.window_texts[windows]], dtype=np.int64),
            self.window_numbers[windows],
            tokens.split([]),
        )

    def _windows(self) -> I64:
        return np.arange(len(self.window_texts))


def build(directory: Path, recipe: Recipe) -> Course:
    """The course from a directory of labelled files, without answers.

    Raises:
        ExampleError: the directory cannot be read.
    """
    known = examples.read_directory(directory)
    unlabelled = directory / examples.UNLABELLED_FILE
    natural = examples.read_labelled_since(unlabelled, examples.NATURAL_LABELS)
    since = {example.id for example in examples.read_labelled_since(unlabelled)}
    reports = known + natural + examples.read_feed_items(directory)
    learned = np.arange(len(reports)) < len(known)
    judged = np.full(len(reports), _NOT_JUDGED, dtype=np.uint8)
    for row, report in enumerate(known):
        if report.date >= SPLIT and report.id not in since:
            judged[row] = SETS.index(ENGLISH if report.language == HOME_LANGUAGE else OTHERS)
    judged[len(known) :] = SETS.index(NATURAL)
    judged[len(known) + len(natural) :] = SETS.index(FEED)
    early = learned & np.array([report.date < SPLIT for report in reports])
    facts = train.facts_of(known, recipe)
    return _course(
        reports, bits=recipe.bits, learned=learned, early=early, judged=judged, facts=facts
    )


def save(course: Course, path: Path) -> None:
    """Write the course. Equal courses give equal bytes."""
    counts = course.counts.tocsr()
    counts.sort_indices()
    languages = sorted(set(course.languages))
    meta = {
        "topics": course.topic_ids,
        "space": course.space,
        "facts": course.facts,
        "languages": languages,
        "features": int(counts.shape[1]),
    }
    codes = {code: number for number, code in enumerate(languages)}
    gaps = _gaps(counts)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        meta=np.frombuffer(json.dumps(meta, sort_keys=True).encode(), dtype=np.uint8),
        # Bytes of one weight stand together, and gaps are small: a third less on disk.
        gaps=np.stack([(gaps >> shift & 255).astype(np.uint8) for shift in (0, 8, 16)]),
        times=counts.data.clip(max=255).astype(np.uint8),
        lengths=np.diff(counts.indptr).astype(np.uint16),
        kind_weights=course.kind_weights.astype(np.float16),
        window_texts=course.window_texts.astype(np.int32),
        window_numbers=course.window_numbers.astype(np.int32),
        labels=np.packbits(course.labels, axis=1),
        languages=np.array([codes[code] for code in course.languages], dtype=np.uint8),
        groups=course.groups.astype(np.int32),
        learned=course.learned,
        early=course.early,
        judged=course.judged,
        answers_english=course.answers[ENGLISH],
        answers_other_languages=course.answers[OTHERS],
        answers_natural=course.answers[NATURAL],
        answers_feed_items=course.answers[FEED],
    )


def load(path: Path = SHIPPED) -> Course:
    """Read a course.

    Raises:
        CourseError: it is missing or broken, or made for other features than these.
    """
    try:
        content = path.read_bytes()
        with np.load(path, allow_pickle=False) as arrays:
            course = _read(dict(arrays), hashlib.sha256(content).hexdigest()[:12])
    except (OSError, ValueError, KeyError, TypeError, EOFError) as err:
        raise CourseError(f"{path}: not a course: {err}") from err
    if course.space != feature_space(course.bits):
        raise CourseError(f"{path}: made for other features; train the shipped model anew")
    return course


def _course(
    reports: Sequence[Example],
    *,
    bits: int,
    learned: Labels,
    early: Labels,
    judged: NDArray[np.uint8],
    facts: dict[str, Any],
) -> Course:
    found = features.extract([report.text for report in reports], bits)
    ones = np.ones(len(found.rows), dtype=np.float32)
    shape = (len(found.row_texts), 1 << bits)
    kind_weights = np.zeros(1 << bits)
    weights = np.array(list(features.KIND_WEIGHTS.values()))
    # Only of what is learned: a feature that was never learned weighs nothing.
    known = learned[found.row_texts[found.rows]]
    np.maximum.at(kind_weights, found.columns[known], weights[found.kinds[known]])
    # In the order of their names, so that folds fall as they fall on the texts.
    numbers = {group: n for n, group in enumerate(sorted({r.group for r in reports}))}
    ids = tuple(topic.id for topic in TOPICS)
    return Course(
        ids,
        sparse.csr_matrix((ones, (found.rows, found.columns)), shape=shape),
        kind_weights,
        found.row_texts,
        found.row_windows,
        np.array([[name in report.topics for name in ids] for report in reports], dtype=np.bool_),
        tuple(report.language for report in reports),
        np.array([numbers[report.group] for report in reports], dtype=np.int64),
        learned,
        early,
        judged,
        feature_space(bits),
        facts,
        {
            name: np.zeros((int((judged == n).sum()), len(ids)), np.bool_)
            for n, name in enumerate(SETS)
        },
    )


def _gaps(counts: sparse.csr_matrix) -> I64:
    """Each column less the one before it in its row."""
    columns = counts.indices.astype(np.int64)
    gaps = np.diff(columns, prepend=0)
    starts = counts.indptr[:-1][np.diff(counts.indptr) > 0]
    gaps[starts] = columns[starts]
    return np.asarray(gaps, dtype=np.int64)


def _columns(gaps: I64, lengths: I64) -> I64:
    """The columns again: a running sum in each row."""
    running = np.concatenate([[0], np.cumsum(gaps)])
    starts = np.cumsum(lengths) - lengths
    return np.asarray(running[1:] - np.repeat(running[starts], lengths), dtype=np.int64)


def _read(arrays: dict[str, NDArray[Any]], version: str) -> Course:
    meta = json.loads(arrays["meta"].tobytes())
    low, middle, high = arrays["gaps"].astype(np.int64)
    lengths = arrays["lengths"].astype(np.int64)
    columns = _columns(low | middle << 8 | high << 16, lengths)
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    ids = tuple(meta["topics"])
    return Course(
        ids,
        sparse.csr_matrix(
            (arrays["times"].astype(np.float32), columns, bounds),
            shape=(len(lengths), meta["features"]),
        ),
        arrays["kind_weights"].astype(np.float64).round(3),
        arrays["window_texts"].astype(np.int64),
        arrays["window_numbers"].astype(np.int64),
        np.unpackbits(arrays["labels"], axis=1, count=len(ids)).astype(np.bool_),
        tuple(meta["languages"][code] for code in arrays["languages"]),
        arrays["groups"].astype(np.int64),
        arrays["learned"].astype(np.bool_),
        arrays["early"].astype(np.bool_),
        arrays["judged"],
        meta["space"],
        meta["facts"],
        {name: arrays[f"answers_{name}"].astype(np.bool_) for name in SETS},
        version,
    )
