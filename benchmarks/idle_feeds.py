"""What a poll costs: `wirebell sources` with a thousand feeds that a server on loopback answers.

Each feed has one of 250 addresses of loopback (Linux has them all), for a host is asked at most
once a second. Nine answers in ten are "not modified", the tenth is a feed with one new entry.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from streams.embedded import EmbeddedBroker, EmbeddedRedis
from streams.supervisor import FRUGAL

HOSTS = 250
# How often the feeds are asked here, so that a short run sees many polls, and in real use.
INTERVAL_S, USUAL_INTERVAL_S = 30, 120
WARM_S = 45.0
FEED = """
[[sources]]
id = "feed-{number}"
type = "feed"
publisher = "Paper {number}"
url = "http://127.0.1.{host}:{port}/{number}.xml"
interval_s = {interval}
allow_private = true
"""


@dataclass(frozen=True, slots=True)
class Polling:
    """So many polls by one process, and what they cost it."""

    feeds: int
    polls: int
    seconds: float
    cpu_s: float
    rss_mb: float

    @property
    def usual_core_percent(self) -> float:
        """The share of a core when each feed is asked every two minutes."""
        return 100 * self.cpu_s / self.polls * self.feeds / USUAL_INTERVAL_S


def poll_cost(feeds: int, seconds: float) -> Polling:
    """Poll so many feeds for so long, after a first round that nobody counts."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = stack.enter_context(EmbeddedBroker())
        store = stack.enter_context(EmbeddedRedis(folder / "redis"))
        server = stack.enter_context(_server())
        assert server.stdout is not None
        config = folder / "wirebell.toml"
        config.write_text(_config(feeds, int(server.stdout.readline())), encoding="utf-8")
        environment = {
            **os.environ,
            **FRUGAL,
            "WIREBELL_CONFIG": str(config),
            "WIREBELL_STATE_DIR": str(folder),
            "WIREBELL_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "WIREBELL_KAFKA__PREFIX": f"feeds-{secrets.token_hex(4)}-",
            "WIREBELL_KAFKA__EMBEDDED": "true",
            "WIREBELL_REDIS__URL": store.url,
        }
        return _measure(feeds, seconds, server, environment)


@contextmanager
def _server() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "benchmarks.feed_server", str(HOSTS)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            yield server
        finally:
            server.terminate()


def _measure(
    feeds: int, seconds: float, server: subprocess.Popen[str], environment: dict[str, str]
) -> Polling:
    polling = subprocess.Popen(
        [sys.executable, "-m", "streams", "sources"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        time.sleep(WARM_S)
        process = psutil.Process(polling.pid)
        polls, cpu = _polls(server), process.cpu_times()
        began = time.monotonic()
        time.sleep(seconds)
        passed, after = time.monotonic() - began, process.cpu_times()
        return Polling(
            feeds,
            _polls(server) - polls,
            passed,
            after.user + after.system - cpu.user - cpu.system,
            process.memory_info().rss / 1e6,
        )
    finally:
        polling.terminate()
        try:
            polling.wait(15)
        except subprocess.TimeoutExpired:
            polling.kill()
            polling.wait()


def _config(feeds: int, port: int) -> str:
    tables = [
        FEED.format(number=number, host=number % HOSTS + 1, port=port, interval=INTERVAL_S)
        for number in range(feeds)
    ]
    sink = '[sinks.terminal]\ntype = "console"\n'
    subscription = '[[subscriptions]]\nid = "all"\ndeliver = [{ sink = "terminal" }]\n'
    return "".join([*tables, sink, subscription])


def _polls(server: subprocess.Popen[str]) -> int:
    """How often the server has been asked for a feed."""
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write("\n")
    server.stdin.flush()
    return int(server.stdout.readline())
