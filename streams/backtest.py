"""A file of articles through the very decisions of the line, in event time; sends nothing.

Owns reading rows and the account of what would have rung. The decisions are those of
screening.py and stories.py, unchanged.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit

from classifiers.model import Evidence, Reading
from connectors.records import Article, ArticleStatus, Story
from streams.correction_labels import Joined
from streams.material import is_breaking
from streams.screening import Model, Screened, screen
from streams.stories import Decision, Stories

BATCH = 256
#: A batch must not span more event time than a newsroom would call "now".
BATCH_SPAN = timedelta(hours=1)
#: Rows without any date keep the file's order, a second apart.
UNDATED_START = datetime(2000, 1, 1, tzinfo=UTC)
MAX_LINE_BYTES = 10_000_000
STATUSES = ("published", "correction", "withdrawn")


class RowError(ValueError):
    """A line that is no article; the message says why."""


@dataclass(frozen=True, slots=True)
class Row:
    """One article of the file: its line number (from 1), its id as the file writes it, and the
    article, dated in any case.
    """

    line: int
    identity: str | int
    article: Article
    at: datetime


@dataclass(slots=True)
class Account:
    """What a backtest came to: counts, and what the summary shows. `joined` is kept only where
    it is a list: it holds the fingerprint of every article.
    """

    decisions: Counter[str] = field(default_factory=Counter)
    alerts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    sizes: Counter[str] = field(default_factory=Counter)
    stories: dict[str, Story] = field(default_factory=dict)
    joined: list[Joined] | None = None
    breaking: int = 0
    broken: int = 0

    def add(self, row: Row, screened: Screened, decision: Decision) -> None:
        """Count one decision. Only what would have rung counts as an alert."""
        kind = output_kind(decision)
        self.decisions[kind] += 1
        if self.joined is not None and decision.story_id and not decision.repeated:
            assert screened.fingerprint is not None
            joined = Joined(
                article_id=row.article.id,
                title=row.article.title,
                language=screened.language[:2].lower(),
                story_id=decision.story_id,
                score=decision.score,
                copy=kind == "duplicate",
                fingerprint=screened.fingerprint,
            )
            self.joined.append(joined)
        if decision.story_id and not decision.repeated:
            self.sizes[decision.story_id] += 1
        if decision.alert and not decision.repeated:
            self.stories[decision.alert.story.id] = decision.alert.story
            day = row.at.date().isoformat()
            self.alerts[day]["all"] += 1
            self.alerts[day]["new"] += decision.kind == "new"
            self.breaking += any(is_breaking(words) for words in decision.alert.story.changes)
            for topic in decision.alert.story.topics:
                self.alerts[day][topic.topic] += 1


class EveryTopic:
    """A topic model that finds every article worth joining: its likeliest topic stands in
    where none is chosen. For judging the joining of stories alone.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self.topics = model.topics

    def read(self, texts: Sequence[str], explain: int = 0) -> Reading:
        """As the model does."""
        return self._model.read(texts, explain)

    def choose(self, probabilities_row: Any, /) -> tuple[str, ...]:
        """The model's choice, else the likeliest topic."""
        likeliest = max(range(len(self.topics)), key=lambda at: float(probabilities_row[at]))
        return self._model.choose(probabilities_row) or (self.topics[likeliest].id,)

    def explain_all(
        self, wanted: Sequence[tuple[str, Sequence[str]]], /
    ) -> list[tuple[Evidence, ...]]:
        """As the model does."""
        return self._model.explain_all(wanted)


def read_rows(path: Path, complain: Callable[[int, str], None]) -> list[Row]:
    """The articles of a JSON lines file (or .gz), in file order.

    `complain` is told line and reason of each row that is none; the rest goes on.

    Raises:
        OSError, EOFError, zlib.error: the file cannot be read, or is a damaged .gz.
    """
    rows: list[Row] = []
    last = UNDATED_START - timedelta(seconds=1)
    with path.open("rb") as raw:
        lines = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
        for line, content in _lines(cast(BinaryIO, lines)):
            if not content.strip():
                continue
            try:
                row = _row(line, content, last)
            except RowError as error:
                complain(line, str(error))
                continue
            last = row.at
            rows.append(row)
    return rows


def batches(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """The rows in event time, equals in file order, cut by number and by span of time."""
    batch: list[Row] = []
    for row in sorted(rows, key=lambda row: (row.at, row.line)):
        if batch and (len(batch) >= BATCH or row.at - batch[0].at > BATCH_SPAN):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


async def decide(
    batch: Sequence[Row], model: Model, stories: Stories
) -> list[tuple[Row, Screened, Decision]]:
    """Screen and assign one batch as a worker would, at the time of its last article."""
    now = batch[-1].at
    screened = screen([row.article for row in batch], model, now)
    decisions = await stories.assign(screened, now)
    return list(zip(batch, screened, decisions, strict=True))


def output_kind(decision: Decision) -> str:
    """The decision as the output names it: a row that repeats an earlier one rings nothing."""
    if decision.repeated:
        return "duplicate"
    return decision.kind


def _lines(lines: BinaryIO) -> Iterator[tuple[int, bytes]]:
    number = 0
    while content := lines.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(content) > MAX_LINE_BYTES:
            while content and not content.endswith(b"\n"):
                content = lines.readline(MAX_LINE_BYTES)
            content = b'"longer than %d bytes"' % MAX_LINE_BYTES
        yield number, content


def _row(line: int, content: bytes, last: datetime) -> Row:
    try:
        raw = json.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise RowError(f"not UTF-8 at byte {error.start}") from error
    except RecursionError as error:
        raise RowError("nested too deeply") from error
    except json.JSONDecodeError as error:
        raise RowError(f"not JSON: {error.msg} at column {error.colno}") from error
    if not isinstance(raw, dict):
        raise RowError(f"an article is an object, this is {_shown(raw)}")
    identity = raw.get("id")
    if isinstance(identity, bool) or not isinstance(identity, str | int) or identity == "":
        raise RowError("id is missing or neither a string nor a whole number")
    title, text = _text(raw, "title"), _text(raw, "text")
    if not title.strip() and not text.strip():
        raise RowError(f"article {identity!r} has neither title nor text")
    at = _date(raw)
    status = raw.get("status", "published")
    if status not in STATUSES:
        raise RowError(f"status is {_shown(status)}, expected one of {', '.join(STATUSES)}")
    moment = at or last + timedelta(seconds=1)
    article = Article(
        id=_sound(str(identity)),
        source_id="backtest",
        publisher=_publisher(raw),
        title=title,
        text=text,
        url=_text(raw, "url"),
        language=_text(raw, "lang")[:2].lower(),
        fetched_at=moment,
        published_at=at,
        status=cast(ArticleStatus, status),
    )
    return Row(line, identity, article, moment)


def _text(raw: dict[str, Any], name: str) -> str:
    value = raw.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RowError(f"{name} is {_shown(value)}, expected text")
    return _sound(value)


def _sound(text: str) -> str:
    """Text that UTF-8 can carry: half a surrogate pair, legal in JSON, becomes a "?"."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _publisher(raw: dict[str, Any]) -> str:
    """Who published it: named, else the host of the URL, else the source."""
    named = _text(raw, "publisher")
    try:
        host = urlsplit(_text(raw, "url")).hostname or ""
    except ValueError:
        host = ""
    return named or host.removeprefix("www.") or _text(raw, "source") or "unknown"


def _date(raw: dict[str, Any]) -> datetime | None:
    value = raw.get("date")
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise RowError(f"date is {_shown(value)}, expected an ISO 8601 date")
    try:
        found = datetime.fromisoformat(value)
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
        found = found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise RowError(f"date {_shown(value)} is not an ISO 8601 date") from error
    if not 1990 <= found.year <= 2200:
        raise RowError(f"date {_shown(value)} is no date of a news article")
    return found


def _shown(value: object) -> str:
    shown = json.dumps(value, ensure_ascii=True)
    return shown if len(shown) <= 60 else shown[:57] + "..."
