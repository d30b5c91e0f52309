"""`wirebell page` as a process: where it listens, what it refuses, how it ends."""

from __future__ import annotations

import contextlib
import http.client
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from streams.embedded import free_port
from tests.lanes import wait_until

ROOT = Path(__file__).parents[2]
# Nothing listens on port 9 (discard) of any machine of this century.
NOWHERE = {
    "WIREBELL_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:9",
    "WIREBELL_REDIS__URL": "redis://127.0.0.1:9/0",
}


def start(folder: Path, port: int, **environment: str) -> subprocess.Popen[str]:
    (folder / "wirebell.toml").write_text('state_dir = "state"\n', encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, "-m", "streams", "page"],
        cwd=folder,
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            **NOWHERE,
            "WIREBELL_PAGE__PORT": str(port),
            **environment,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@dataclass
class PageProcess:
    """A running page."""

    process: subprocess.Popen[str]
    port: int

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        """Status and body; (0, "") while it does not listen."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return 0, ""
        finally:
            connection.close()

    def until(self, path: str, status: int, words: str = "") -> str:
        """The body, once it is as wanted."""
        found = ""

        def arrived() -> bool:
            nonlocal found
            seen, found = self.get(path)
            return seen == status and words in found

        wait_until(arrived, 20, f"{path} {status} {words}")
        return found

    def end(self) -> str:
        """SIGTERM, and what it had said."""
        self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=10)
        return said


@contextlib.contextmanager
def running(folder: Path, **environment: str) -> Iterator[PageProcess]:
    port = free_port()
    page = PageProcess(start(folder, port, **environment), port)
    try:
        yield page
    finally:
        if page.process.poll() is None:
            page.process.kill()
        page.process.communicate()


def test_with_nothing_there_it_serves_and_says_what_is_away(tmp_path: Path) -> None:
    with running(tmp_path) as page:
        page.until("/healthz", 200)
        words = page.until("/readyz", 503, "Redis is away")
        assert "Kafka is away" in page.get("/api/verdict")[1]
        assert words.startswith("down")
        said = page.end()
    assert page.process.returncode == 0
    assert "Traceback" not in said
    assert "the line is down" in said


def test_it_ends_within_seconds_although_a_viewer_looks_on(tmp_path: Path) -> None:
    with running(tmp_path) as page:
        page.until("/api/snapshot", 200)
        viewer = http.client.HTTPConnection("127.0.0.1", page.port, timeout=20)
        viewer.request("GET", "/events")
        stream = viewer.getresponse()
        assert stream.getheader("Content-Type") == "text/event-stream"
        assert stream.readline().startswith(b"event: ")
        asked = time.monotonic()
        page.end()
        assert time.monotonic() - asked < 5
        viewer.close()
    assert page.process.returncode == 0


def test_another_address_without_a_token_is_refused_in_one_line(tmp_path: Path) -> None:
    process = start(tmp_path, 0, WIREBELL_PAGE__HOST="0.0.0.0")
    _, said = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "a token is needed" in said
    assert len(said.splitlines()) == 1


def test_another_address_with_a_token_lets_in_who_has_it(tmp_path: Path) -> None:
    token = "a-long-and-secret-token"
    settings = {"WIREBELL_PAGE__HOST": "0.0.0.0", "WIREBELL_PAGE__TOKEN": token}
    with running(tmp_path, **settings) as page:
        page.until("/healthz", 200)
        assert page.get("/api/verdict")[0] == 401
        page.until("/readyz", 503)
        assert "Redis" not in page.get("/readyz")[1]  # anybody may ask this
        assert page.get("/api/verdict", Authorization=f"Bearer {token}")[0] in {200, 503}
        said = page.end()
    assert token not in said


def test_a_taken_port_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        process = start(tmp_path, other.getsockname()[1])
        _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "cannot listen" in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("path", ["/static/../server.py", "/static/%2e%2e/server.py", "/static/"])
def test_nothing_but_the_static_files_is_served(tmp_path: Path, path: str) -> None:
    with running(tmp_path) as page:
        page.until("/healthz", 200)
        assert page.get(path)[0] in {403, 404}
