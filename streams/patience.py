"""How long the slow reader may keep a line waiting that is behind.

Articles may come faster than they can be read twice: for hours after an outage, or always. Then
a worker's patience is used up, and until it has caught up it decides what is doubtful by the fast
model alone. Owns that rule, and telling of it in the log. Each worker is patient for itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from classifiers.model import TopicModel
from connectors.records import Article
from streams.batches import BATCH_BYTES, BATCH_RECORDS
from streams.screening import Screened

# So much waiting at once is a backlog. Half of what a batch holds: the end of a fetch is no whole
# batch, although more waits in Kafka. A character is one byte or two.
BACKLOG_RECORDS, BACKLOG_CHARS = BATCH_RECORDS // 2, BATCH_BYTES // 4
# Under a steady load that is a little too much a worker falls behind and catches up each second:
# that is one shortage, until nothing was left unread for so long.
OVER_AFTER_S = 60.0

_log = structlog.get_logger("wirebell.reader")

Screen = Callable[[Sequence[Article], datetime], list[Screened]]


class Patience:
    """Seconds of reading that are left to a worker while it is behind.

    Screening a backlog with the reader uses them up; time without a backlog gives them back, one
    for one. So a short backlog is read whole, a long one only for so long, and a line on which more
    comes than can be read does not fall behind by that much again and again. Belongs to whoever
    screens: `weigh` a batch, screen it, in whatever thread, then the next.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`seconds`: how much there is of it; with 0 a backlog is never read."""
        self._most = self._left = seconds
        self._clock = clock
        self._accounted = clock()
        self._was_behind = False
        self._reads = True
        self._short = _Shortage()

    def weigh(self, articles: Sequence[Article]) -> bool:
        """Whether the doubtful ones of this batch, which is screened next, are read."""
        now, behind = self._clock(), is_backlog(articles)
        if not (behind and self._was_behind):
            self._left = min(self._most, self._left + now - self._accounted)
        self._accounted = now  # from one backlog to the next: decided, or waited for an outage
        self._was_behind = behind
        self._reads = not behind or self._left > 0
        return self._reads

    def may_ask(self, model: TopicModel) -> TopicModel:
        """The model as it may be asked about the batch that was weighed."""
        return model if self._reads else model.in_haste()

    def over(self, screen: Screen) -> Screen:
        """Screening whose time is counted, and what it left unread told."""

        def counted(articles: Sequence[Article], now: datetime) -> list[Screened]:
            try:
                screened = screen(articles, now)
            finally:
                self._count()
            left_out = sum(one.doubt == "behind" for one in screened)
            self._short.note(left_out, self._clock(), self._most)
            return screened

        return counted

    def _count(self) -> None:
        if self._was_behind:
            now = self._clock()
            if self._reads:
                self._left = max(0.0, self._left - (now - self._accounted))
            self._accounted = now


def is_backlog(articles: Sequence[Article]) -> bool:
    """Whether so much was waiting at once that the worker is behind."""
    return (
        len(articles) >= BACKLOG_RECORDS or sum(len(one.text) for one in articles) >= BACKLOG_CHARS
    )


class _Shortage:
    """Tells once when the first article was left unread, and once when it is over."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._last = 0.0
        self._articles = 0

    def note(self, left_out: int, now: float, patience_s: float) -> None:
        """So many doubtful articles of the batch that was just screened were not read."""
        if left_out:
            if self._since is None:
                self._since, self._articles = now, 0
                _log.warning(
                    "behind for longer than the slow reader is waited for: until it has caught up "
                    "this worker decides doubtful articles by the fast model alone",
                    reader_patience_s=patience_s,
                )
            self._last = now
            self._articles += left_out
        elif self._since is not None and now - self._last >= OVER_AFTER_S:
            _log.info(
                "caught up: doubtful articles are read again",
                unread=self._articles,
                for_s=round(self._last - self._since),
            )
            self._since = None
