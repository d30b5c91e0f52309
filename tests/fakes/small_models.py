"""Topic models so small that a test can train several: two topics, a few invented sentences."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from classifiers import artifact, train
from classifiers.examples import Example
from classifiers.topics import TOPICS
from streams.model_records import ModelRecord

FEW = tuple(topic for topic in TOPICS if topic.id in {"drone_strike", "cyberattack"})
_TOLD = (
    ("drone hits depot number {}", frozenset({"drone_strike"})),
    ("hackers leak files of company {}", frozenset({"cyberattack"})),
    ("council opens library number {}", frozenset[str]()),
)


def make_model(path: Path, name: str) -> str:
    """Train and write a model; another name gives another version."""
    examples = [
        Example(f"{n}-{k}", text.format(n), topics, "en", "2020-01-01", f"{n}")
        for n in range(20)
        for k, (text, topics) in enumerate(_TOLD)
    ]
    trained = train.fit(examples, train.Recipe(bits=12, folds=3), FEW)
    return artifact.save(replace(trained, facts={"name": name}), path)


def make_record(version: str, minute: int = 0, **changes: object) -> ModelRecord:
    """What would be known of it."""
    at = datetime(2026, 3, 1, 8, tzinfo=UTC) + timedelta(minutes=minute)
    given = {"version": version, "trained_at": at, "trained_by": "nadia", **changes}
    return ModelRecord(**given)  # type: ignore[arg-type]
