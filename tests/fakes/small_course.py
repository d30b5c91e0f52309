"""A part of the shipped course, so small that a test can fit a model on it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from classifiers import course, teaching
from classifiers.course import NEVER_LEARNED, SETS, Course
from classifiers.tokens import I64

EARLY, JUDGED = 900, 150


def small_course() -> Course:
    """A few hundred reports, chosen evenly, with part of each judged set; fitted in two folds.
    The answers are those of a model fitted on it, and no floor is held against it.
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
    base = teaching.retrain(part, [])
    missed = sorted(f"{name}.{figure}" for name, floors in _floors() for figure in floors)
    return replace(part, answers=base.answers, facts={**part.facts, "missed_floors": missed})


def _floors() -> Iterable[tuple[str, dict[str, float]]]:
    path = Path(course.__file__).parent / "data" / "floors.json"
    return json.loads(path.read_text(encoding="utf-8")).items()


def _evenly(rows: I64, count: int) -> I64:
    return rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)]
