"""Log lines: readable, on one line, without secrets, without tracebacks."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog
from pydantic import SecretStr

from connectors.sinks.settings import SlackSettings, WebhookSettings
from connectors.sources.settings import IngestSettings
from streams import logs
from streams.settings import RedisSettings, Settings

TOKEN = "xoxq.not-shaped-like-slack"


@pytest.fixture(autouse=True)
def _own_logging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(logs, "_secrets", set())
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    structlog.reset_defaults()


def test_a_line_has_time_level_process_event_and_keys(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO", "worker")
    structlog.get_logger("x").info("joined the group", partitions=4, note="two words")
    line = capsys.readouterr().err.rstrip("\n")
    time, rest = line.split(" ", 1)
    assert time.endswith("Z")
    assert rest == 'INFO    worker joined the group partitions=4 note="two words"'


def test_library_chatter_is_quiet_and_library_warnings_come_through(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure("DEBUG", "worker")
    logging.getLogger("aiokafka.consumer").info("heartbeat")
    logging.getLogger("faust.app").warning("lost %s", "partition 3")
    err = capsys.readouterr().err
    assert "heartbeat" not in err
    assert "lost partition 3" in err


def test_outside_text_cannot_forge_a_line_or_command_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure("INFO", "sources")
    structlog.get_logger().info("title", title="a\n2026 ERROR all lost\x1b[2J\u202eb\ud800")
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "\x1b" not in err
    assert "\u202e" not in err
    assert r"a\n2026 ERROR all lost\x1b[2J" in err


def test_outside_text_cannot_forge_a_key_or_hide_a_sign(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO", "sources")
    hidden = "\u061c\u2062\ufeff\U000e0041"
    title, bare = f'x{hidden}" story="s9', 'a"b=c'
    structlog.get_logger().info("new", title=title, bare=bare)
    err = capsys.readouterr().err
    assert 'title="x\\u061c\\u2062\\ufeff\\U000e0041\\" story=\\"s9"' in err
    assert 'bare="a\\"b=c"' in err


def test_every_secret_of_the_configuration_is_masked(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = "whsec_Zmlyc3Qtc2VjcmV0LTAwMDA=", "whsec_c2Vjb25kLXNlY3JldC0wMDA="
    settings = Settings(
        redis=RedisSettings(url="redis://:opensesame@127.0.0.1:6379/0"),  # type: ignore[arg-type]
        sources=(IngestSettings(id="in", token=SecretStr("tell-nobody")),),
        sinks={
            "slack": SlackSettings(token=TOKEN),  # type: ignore[arg-type]
            "hook": WebhookSettings(url="https://example.org/", secret=f"{first} {second}"),  # type: ignore[arg-type]
        },
    )
    logs.configure("INFO", "up")
    logs.register_secrets(settings)
    said = f"opensesame tell-nobody {TOKEN} {first} {second} 127.0.0.1:6379"
    structlog.get_logger().info(said, also=said)
    logging.getLogger("kafka").error("cannot reach redis://me:other@10.0.0.1")
    err = capsys.readouterr().err
    for secret in ("opensesame", "tell-nobody", TOKEN, first[6:], second[6:], "other"):
        assert secret not in err
    assert "127.0.0.1:6379" in err


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
def test_tracebacks_are_for_debug_only(level: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(level, "worker")
    try:
        raise ConnectionError("broker\nis away")
    except ConnectionError:
        structlog.get_logger().exception("cannot publish")
        logging.getLogger("mode").exception("crashed")
    err = capsys.readouterr().err
    assert err.count(r'error="ConnectionError: broker\nis away"') == 2
    assert ("Traceback" in err) == (level == "DEBUG")


def test_an_uncaught_fault_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO", "page")
    logs._log_uncaught(ValueError, ValueError("no such port"), None)
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "ValueError: no such port" in err
