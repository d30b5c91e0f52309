"""The counters of all processes added up: totals that survive restarts, rates, quantiles.

Pure but for what it remembers between heartbeats. Knows metric names, not Redis.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from streams.heartbeat import Heartbeat

# A number of one metric over all processes: its name and its labels, sorted.
Series = tuple[str, tuple[tuple[str, str], ...]]
# Rates over a minute; quantiles over ten, since alerts are rare.
RATE_WINDOW = timedelta(seconds=60)
QUANTILE_WINDOW = timedelta(minutes=10)
# One look a second is kept every five seconds: 120 for the longer window.
KEEP_EVERY = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Seconds below which half, 95 % and 99 % stayed; None when nothing was measured."""

    p50: float | None
    p95: float | None
    p99: float | None
    count: int


@dataclass(frozen=True, slots=True)
class _Look:
    at: datetime
    totals: Mapping[Series, float]


class Tally:
    """Adds up heartbeats. A process that starts anew starts at zero and is added on top."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, Series], float] = {}
        self._totals: dict[Series, float] = {}
        self._gauges: dict[Series, float] = {}
        self._looks: deque[_Look] = deque()

    def add(self, heartbeats: Iterable[Heartbeat], now: datetime) -> None:
        """Take in the latest heartbeat of every process."""
        present: set[tuple[str, Series]] = set()
        gauges: dict[Series, float] = {}
        for beat in heartbeats:
            for sample in beat.samples:
                series: Series = (sample.name, tuple(sorted(sample.labels.items())))
                if _is_counter(sample.name):
                    own = (beat.process, series)
                    present.add(own)
                    rise = sample.value - self._last.get(own, 0.0)
                    self._last[own] = sample.value
                    self._totals[series] = self._totals.get(series, 0.0) + max(0.0, rise)
                elif not beat.stopped:
                    gauges[series] = gauges.get(series, 0.0) + sample.value
        self._gauges = gauges
        for gone in self._last.keys() - present:  # forgotten by Redis after a day
            del self._last[gone]
        if not self._looks or now - self._looks[-1].at >= KEEP_EVERY:
            self._looks.append(_Look(now, dict(self._totals)))
        while now - self._looks[0].at > QUANTILE_WINDOW + KEEP_EVERY:
            self._looks.popleft()

    def total(self, name: str, **labels: str) -> float:
        """The sum over every series of this name that carries these labels."""
        return _sum(self._totals, name, labels)

    def series(self, name: str) -> list[tuple[tuple[tuple[str, str], ...], float]]:
        """Every series of this name, counter or gauge: its labels and its value."""
        both = {**self._gauges, **self._totals}
        return [(labels, value) for (own, labels), value in both.items() if own == name]

    def totals_by(self, name: str, *label_names: str) -> dict[tuple[str, ...], float]:
        """The sum for each combination of these labels' values."""
        return _sums_by(self._totals, name, label_names)

    def gauges_by(self, name: str, *label_names: str) -> dict[tuple[str, ...], float]:
        """A gauge of all living processes, for each combination of these labels' values."""
        return _sums_by(self._gauges, name, label_names)

    def rise(self, name: str, now: datetime, over: timedelta, **labels: str) -> float:
        """How much a counter has risen over a window (or since the first look)."""
        return self.total(name, **labels) - _sum(self._before(now, over).totals, name, labels)

    def per_minute(self, name: str, now: datetime, **labels: str) -> float:
        """The rate over the last minute; over less where less has been seen."""
        if not self._looks:
            return 0.0
        before = self._before(now, RATE_WINDOW)
        seconds = (now - before.at).total_seconds()
        risen = self.rise(name, now, RATE_WINDOW, **labels)
        return 60 * risen / seconds if seconds >= 1 else 0.0

    def quantiles(self, histogram: str, now: datetime) -> Quantiles:
        """Quantiles of a histogram over ten minutes, linear within a bucket as Prometheus's."""
        name = f"{histogram}_bucket"
        before = self._before(now, QUANTILE_WINDOW).totals if self._looks else {}
        counts = {
            float(bound): total - _sum(before, name, {"le": bound})
            for (bound,), total in _sums_by(self._totals, name, ("le",)).items()
        }
        buckets = sorted(counts.items())
        count = round(buckets[-1][1]) if buckets else 0
        p50, p95, p99 = (_quantile(buckets, share) for share in (0.5, 0.95, 0.99))
        return Quantiles(p50, p95, p99, count)

    def _before(self, now: datetime, over: timedelta) -> _Look:
        """The last look at or before the window's beginning, else the first there is."""
        if not self._looks:
            return _Look(now, self._totals)
        found = self._looks[0]
        for look in self._looks:
            if now - look.at < over:
                break
            found = look
        return found


def _is_counter(name: str) -> bool:
    return name.endswith(("_total", "_bucket", "_count", "_sum"))


def _sum(totals: Mapping[Series, float], name: str, labels: Mapping[str, str]) -> float:
    wanted = labels.items()
    return sum(
        value
        for (own, own_labels), value in totals.items()
        if own == name and wanted <= {*own_labels}
    )


def _sums_by(
    totals: Mapping[Series, float], name: str, label_names: tuple[str, ...]
) -> dict[tuple[str, ...], float]:
    sums: dict[tuple[str, ...], float] = {}
    for (own, labels), value in totals.items():
        if own == name:
            values = dict(labels)
            group = tuple(values.get(label, "") for label in label_names)
            sums[group] = sums.get(group, 0.0) + value
    return sums


def _quantile(buckets: list[tuple[float, float]], share: float) -> float | None:
    """`buckets`: upper bound and cumulative count, ascending, the last bound infinite."""
    if not buckets or buckets[-1][1] <= 0:
        return None
    rank = share * buckets[-1][1]
    below_bound, below_count = 0.0, 0.0
    for bound, count in buckets:
        if count >= rank and count > below_count:
            if bound == float("inf"):
                return below_bound
            within = (rank - below_count) / (count - below_count)
            return below_bound + (bound - below_bound) * within
        below_bound, below_count = bound, count
    return below_bound
