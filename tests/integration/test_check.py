"""`wirebell check` against real dependencies: well, away, wrong, and in use."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
import typer
from redis import Redis

from streams import logs
from streams.commands.check import command
from streams.embedded import EmbeddedRedis
from tests.lanes import Lane

Check = Callable[..., tuple[int, str]]

SECRET = "opensesame-0451"


@pytest.fixture
def check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Check]:
    """Runs the command on a configuration's text; gives its exit code and what it said."""
    monkeypatch.setattr(logs, "_secrets", set())
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    for name in ("KAFKA__BOOTSTRAP_SERVERS", "REDIS__URL", "CONFIG"):
        monkeypatch.delenv(f"WIREBELL_{name}", raising=False)

    def run(text: str, **environment: str) -> tuple[int, str]:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        path = tmp_path / "wirebell.toml"
        path.write_text(f'state_dir = "{tmp_path}/var"\n[page]\nport = 0\n{text}')
        code = 0
        try:
            command(path)
        except typer.Exit as ending:
            code = ending.exit_code
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    yield run
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


CONSOLE = '[sinks.terminal]\ntype = "console"\n'
EVERYTHING = '[[subscriptions]]\nid = "all"\ndeliver = [{ sink = "terminal" }]\n'


def _line(said: str, subject: str) -> str:
    return next((line for line in said.splitlines() if subject in line), f"no line {subject}")


def test_where_nothing_is_named_the_embedded_parts_are_tried(check: Check, tmp_path: Path) -> None:
    (tmp_path / "wire").mkdir()
    files = '[[sources]]\nid = "wire"\ntype = "files"\npath = "wire"\n'
    code, said = check(files + CONSOLE + EVERYTHING)
    assert code == 0, said
    for subject in ("Kafka", "Redis", "model", "sink terminal", "source wire", "page"):
        assert _line(said, subject).startswith("ok"), said
    assert not (tmp_path / "var").exists(), "a check leaves nothing behind"


def test_all_faults_of_a_configuration_are_told_at_once_without_secrets(check: Check) -> None:
    code, said = check(
        f'[kafka]\nsasl_password = "{SECRET}"\npartitions = 0\ncolour = "red"\n'
        f'[redis]\nurl = ["redis://:{SECRET}@127.0.0.1/0"]\n'
        "[topics.gossip]\nenabled = true\n"
        '[[sources]]\nid = "A b"\ntype = "feed"\nurl = "https://example.org/"\n'
        '[sinks.slack]\ntype = "slack"\ntoken = "${NO_SUCH_TOKEN}"\n'
    )
    assert code == 2
    for key in ("kafka.partitions", "kafka.colour", "redis.url", "gossip", "sources.0", "sinks"):
        assert key in said, key
    assert "NO_SUCH_TOKEN" in said
    assert "wirebell.toml" in said
    assert SECRET not in said
    assert "Traceback" not in said


def test_one_dead_dependency_does_not_hide_the_others(check: Check, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, said = check(
            f'[kafka]\nbootstrap_servers = "127.0.0.1:1"\n'
            f'[redis]\nurl = "redis://:{SECRET}@127.0.0.1:1/0"\n'
            f'[[sources]]\nid = "gone"\ntype = "files"\npath = "{tmp_path}/gone"\n'
            f'[[sources]]\nid = "pushed"\ntype = "ingest"\nport = {port}\n' + CONSOLE + EVERYTHING
        )
    assert code == 1
    for subject in ("Kafka", "Redis", "source gone", "source pushed"):
        assert _line(said, subject).startswith("fault"), said
    assert _line(said, "model").startswith("ok")
    assert SECRET not in said


def test_a_feed_that_does_not_answer_is_a_warning(check: Check) -> None:
    feed = (
        '[[sources]]\nid = "away"\ntype = "feed"\nurl = "http://127.0.0.1:1/rss"\n'
        "allow_private = true\n"
    )
    code, said = check(feed + CONSOLE + EVERYTHING)
    assert code == 0, said
    assert _line(said, "source away").startswith("warning"), said


def test_a_receiver_that_does_not_answer_is_a_fault_and_its_secret_stays_secret(
    check: Check,
) -> None:
    hook = (
        '[sinks.hook]\ntype = "webhook"\nurl = "http://127.0.0.1:1/"\nallow_private = true\n'
        'secret = "${HOOK_SECRET}"\n'
        '[[subscriptions]]\nid = "machines"\ndeliver = [{ sink = "hook" }]\n'
    )
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    code, said = check(hook, HOOK_SECRET=secret)
    assert code == 1, said
    assert _line(said, "sink hook").startswith("fault"), said
    assert secret not in said


def test_a_redis_that_would_forget_is_warned_of(check: Check, tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path / "forgetful") as server:
        client = Redis.from_url(server.url)
        client.config_set("appendonly", "no")
        client.close()
        code, said = check(f'[redis]\nurl = "{server.url}"\n' + CONSOLE + EVERYTHING)
    assert code == 0, said
    assert "appendonly is off" in _line(said, "Redis")


def test_a_topic_turned_off_is_sound(check: Check) -> None:
    code, said = check("[topics.protest]\nenabled = false\n" + CONSOLE + EVERYTHING)
    assert code == 0, said


def test_a_line_that_tells_nobody_is_warned_of(check: Check) -> None:
    code, said = check(CONSOLE)
    assert code == 0, said
    assert "nobody will be told" in _line(said, "subscriptions")


def test_a_named_kafka_is_asked_who_it_is(check: Check, kafka: Lane) -> None:
    named = f'[kafka]\nbootstrap_servers = "{kafka.bootstrap_servers}"\n'
    code, said = check(named + CONSOLE + EVERYTHING)
    assert code == 0, said
    assert "cluster" in _line(said, "Kafka")
