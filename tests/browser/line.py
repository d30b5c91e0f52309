"""A whole line of real processes for the browser tests: broker, Redis, sources, worker, page.

The sample that ships is played through it, with a hostile article, a broken record, a feed
that cannot be reached and a webhook that refuses, so that every view has something to show.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from kafka import KafkaProducer
from redis import Redis

from connectors.records import Article, encode
from streams.embedded import EmbeddedBroker, EmbeddedRedis, free_port
from streams.kafka_topics import ARTICLES, PRODUCER_PARTITIONS
from streams.keys import Keys
from streams.settings import STARTER
from streams.source_status import SourceStatus, encode_source_status
from tests.lanes import wait_until

HOSTILE_TITLE = '<img src=x onerror="document.title=1"> Car bomb kills 11 at market in Oaxaca'
HOSTILE_PUBLISHER = '<script>document.title="script"</script>'
_CONFIG = """
state_dir = "state"
[newsroom]
languages = ["en", "de", "fr", "it", "es", "uk", "ru"]
time_zone = "Europe/Berlin"
[page]
port = {port}
incident_to = {{ sink = "terminal" }}
incident_after_s = 1
[[sources]]
id = "sample"
type = "files"
path = "{sample}"
restamp = true
per_second = 20
[[sources]]
id = "northmoor"
type = "feed"
url = "http://127.0.0.1:9/feed.xml"
interval_s = 10
allow_private = true
[sinks.terminal]
type = "console"
[sinks.planning]
type = "webhook"
url = "http://127.0.0.1:9/hook"
allow_private = true
secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
[[subscriptions]]
id = "everything"
deliver = [{{ sink = "terminal" }}]
[[subscriptions]]
id = "plan"
min_priority = "urgent"
deliver = [{{ sink = "planning" }}]
"""


class BrowserLine:
    """The line. `start` brings it up; processes may be killed and started by role."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.broker = EmbeddedBroker()
        self.redis = EmbeddedRedis(folder / "redis")
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Start everything and wait until the page has seen the line at work."""
        config = _CONFIG.format(port=self.port, sample=STARTER.parent / "sample")
        (self.folder / "wirebell.toml").write_text(config, encoding="utf-8")
        self.broker.start()
        self.redis.start()
        self._have_northmoor_fail_for_an_hour()
        for role in ("page", "worker", "sources"):
            self.start_process(role)
        self._publish_as_a_stranger()
        wait_until(self._at_work, 60, f"the line at work; logs are in {self.folder}")

    def start_process(self, role: str) -> None:
        """Start `wirebell ROLE`; its output goes to a file beside the configuration."""
        with (self.folder / f"{role}.log").open("ab") as log:
            self.processes[role] = subprocess.Popen(
                [sys.executable, "-m", "streams", role],
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of `wirebell` on this line to its end."""
        return subprocess.run(
            [sys.executable, "-m", "streams", *arguments],
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def kill_process(self, role: str) -> None:
        """End a process as a crash would."""
        self.processes[role].kill()
        self.processes[role].wait()

    def stop(self) -> None:
        """End everything."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.broker.stop()
        self.redis.stop()

    def fetch(self, path: str) -> str:
        """The body behind a path of the page; "" while it does not answer with 200."""
        try:
            with urlopen(self.url + path, timeout=5) as answer:
                return str(answer.read().decode())
        except (URLError, OSError):
            return ""

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if "WIREBELL" not in name}
        return {
            **kept,
            "OMP_NUM_THREADS": "1",
            "WIREBELL_CONFIG": str(self.folder / "wirebell.toml"),
            "WIREBELL_KAFKA__BOOTSTRAP_SERVERS": self.broker.bootstrap_servers,
            "WIREBELL_KAFKA__EMBEDDED": "true",
            "WIREBELL_KAFKA__SESSION_TIMEOUT_S": "6",
            "WIREBELL_REDIS__URL": self.redis.url,
        }

    def _have_northmoor_fail_for_an_hour(self) -> None:
        """What an earlier process left: one hiccup is not yet death."""
        since = datetime.now(UTC) - timedelta(hours=1)
        failing = SourceStatus(
            id="northmoor", type="feed", state="unreachable", at=since, counted_since=since,
            error_streak=9, failing_since=since,
        )  # fmt: skip
        with Redis.from_url(self.redis.url) as redis:
            redis.hset(Keys("wirebell").sources, failing.id, encode_source_status(failing))

    def _publish_as_a_stranger(self) -> None:
        """What no source of ours would let through, on the partition kept for replays."""
        wait_until(self._kafka_topics_exist, 30, "Kafka topics")
        producer = KafkaProducer(bootstrap_servers=self.broker.bootstrap_servers)
        try:
            for raw in (b'{"id": "broken', encode(_hostile_article())):
                partition = PRODUCER_PARTITIONS["replay"]
                producer.send(ARTICLES, raw, key=b"stranger", partition=partition)
            producer.flush(10)
        finally:
            producer.close()

    def _kafka_topics_exist(self) -> bool:
        body = self.fetch("api/snapshot")
        return bool(body) and len(json.loads(body)["lag"]) > 0

    def _at_work(self) -> bool:
        body = self.fetch("api/snapshot")
        if not body:
            return False
        snapshot = json.loads(body)
        told = {one["sink"]: one for one in snapshot["destinations"]}
        dead = [one for one in snapshot["sources"] if one["condition"] == "dead"]
        titles = [one["headline"] for one in json.loads(self.fetch("api/stories") or "[]")]
        return (
            "planning" in told
            and bool(told["planning"]["failing_since"])
            and bool(snapshot["dead_letters"])
            and bool(dead)
            and HOSTILE_TITLE in titles
        )


def _hostile_article() -> Article:
    return Article(
        id="hostile",
        source_id="stranger",
        publisher=HOSTILE_PUBLISHER,
        title=HOSTILE_TITLE,
        text="A car bomb exploded at a market in Oaxaca on Monday, killing 11 people and "
        "wounding 40, police said. The bomb had been hidden in a van. <script>alert(1)</script>",
        url="javascript:alert(1)",
        language="en",
        fetched_at=datetime.now(UTC),
        published_at=datetime.now(UTC),
    )
