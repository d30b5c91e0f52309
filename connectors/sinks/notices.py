"""What the line says of itself to those who run it: one notice an incident, through a sink
that is configured anyway.

Owns how a notice looks at each kind of sink. One attempt each; told at least once: where an
answer was lost, the same is said again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from connectors.sinks.sink import Result
from connectors.sinks.webhook import WebhookSink
from connectors.sinks.webhook_body import MAX_BODY_BYTES

if TYPE_CHECKING:
    from connectors.sinks.console import ConsoleSink

State = Literal["healthy", "degraded", "down"]
IncidentType = Literal["incident.changed", "incident.recovered"]
MAX_CAUSE_CHARS = 300


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
