"""Promotion: whether one model is no worse than another on the pinned evaluation.

Owns the rule and its words. Both models have answered the same reports, so their difference is
far less noisy than either figure: what both get wrong alike cancels out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifiers import course as courses
from classifiers.course import Course
from classifiers.evaluate import macro_f1
from classifiers.lessons import Labels
from classifiers.topics import TOPICS

#: A loss this small in macro-F1 is let pass even where it is no chance: one report in some 600
#: turned over moves it by 0.002 to 0.005. Larger ones have to be within the noise.
MARGIN: Final = 0.005
#: However noisy, no larger loss than this is let pass.
MOST: Final = 0.015
#: The same of false bells per 1,000 reports without a topic: of some three hundred one more is 3.
BELLS_MARGIN: Final = 7.0
MOST_BELLS: Final = 15.0
RESAMPLES: Final = 500
_LABELS: Final = {
    courses.ENGLISH: "English, rich in rare topics",
    courses.OTHERS: "other languages",
}
_UNSEEN: Final = "natural mix and feed items"

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Change:
    """One figure before and after; `low` to `high` is the 95 % paired bootstrap interval of the
    difference. `worse` says that it fell by more than the rule lets pass.
    """

    figure: str
    before: float
    after: float
    low: float
    high: float
    worse: bool

    def __str__(self) -> str:
        """In words and figures."""
        places = 3 if max(self.before, self.after) <= 1 else 0
        return (
            f"{self.figure} {self.before:.{places}f} -> {self.after:.{places}f} "
            f"(difference {self.low:+.{places}f} to {self.high:+.{places}f})"
        )


def compare(
    course: Course, before: Mapping[str, Labels], after: Mapping[str, Labels]
) -> list[Change]:
    """Macro-F1 on the pinned sets, and false bells on those that no model learns from: one
    model's answers, then another's, each reports x built-in topics.

    Those that no model learns from are taken together: each alone has topics of one or two
    reports, one of which turned over would move macro-F1 by 0.02 to 0.07.
    """
    truth = {name: course.truth(TOPICS)[course.judged_rows(name)] for name in courses.SETS}
    changes = [
        _macro_change(f"macro-F1, {_LABELS[name]}", truth[name], before[name], after[name])
        for name in _LABELS
        if len(truth[name])
    ]
    true, was, now = (
        np.concatenate([answers[name] for name in courses.NEVER_LEARNED])
        for answers in (truth, before, after)
    )
    changes.append(_macro_change(f"macro-F1, {_UNSEEN}", true, was, now))
    quiet = ~true.any(axis=1)
    return [*changes, _bells_change(was[quiet], now[quiet])]


def refusals(changes: Sequence[Change]) -> list[str]:
    """Why the model must not replace the other, one line each; empty where it may."""
    return [str(change) for change in changes if change.worse]


def _macro_change(label: str, truth: Labels, before: Labels, after: Labels) -> Change:
    def difference(rows: Rows) -> float:
        return macro_f1(truth[rows], after[rows]) - macro_f1(truth[rows], before[rows])

    low, high = _interval(len(truth), difference)
    was, now = macro_f1(truth, before), macro_f1(truth, after)
    worse = was - now > MARGIN and (high < 0 or was - now > MOST)
    return Change(label, was, now, low, high, worse)


def _bells_change(before: Labels, after: Labels) -> Change:
    was = np.asarray(1000.0 * before.any(axis=1), dtype=np.float64)
    now = np.asarray(1000.0 * after.any(axis=1), dtype=np.float64)

    def difference(rows: Rows) -> float:
        return float((now[rows] - was[rows]).mean())

    low, high = _interval(len(was), difference)
    rise = float(now.mean() - was.mean())
    worse = rise > BELLS_MARGIN and (low > 0 or rise > MOST_BELLS)
    label = "false bells per 1,000 topic-less reports"
    return Change(label, float(was.mean()), float(now.mean()), low, high, worse)


def _interval(n: int, difference: Callable[[Rows], float]) -> tuple[float, float]:
    """The 95 % interval over resampled reports (always the same resamples)."""
    random = np.random.default_rng(0)
    values = [difference(random.integers(0, n, n)) for _ in range(RESAMPLES)]
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
