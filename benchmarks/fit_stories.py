"""Chooses the shares of a likeness (streams/stories.py) on labelled articles.

    python -m benchmarks.fit_stories --data DIR

DIR is the folder of shared data. Each article of the read days that may choose (not `held_out`,
not `week`), of ECB+ in two orders and of renderings that the tests leave out is held against the
stories before it, as they truly are; a logistic regression learns which it belongs to. Prints the
shares, divided by what a cosine counts. The thresholds are then chosen by playing the same days
through the script (tests/integration/test_story_quality.py). Takes about 40 seconds of processor
time, nearly all of it the slow reader's; each set is told as it is done.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import random
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from classifiers.model import TopicModel
from connectors.records import Article
from streams.backtest import EveryTopic
from streams.screening import Screened, screen
from streams.stories import AFTERMATH, MAX_INDEXED

LABELS = Path(__file__).parent / "story_labels.json"
CHOOSING = ("tuned", "chosen", "three")
NAMES = ("mean", "nearest", "elsewhere", "kind", "translated", "apart", "size", "shared", "days")
#: Weight of a pair: a read day is what a newsroom sees; ECB+ and renderings have many pairs.
WEIGHTS = {"day": 1.0, "ecb": 0.25, "renderings": 0.5}
#: Stories less like an article than this are no rivals; so many are looked at.
LEAST, RIVALS = 0.12, 4
DAY_S = 86_400.0


@dataclass(slots=True)
class _Story:
    members: list[int] = field(default_factory=list)
    countries: set[str] = field(default_factory=set)
    last: float = 0.0


@dataclass(frozen=True, slots=True)
class Told:
    """An article with the story it belongs to, and when it was told (seconds)."""

    screened: Screened
    story: str
    at: float


def examples(told: Sequence[Told]) -> Iterator[tuple[list[float], bool]]:
    """What speaks for and against each rival story of each article, and whether it is the one."""
    postings: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    stories: defaultdict[str, _Story] = defaultdict(_Story)
    for at, one in enumerate(told):
        assert one.screened.fingerprint is not None
        terms = one.screened.fingerprint.terms
        sums: defaultdict[int, float] = defaultdict(float)
        shared: defaultdict[int, int] = defaultdict(int)
        for term, weight in terms:
            for other, theirs in postings[term]:
                sums[other] += weight * theirs / 255**2
                shared[other] += 1
        rivals = {told[other].story for other, cosine in sums.items() if cosine >= LEAST}
        nearest = {name: max(stories[name].members, key=lambda m: sums[m]) for name in rivals}
        for name in sorted(rivals, key=lambda name: (-sums[nearest[name]], name))[:RIVALS]:
            other = nearest[name]
            likeness = _likeness(one, told[other], stories[name], sums)
            yield [*likeness, shared[other], _days(one, stories[name])], name == one.story
        for term, weight in terms[:MAX_INDEXED]:
            postings[term].append((at, weight))
        story = stories[one.story]
        story.members.append(at)
        story.countries |= _countries(one)
        story.last = max(story.last, one.at)


def _likeness(one: Told, other: Told, story: _Story, sums: dict[int, float]) -> list[float]:
    three = sorted((sums[member] for member in story.members), reverse=True)[:3]
    size = len(story.members)
    ours, theirs = _towns(one), _towns(other)
    kinds, other_kinds = _kinds(one), _kinds(other)
    countries = _countries(one)
    return [
        min(three[0], sum(three) / min(3, size)),
        three[0],
        bool(ours and theirs and ours[0] not in theirs and theirs[0] not in ours),
        bool(kinds and other_kinds and not kinds & other_kinds),
        one.screened.language[:2] != other.screened.language[:2],
        bool(countries and story.countries and not countries & story.countries),
        math.log(size),
    ]


def _days(one: Told, story: _Story) -> float:
    return max(0.0, one.at - story.last) / DAY_S


def _towns(one: Told) -> list[tuple[str, str]]:
    facts = one.screened.facts
    assert facts is not None
    return [(place.country, place.name) for place in facts.places if not place.is_country][:4]


def _countries(one: Told) -> set[str]:
    facts = one.screened.facts
    assert facts is not None
    return {place.country for place in facts.places[:3]}


def _kinds(one: Told) -> set[str]:
    facts = one.screened.facts
    assert facts is not None
    return {name for name, _ in facts.topics} - AFTERMATH


def load(data: Path) -> Iterator[tuple[str, list[Told]]]:
    """Each labelled set, in the order it is told, with the name of its weight."""
    model = EveryTopic(TopicModel.load())
    labels = json.loads(LABELS.read_text("utf-8"))
    stream = {row["id"]: row for row in _rows(data / "stream" / "rss-2023-05.jsonl.gz")}
    for part in CHOOSING:
        groups = [*labels[part]["stories"], *([alone] for alone in labels[part]["alone"])]
        of = {row: str(at) for at, group in enumerate(groups) for row in group}
        rows = sorted((stream[row] for row in of), key=lambda row: (row["date"], row["id"]))
        times = [datetime.fromisoformat(row["date"]).timestamp() for row in rows]
        yield "day", _told(model, rows, [of[row["id"]] for row in rows], times)
    rows = _rows(data / "stories" / "ecbplus.jsonl.gz")
    told = _told(model, rows, [row["cluster"] for row in rows])
    # An article is screened once: it says the same in any order.
    for order in (told, random.Random(1).sample(told, len(told))):
        yield "ecb", order
    reports, renderings = _renderings(data / "topics")
    of_both = [row["id"] for row in reports] * 2
    yield "renderings", _told(model, [*reports, *renderings], of_both)


def _told(
    model: EveryTopic,
    rows: Sequence[dict[str, Any]],
    stories: Sequence[str],
    times: Sequence[float] = (),
) -> list[Told]:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    articles = [
        Article(
            id=row["id"], source_id="fit", publisher=row["source"], title=row.get("title", ""),
            text=row["text"], language=row["lang"][:2], fetched_at=start,
        )
        for row in rows
    ]  # fmt: skip
    screened = screen(articles, model, start)
    return [
        Told(one, story, at)
        for one, story, at in zip(screened, stories, times or [0.0] * len(rows), strict=True)
    ]


def _renderings(topics: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """700 English reports and a rendering of each; none of those that the tests play."""
    reports = {row["id"]: row for row in _rows(topics / "train.jsonl")}
    found: dict[str, dict[str, Any]] = {}
    for row in _rows(topics / "train_multilingual.jsonl"):
        of = row["source"].rsplit(" ", 1)[-1]
        if reports.get(of, {}).get("lang") == "en":
            found.setdefault(of, row)
    tested = set(random.Random(5).sample(sorted(found), 700))
    chosen = random.Random(6).sample(sorted(set(found) - tested), 700)
    return [reports[of] for of in chosen], [found[of] for of in chosen]


def _rows(path: Path) -> list[dict[str, Any]]:
    raw = path.read_bytes()
    content = gzip.decompress(raw) if path.suffix == ".gz" else raw
    return [json.loads(line) for line in content.splitlines()]


def fit(
    pairs: NDArray[np.float64], right: NDArray[np.bool_], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Coefficients and intercept; each column is scaled to its spread while it is learned."""
    spread = pairs.std(axis=0) + 1e-9
    learned = LogisticRegression(max_iter=2000).fit(pairs / spread, right, sample_weight=weights)
    return learned.coef_[0] / spread, float(learned.intercept_[0])


def main() -> None:
    """Print the shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    pairs, right, weights = [], [], []
    for kind, told in load(parser.parse_args().data):
        print(f"{kind}: {len(told)} articles, {time.process_time():.0f} s", flush=True)
        for likeness, belongs in examples(told):
            pairs.append(likeness)
            right.append(belongs)
            weights.append(WEIGHTS[kind])
    found, intercept = fit(np.array(pairs, float), np.array(right), np.array(weights))
    cosine = found[0] + found[1]
    print(
        f"{len(pairs)} pairs; a likeness of {-intercept / cosine:.3f} is as likely right as wrong"
    )
    for name, share in zip(NAMES, found / cosine, strict=True):
        print(f"  {name:>10} {share:+.4f}")


if __name__ == "__main__":
    main()
