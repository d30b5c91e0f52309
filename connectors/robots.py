"""What each host's robots.txt allows us, remembered for an hour (RFC 9309, by Protego).

Owns the rules and their cache. Does not fetch: the web client does, and says what it got.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from protego import Protego

# RFC 9309 asks for at least 500 KiB; more is no list of rules.
ROBOTS_MAX_BYTES = 512_000
# RFC 9309: cached no longer than a day; an hour lets a publisher's change take hold.
_KEPT_S = 3_600.0
_MAX_HOSTS = 2_000
_TOKEN = "Wirebell"  # noqa: S105  (the product token of RFC 9309, no secret)


@dataclass(frozen=True, slots=True)
class _Rules:
    rules: Protego
    until: float


class RobotsCache:
    """The rules of the hosts asked lately."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._hosts: OrderedDict[str, _Rules] = OrderedDict()
        self._locks: dict[str, asyncio.Lock] = {}

    def knows(self, url: str) -> bool:
        """Whether the rules for this URL's host are here and fresh."""
        known = self._hosts.get(robots_url(url))
        return known is not None and known.until > self._clock()

    def lock(self, url: str) -> asyncio.Lock:
        """Held while the rules of a host are fetched, so that they are fetched once."""
        if len(self._locks) > _MAX_HOSTS:
            self._locks = {key: lock for key, lock in self._locks.items() if lock.locked()}
        return self._locks.setdefault(robots_url(url), asyncio.Lock())

    def learn(self, url: str, body: bytes) -> None:
        """Remember a host's rules; an empty body allows everything."""
        rules = Protego.parse(body.decode("utf-8", "replace"))
        key = robots_url(url)
        self._hosts[key] = _Rules(rules, self._clock() + _KEPT_S)
        self._hosts.move_to_end(key)
        while len(self._hosts) > _MAX_HOSTS:
            self._hosts.popitem(last=False)

    def allows(self, url: str) -> bool:
        """Whether we may fetch the URL. Its host must be known."""
        known = self._hosts[robots_url(url)]
        return bool(known.rules.can_fetch(url, _TOKEN))

    def crawl_delay_s(self, url: str) -> float:
        """The host's Crawl-delay for us in seconds; 0 without one."""
        known = self._hosts.get(robots_url(url))
        delay = known.rules.crawl_delay(_TOKEN) if known else None
        return float(delay or 0.0)


def robots_url(url: str) -> str:
    """Where the rules for a URL are: scheme, host and port, then /robots.txt."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2].lower()
    return urlunsplit((parts.scheme.lower(), host, "/robots.txt", "", ""))
