"""Whose turn it is, and when the next one comes: politeness as pure bookkeeping.

Owns the heap of waiting sources, the one-at-a-time rule and the gap of each host, backoff
and jitter. Reads no clock, starts no task: the poller passes the time and does the asking.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from connectors.sources.source import Poll

# What a source says when asking it again at its usual pace would be impolite or pointless.
FAILURES = frozenset({"unreachable", "refused", "malformed"})
# The host itself asks for rest, not only this one feed of it.
_HOST_RESTS = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class Politeness:
    """How hosts are treated. Seconds, except `running` (polls at once over all hosts).

    `jitter` is the share by which an interval may be shorter or longer, so that a thousand
    feeds do not come back in step.
    """

    host_gap_s: float = 1.0
    running: int = 64
    jitter: float = 0.1
    longest_backoff_s: float = 3_600.0
    longest_retry_after_s: float = 86_400.0
    poll_timeout_s: float = 120.0


def next_wait_s(
    poll: Poll,
    interval_s: float,
    failures: int,
    politeness: Politeness,
    chance: Callable[[], float],
) -> float:
    """Seconds from the beginning of a turn to the next one of the same source.

    `failures` counts failed polls in a row, this one included; `chance` gives 0 to 1. What
    the server demanded (Retry-After) is never undercut.
    """
    spread = 1 + politeness.jitter * (2 * chance() - 1)
    if poll.state in FAILURES:
        doubled: float = interval_s * 2 ** min(max(failures - 1, 0), 20)
        wait_s = min(doubled, max(politeness.longest_backoff_s, interval_s)) * spread
    elif poll.next_poll_s is not None:
        wait_s = poll.next_poll_s  # the source's own pace, to be kept
    else:
        wait_s = interval_s * spread
    demanded_s = min(poll.retry_after_s or 0.0, politeness.longest_retry_after_s)
    return max(wait_s, demanded_s)


def host_rest_s(poll: Poll, politeness: Politeness) -> float:
    """Seconds for which nobody asks this host, beyond its gap."""
    if poll.http_status not in _HOST_RESTS:
        return 0.0
    return min(poll.retry_after_s or 0.0, politeness.longest_backoff_s)


@dataclass(slots=True)
class _Host:
    waiting: deque[str] = field(default_factory=deque)
    busy: bool = False
    in_line: bool = False
    alarm: bool = False
    free_at: float = 0.0


class Turns:
    """Sources by when they are due. One source of a host is asked at a time, the next one
    after the host's gap; at most `running` hosts at once. Sources without a host wait for
    nobody. Not thread-safe.
    """

    def __init__(self, politeness: Politeness) -> None:
        self._politeness = politeness
        self._heap: list[tuple[float, int, str, bool]] = []  # due, order, name, is a host
        self._order = itertools.count()
        self._host_of: dict[str, str] = {}
        self._hosts: dict[str, _Host] = {}
        self._line: deque[_Host] = deque()
        self._running = 0
        self._ticket: dict[str, int] = {}  # the one entry of a source that counts
        self._paused: frozenset[str] = frozenset()
        self._held: set[str] = set()

    def add(self, source_id: str, host: str, due: float) -> None:
        """Have the source asked at `due` or as soon after as its host allows."""
        self._host_of[source_id] = host
        if host:
            self._hosts.setdefault(host, _Host())
        self._push(due, source_id, is_host=False)

    def hasten(self, source_id: str, now: float) -> bool:
        """Have a waiting source asked now, or as soon after as its host allows. False when it
        is not waiting: it is being asked, is paused, or will not be asked again.
        """
        if source_id not in self._ticket:
            return False
        self._push(now, source_id, is_host=False)
        return True

    def pause(self, source_ids: Collection[str], now: float) -> None:
        """Hold these back from their next turn on, and no others any more."""
        self._paused = frozenset(source_ids)
        for source_id in self._held - self._paused:
            self._held.discard(source_id)
            self._push(now, source_id, is_host=False)

    def take(self, now: float) -> list[str]:
        """The sources to ask now; each must be followed by one `fetched`."""
        taken = []
        while self._heap and self._heap[0][0] <= now:
            _, order, name, is_host = heapq.heappop(self._heap)
            if not is_host and not self._counts(name, order):
                continue
            host_name = name if is_host else self._host_of[name]
            if not host_name:
                taken.append(name)
                continue
            host = self._hosts[host_name]
            if is_host:
                host.alarm = False
            else:
                host.waiting.append(name)
            self._line_up(host_name, host, now)
        while self._line and self._running < self._politeness.running:
            host = self._line.popleft()
            host.in_line, host.busy = False, True
            self._running += 1
            taken.append(host.waiting.popleft())
        return taken

    def fetched(self, source_id: str, now: float, rest_s: float = 0.0) -> None:
        """The source has been asked; its host rests for its gap, or longer."""
        name = self._host_of[source_id]
        if not name:
            return
        host = self._hosts[name]
        host.busy = False
        self._running -= 1
        host.free_at = now + max(self._politeness.host_gap_s, rest_s)
        self._line_up(name, host, now)

    def next_due(self) -> float | None:
        """When `take` next has something to do; None: not before something changes."""
        if self._line and self._running < self._politeness.running:
            return 0.0
        return self._heap[0][0] if self._heap else None

    def _line_up(self, name: str, host: _Host, now: float) -> None:
        if host.busy or host.in_line or not host.waiting:
            return
        if now < host.free_at:
            if not host.alarm:
                host.alarm = True
                self._push(host.free_at, name, is_host=True)
            return
        host.in_line = True
        self._line.append(host)

    def _push(self, due: float, name: str, *, is_host: bool) -> None:
        order = next(self._order)
        if not is_host:
            self._ticket[name] = order
        heapq.heappush(self._heap, (due, order, name, is_host))

    def _counts(self, source_id: str, order: int) -> bool:
        """Whether a due entry is a turn: neither overtaken by a later one nor held back."""
        if self._ticket.get(source_id) != order:
            return False
        del self._ticket[source_id]
        if source_id in self._paused:
            self._held.add(source_id)
            return False
        return True
