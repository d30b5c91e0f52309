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
class Score:
    """Precision, recall and F1 of one topic or language; `support` counts true cases."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """A model's figures on one set of reports.

    `macro_f1_interval` is a 95 % bootstrap interval; `false_bells_per_1000` counts reports without
    a topic that were given one; `calibration_error` is expected, over all topics.
    """

    model: str
    reports: int
    topics: dict[str, Score]
    languages: dict[str, float]
    macro_f1: float
    macro_f1_interval: tuple[float, float]
    micro: Score
    calibration_error: float
    false_bells_per_1000: float
    topicless: int

    def as_text(self) -> str:
        """A table for the terminal."""
        lines = [f"model {self.model}, {self.reports} reports", ""]
        lines.append(f"{'topic':<18}{'precision':>10}{'recall':>8}{'F1':>7}{'support':>9}")
        for name, score in [*self.topics.items(), ("micro", self.micro)]:
            lines.append(
                f"{name:<18}{score.precision:>10.3f}{score.recall:>8.3f}"
                f"{score.f1:>7.3f}{score.support:>9}"
            )
        low, high = self.macro_f1_interval
        lines += ["", f"macro-F1 {self.macro_f1:.3f} (95 %: {low:.3f} to {high:.3f})"]
        lines += [f"  {name or '?'}: {f1:.3f}" for name, f1 in self.languages.items()]
        lines.append(f"expected calibration error {self.calibration_error:.3f}")
        lines.append(
            f"false bells per 1,000 reports without a topic: {self.false_bells_per_1000:.1f} "
            f"(of {self.topicless})"
        )
        return "\n".join(lines)


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
    quiet = ~truth.any(axis=1)
    codes = np.array([example.language for example in examples], dtype=object)
    return Judgement(
        model=model.version,
        reports=len(examples),
        topics={name: _score(truth[:, column], said[:, column]) for column, name in enumerate(ids)},
        languages={
            str(code): macro_f1(truth[codes == code], said[codes == code])
            for code in sorted(set(codes.tolist()))
        },
        macro_f1=macro_f1(truth, said),
        macro_f1_interval=_interval(truth, said),
        micro=_score(truth.ravel(), said.ravel()),
        calibration_error=calibration_error(truth, probabilities),
        false_bells_per_1000=1000 * float(said[quiet].any(axis=1).mean()) if quiet.any() else 0.0,
        topicless=int(quiet.sum()),
    )


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


def _interval(truth: Flags, said: Flags) -> tuple[float, float]:
    """The 95 % interval of macro-F1 over resampled reports (always the same resamples)."""
    if not len(truth):
        return 0.0, 0.0
    random = np.random.default_rng(0)
    values = []
    for _ in range(RESAMPLES):
        rows = random.integers(0, len(truth), len(truth))
        values.append(macro_f1(truth[rows], said[rows]))
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
