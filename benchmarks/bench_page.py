"""What the ops page costs while many look on and the line is busy.

`python -m benchmarks.bench_page` starts a whole line of real processes on loopback (embedded
broker and Redis, sources, a worker, the page), plays 500 invented articles of 3 KB a second
through it, opens 100 event streams as browsers do, and measures the page's process alone: its
share of a core (user and system time from /proc) and its memory. Exits with 1 above 10 % or 100 MB.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import msgspec

from benchmarks.line_articles import Wire
from benchmarks.replay import cpu_s
from streams.embedded import EmbeddedBroker, EmbeddedRedis, free_port

LIMIT_SHARE, LIMIT_MB = 0.10, 100.0
# The model is loaded and the first thousand articles are through.
WARM_UP_S = 15.0
START_S = 120.0
_CONFIG = """
[page]
port = {port}
[metrics]
port = 0
[[sources]]
id = "wire"
type = "files"
path = "{path}"
restamp = true
per_second = {per_second}
[sinks.terminal]
type = "console"
[[subscriptions]]
id = "all"
deliver = [{{ sink = "terminal" }}]
"""


@dataclass(frozen=True, slots=True)
class Found:
    """The page's share of a core, its memory, and what went on meanwhile."""

    seconds: float
    share: float
    memory_mb: float
    viewers: int
    events: int
    sent_mb: float
    screened: int
    alerts: int

    def summary(self) -> str:
        """A readable table."""
        rows = (
            ("seconds measured", f"{self.seconds:.0f}"),
            ("viewers", f"{self.viewers}"),
            ("articles a second decided on", f"{self.screened / self.seconds:,.0f}"),
            ("alerts a second", f"{self.alerts / self.seconds:,.1f}"),
            ("messages to viewers a second", f"{self.events / self.seconds:,.0f}"),
            ("MB to viewers a second", f"{self.sent_mb / self.seconds:.2f}"),
            (f"share of a core (limit {LIMIT_SHARE:.0%})", f"{self.share:.1%}"),
            (f"memory in MB (limit {LIMIT_MB:.0f})", f"{self.memory_mb:.0f}"),
        )
        return "\n".join(f"{name:<40}{value:>12}" for name, value in rows)


def measure(folder: Path, viewers: int, per_second: int, seconds: float) -> Found:
    """Run the line under `folder` and measure its page."""
    path = folder / "wire.jsonl"
    _write_articles(path, int(per_second * (seconds + WARM_UP_S + 30)))
    with ExitStack() as stack:
        store = stack.enter_context(EmbeddedRedis(folder / "redis"))
        broker = stack.enter_context(EmbeddedBroker())
        port = free_port()
        config = folder / "wirebell.toml"
        config.write_text(
            _CONFIG.format(port=port, path=path, per_second=per_second), encoding="utf-8"
        )
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "WIREBELL_CONFIG": str(config),
            "WIREBELL_STATE_DIR": str(folder),
            "WIREBELL_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "WIREBELL_KAFKA__EMBEDDED": "true",
            "WIREBELL_KAFKA__SESSION_TIMEOUT_S": "6",
            "WIREBELL_REDIS__URL": store.url,
            "WIREBELL_CLASSIFIER__READER": "false",  # a flood of doubtful articles is another test
        }
        subprocess.run(_wirebell("kafka-topics"), env=environment, check=True, capture_output=True)
        page = stack.enter_context(_process("page", environment, folder))
        stack.enter_context(_process("worker", environment, folder))
        stack.enter_context(_process("sources", environment, folder))
        return asyncio.run(_look_on(f"http://127.0.0.1:{port}", page.pid, viewers, seconds))


async def _look_on(url: str, page_pid: int, viewers: int, seconds: float) -> Found:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await _until_busy(session, url)
        seen = [0, 0]
        watching = [asyncio.create_task(_view(session, url, seen)) for _ in range(viewers)]
        await asyncio.sleep(WARM_UP_S)
        before, counts, began = cpu_s(page_pid), await _counts(session, url), time.monotonic()
        seen[:] = [0, 0]
        await asyncio.sleep(seconds)
        took = time.monotonic() - began
        spent_s, after = cpu_s(page_pid) - before, await _counts(session, url)
        messages, sent = seen
        memory_mb = _peak_mb(page_pid)
        for task in watching:
            task.cancel()
        ended = await asyncio.gather(*watching, return_exceptions=True)
    lost = [one for one in ended if not isinstance(one, asyncio.CancelledError)]
    if lost:
        raise RuntimeError(f"{len(lost)} of {viewers} viewers were cut off: {lost[0]!r}")
    return Found(
        seconds=took,
        share=spent_s / took,
        memory_mb=memory_mb,
        viewers=viewers,
        events=messages,
        sent_mb=sent / 1e6,
        screened=after["screened"] - counts["screened"],
        alerts=after["alerts"] - counts["alerts"],
    )


async def _view(session: aiohttp.ClientSession, url: str, seen: list[int]) -> None:
    """Look on as a browser does, without end."""
    timeout = aiohttp.ClientTimeout(total=None, sock_read=30)
    async with session.get(f"{url}/events", timeout=timeout) as answer:
        answer.raise_for_status()
        async for chunk in answer.content.iter_any():
            seen[0] += chunk.count(b"event: ")
            seen[1] += len(chunk)
    raise ConnectionError("the page closed the stream")


async def _until_busy(session: aiohttp.ClientSession, url: str) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            if (await _counts(session, url))["screened"] > 0:
                return
        except (aiohttp.ClientError, OSError, msgspec.DecodeError):
            pass
        await asyncio.sleep(0.25)
    raise TimeoutError("the line did not come up")


async def _counts(session: aiohttp.ClientSession, url: str) -> dict[str, int]:
    async with session.get(f"{url}/api/snapshot") as answer:
        answer.raise_for_status()
        snapshot = msgspec.json.decode(await answer.read())
    return {stage["id"]: int(stage["total"]) for stage in snapshot["way"]["stages"]}


def _write_articles(path: Path, number: int) -> None:
    with path.open("wb") as out:
        for one in Wire().articles(number):
            row = {"id": one.id, "publisher": one.publisher, "title": one.title}
            out.write(msgspec.json.encode({**row, "text": one.text, "language": "en"}) + b"\n")


@contextmanager
def _process(
    role: str, environment: dict[str, str], folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / f"{role}.log").open("wb") as log:
        process = subprocess.Popen(_wirebell(role), env=environment, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wirebell(command: str) -> list[str]:
    return [sys.executable, "-m", "streams", command]


def _peak_mb(pid: int) -> float:
    """The most memory that it held at once (VmHWM)."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024 / 1e6


def main() -> int:
    """Measure and print; 1 above the limits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--viewers", type=int, default=100)
    parser.add_argument("--per-second", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=30.0)
    chosen = parser.parse_args()
    viewers, seconds = min(chosen.viewers, 500), min(chosen.seconds, 300.0)
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), viewers, min(chosen.per_second, 2_000), seconds)
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores")
    print(found.summary())
    return int(found.share > LIMIT_SHARE or found.memory_mb > LIMIT_MB)


if __name__ == "__main__":
    raise SystemExit(main())
