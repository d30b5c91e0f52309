"""What the line says of itself to those who run it: one notice an incident, through a sink
that is configured anyway.

Owns how a notice looks at each kind of sink. One attempt each; told at least once: where an
answer was lost, the same is said again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

import msgspec
from slack_sdk.web.async_client import AsyncWebClient

from connectors.sinks.console import ConsoleSink
from connectors.sinks.http_outcome import open_session
from connectors.sinks.settings import AnySink, ConsoleSettings, SlackSettings, WebhookSettings
from connectors.sinks.sink import Result
from connectors.sinks.slack_errors import GONE, result_of, slack_error
from connectors.sinks.slack_text import context, escape, header, marked_section
from connectors.sinks.webhook import WebhookSink
from connectors.sinks.webhook_body import MAX_BODY_BYTES

State = Literal["healthy", "degraded", "down"]
IncidentType = Literal["incident.changed", "incident.recovered"]
MAX_CAUSES, MAX_CAUSE_CHARS = 8, 300


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """An incident as it stands. `incident` is the same from its beginning to its end, `number`
    rises with every notice of it; `causes` come worst first and are empty when it is over.
    """

    incident: str
    number: int
    state: State
    title: str
    causes: tuple[str, ...]
    since: datetime
    at: datetime


class IncidentBody(msgspec.Struct, frozen=True, kw_only=True):
    """What a webhook is sent. `timestamp` is when this became so."""

    type: IncidentType
    timestamp: datetime
    data: Notice


class Notifier(Protocol):
    """One place that is told."""

    async def tell(self, notice: Notice, receipt: Mapping[str, str]) -> Result:
        """Make one attempt; `receipt` is what the incident's last notice gave back."""
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...


def make_notifier(settings: AnySink, target: str, time_zone: str = "UTC") -> Notifier:
    """The notifier of a sink's place. Call it inside a running event loop."""
    if isinstance(settings, SlackSettings):
        return SlackNotifier(settings, target)
    if isinstance(settings, WebhookSettings):
        return WebhookNotifier(WebhookSink("notices", settings))
    assert isinstance(settings, ConsoleSettings)
    return ConsoleNotifier(ConsoleSink("notices", settings, time_zone=time_zone))


def encode_incident(notice: Notice) -> bytes:
    """The webhook's body, at most `MAX_BODY_BYTES`: of many causes the worst stay."""
    kind: IncidentType = "incident.recovered" if notice.state == "healthy" else "incident.changed"
    kept, chars = len(notice.causes), MAX_CAUSE_CHARS
    while True:
        causes = tuple(cause[:chars] for cause in notice.causes[:kept])
        short = msgspec.structs.replace(notice, causes=causes, title=notice.title[:chars])
        raw = msgspec.json.encode(IncidentBody(type=kind, timestamp=notice.at, data=short))
        if len(raw) <= MAX_BODY_BYTES or not kept:
            return raw
        kept //= 2


class SlackNotifier:
    """One message an incident, edited as it changes; its end and whatever makes it worse are
    said below it and in the channel, since an edit rings nobody.
    """

    def __init__(self, settings: SlackSettings, channel: str) -> None:
        self._channel = channel
        self._session = open_session(settings.timeout_s, allow_private=True)
        self._client = AsyncWebClient(
            token=settings.token.get_secret_value(),
            base_url=str(settings.api_url),
            session=self._session,
            retry_handlers=[],
        )

    async def tell(self, notice: Notice, receipt: Mapping[str, str]) -> Result:
        """Post or edit, and say what is worse or over."""
        try:
            if "ts" not in receipt:
                return await self._post(notice)
            return await self._edit(notice, receipt)
        except Exception as error:  # noqa: BLE001 - every way to fail is an outcome
            return result_of(error)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def _post(self, notice: Notice) -> Result:
        answer = await self._client.chat_postMessage(channel=self._channel, **_message(notice))
        kept = {"channel": str(answer["channel"]), "ts": str(answer["ts"])}
        return Result("delivered", {**kept, "state": notice.state}, status=200)

    async def _edit(self, notice: Notice, receipt: Mapping[str, str]) -> Result:
        channel, ts = receipt["channel"], receipt["ts"]
        try:
            await self._client.chat_update(channel=channel, ts=ts, **_message(notice))
        except Exception as error:
            if slack_error(error) not in GONE:
                raise
            return await self._post(notice)
        if notice.state != receipt.get("state"):
            await self._client.chat_postMessage(
                channel=channel,
                thread_ts=ts,
                reply_broadcast=True,
                text=escape(notice.title, MAX_CAUSE_CHARS),
                unfurl_links=False,
            )
        return Result("delivered", {**receipt, "state": notice.state}, status=200)


@dataclass(frozen=True, slots=True)
class WebhookNotifier:
    """A signed POST each: type incident.changed or incident.recovered, the notice as data."""

    sink: WebhookSink

    async def tell(self, notice: Notice, receipt: Mapping[str, str]) -> Result:
        """Post once; the id is the same on every attempt of this notice."""
        return await self.sink.post(f"{notice.incident}:{notice.number}", encode_incident(notice))

    async def close(self) -> None:
        """Close the connections."""
        await self.sink.close()


@dataclass(frozen=True, slots=True)
class ConsoleNotifier:
    """Some lines in the terminal."""

    sink: ConsoleSink

    async def tell(self, notice: Notice, receipt: Mapping[str, str]) -> Result:
        """Print them."""
        lines = [f"{notice.state.upper()}  {notice.title}", *notice.causes[1:]]
        return await self.sink.show("\n  ".join(lines))

    async def close(self) -> None:
        """Nothing to give back."""
        await self.sink.close()


def _message(notice: Notice) -> dict[str, Any]:
    marks = {"healthy": "Recovered", "degraded": "Degraded", "down": "Down"}
    blocks = [header(f"Wirebell: {marks[notice.state]}")]
    lines = [escape(notice.title, MAX_CAUSE_CHARS)]
    lines += ["• " + escape(cause, MAX_CAUSE_CHARS) for cause in notice.causes[1:MAX_CAUSES]]
    since = f"{notice.since:%Y-%m-%d %H:%M:%S} UTC"
    blocks += [marked_section(lines), context(f"Since {since}")]
    text = f"Wirebell: {marks[notice.state]}. {escape(notice.title, MAX_CAUSE_CHARS)}"
    return {"text": text, "blocks": blocks}
