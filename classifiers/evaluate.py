"""Judging a model: precision, recall, F1, calibration and false bells, with intervals.

Owns the figures. Does not train, and never chooses a threshold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from classifiers.examples import Example
from classifiers.topics import Topic

RESAMPLES: Final = 500
CALIBRATION_BINS: Final = 10

#: Figures of which less is better.
CEILINGS: Final = ("calibration_error", "false_bells_per_1000")

Flags = NDArray[np.bool_]
Interval = tuple[float, float]


class Model(Protocol):
    """What is judged: anything that answers like a `TopicModel`."""

    @property
    def version(self) -> str:
        """Which model it is."""

    @property
    def topics(self) -> tuple[Topic, ...]:
        """Its topics, with their thresholds."""

    def predict(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """n texts to n x topics probabilities."""


@dataclass(frozen=True, slots=True)
class Answered:
    """Answers like a model, with the rows that it gave before."""

    version: str
    topics: tuple[Topic, ...]
    rows: NDArray[np.float32]

    def predict(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `Model`."""
        assert len(texts) == len(self.rows)
        return self.rows


@dataclass(frozen=True, slots=True)
class Score:
    """Precision, recall and F1 of one topic or language; `support` counts true cases."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class LanguageScore:
    """The figures of one language: over all topics, each topic, and its false bells."""

    micro: Score
    topics: dict[str, Score]
    false_bells_per_1000: float
    topicless: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """A model's figures on one set of reports.

    `languages` are macro-F1 by language, `by_language` the rest. `false_bells_per_1000` counts
    reports without a topic that were given one; `calibration_error` is expected, over all topics.
    Intervals are 95 % bootstrap intervals; `intervals` holds those of `micro.f1`,
    `false_bells_per_1000` and each `topics.NAME.f1`.
    """

    model: str
    reports: int
    topics: dict[str, Score]
    languages: dict[str, float]
    by_language: dict[str, LanguageScore]
    macro_f1: float
    macro_f1_interval: tuple[float, float]
    micro: Score
    calibration_error: float
    false_bells_per_1000: float
    topicless: int
    intervals: dict[str, Interval]

    def as_text(self) -> str:
        """A table for the terminal."""
        lines = [f"model {self.model}, {self.reports} reports", ""]
        lines.append(
            f"{'topic':<18}{'precision':>10}{'recall':>8}{'F1':>7}{'F1, 95 %':>16}{'support':>9}"
        )
        for name, score in self.topics.items():
            lines.append(_line(name, score, self.intervals[f"topics.{name}.f1"]))
        lines.append(_line("micro", self.micro, self.intervals["micro.f1"]))
        low, high = self.macro_f1_interval
        lines += ["", f"macro-F1 {self.macro_f1:.3f} (95 %: {low:.3f} to {high:.3f})"]
        lines.append(f"expected calibration error {self.calibration_error:.3f}")
        low, high = self.intervals["false_bells_per_1000"]
        lines.append(
            f"false bells per 1,000 reports without a topic: {self.false_bells_per_1000:.1f} "
            f"(95 %: {low:.1f} to {high:.1f}; of {self.topicless})"
        )
        return "\n".join(lines + self._language_lines())

    def _language_lines(self) -> list[str]:
        """A row a language, and where there are several the topics' F1 in each."""
        lines = [
            "",
            f"{'language':<10}{'macro-F1':>9}{'precision':>11}{'recall':>8}{'micro-F1':>10}"
            f"{'support':>9}{'false bells':>13}{'topic-less':>12}",
        ]
        for code, score in self.by_language.items():
            micro = score.micro
            lines.append(
                f"{code or '?':<10}{self.languages[code]:>9.3f}{micro.precision:>11.3f}"
                f"{micro.recall:>8.3f}{micro.f1:>10.3f}{micro.support:>9}"
                f"{score.false_bells_per_1000:>13.1f}{score.topicless:>12}"
            )
        if len(self.by_language) > 1:
            codes = list(self.by_language)
            lines += ["", f"{'F1 (support)':<18}" + "".join(f"{code or '?':>11}" for code in codes)]
            lines += [
                f"{name:<18}" + "".join(_cell(self.by_language[c].topics[name]) for c in codes)
                for name in self.topics
            ]
        return lines


def below_floors(judged: Judgement, floors: Mapping[str, float]) -> list[str]:
    """The figures that are worse than their floor, each told in a line.

    A floor is named by its path in `as_dict`, as in `topics.sabotage.f1`. Errors and false bells
    must not be above theirs, all others not below.

    Raises:
        KeyError: a floor names a figure that does not exist.
    """
    faults = []
    for name, floor in floors.items():
        value: Any = as_dict(judged)
        for part in name.split("."):
            value = value[part]
        worse = value > floor if name in CEILINGS else value < floor
        if worse:
            faults.append(f"{name} is {value:.4f}, pinned at {floor}")
    return faults


def as_dict(judged: Judgement) -> dict[str, Any]:
    """The judgement as plain values, for JSON."""
    return asdict(judged)


def judge(model: Model, examples: Sequence[Example]) -> Judgement:
    """Run a model over labelled reports and count."""
    ids = [topic.id for topic in model.topics]
    truth = np.zeros((len(examples), len(ids)), dtype=np.bool_)
    for row, example in enumerate(examples):
        truth[row] = [name in example.topics for name in ids]
    probabilities = model.predict([example.text for example in examples])
    limits = np.array([topic.threshold for topic in model.topics])
    said = probabilities >= limits
    codes = np.array([example.language for example in examples], dtype=object)
    rows_of = {str(code): codes == code for code in sorted(set(codes.tolist()))}
    intervals = _intervals(truth, said, ids)
    bells, topicless = false_bells(truth, said)
    return Judgement(
        model=model.version,
        reports=len(examples),
        topics=_by_topic(truth, said, ids),
        languages={code: macro_f1(truth[rows], said[rows]) for code, rows in rows_of.items()},
        by_language={
            code: LanguageScore(
                _score(truth[rows].ravel(), said[rows].ravel()),
                _by_topic(truth[rows], said[rows], ids),
                *false_bells(truth[rows], said[rows]),
            )
            for code, rows in rows_of.items()
        },
        macro_f1=macro_f1(truth, said),
        macro_f1_interval=intervals.pop("macro_f1"),
        micro=_score(truth.ravel(), said.ravel()),
        calibration_error=calibration_error(truth, probabilities),
        false_bells_per_1000=bells,
        topicless=topicless,
        intervals=intervals,
    )


def false_bells(truth: Flags, said: Flags) -> tuple[float, int]:
    """Of 1,000 reports without a topic, how many were given one; and how many were judged."""
    quiet = ~truth.any(axis=1)
    count = int(quiet.sum())
    return 1000 * float(said[quiet].any(axis=1).mean()) if count else 0.0, count


def macro_f1(truth: Flags, said: Flags) -> float:
    """The mean F1 of the topics that occur in the truth; 0 if none does."""
    hits = (truth & said).sum(axis=0)
    both = truth.sum(axis=0) + said.sum(axis=0)
    present = truth.sum(axis=0) > 0
    return float((2 * hits[present] / both[present]).mean()) if present.any() else 0.0


def calibration_error(truth: Flags, probabilities: NDArray[np.float32]) -> float:
    """Expected calibration error over all topics, in equally wide bins."""
    flat, right = probabilities.ravel(), truth.ravel()
    bins = np.minimum((flat * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    counts = np.bincount(bins, minlength=CALIBRATION_BINS)
    gaps = np.abs(
        np.bincount(bins, flat, CALIBRATION_BINS) - np.bincount(bins, right, CALIBRATION_BINS)
    )
    return float(gaps.sum() / max(int(counts.sum()), 1))


def _score(truth: Flags, said: Flags) -> Score:
    hits, told, true = int((truth & said).sum()), int(said.sum()), int(truth.sum())
    return Score(
        hits / told if told else 0.0,
        hits / true if true else 0.0,
        2 * hits / (told + true) if told + true else 0.0,
        true,
    )


def _by_topic(truth: Flags, said: Flags, ids: Sequence[str]) -> dict[str, Score]:
    return {name: _score(truth[:, column], said[:, column]) for column, name in enumerate(ids)}


def _intervals(truth: Flags, said: Flags, ids: Sequence[str]) -> dict[str, Interval]:
    """The 95 % intervals over resampled reports (always the same resamples)."""
    names = ["macro_f1", "micro.f1", "false_bells_per_1000", *(f"topics.{t}.f1" for t in ids)]
    if not len(truth):
        return dict.fromkeys(names, (0.0, 0.0))
    random = np.random.default_rng(0)
    values = []
    for _ in range(RESAMPLES):
        rows = random.integers(0, len(truth), len(truth))
        true, told = truth[rows], said[rows]
        hits, both = (true & told).sum(axis=0), true.sum(axis=0) + told.sum(axis=0)
        f1 = 2 * hits / np.maximum(both, 1)
        micro = 2 * hits.sum() / max(int(both.sum()), 1)
        values.append([macro_f1(true, told), micro, false_bells(true, told)[0], *f1])
    low, high = np.percentile(values, [2.5, 97.5], axis=0).tolist()
    return dict(zip(names, zip(low, high, strict=True), strict=True))


def _line(name: str, score: Score, interval: Interval) -> str:
    spread = f"{interval[0]:.3f} to {interval[1]:.3f}"
    return (
        f"{name:<18}{score.precision:>10.3f}{score.recall:>8.3f}{score.f1:>7.3f}"
        f"{spread:>16}{score.support:>9}"
    )


def _cell(score: Score) -> str:
    return f"{f'{score.f1:.2f} ({score.support})':>11}" if score.support else f"{'-':>11}"
