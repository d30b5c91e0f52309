"""A line for tests of `wirebell sources`: a configuration, its processes, what came of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

from connectors.records import Article, decode_article
from streams.dead_letters import DeadLetter, decode_dead_letter
from streams.heartbeat import Heartbeat, decode_heartbeat
from streams.keys import Keys
from streams.source_status import SourceStatus, decode_source_status
from tests.lanes import Lane, read_kafka_topic, wait_until

ROOT = Path(__file__).parents[2]


class SourceLine:
    """One test's line. Every method blocks."""

    def __init__(self, lane: Lane, redis_url: str, redis_prefix: str, folder: Path) -> None:
        self.lane = lane
        self.folder = folder
        self.inbox = folder / "inbox"
        self.inbox.mkdir()
        self.log = folder / "sources.log"
        self._keys = Keys(redis_prefix)
        self._redis = redis.Redis.from_url(redis_url)
        self._processes: list[subprocess.Popen[bytes]] = []
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("WIREBELL_")}
        self._environment = {
            **inherited,
            **lane.environment(),
            "WIREBELL_CONFIG": str(folder / "wirebell.toml"),
            "WIREBELL_REDIS__URL": redis_url,
            "WIREBELL_REDIS__PREFIX": redis_prefix,
        }

    def configure(self, sources: str) -> None:
        """Write the configuration: `[[sources]]` tables as TOML."""
        (self.folder / "wirebell.toml").write_text(sources, encoding="utf-8")

    def write_rows(self, name: str, rows: Sequence[dict[str, Any]]) -> None:
        """Put a file of JSON lines into the inbox, whole at once."""
        hidden = self.inbox / f".{name}"
        hidden.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        hidden.rename(self.inbox / name)

    def start(self, kill_at: str = "") -> subprocess.Popen[bytes]:
        """Start the process; with `kill_at` (PLACE:COUNT) one that kills itself there."""
        module = ["tests.fakes.killed_sources", kill_at] if kill_at else ["streams", "sources"]
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *module],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stderr=log,
            )
        self._processes.append(process)
        return process

    def articles(self) -> list[Article]:
        """Every article in Kafka, repeats included."""
        records = read_kafka_topic(self.lane, self.lane.prefix + "articles")
        found = [decode_article(record.value) for record in records]
        assert [record.key.decode() for record in records] == [article.id for article in found]
        return found

    def dead_letters(self) -> list[DeadLetter]:
        """Every dead letter in Kafka."""
        records = read_kafka_topic(self.lane, self.lane.prefix + "dead-letters")
        return [decode_dead_letter(record.value) for record in records]

    def status(self, source_id: str) -> SourceStatus | None:
        """What the page would know of a source."""
        raw = self._redis.hget(self._keys.sources, source_id)
        return decode_source_status(raw) if raw else None

    def heartbeats(self) -> list[Heartbeat]:
        """The heartbeats of all processes so far."""
        found = self._redis.hgetall(self._keys.processes).values()
        return [beat for raw in found if (beat := decode_heartbeat(raw)) is not None]

    def cursors(self) -> dict[str, dict[bytes, bytes]]:
        """The cursors by Kafka cluster."""
        names = self._redis.keys(self._keys.cursor("*").replace("{", "[{]").replace("}", "[}]"))
        return {name.decode(): self._redis.hgetall(name) for name in names}

    def wait_for_status(self, source_id: str, articles_total: int, timeout_s: float = 30) -> None:
        """Wait until a process has published so many articles of a source."""

        def there() -> bool:
            status = self.status(source_id)
            return status is not None and status.articles_total >= articles_total

        wait_until(there, timeout_s, f"{articles_total} articles of {source_id}: {self.said()}")

    def said(self) -> str:
        """The end of the processes' log."""
        return self.log.read_text(errors="replace")[-2_000:] if self.log.exists() else ""

    def close(self) -> None:
        """End what this line started."""
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        self._redis.close()


@contextmanager
def open_source_line(
    lane: Lane, redis_url: str, redis_prefix: str, folder: Path
) -> Iterator[SourceLine]:
    """A line that ends its processes."""
    line = SourceLine(lane, redis_url, redis_prefix, folder)
    try:
        yield line
    finally:
        line.close()
