"""The course: the lessons of the shipped model and the pinned evaluation, as hashed features.

It ships, so that a newsroom can fit a model anew and judge it without the texts, which do not
ship. Owns which reports are learned and which are judged, and the file. Does not fit or judge.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
from classifiers.reader import Reader
from classifiers.reader_file import ReaderOutline
from classifiers.second_opinions import Heard, SecondReading, hear
from classifiers.tokens import I64
from classifiers.topics import TOPIC_IDS, TOPICS, Topic
from classifiers.train import Recipe

SHIPPED: Final = Path(__file__).parent / "artifacts" / "course.npz"
#: The split in time: a trial model learns from what is older and is judged on what is younger.
SPLIT: Final = "2023"
#: The judged sets by their names in floors.json. The last two are never learned from.
ENGLISH, OTHERS, NATURAL, FEED = "english", "other_languages", "natural", "feed_items"
SETS: Final = (ENGLISH, OTHERS, NATURAL, FEED)
NEVER_LEARNED: Final = (NATURAL, FEED)
#: The number of no set.
NOT_JUDGED: Final = 255


class CourseError(ValueError):
    """The course cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a fast model says of a judged set: reports x built-in topics probabilities, and the
    thresholds that it would choose at.
    """

    probabilities: NDArray[np.float32]
    thresholds: F64


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
    said: Mapping[str, Said]
    heard: Mapping[str, Heard]
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
        labels = self.truth(topics)[chosen]
        return Lessons(
            self.text_counts(chosen),
            self.kind_weights,
            labels,
            np.ones_like(labels),
            np.ones(len(chosen)),
            tuple(f"course-{group:07}" for group in self.groups[chosen]),
            np.array([self.languages[row] == HOME_LANGUAGE for row in chosen], dtype=np.bool_),
            np.zeros(len(chosen), dtype=np.bool_),
        )

    def text_counts(self, texts: I64) -> sparse.csr_matrix:
        """Some reports as they are learned: a row each, whatever their windows."""
        by_text = sparse.csr_matrix(
            (np.ones(len(self.window_texts), np.float32), (self.window_texts, self._windows())),
            shape=(len(self.languages), len(self.window_texts)),
        )
        return (by_text[texts] @ self.counts).tocsr()

    def judges(self, *, early: bool) -> I64:
        """The reports that a model, or a trial model (`early`), is judged on."""
        by_trial = [SETS.index(name) for name in SETS if name not in NEVER_LEARNED]
        judged = self.judged != NOT_JUDGED
        return np.flatnonzero(judged & (np.isin(self.judged, by_trial) == early))

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

    def read_twice(self, name: str, fast: Said, second: SecondReading | None) -> Said:
        """A fast model's answers to a judged set as a line gives them, which reads twice as said;
        the same where it does not, or this reader's opinions are not known.
        """
        heard, shipped = self.heard.get(name), self.heard.get(NATURAL)
        if second is None or heard is None or shipped is None:
            return fast
        if shipped.outline.version != second.reader:
            return fast
        home = np.array([self.languages[k] == HOME_LANGUAGE for k in self.judged_rows(name)])
        rows = heard.over(fast.probabilities, home, TOPIC_IDS, second.doubt)
        return Said(rows, fast.thresholds)

    def features_of(self, texts: I64) -> Features:
        """The features of some reports, numbered anew from 0, as a scorer reads them."""
        order = {int(text): number for number, text in enumerate(texts)}
        windows = np.flatnonzero(np.isin(self.window_texts, texts))
        part = self.counts[windows].tocoo()
        times = part.data.astype(np.int64)
        rows, columns = np.repeat(part.row, times), np.repeat(part.col, times)
        bounds = rows.searchsorted(np.arange(len(windows) + 1))
        return Features(
            columns.astype(np.int32),
            bounds[None, :].astype(np.int64),
            (),
            np.array([order[int(text)] for text in self.window_texts[windows]], dtype=np.int64),
            self.window_numbers[windows],
            tokens.split([]),
        )

    def _windows(self) -> I64:
        return np.arange(len(self.window_texts))


def build(
    directory: Path, recipe: Recipe, reader: Reader | None = None, earlier: Reader | None = None
) -> Course:
    """The course from a directory of labelled files, without a model's answers. `reader` gives
    its opinion on the sets that nothing learns from, `earlier`, which has learned only what is
    older than SPLIT, on the others; a minute.

    Raises:
        ExampleError: the directory cannot be read.
        ArtifactError: a reader's file is broken.
    """
    known = examples.read_directory(directory)
    unlabelled = directory / examples.UNLABELLED_FILE
    natural = examples.read_labelled_since(unlabelled, examples.NATURAL_LABELS)
    since = {example.id for example in examples.read_labelled_since(unlabelled)}
    reports = known + natural + examples.read_feed_items(directory)
    learned = np.arange(len(reports)) < len(known)
    judged = np.full(len(reports), NOT_JUDGED, dtype=np.uint8)
    for row, report in enumerate(known):
        if report.date >= SPLIT and report.id not in since:
            judged[row] = SETS.index(ENGLISH if report.language == HOME_LANGUAGE else OTHERS)
    judged[len(known) :] = SETS.index(NATURAL)
    judged[len(known) + len(natural) :] = SETS.index(FEED)
    early = learned & np.array([report.date < SPLIT for report in reports])
    facts = train.facts_of(known, recipe)
    heard = {}
    for number, name in enumerate(SETS):
        judge = reader if name in NEVER_LEARNED else earlier
        if judge is not None:
            heard[name] = hear(
                judge, [reports[row].text for row in np.flatnonzero(judged == number)]
            )
    made = arranged(
        reports, bits=recipe.bits, learned=learned, early=early, judged=judged, facts=facts
    )
    return replace(made, heard=heard)


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
        "readers": {name: _outline_row(each.outline) for name, each in course.heard.items()},
    }
    codes = {code: number for number, code in enumerate(languages)}
    gaps = _gaps(counts)
    path.parent.mkdir(parents=True, exist_ok=True)
    of_sets: dict[str, Any] = {}
    for name, said in course.said.items():
        of_sets |= {f"said_{name}": said.probabilities, f"thresholds_{name}": said.thresholds}
    for name, heard in sorted(course.heard.items()):
        of_sets |= {f"opinions_{name}": heard.opinions, f"whole_{name}": heard.whole}
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
        **of_sets,
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


def arranged(
    reports: Sequence[Example],
    *,
    bits: int,
    learned: Labels,
    early: Labels,
    judged: NDArray[np.uint8],
    facts: dict[str, Any],
) -> Course:
    """Reports as a course, in their order; nobody has said anything of those judged yet."""
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
        {},
        {},
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


def _outline_row(outline: ReaderOutline) -> dict[str, Any]:
    blend = outline.blend.astype(float).tolist()
    return {
        "topics": outline.topic_ids,
        "doubt": outline.doubt,
        "blend": blend,
        "version": outline.version,
    }


def _outline(row: Mapping[str, Any]) -> ReaderOutline:
    low, high = (float(limit) for limit in row["doubt"])
    blend = np.array(row["blend"], dtype=np.float32)
    return ReaderOutline(tuple(row["topics"]), (low, high), blend, row["version"])


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
        {
            name: Said(
                arrays[f"said_{name}"].astype(np.float32),
                arrays[f"thresholds_{name}"].astype(np.float64),
            )
            for name in SETS
        },
        {
            name: Heard(
                _outline(row),
                arrays[f"opinions_{name}"].astype(np.float32),
                arrays[f"whole_{name}"].astype(np.bool_),
            )
            for name, row in meta["readers"].items()
        },
        version,
    )
