"""The laws of `connectors/sinks/sink.py`, on every sink, against real servers."""

from __future__ import annotations

import asyncio
import io
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from connectors.records import Alert
from connectors.sinks.console import ConsoleSink
from connectors.sinks.factory import make_sink
from connectors.sinks.lease import sending_while
from connectors.sinks.settings import ConsoleSettings, SlackSettings, WebhookSettings
from connectors.sinks.sink import Delivery, Outcome, Result, Sink
from tests.fakes.alerts import make_alert, make_report
from tests.fakes.faults import Fault, Faults
from tests.fakes.slack_server import FakeSlack
from tests.fakes.webhook_receiver import SECRET, WebhookReceiver

HOSTILE = (
    "<!channel> <@U1> <https://evil.example|bank.example> \x1b[2J\u202e\u200b\x00 *bold* `x` &lt;"
)


@dataclass(slots=True)
class Rig:
    """A sink and what its receiver has: `seen` counts messages, `faults` is None where the
    receiver is no server.
    """

    sink: Sink
    seen: Callable[[], int]
    target: str = ""
    faults: Faults | None = None
    output: Callable[[], str] = str


def _console(stack: AsyncExitStack) -> Rig:
    stream = io.StringIO()
    sink = ConsoleSink("screen", ConsoleSettings(), stream)
    return Rig(sink, lambda: stream.getvalue().count(" ROUTINE "), output=stream.getvalue)


async def _slack(stack: AsyncExitStack) -> Rig:
    server = await stack.enter_async_context(FakeSlack(clock=lambda: datetime.now(UTC).timestamp()))
    settings = SlackSettings(
        token=SecretStr("xoxb-test"), api_url=server.url, timeout_s=1, post_interval_s=0
    )
    sink = make_sink("slack", settings)
    stack.push_async_callback(sink.close)
    return Rig(sink, lambda: len(server.messages), "C0000001", server.faults)


async def _webhook(stack: AsyncExitStack) -> Rig:
    server = await stack.enter_async_context(WebhookReceiver())
    settings = WebhookSettings(
        url=server.url, secret=SecretStr(SECRET), timeout_s=1, allow_private=True
    )
    sink = make_sink("hook", settings)
    stack.push_async_callback(sink.close)
    return Rig(sink, lambda: len(server.received), faults=server.faults)


@pytest.fixture(params=["console", "slack", "webhook"])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    async with AsyncExitStack() as stack:
        if request.param == "console":
            yield _console(stack)
        else:
            yield await {"slack": _slack, "webhook": _webhook}[request.param](stack)


@pytest.fixture(params=["slack", "webhook"])
async def http_rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    async with AsyncExitStack() as stack:
        yield await {"slack": _slack, "webhook": _webhook}[request.param](stack)


def delivery(rig: Rig, alert: Alert | None = None, **fields: Any) -> Delivery:
    alert = alert or make_alert(at=datetime.now(UTC))
    return Delivery(f"{alert.id}:place", "desk", rig.target, alert, **fields)


async def test_an_alert_is_delivered_once_and_leaves_a_short_receipt(rig: Rig) -> None:
    result = await rig.sink.deliver(delivery(rig))
    assert (result.outcome, rig.seen()) == ("delivered", 1)
    assert all(isinstance(value, str) and len(value) < 4_000 for value in result.receipt.values())


async def test_a_receipt_of_one_revision_serves_the_next(rig: Rig) -> None:
    receipt = (await rig.sink.deliver(delivery(rig))).receipt
    grown = make_alert(revision=4, at=datetime.now(UTC))
    result = await rig.sink.deliver(delivery(rig, grown, previous_revision=1, receipt=receipt))
    assert result.outcome == "delivered"


async def test_looking_back_finds_what_was_delivered_or_cannot_ask(rig: Rig) -> None:
    sent = delivery(rig)
    receipt = (await rig.sink.deliver(sent)).receipt
    found = await rig.sink.look_back(sent)
    if rig.target:
        assert found is not None and found.outcome == "delivered"
        assert dict(found.receipt) == dict(receipt)
    else:
        assert found is None


async def test_looking_back_before_anything_was_delivered_finds_nothing(rig: Rig) -> None:
    assert await rig.sink.look_back(delivery(rig)) is None


async def test_hostile_text_is_delivered_as_text(rig: Rig) -> None:
    alert = make_alert(
        headline=HOSTILE,
        summary=HOSTILE * 50,
        corrected=HOSTILE,
        reports=tuple(
            make_report(number, publisher=HOSTILE, title=HOSTILE, url=f"javascript:{HOSTILE}")
            for number in range(200)
        ),
    )
    result = await rig.sink.deliver(delivery(rig, alert))
    assert result.outcome == "delivered", result.detail
    assert not {"\x1b", "\x00", "\u202e", "\u200b"} & set(rig.output())


async def test_a_story_without_anything_but_a_headline_is_delivered(rig: Rig) -> None:
    bare = make_alert(
        summary="", evidence=(), places=(), tolls=(), reports=(), topics=(), published_at=None
    )
    assert (await rig.sink.deliver(delivery(rig, bare))).outcome == "delivered"


async def test_checking_rings_nothing(rig: Rig) -> None:
    assert await rig.sink.check() == ""
    assert rig.seen() == 0


async def test_closing_twice_is_harmless(rig: Rig) -> None:
    await rig.sink.close()
    await rig.sink.close()


FAULTS: list[tuple[str, Fault, Outcome, int]] = [
    ("reset before applying", Fault("reset_before"), "unknown", 0),
    ("reset after applying", Fault("reset_after"), "unknown", 1),
    ("no answer, not applied", Fault("timeout"), "unknown", 0),
    ("no answer, applied", Fault("timeout_after"), "unknown", 1),
    ("500", Fault("status", 500), "unknown", 0),
    ("503 after applying", Fault("status_after", 503), "unknown", 1),
    ("429", Fault("status", 429, retry_after="17"), "not_sent", 0),
]


@pytest.mark.parametrize(
    ("fault", "outcome", "applied"),
    [row[1:] for row in FAULTS],
    ids=[row[0] for row in FAULTS],
)
async def test_each_fault_has_its_outcome(
    http_rig: Rig, fault: Fault, outcome: Outcome, applied: int
) -> None:
    assert http_rig.faults is not None
    http_rig.faults.queue.append(fault)
    result = await asyncio.wait_for(http_rig.sink.deliver(delivery(http_rig)), 5)
    assert (result.outcome, http_rig.seen()) == (outcome, applied), result
    if fault.retry_after:
        assert result.retry_after_s == pytest.approx(17)


async def test_one_attempt_is_one_request(http_rig: Rig) -> None:
    """slack-sdk would post again by itself after a reset, and aiohttp after a lost one."""
    assert http_rig.faults is not None
    await http_rig.sink.deliver(delivery(http_rig))  # a kept connection, to be lost
    http_rig.faults.queue += [Fault("reset_after"), Fault("reset_after")]
    await http_rig.sink.deliver(delivery(http_rig, make_alert("s2")))
    assert len(http_rig.faults.queue) == 1


@pytest.mark.parametrize("connected", [False, True])
async def test_what_wakes_after_its_lease_sends_nothing(http_rig: Rig, connected: bool) -> None:
    if connected:  # a kept connection is written to at once
        await http_rig.sink.deliver(delivery(http_rig, make_alert("s0")))
    before = http_rig.seen()
    with sending_while(lambda: False):
        result = await http_rig.sink.deliver(delivery(http_rig))
    assert (result.outcome, http_rig.seen()) == ("not_sent", before)
    assert (await http_rig.sink.deliver(delivery(http_rig))).outcome == "delivered"


@pytest.mark.parametrize("kind", ["cut", "garbage"])
async def test_slack_in_doubt_after_an_answer_that_cannot_be_read(kind: Any) -> None:
    async with AsyncExitStack() as stack:
        rig = await _slack(stack)
        assert rig.faults is not None
        rig.faults.queue.append(Fault(kind))
        assert (await rig.sink.deliver(delivery(rig))).outcome == "unknown"
        found = await rig.sink.look_back(delivery(rig))
        assert found is not None and found.outcome == "delivered"


async def test_looking_back_while_slack_is_down_says_that_it_does_not_know() -> None:
    async with AsyncExitStack() as stack:
        rig = await _slack(stack)
        assert rig.faults is not None
        await rig.sink.deliver(delivery(rig))
        rig.faults.queue.append(Fault("status", 503, where="conversations.history"))
        found = await rig.sink.look_back(delivery(rig))
        assert found is not None and found.outcome == "unknown"


async def test_a_token_that_may_not_look_back_is_named_and_silences_nothing() -> None:
    async with FakeSlack(scopes="chat:write") as server:
        settings = SlackSettings(token=SecretStr("xoxb-test"), api_url=server.url)
        sink = make_sink("slack", settings)
        assert await sink.check() == "the token lacks the scope channels:history"
        assert await sink.look_back(delivery(Rig(sink, lambda: 0, "C0000001"))) is None
        await sink.close()


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("host", "detail"),
    [("127.0.0.1", "refused"), ("no-such-host.invalid", "name")],
)
async def test_what_was_never_connected_was_not_sent(host: str, detail: str) -> None:
    url = f"http://{host}:{_closed_port()}/"
    for settings in (
        SlackSettings(token=SecretStr("x"), api_url=url, timeout_s=2),
        WebhookSettings(url=url, secret=SecretStr(SECRET), allow_private=True, timeout_s=2),
    ):
        sink = make_sink("s", settings)
        result = await sink.deliver(delivery(Rig(sink, lambda: 0, "C0000001")))
        assert result.outcome == "not_sent" and detail in result.detail
        assert await sink.check() != ""
        await sink.close()


WEBHOOK_ANSWERS: list[tuple[int, Outcome]] = [
    (400, "refused"),
    (401, "not_sent"),
    (404, "not_sent"),
    (410, "turned_off"),
    (422, "refused"),
    (301, "not_sent"),
    (307, "not_sent"),
    (502, "unknown"),
]


@pytest.mark.parametrize(("status", "outcome"), WEBHOOK_ANSWERS)
async def test_a_webhook_answer_has_its_outcome(status: int, outcome: Outcome) -> None:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(WebhookReceiver())
        settings = WebhookSettings(url=server.url, secret=SecretStr(SECRET), allow_private=True)
        sink = make_sink("hook", settings)
        stack.push_async_callback(sink.close)
        headers = (("Location", "/elsewhere"),) if status < 400 else ()
        server.faults.queue.append(Fault("status", status, headers=headers))
        result = await sink.deliver(delivery(Rig(sink, lambda: 0)))
        assert (result.outcome, result.status) == (outcome, status)
        assert server.forged == []


@pytest.mark.parametrize(
    ("error", "outcome"), [("channel_not_found", "refused"), ("invalid_auth", "refused")]
)
async def test_what_slack_will_never_take_is_refused(error: str, outcome: Outcome) -> None:
    async with FakeSlack() as server:
        token = "xoxb-wrong" if error == "invalid_auth" else "xoxb-test"
        settings = SlackSettings(token=SecretStr(token), api_url=server.url)
        sink = make_sink("slack", settings)
        result = await sink.deliver(replace(delivery(Rig(sink, lambda: 0)), target="C9999999"))
        assert result == Result(outcome, status=200, detail=f"Slack answered {error}")
        assert token not in result.detail
        await sink.close()


async def test_every_signature_of_two_secrets_is_accepted() -> None:
    other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
    for accepted in (SECRET, other):
        async with WebhookReceiver(secret=accepted) as server:
            both = SecretStr(f"{SECRET} {other}")
            settings = WebhookSettings(url=server.url, secret=both, allow_private=True)
            sink = make_sink("hook", settings)
            assert (await sink.deliver(delivery(Rig(sink, lambda: 0)))).outcome == "delivered"
            assert (len(server.received), server.forged) == (1, [])
            await sink.close()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "169.254.169.254", "[::ffff:127.0.0.1]"]
)
async def test_a_webhook_never_reaches_a_private_address_unless_allowed(host: str) -> None:
    async with WebhookReceiver() as server:
        url = f"http://{host}:{server.port}/hook"
        sink = make_sink("hook", WebhookSettings(url=url, secret=SecretStr(SECRET)))
        result = await sink.deliver(delivery(Rig(sink, lambda: 0)))
        assert result.outcome == "refused" and "not public" in result.detail
        assert server.attempts == []
        await sink.close()
