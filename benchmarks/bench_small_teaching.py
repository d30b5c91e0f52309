"""What little teaching does to the pinned evaluation: one label, one topic of a newsroom's own, two
verdicts, and all of them. Every text here is invented.

    python -m benchmarks.bench_small_teaching [NAME ...]

Each is a training of its own (half a minute of a core); the figures are those of the line, with the
slow reader. Of the own topic it says how many of 30 fresh reports ring, told in words that none of
its examples has, and how many of 30 look-alikes do.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Sequence
from pathlib import Path

from classifiers import course, promotion, reader, teaching
from classifiers.model import TopicModel
from classifiers.own_labels import LABEL_WEIGHT
from classifiers.own_topics import EXAMPLE_WEIGHT
from classifiers.second_opinions import SecondReading
from classifiers.teaching import Taught
from classifiers.topics import TOPIC_IDS, TOPICS, Topic
from streams.newsroom_training import missed_floors

BORDER = Topic("border", "Border closure", "A border crossing is closed, restricted or reopened.")
LANDS = "Arvania Belmark Corduria Dastria Elvania Fornia Gelland Hestria".split()
POSTS = "Mirna Tolva Sanko Breg Ulmen Varda Zelin Osto".split()
WHY = ["over a strike of customs men", "after a flood", "for repairs", "to stop smugglers"]
EXAMPLES = (
    "{one} closes its border crossing with {other} at {post} {why}",
    "Lorries queue for miles as {one} shuts the {post} checkpoint to {other} {why}",
    "{one} reopens frontier post {post} to traffic from {other}, closed {why}",
    "{one} limits crossings into {other} at {post} to pedestrians {why}",
    "Passengers turned back at {post}: {one} seals its border with {other} {why}",
    "Border guards at {post} suspended entry from {other} on Monday, {one} said",
    "All vehicles stopped at {post} border gate as {one} halts traffic to {other} {why}",
    "{one} to keep its frontier with {other} shut until Friday {why}",
    "{post} crossing open again: cars from {other} drive into {one} for the first time in a month",
    "Hauliers stranded after {one} blocks border traffic from {other} at {post} {why}",
    "Rail crossing between {one} and {other} at {post} is suspended {why}",
    "{one} orders closure of three border checkpoints on the road to {other} {why}",
)
FRESH = (
    "{other} says {one} has blocked all vehicles at the {post} border gate {why}",
    "Border between {one} and {other} open again: first cars roll through {post}",
    "No way through at {post}: crossing from {one} to {other} suspended until Monday {why}",
)
ALIKE = (
    "Border collie from {one} wins the county show in {post}",
    "{one} and {other} talk of their common border in a school play at {post}",
    "A novel of the frontier: how {one} and {other} read the poet of {post}",
)
LABELS = (
    ("Blast at the {post} plant in {one} kills two workers, a valve had failed", "accident", "en"),
    ("Terremoto in {one}: crolli a {post}, decine di feriti", "natural_disaster", "it"),
    ("У {post} затримали трьох підозрюваних у крадіжці, поліція {one}", "arrest", "uk"),
)
BELL = (
    "{one}'s bombardment of the king side kills {other}'s hopes at the {post} chess open, game {n}"
)


def told(patterns: Sequence[str], n: int, seed: str) -> list[str]:
    """Reports that differ, a pattern after the other."""
    chance, found = random.Random(seed), list[str]()
    while len(found) < n:
        one, other = chance.sample(LANDS, 2)
        text = patterns[len(found) % len(patterns)].format(
            one=one, other=other, post=chance.choice(POSTS), why=chance.choice(WHY), n=len(found)
        )
        if text not in found:
            found.append(text)
    return found


def label(number: int) -> Taught:
    """A report that a newsroom labelled itself."""
    pattern, topic, language = LABELS[number]
    (text,) = told([pattern], 1, f"label {number}")
    falls = frozenset(TOPIC_IDS) - {topic}
    return Taught(text, frozenset({topic}), falls, language, f"label-{number}", LABEL_WEIGHT)


def border() -> list[Taught]:
    """36 examples of a topic of one's own, and 6 of what only looks so."""
    about = [
        Taught(text, frozenset({"border"}), frozenset(), "en", f"b{n}", EXAMPLE_WEIGHT)
        for n, text in enumerate(told(EXAMPLES, 36, "examples"))
    ]
    return about + [
        Taught(text, frozenset(), frozenset({"border"}), "en", f"l{n}", EXAMPLE_WEIGHT)
        for n, text in enumerate(told(ALIKE, 6, "counterexamples"))
    ]


def verdicts() -> list[Taught]:
    """Two false bells."""
    return [
        Taught(text, frozenset(), frozenset({"bombardment"}), "en", f"v{n}")
        for n, text in enumerate(told([BELL], 2, "verdicts"))
    ]


TEACHINGS = {
    "English label": [label(0)],
    "Italian label": [label(1)],
    "Ukrainian label": [label(2)],
    "own topic": border(),
    "two verdicts": verdicts(),
    "all of these": [label(0), label(1), label(2), *border(), *verdicts()],
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(TEACHINGS)}; all of them")
    names = parser.parse_args().names or list(TEACHINGS)
    lessons, slow = course.load(Path(course.SHIPPED)), reader.shipped()
    second = SecondReading(slow.version) if slow else None
    before, shipped = teaching.judge(lessons, lessons.said, "", second)
    for name in names:
        taught = TEACHINGS[name]
        own = any(BORDER.id in each.holds for each in taught)
        topics = (*TOPICS, BORDER) if own else TOPICS
        started = time.process_time()
        candidate = teaching.retrain(lessons, taught, topics, second=second)
        seconds = time.process_time() - started
        changes = promotion.compare(lessons, before, candidate.answers)
        moved = ", ".join(f"{change.after - change.before:+.4f}" for change in changes)
        missed = missed_floors(candidate.judged).keys() - missed_floors(shipped).keys()
        refused = promotion.refusals(changes) or missed
        turned = sum(int((before[key] != candidate.answers[key]).sum()) for key in before)
        end = "refused" if refused else "promoted"
        print(f"{name}: {moved}; {turned} answers turned; {end}; {seconds:.0f} CPU s", flush=True)
        if own:
            model = TopicModel(candidate.trained, slow=slow)
            fresh, alike = (
                sum(BORDER.id in model.choose(row) for row in model.predict(told(*each)))
                for each in ((FRESH, 30, "fresh"), (ALIKE, 30, "alike"))
            )
            print(f"  rings for {fresh} of 30 fresh reports, {alike} of 30 that look so")


if __name__ == "__main__":
    main()
