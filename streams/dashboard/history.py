"""The last hour in points of five seconds, for the charts. In memory: it starts with the page."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

import msgspec

from streams.lag import lag_seconds
from streams.observations import Observer

STEP = timedelta(seconds=5)
KEEP = 720


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One point of every chart. `at` in epoch seconds; rates a minute; seconds or None."""

    at: float
    received: float
    screened: float
    alerts: float
    delivered: float
    lag_s: float
    lag: int
    screened_p50: float | None
    screened_p95: float | None
    delivered_p50: float | None
    delivered_p95: float | None
    canary_s: float | None


class History:
    """Collects points; `add` gives a new one when it is due, else None."""

    def __init__(self) -> None:
        self.points: deque[Point] = deque(maxlen=KEEP)
        self._next_at: datetime | None = None

    def add(self, observer: Observer, now: datetime) -> Point | None:
        """Take a point from what the observer saw last, at most one every five seconds."""
        if self._next_at is not None and now < self._next_at:
            return None
        self._next_at = now + STEP
        tally, partitions = observer.tally, observer.partitions.values()
        screened = tally.quantiles("wirebell_seen_to_screened_seconds", now)
        delivered = tally.quantiles("wirebell_screened_to_delivered_seconds", now)
        point = Point(
            at=now.timestamp(),
            received=tally.per_minute("wirebell_articles_published_total", now),
            screened=tally.per_minute("wirebell_articles_screened_total", now),
            alerts=tally.per_minute("wirebell_alerts_total", now),
            delivered=tally.per_minute("wirebell_deliveries_total", now, outcome="delivered"),
            lag_s=max((lag_seconds(one, now) for one in partitions), default=0.0),
            lag=sum(one.lag for one in partitions),
            screened_p50=screened.p50,
            screened_p95=screened.p95,
            delivered_p50=delivered.p50,
            delivered_p95=delivered.p95,
            canary_s=_canary_s(observer),
        )
        self.points.append(point)
        return point


def _canary_s(observer: Observer) -> float | None:
    """The round trip of the last canary that is back."""
    back = [one for one in observer.canaries if one.back_at is not None]
    return back[-1].took(back[-1].sent_at).total_seconds() if back else None
