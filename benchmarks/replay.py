"""Replays a file of articles through the whole line, as real processes, and counts.

`python -m benchmarks.replay FILE.jsonl.gz` starts an embedded broker and Redis, `wirebell
kafka-topics`, `wirebell worker` and `wirebell sources`, waits until every article is decided
and every alert delivered, and prints what came out. With `--bootstrap-servers` it uses that
Kafka instead. With `--check` it ends with exit code 1 where an article was lost or became a dead
letter, and names what.
"""

from __future__ import annotations

import argparse
import gzip
import os
import platform
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from connectors.sources.rows import RowError, decode_json, read_row
from streams.embedded import EmbeddedBroker, EmbeddedRedis
from streams.heartbeat import decode_heartbeat
from streams.keys import Keys

QUIET_S = 3.0
#: Nothing has moved for so long although articles are missing: they are lost.
LOST_S = 120.0
CONFIG = """
[[sources]]
type = "files"
id = "replay"
path = "{path}"
interval_s = 3600
[sinks.terminal]
type = "console"
[[subscriptions]]
id = "all"
catch_up_hours = 400_000
deliver = [{{ sink = "terminal" }}]
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a replay came to. `counts` are the metrics by name and label, summed over all
    processes; `cpu_s` is what the worker used of its core.
    """

    expected: int
    articles: int
    seconds: float
    cpu_s: float
    stories: int
    counts: Mapping[str, float]
    log: str

    @property
    def alerts(self) -> int:
        """Alerts of every kind that rang."""
        return int(self._sum("wirebell_alerts_total"))

    def faults(self) -> list[str]:
        """What must not be, in words: articles lost, dead letters, nothing to replay at all."""
        found = []
        if not self.expected:
            found.append("the file holds no article")
        if self.articles < self.expected:
            found.append(f"{self.expected - self.articles:,} of {self.expected:,} articles lost")
        letters = int(self._sum("wirebell_dead_letters_total"))
        if letters:
            found.append(f"{letters:,} dead letters")
        return found

    def _sum(self, name: str) -> float:
        return sum(value for key, value in self.counts.items() if key.partition("{")[0] == name)

    def summary(self) -> str:
        """A readable table."""
        rows = [
            ("articles", f"{self.articles:,}"),
            ("articles in the file", f"{self.expected:,}"),
            ("seconds", f"{self.seconds:.1f}"),
            ("articles a second, end to end", f"{self.articles / self.seconds:,.0f}"),
            (
                "articles a CPU second of the worker",
                f"{self.articles / max(self.cpu_s, 0.01):,.0f}",
            ),
            ("stories", f"{self.stories:,}"),
            ("alerts", f"{self.alerts:,}"),
            *((name, f"{value:,.0f}") for name, value in sorted(self.counts.items())),
        ]
        return "\n".join(f"{name:<55}{value:>12}" for name, value in rows)


def count_articles(path: Path) -> int:
    """How many different articles a file holds, by their ids; broken rows are not counted."""
    opener = gzip.open if path.suffix == ".gz" else open
    found = set()
    with opener(path, "rb") as stream:
        for line in stream:
            try:
                item = read_row(decode_json(line))
            except RowError:
                continue
            found.add((item.publisher, item.guid or item.url))
    return len(found)


def replay(
    path: Path, folder: Path, bootstrap_servers: str = "", deadline_s: float = 900
) -> Outcome:
    """Run the line over `path`, with its state under `folder`.

    Raises:
        TimeoutError: things still moved at the deadline.
    """
    with ExitStack() as stack:
        store = stack.enter_context(EmbeddedRedis(folder / "redis"))
        servers = bootstrap_servers
        if not servers:
            servers = stack.enter_context(EmbeddedBroker()).bootstrap_servers
        config = folder / "wirebell.toml"
        config.write_text(CONFIG.format(path=path), encoding="utf-8")
        environment = {
            **os.environ,
            "WIREBELL_CONFIG": str(config),
            "WIREBELL_STATE_DIR": str(folder),
            "WIREBELL_KAFKA__BOOTSTRAP_SERVERS": servers,
            "WIREBELL_KAFKA__PREFIX": f"replay-{secrets.token_hex(4)}-",
            "WIREBELL_KAFKA__EMBEDDED": str(not bootstrap_servers).lower(),
            "WIREBELL_KAFKA__SESSION_TIMEOUT_S": "6",
            "WIREBELL_CLASSIFIER__READER": "false",  # its time is measured by bench_classify
            "WIREBELL_REDIS__URL": store.url,
        }
        log = stack.enter_context((folder / "replay.log").open("wb"))
        subprocess.run([*_wirebell("kafka-topics")], env=environment, check=True, stdout=log)
        began = time.monotonic()
        worker = stack.enter_context(_process("worker", environment, folder))
        stack.enter_context(_process("sources", environment, folder))
        client = redis.Redis.from_url(store.url)
        expected = count_articles(path)
        counts, finished = _wait(client, expected, began + deadline_s)
        return Outcome(
            expected=expected,
            articles=int(counts["wirebell_articles_screened_total"]),
            seconds=finished - began,
            cpu_s=cpu_s(worker.pid),
            stories=client.zcard(Keys("wirebell").stories),
            counts=counts,
            log=(folder / "worker.log").read_text(encoding="utf-8", errors="replace"),
        )


def _wait(client: redis.Redis, expected: int, deadline: float) -> tuple[Counter[str], float]:
    """Wait until all is decided and nothing has moved for a while, or nothing moves any more;
    the counts, and when they stopped moving.
    """
    last: Counter[str] = Counter()
    moved = time.monotonic()
    while True:
        counts = _counts(client)
        if counts != last:
            last, moved = counts, time.monotonic()
        else:
            decided = counts["wirebell_articles_screened_total"] >= expected
            if time.monotonic() - moved > (QUIET_S if decided else LOST_S):
                return counts, moved
        if time.monotonic() > deadline:
            raise TimeoutError(f"expected {expected} articles; got {dict(counts)}")
        time.sleep(0.2)


def _counts(client: redis.Redis) -> Counter[str]:
    counts: Counter[str] = Counter()
    for raw in client.hgetall(Keys("wirebell").processes).values():
        beat = decode_heartbeat(raw)
        for sample in beat.samples if beat else ():
            if sample.name.endswith("_total"):
                labels = ",".join(sample.labels[name] for name in sorted(sample.labels))
                counts[sample.name + (f"{{{labels}}}" if labels else "")] += sample.value
    return counts


def _wirebell(command: str) -> list[str]:
    return [sys.executable, "-m", "streams", command]


@contextmanager
def _process(
    command: str, environment: Mapping[str, str], folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / f"{command}.log").open("wb") as log:
        process = subprocess.Popen(
            _wirebell(command), env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def cpu_s(pid: int) -> float:
    """User and system seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Replay the file that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--bootstrap-servers", default="")
    parser.add_argument("--check", action="store_true", help="fail on lost articles, dead letters")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = replay(arguments.file.resolve(), Path(folder), arguments.bootstrap_servers)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores")
    print(outcome.summary())
    faults = outcome.faults()
    if arguments.check and faults:
        sys.exit("; ".join(faults))


if __name__ == "__main__":
    main()
