"""A month of heavy days through one line: what the processes and Redis hold after each.

The heaviest day of the real month (of generated articles where it is missing) goes through
`wirebell up` again and again, a file a day, with new words in part and new ids, so that stories
begin and grow every day. Redis' own clock cannot be moved: what it lets go by age is measured by
`benchmarks.bench_stories --month`.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.line_articles import MONTH, Wire, days_of_month
from connectors.records import Article, article_id

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Day:
    """Resident memory (MB) of processes by name, and Redis', after so many articles."""

    articles: int
    memory_mb: dict[str, float]


def heavy_day() -> list[Article]:
    """The articles of the day with the most of them."""
    if not MONTH.exists():
        return list(Wire(11).articles(2_000))
    days: dict[str, list[Article]] = defaultdict(list)
    for day, article in days_of_month():
        days[day].append(article)
    return max(days.values(), key=len)


def again(day: int, articles: list[Article]) -> Iterator[Article]:
    """The same day as another one: other ids, and each report names the day's own people."""
    for number, article in enumerate(articles):
        yield msgspec.structs.replace(
            article,
            id=article_id("growth", f"{day}-{article.id}"),
            text=f"{article.text} Zq{day}a{number % 50} and Zq{day}b{number % 70} spoke of it.",
        )


def grow(
    days: int,
    publish: Callable[[list[Article]], None],
    wait: Callable[[], None],
    memory: Callable[[], dict[str, float]],
) -> list[Day]:
    """Publish day after day, wait until each is decided, and look at the memory."""
    articles = heavy_day()
    found = []
    for day in range(days):
        publish(list(again(day, articles)))
        wait()
        found.append(Day((day + 1) * len(articles), memory()))
    return found


def put_day(folder: Path, articles: list[Article]) -> None:
    """One more file of articles, there at once and whole."""
    rows = [
        {"guid": a.id, "title": a.title, "text": a.text, "publisher": a.publisher, "url": a.url}
        for a in articles
    ]
    partial = folder.with_suffix(".partial")
    partial.write_bytes(b"\n".join(msgspec.json.encode(row) for row in rows))
    partial.rename(folder / f"day-{len(list(folder.iterdir())):04}.jsonl")


def resident_mb(pid: int) -> float:
    """Resident memory of a process in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * _PAGE_BYTES / 1e6


def plot(days: list[Day], path: Path) -> None:
    """Memory by articles, a line for each process."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(7, 3.4))
    for name in days[0].memory_mb:
        axis.plot([d.articles for d in days], [d.memory_mb[name] for d in days], label=name)
    axis.set_xlabel("articles")
    axis.set_ylabel("MB")
    axis.set_ylim(bottom=0)
    axis.legend(frameon=False)
    figure.tight_layout()
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
