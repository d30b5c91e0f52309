"""Whether editors' verdicts silence a recurring false bell, how many it takes, and what it costs
on the pinned evaluation. Every text here is invented.

    python -m benchmarks.bench_teaching [--weight 3]

For each series of false bells: a model is fitted after 5 and 20 verdicts ("not
relevant", on reports that the model of that moment rings for), and asked about 30 other reports
of the series; then its figures beside those of the model without verdicts.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Iterator

from classifiers import course, promotion, reader, teaching
from classifiers.model import TopicModel
from classifiers.second_opinions import SecondReading
from classifiers.teaching import VERDICT_WEIGHT, Taught

VERDICTS = (5, 20)
HELD_OUT, MOST = 30, 400
NAMES = "Alder Brandt Castell Dorn Eklund Farrow Galli Hoffer Ivanek Jonsson Kessler Lund".split()
TOWNS = "Aldmouth Birkholm Corvara Drosten Elsby Falkenau Grimsel Hallow Istra Jelna".split()

Maker = Callable[[random.Random], str]


def chess(chance: random.Random) -> str:
    one, other = chance.sample(NAMES, 2)
    return (
        f"Chess: {one}'s bombardment of the king side kills {other}'s hopes in "
        f"{chance.choice(TOWNS)}\n\n{one} launched a rocket attack on the king in round "
        f"{chance.randint(1, 11)}, with a bombardment by rooks and a missile of a bishop that "
        f"left {other} with {chance.randint(2, 9)} pawns dead."
    )


def drill(chance: random.Random) -> str:
    town = chance.choice(TOWNS)
    place = chance.choice("hospital port airport school factory library stadium".split())
    return (
        f"Police rehearse bomb attack at {town} {place} in yearly exercise\n\nArmed officers and "
        f"actors took part in a drill at the {place} in {town} in which a mock explosive device "
        f"went off and {chance.randint(5, 60)} volunteers played the injured. Nobody was in "
        "danger, the organisers said."
    )


def film(chance: random.Random) -> str:
    title = chance.choice(["Night Train", "The Bridge", "Harbour", "Last Signal", "Cold Line"])
    return (
        f"Review: saboteurs blow up a railway in {chance.choice(NAMES)}'s '{title}'\n\nIn the new "
        f"thriller a gang of saboteurs derails a train near {chance.choice(TOWNS)} and cuts the "
        f"power cables of a city of {chance.randint(1, 9)} million before they are arrested. "
        f"{chance.randint(2, 5)} stars."
    )


SERIES: dict[str, Maker] = {"chess": chess, "drill": drill, "film": film}


def different(make: Maker, chance: random.Random) -> Iterator[str]:
    """Reports of a series, none twice."""
    seen: set[str] = set()
    for _ in range(MOST):
        text = make(chance)
        if text not in seen:
            seen.add(text)
            yield text


def rings(model: TopicModel, texts: list[str]) -> int:
    """For how many the model rings."""
    return sum(bool(model.choose(row)) for row in model.predict(texts))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weight", type=float, default=VERDICT_WEIGHT)
    options = parser.parse_args()
    for name, make in SERIES.items():
        texts = different(make, random.Random(name))
        held_out = [next(texts) for _ in range(HELD_OUT)]
        follow(name, texts, held_out, options.weight)


def follow(name: str, texts: Iterator[str], held_out: list[str], weight: float) -> None:
    """Teach one series, verdict by verdict."""
    lessons = course.load()
    model, slow = TopicModel.load(), reader.shipped()
    second = SecondReading(slow.version) if slow else None
    before, _ = teaching.judge(lessons, lessons.said, "", second)
    print(f"{name}: rings for {rings(model, held_out)} of {HELD_OUT}")
    taught: list[Taught] = []
    for wanted in VERDICTS:
        for text in texts:
            if len(taught) >= wanted:
                break
            if chosen := model.choose(model.predict([text])[0]):
                group = f"{name}-{len(taught)}"
                taught.append(Taught(text, frozenset(), frozenset(chosen), "en", group, weight))
        started = time.process_time()
        candidate = teaching.retrain(lessons, taught, second=second)
        seconds = time.process_time() - started
        model = TopicModel(candidate.trained, slow=slow)
        changes = promotion.compare(lessons, before, candidate.answers)
        moved = ", ".join(f"{change.after - change.before:+.4f}" for change in changes)
        refused = promotion.refusals(changes)
        print(
            f"  {len(taught):>2} verdicts: rings for {rings(model, held_out)}; "
            f"figures {moved}; {'refused' if refused else 'promoted'}; {seconds:.0f} CPU s",
            flush=True,
        )
        if len(taught) < wanted:
            print("  it rings no more: there is nothing left to judge")
            break


if __name__ == "__main__":
    main()
