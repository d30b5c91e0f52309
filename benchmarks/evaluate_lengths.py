"""How topics are found in long texts: joined reports, whole articles, pages, by ways of pooling.

Run: OMP_NUM_THREADS=1 python -m benchmarks.evaluate_lengths [--data ../shared/data]
Owns the measurement behind the windows of classifiers/scoring.py. The model that is judged learned
only from reports before 2023; the joined articles are made of English reports since, the same
ones each time. What ECB+ clusters and pages are about is told here by cluster.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifiers import examples, scoring, train
from classifiers.examples import Example
from classifiers.model import TopicModel
from classifiers.topics import TOPIC_IDS

SPLIT: Final = "2023"
JOINED: Final = 300
BOILERPLATE: Final = (
    "Subscribe to our newsletter for the stories that matter.",
    "Read more: what to watch this weekend",
    "Follow us on social media and share this article.",
    "© All rights reserved. Cookie policy. Advertise with us.",
)
#: ECB+ topics that tell of incidents, and what of; those that tell of none.
INCIDENTS: Final = {
    "3": "arrest", "8": "bombing", "12": "hostage_taking,arrest", "13": "arson,accident",
    "14": "arson,accident", "16": "arrest,armed_attack,assassination", "18": "arrest,armed_attack",
    "19": "protest", "20": "natural_disaster", "21": "arrest,accident,armed_attack",
    "22": "arrest,armed_attack", "23": "accident", "30": "accident,sabotage",
    "32": "arrest,armed_attack", "33": "arrest,armed_attack", "35": "arrest", "36": "arrest",
    "37": "natural_disaster", "38": "natural_disaster", "41": "bombardment",
    "45": "arrest,armed_attack",
}  # fmt: skip
QUIET: Final = frozenset("1 2 4 5 6 7 9 10 11 25 27 28 29 31 34 39 40 42 43 44".split())
#: The ways compared: the penalty of later windows, and the same after a lead with an incident.
WAYS: Final[Mapping[str, tuple[float, float]]] = {
    "as shipped": (scoring.LATER_WINDOW_PENALTY, scoring.LATER_WINDOW_PENALTY_AFTER_INCIDENT),
    "later windows 0.6 less": (0.6, 0.6),
    "all windows alike": (0.0, 0.0),
    "the lead only": (50.0, 50.0),
}

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Long:
    """A long text: its kind, what its lead tells of and what stands further down."""

    kind: str
    text: str
    lead: frozenset[str] = frozenset()
    later: frozenset[str] = frozenset()


def main() -> None:
    """Measure and print a row a way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    data: Path = parser.parse_args().data
    known = examples.read_directory(data / "topics")
    model = TopicModel(train.fit([e for e in known if e.date < SPLIT], train.Recipe()))
    by_people = examples.read_directory(data / "topics", by_reader=False)
    since = [e for e in by_people if e.date >= SPLIT and e.language == "en" and len(e.text) > 60]
    texts = [*joined(since), *_ecb(data), *_pages(data)]
    print(
        f"{'':<24}joined: lead R, later R, P, F1 | quiet | one incident deep down | ECB+: right, "
        "wrong topics an article, quiet ones flagged | pages flagged"
    )
    for name, (penalty, after_incident) in WAYS.items():
        scoring.LATER_WINDOW_PENALTY = penalty  # type: ignore[misc]
        scoring.LATER_WINDOW_PENALTY_AFTER_INCIDENT = after_incident  # type: ignore[misc]
        print(f"{name:<24}{_row(model, texts)}")


def joined(reports: Sequence[Example]) -> list[Long]:
    """Articles made of reports: of several incidents, of none, and with one deep down."""
    rng = random.Random(4)
    quiet = [e for e in reports if not e.topics]
    loud = [e for e in reports if e.topics]
    made = []
    for _ in range(JOINED):
        lead = rng.choice(loud)
        apart = [e for e in loud if not e.topics & lead.topics]
        others = rng.sample(apart, rng.choice((1, 2)))
        body = [e.text for e in (*others, *rng.sample(quiet, rng.choice((2, 4, 6))))]
        rng.shuffle(body)
        later = frozenset[str]().union(*(e.topics for e in others))
        made.append(Long("several", _article([lead.text, *body], rng), lead.topics, later))
        calm = [e.text for e in rng.sample(quiet, rng.choice((6, 9, 12)))]
        made.append(Long("quiet", _article(calm, rng)))
        deep = [e.text for e in rng.sample(quiet, 6)]
        deep.insert(rng.randint(2, 5), rng.choice(loud).text)
        made.append(Long("deep", _article(deep, rng)))
    return made


def _article(paragraphs: Sequence[str], rng: random.Random) -> str:
    return "\n\n".join([*paragraphs, rng.choice(BOILERPLATE)])


def _ecb(data: Path) -> list[Long]:
    rows = [row for _, row in examples.read_rows(data / "stories" / "ecbplus.jsonl.gz")]
    loud = [
        Long("event", row["text"], frozenset(INCIDENTS[row["topic"]].split(",")))
        for row in rows
        if row["topic"] in INCIDENTS
    ]
    return loud + [Long("no event", row["text"]) for row in rows if row["topic"] in QUIET]


def _pages(data: Path) -> list[Long]:
    lines = (data / "pages" / "zyte" / "truth.jsonl").read_text(encoding="utf-8").splitlines()
    return [Long("page", json.loads(line)["text"]) for line in lines]


def _row(model: TopicModel, texts: Sequence[Long]) -> str:
    limits = np.array([topic.threshold for topic in model.topics])
    said = model.predict([long.text for long in texts]) >= limits
    lead, later = _flags([t.lead for t in texts]), _flags([t.later for t in texts])
    kinds = np.array([long.kind for long in texts])
    several, event = kinds == "several", kinds == "event"
    true = (lead | later)[several]
    hits = int((said[several] & true).sum())
    flagged = {kind: 100 * said[kinds == kind].any(axis=1).mean() for kind in set(kinds.tolist())}
    wrong = (said & ~lead)[event].sum() / event.sum()
    return (
        f"{(said & lead)[several].sum() / lead[several].sum():.2f} "
        f"{(said & later)[several].sum() / later[several].sum():.2f} "
        f"{hits / said[several].sum():.2f} {2 * hits / (said[several].sum() + true.sum()):.2f} | "
        f"{flagged['quiet']:.1f} % | {flagged['deep']:.1f} % | "
        f"{100 * (said & lead)[event].any(axis=1).mean():.0f} %, {wrong:.2f}, "
        f"{flagged['no event']:.1f} % | {flagged['page']:.1f} %"
    )


def _flags(topics: Sequence[frozenset[str]]) -> Flags:
    return np.array([[name in of for name in TOPIC_IDS] for of in topics], dtype=np.bool_)


if __name__ == "__main__":
    main()
