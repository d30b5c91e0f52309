"""The contract of a source: what comes in, and when it next wants to be asked.

A source fetches and turns what it finds into articles. It does not sleep, does not save
anything, does not talk to Kafka: the poller decides whose turn it is, publishes the
articles, and keeps the returned cursor only after Kafka confirmed every one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from connectors.records import Article

# What a cursor remembers between polls (ETag, Last-Modified, offsets): short strings.
Cursor = Mapping[str, str]

PollState = Literal["ok", "not_modified", "empty", "unreachable", "refused", "malformed", "done"]


@dataclass(frozen=True, slots=True)
class Rejected:
    """An item that could not become an article: permanent, counted, sent to dead letters."""

    reason: str
    origin: str
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Poll:
    """The outcome of one poll.

    `cursor` replaces the old one once `articles` are confirmed. `next_poll_s` is the
    source's wish in seconds (None: the poller's own interval); `retry_after_s` is what the
    server demanded. `detail` is one line for a person, without secrets.
    """

    state: PollState
    articles: tuple[Article, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    cursor: Cursor = field(default_factory=dict)
    next_poll_s: float | None = None
    retry_after_s: float | None = None
    http_status: int | None = None
    detail: str = ""


class Source(Protocol):
    """One place that articles come from.

    `poll` is called by one task at a time. It may take as long as its own timeouts allow,
    must never raise for what the outside world does (that is a `Poll` with its state), may
    be repeated with an old cursor (the same articles then come again, with the same ids),
    and must be cancellable at every await.
    """

    @property
    def id(self) -> str:
        """The id from the configuration; unique, stable over restarts."""
        ...

    @property
    def host(self) -> str:
        """The host it asks, for per-host politeness; "" when it asks none."""
        ...

    async def poll(self, cursor: Cursor) -> Poll:
        """Ask once for what is new since `cursor` (empty at the very first poll)."""
        ...

    async def confirmed(self, poll: Poll) -> None:
        """Kafka has confirmed every article of `poll` and its cursor is kept.

        Only a source that somebody waits on (ingest answers 202 now) does anything here.
        """
        ...

    async def close(self) -> None:
        """Give back connections and files. May be called twice."""
        ...
