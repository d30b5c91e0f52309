"""A child under supervision: backoff, its last words, its log, and no survivor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from streams import child as child_module
from streams.child import FIRST_WAIT_S, LIVED_WELL_S, LONGEST_WAIT_S, Child, last_line, resident_mb
from streams.supervisor import COMMON, OTHERS
from tests.lanes import wait_until


def _failing(tmp_path: Path) -> Child:
    """A child that ends at once with exit code 2: there is no such command."""
    return Child("no-such-command", dict(os.environ), tmp_path / "logs" / "child.log")


def _start_and_end(child: Child, now: float) -> str:
    child.start(now)
    assert child._process
    child._process.wait(30)
    return child.notice_end(now)


def test_a_child_that_dies_at_once_is_started_ever_less_often(tmp_path: Path) -> None:
    child, now, waits = _failing(tmp_path), 0.0, []
    told = []
    for _ in range(3):
        told.append(_start_and_end(child, now))
        assert child._due_at is not None
        waits.append(child._due_at - now)
        assert not child.is_due(now)
        assert child.is_due(child._due_at)
        now = child._due_at
    assert waits == [FIRST_WAIT_S, FIRST_WAIT_S * 2, FIRST_WAIT_S * 4]
    assert "no-such-command ended (exit 2)" in told[0]
    assert told[1:] == ["", ""], "a fault that stays is told once"
    child._wait_s = LONGEST_WAIT_S
    _start_and_end(child, now)
    assert child._wait_s == LONGEST_WAIT_S


def test_a_long_life_forgives_earlier_deaths(tmp_path: Path) -> None:
    child = _failing(tmp_path)
    child._wait_s = LONGEST_WAIT_S
    child.start(0)
    assert child._process
    child._process.wait(30)
    assert "starts again in 1 s" in child.notice_end(LIVED_WELL_S)


def test_the_last_words_of_a_child_are_told(tmp_path: Path) -> None:
    line = _start_and_end(_failing(tmp_path), 0)
    assert "No such command" in line
    log = tmp_path / "some.log"
    log.write_text("2026-11-22T10:00:00.000Z ERROR worker\n")
    assert last_line(log) == "ERROR worker"
    assert last_line(tmp_path / "none.log") == ""


def test_a_child_asked_to_end_is_not_started_again(tmp_path: Path) -> None:
    child = _failing(tmp_path)
    _start_and_end(child, 0)
    child.ask_to_end()
    assert not child.is_due(1e9)


def test_a_log_that_has_grown_is_cut_while_the_child_writes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_module, "MAX_LOG_BYTES", 10)
    child = _failing(tmp_path)
    _start_and_end(child, 0)
    before = child.log.read_bytes()
    assert len(before) > 10
    descriptor = os.open(child.log, os.O_WRONLY | os.O_APPEND)
    child.cut_log()
    os.write(descriptor, b"more\n")
    os.close(descriptor)
    assert child.log.read_bytes() == b"more\n"
    assert child.log.with_suffix(".log.1").read_bytes() == before


def test_kill_ends_a_child_that_does_not_listen(tmp_path: Path) -> None:
    child = _failing(tmp_path)
    child.start(0)
    pid = child.pid
    assert pid
    os.kill(pid, signal.SIGSTOP)
    assert not child.wait(0.05)
    child.kill()
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), what="the process is gone")
    assert child.pid is None


def test_resident_memory_of_this_process_is_told() -> None:
    assert resident_mb(os.getpid()) > 5
    assert resident_mb(None) == 0


def _loaded_of(unwanted: str, modules: Sequence[str]) -> str:
    """Which of the unwanted a process has once it has these modules, beginning as ours do."""
    code = f"""
import importlib, sys
from streams.cli import spare_rich
spare_rich()
for module in {list(modules)}:
    importlib.import_module(module)
print([each for each in {unwanted.split()} if each in sys.modules])
"""
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return told.stdout.strip()


def test_the_supervisor_stays_small() -> None:
    heavy = "sklearn pandas numpy scipy faust aiokafka aiohttp feedparser trafilatura rich"
    assert _loaded_of(heavy, ["streams.commands.up"]) == "[]"


def test_no_process_but_the_worker_has_what_only_the_worker_needs() -> None:
    assert _loaded_of("numpy scipy sklearn rich slack_sdk", [*COMMON, *OTHERS]) == "[]"


def test_a_line_without_slack_has_no_slack_sdk() -> None:
    assert _loaded_of("slack_sdk rich", ["streams.assembly"]) == "[]"


def test_the_page_loads_no_parser_of_pages() -> None:
    assert _loaded_of("trafilatura lxml numpy rich slack_sdk", ["streams.commands.page"]) == "[]"


def test_help_is_still_drawn_with_rich() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "streams", "up", "--help"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "─ Options ─" in told.stdout
