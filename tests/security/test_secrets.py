"""A canary stands in for every secret, and is looked for wherever an error can carry it."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from prometheus_client import generate_latest
from pydantic import SecretStr

from connectors.sinks.settings import SlackSettings, WebhookSettings
from connectors.sinks.sink import Sink
from connectors.sinks.slack import SlackSink
from connectors.sinks.slack_actions import Press, Question
from connectors.sinks.slack_socket import SocketListener
from connectors.sinks.webhook import WebhookSink
from streams import logs, metrics
from streams.settings import Settings, SettingsError, Target, load_settings
from tests.delivery_rig import SLACK_PACE, WEBHOOK_PACE, Rig, eventually, open_rig
from tests.fakes.alerts import make_alert
from tests.fakes.faults import Fault, Kind

CANARY = "canary-7f3a91"
SIGNING = "whsec_" + base64.b64encode(CANARY.encode() * 2).decode()
PLACES = (CANARY, SIGNING.removeprefix("whsec_").rstrip("="))
KINDS: tuple[Kind, ...] = (*("reset_before", "reset_after", "timeout", "cut", "status", "garbage"),)
CONFIG = f"""
[redis]
url = "redis://:{CANARY}@127.0.0.1:1/0"
[kafka]
sasl_password = "{CANARY}"
[page]
token = "{CANARY}"
[[sources]]
id = "in"
type = "ingest"
token = "{CANARY}"
[sinks.slack]
type = "slack"
token = "xoxb-{CANARY}"
app_token = "xapp-{CANARY}"
signing_secret = "{CANARY}"
[sinks.hook]
type = "webhook"
url = "https://hook.example/{CANARY}"
secret = "{SIGNING}"
[[subscriptions]]
id = "desk"
deliver = [{{ sink = "slack", to = "C1" }}, {{ sink = "hook" }}]
"""
# The path of a webhook's URL is often a secret too, but no setting of type secret.
SHOWN_URL = f"https://hook.example/{CANARY}"


@pytest.fixture
async def rig(redis_url: str, redis_prefix: str) -> AsyncIterator[Rig]:
    async with open_rig(redis_url, redis_prefix) as made:
        made.timeout_s = 0.3
        yield made


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    path = tmp_path / "wirebell.toml"
    path.write_text(CONFIG)
    return load_settings(path, {}, join_running=False)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever a test logs is looked through at its end, as it was before any masking."""
    caplog.set_level(logging.DEBUG)
    yield
    assert_clean(caplog.text)


def assert_clean(*texts: object) -> None:
    for text in texts:
        for place in PLACES:
            assert place not in str(text)


def test_settings_show_no_secret_of_theirs(settings: Settings) -> None:
    assert_clean(repr(settings).replace(SHOWN_URL, ""), str(settings).replace(SHOWN_URL, ""))


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ('type = "slack"', 'type = "slak"'),
        (f'"{SIGNING}"', f'"{CANARY}"'),
        ("[page]", '[page]\nport = "many"'),
        (f'app_token = "xapp-{CANARY}"', f'app_tokn = "xapp-{CANARY}"'),
        (f'signing_secret = "{CANARY}"', f'signing_secret = ["{CANARY}"]'),
        (f'sasl_password = "{CANARY}"', f'sasl_password = {{ of = "{CANARY}" }}'),
        ("deliver = [", f'min_priority = "{CANARY}"\ndeliver = ['),
        ("[redis]", f'[redis]\nprefix = "{CANARY}!"'),
    ],
)
def test_a_fault_of_the_configuration_quotes_no_value(tmp_path: Path, good: str, bad: str) -> None:
    path = tmp_path / "wirebell.toml"
    assert good in CONFIG
    path.write_text(CONFIG.replace(good, bad))
    with pytest.raises(SettingsError) as raised:
        load_settings(path, {}, join_running=False)
    assert_clean(raised.value, *raised.value.faults)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("level", [logging.DEBUG, logging.WARNING])
def test_a_log_line_that_is_given_secrets_masks_them(
    settings: Settings, level: int, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("DEBUG", "worker")
    logs.register_secrets(settings)
    structlog.get_logger().log(level, f"with {CANARY}", error=ValueError(SIGNING), token=CANARY)
    logging.getLogger("kafka").log(level, "cannot log in as %s with %s", "me", CANARY)
    try:
        raise ConnectionError(f"redis://:{CANARY}@10.0.0.1/0")
    except ConnectionError:
        structlog.get_logger().exception("away")
    said = capsys.readouterr().err
    assert "away" in said
    assert_clean(said)


def _sinks(rig: Rig) -> list[Sink]:
    """Sinks whose secrets are canaries; the receivers therefore refuse what gets through."""
    slack = SlackSettings(token=SecretStr(f"xoxb-{CANARY}"), api_url=rig.slack.url)
    url = rig.hook.url + "?key=" + CANARY
    hook = WebhookSettings(url=url, secret=SecretStr(SIGNING), allow_private=True)
    short: dict[str, Any] = {"timeout_s": rig.timeout_s}
    paces = [replace(pace, schedule_s=(1.0,)) for pace in (SLACK_PACE, WEBHOOK_PACE)]
    made: list[Sink] = [
        SlackSink("slack", slack.model_copy(update=short), rig.clock.now, paces[0]),
        WebhookSink("hook", hook.model_copy(update=short), pace=paces[1]),
    ]
    for sink in made:
        rig.stack.push_async_callback(sink.close)
    return made


@pytest.mark.usefixtures("logged")
@pytest.mark.parametrize("kind", KINDS)
async def test_no_failed_delivery_carries_a_secret_anywhere(rig: Rig, kind: Kind) -> None:
    rig.slack.token = f"xoxb-{CANARY}"
    for faults in (rig.slack.faults, rig.hook.faults):
        faults.share, faults.among = 1.0, (Fault(kind),)
    sinks = _sinks(rig)
    targets = (Target(sink="slack", to="C0000001"), Target(sink="hook"))
    worker = rig.deliveries(sinks=sinks, targets=targets)
    await worker.accept([make_alert()])
    # A timeout passes in real time: a clock that runs much faster would end the lease meanwhile.
    await rig.settle([worker], step_s=0.4)
    attempts = await rig.ledger().attempts()
    assert rig.letters and attempts
    assert_clean(*map(msgspec.json.encode, attempts), *rig.letters)
    assert_clean(*await rig.ledger().destinations(), generate_latest(metrics.REGISTRY))
    assert_clean(*[await sink.check() for sink in sinks], *map(repr, sinks))


@pytest.mark.usefixtures("logged")
async def test_what_a_receiver_echoes_is_not_repeated(rig: Rig) -> None:
    """A receiver that answers with our own token must not bring it into the log."""
    echo = Fault("status", 500, headers=(("X-Token", CANARY), ("Retry-After", CANARY)))
    rig.slack.faults.share, rig.slack.faults.among = 1.0, (echo,)
    worker = rig.deliveries(sinks=_sinks(rig)[:1])
    await worker.accept([make_alert()])
    await rig.settle([worker], step_s=2)
    assert_clean(*map(msgspec.json.encode, await rig.ledger().attempts()), *rig.letters)


class Nobody:
    """A desk at which nobody sits."""

    async def pressed(self, press: Press) -> None:
        raise AssertionError(press)

    async def asked(self, question: Question) -> list[str]:
        raise AssertionError(question)


@pytest.mark.usefixtures("logged")
async def test_a_refused_app_token_is_not_told(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    stop = asyncio.Event()
    listener = SocketListener(f"xapp-{CANARY}", rig.slack.url, Nobody(), again_s=0.05)
    task = asyncio.create_task(listener.run(stop))
    await eventually(lambda: rig.slack.count("apps.connections.open") >= 2)
    stop.set()
    await asyncio.wait_for(task, 10)
    assert "invalid_auth" in caplog.text


def test_a_check_of_a_line_whose_every_part_is_away_names_no_secret(tmp_path: Path) -> None:
    """As a process, as a person runs it; what it says ends up in chats and tickets."""
    here = "127.0.0.1:1"
    text = CONFIG.replace("https://hook.example/", f"http://{here}/").replace(
        "[sinks.slack]", f'[sinks.slack]\napi_url = "http://{here}/"'
    )
    feed = (
        f'[[sources]]\nid = "f"\ntype = "feed"\nurl = "http://me:{CANARY}@{here}/rss?k={CANARY}"\n'
    )
    protocol = 'security_protocol = "SASL_PLAINTEXT"\nsasl_username = "me"\n'
    text = text.replace("[kafka]", f'[kafka]\nbootstrap_servers = "{here}"\n{protocol}')
    path = tmp_path / "wirebell.toml"
    path.write_text(text.replace("[sinks.hook]", feed + "[sinks.hook]\nallow_private = true"))
    clean = {name: value for name, value in os.environ.items() if "WIREBELL_" not in name}
    done = subprocess.run(
        [sys.executable, "-m", "streams", "check", "--config", str(path)],
        cwd=Path(__file__).parents[2],
        env=clean,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "sound" in done.stdout + done.stderr
    assert_clean(done.stdout, done.stderr)
