"""How long the slow reader is waited for, by a clock that the screening itself moves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest
import structlog

from connectors.records import Article
from streams.patience import BACKLOG_CHARS, BACKLOG_RECORDS, OVER_AFTER_S, Patience, is_backlog
from streams.screening import Doubt, Screened

NOW = datetime(2026, 3, 1, tzinfo=UTC)
# What screening costs in these tests, with one doubtful article in ten.
READ_S, HASTY_S = 0.01, 0.001


class _Model:
    """A model that remembers whether it was asked in haste."""

    def __init__(self, hasty: bool = False) -> None:
        self.hasty = hasty

    def in_haste(self) -> _Model:
        return _Model(hasty=True)


class _Worker:
    """A worker whose time passes only while it screens, waits or rests."""

    def __init__(self, patience_s: float) -> None:
        self.now = 0.0
        self._patience = Patience(patience_s, lambda: self.now)
        self._screen = self._patience.over(self._screened)

    def take(self, count: int) -> bool:
        """Whether a batch of so many articles is read."""
        batch = [_article()] * count
        reads = self._patience.weigh(batch)
        assert self._screen(batch, NOW)[0].doubt == ("read" if reads else "behind")
        return reads

    def backlog(self, seconds: float) -> float:
        """Full batches for so long: the share of the time that was spent with the reader."""
        ends, reading = self.now + seconds, 0.0
        while self.now < ends:
            began = self.now
            if self.take(2 * BACKLOG_RECORDS):
                reading += self.now - began
            self.now += 0.05  # stories, Kafka
        return reading / seconds

    def _screened(self, articles: Sequence[Article], now: datetime) -> list[Screened]:
        model = cast(_Model, self._patience.may_ask(cast(Any, _Model())))
        self.now += len(articles) * (HASTY_S if model.hasty else READ_S)
        doubt: Doubt = "behind" if model.hasty else "read"
        return [Screened(articles[0], "", (), (), now, doubt=doubt)] * len(articles)


def _article(text: str = "") -> Article:
    return Article(id="a", source_id="s", publisher="P", title="T", text=text, fetched_at=NOW)


def test_a_backlog_is_read_until_patience_ends_and_then_no_more() -> None:
    worker = _Worker(60)
    assert worker.backlog(50) > 0.9
    worker.backlog(20)
    assert worker.backlog(3600) == 0


def test_who_has_caught_up_reads_at_once() -> None:
    worker = _Worker(1)
    worker.backlog(60)
    assert not worker.take(BACKLOG_RECORDS)
    assert worker.take(BACKLOG_RECORDS - 1)


def test_a_small_batch_by_chance_does_not_have_the_rest_of_a_backlog_read() -> None:
    worker = _Worker(60)
    worker.backlog(100)
    worker.take(BACKLOG_RECORDS // 2)
    assert worker.backlog(60) < 0.1


def test_patience_comes_back_with_the_time_without_a_backlog() -> None:
    worker = _Worker(60)
    worker.backlog(100)
    worker.take(1)
    worker.now += 30
    assert worker.backlog(30) > 0.9
    assert worker.backlog(30) < 0.2
    worker.take(1)
    worker.now += 3600  # and never more of it than there was
    worker.backlog(70)
    assert worker.backlog(60) == 0


def test_waiting_for_an_outage_with_a_backlog_in_hand_neither_spends_nor_restores_it() -> None:
    worker = _Worker(60)
    worker.backlog(30)
    worker.now += 3600
    assert worker.backlog(25) > 0.9
    worker.backlog(20)
    worker.now += 3600
    assert not worker.take(BACKLOG_RECORDS)


def test_a_steady_surplus_is_kept_up_with_and_partly_read() -> None:
    """Articles come twice as fast as they can be read, and five times slower than without."""
    worker = _Worker(60)
    a_second, taken, oldest_s = 200.0, 0, 0.0
    read, began = 0, 0.0
    while worker.now < 1_000:
        waiting = int(worker.now * a_second) - taken
        if not waiting:
            worker.now += 0.01
            continue
        if worker.now > 500:  # patience for the first surplus is gone
            oldest_s = max(oldest_s, waiting / a_second)
        batch = min(2 * BACKLOG_RECORDS, waiting)
        taken += batch
        began = began or worker.now
        read += batch if worker.take(batch) else 0
    assert oldest_s < 10
    assert 0.3 < read / taken < 0.6


@pytest.mark.parametrize(("patience_s", "reads"), [(0, False), (1e9, True)])
def test_there_is_no_patience_or_no_end_of_it(patience_s: float, reads: bool) -> None:
    worker = _Worker(patience_s)
    worker.backlog(3600)
    assert worker.take(2 * BACKLOG_RECORDS) is reads
    assert worker.take(1)


def test_a_few_long_articles_are_a_backlog_too() -> None:
    assert is_backlog([_article("x" * (BACKLOG_CHARS // 20))] * 20)
    assert not is_backlog([_article("x" * (BACKLOG_CHARS // 20))] * 19)


def test_a_failed_screening_spends_what_it_took() -> None:
    now = [0.0]
    patience = Patience(60, lambda: now[0])

    def fail(articles: Sequence[Article], at: datetime) -> list[Screened]:
        now[0] += 61
        raise ValueError

    backlog = [_article()] * BACKLOG_RECORDS
    assert patience.weigh(backlog)
    with pytest.raises(ValueError):
        patience.over(fail)(backlog, NOW)
    assert not patience.weigh(backlog)


def test_a_shortage_is_told_once_at_its_beginning_and_once_at_its_end() -> None:
    worker = _Worker(10)
    with structlog.testing.capture_logs() as told:
        worker.backlog(100)
        worker.take(1)
        worker.now += OVER_AFTER_S / 2  # caught up for a moment
        worker.take(1)
        worker.backlog(100)
        assert [each["log_level"] for each in told] == ["warning"]
        worker.take(1)
        worker.now += OVER_AFTER_S
        worker.take(1)
        worker.take(1)
    assert [each["log_level"] for each in told] == ["warning", "info"]
    assert told[0]["reader_patience_s"] == 10
    assert told[1]["unread"] > 1000
