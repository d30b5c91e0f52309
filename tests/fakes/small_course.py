"""A part of the shipped course, so small that a test can fit a model on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from classifiers import course, teaching
from classifiers.course import NEVER_LEARNED, SETS, Course
from classifiers.examples import Example
from classifiers.tokens import I64

EARLY, JUDGED = 900, 150


def small_course() -> Course:
    """A few hundred reports, chosen evenly, with part of each judged set; fitted in two folds.
    What is said of the judged sets is what a model fitted on it says.
    """
    whole = course.load()
    early = np.flatnonzero(whole.early & whole.labels.any(axis=1))
    quiet = np.flatnonzero(whole.early & ~whole.labels.any(axis=1))
    parts = [_evenly(early, EARLY), _evenly(quiet, EARLY // 3)]
    # What is never learned from whole: of a part one false bell more would be twenty per 1,000.
    parts += [_evenly(whole.judged_rows(name), JUDGED) for name in SETS]
    parts += [whole.judged_rows(name) for name in NEVER_LEARNED]
    rows = np.unique(np.concatenate(parts))
    windows = np.flatnonzero(np.isin(whole.window_texts, rows))
    part = replace(
        whole,
        counts=whole.counts[windows],
        window_texts=np.searchsorted(rows, whole.window_texts[windows]),
        window_numbers=whole.window_numbers[windows],
        labels=whole.labels[rows],
        languages=tuple(whole.languages[row] for row in rows),
        groups=whole.groups[rows],
        learned=whole.learned[rows],
        early=whole.early[rows],
        judged=whole.judged[rows],
        facts={**whole.facts, "recipe": {**whole.facts["recipe"], "folds": 2}},
        version="a small one",
    )
    kept = {name: np.isin(whole.judged_rows(name), rows) for name in SETS}
    heard = {name: h.of_rows(np.flatnonzero(kept[name])) for name, h in whole.heard.items()}
    part = replace(part, heard=heard)
    return replace(part, said=teaching.retrain(part, []).said)


def _evenly(rows: I64, count: int) -> I64:
    return rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)]


def course_of(reports: Sequence[Example]) -> Course:
    """A course of a few reports: those of before the split are early lessons, the others are
    judged; all are learned in the end.
    """
    early = np.array([report.date < course.SPLIT for report in reports])
    return course.arranged(
        reports,
        bits=12,
        learned=np.ones(len(reports), dtype=np.bool_),
        early=early,
        judged=np.where(early, course.NOT_JUDGED, SETS.index(course.ENGLISH)).astype(np.uint8),
        facts={},
    )
