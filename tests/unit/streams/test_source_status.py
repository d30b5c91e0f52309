"""A source's status is a fold over its polls."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from connectors.poller import PollReport
from connectors.sources.source import Poll
from streams.source_status import (
    SourceStatus,
    decode_source_status,
    encode_source_status,
    fold,
)
from tests.fakes.polling import make_article

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NEW = SourceStatus(id="wire", type="feed", state="empty", at=NOON, counted_since=NOON)


def after(*reports: PollReport) -> SourceStatus:
    status = NEW
    for minute, report in enumerate(reports, 1):
        status = fold(status, report, NOON + timedelta(minutes=minute))
    return status


def found(count: int) -> PollReport:
    articles = tuple(make_article(f"a{n}") for n in range(count))
    return PollReport("wire", Poll("ok", articles), published=count, next_poll_s=60)


def test_counts_add_up_and_the_last_poll_is_told_apart() -> None:
    status = after(found(3), found(2), PollReport("wire", Poll("not_modified"), next_poll_s=60))
    assert (status.polls_total, status.articles_total, status.articles) == (3, 5, 0)
    assert status.undated_total == 5
    assert status.last_new_at == NOON + timedelta(minutes=2)
    assert status.last_success_at == NOON + timedelta(minutes=3)
    assert status.next_poll_at == NOON + timedelta(minutes=4)


def test_failures_keep_the_date_of_the_last_success() -> None:
    refused = Poll("refused", http_status=403, detail="x" * 1_000)
    status = after(
        found(1),
        PollReport("wire", Poll("unreachable"), failures=1, next_poll_s=60),
        PollReport("wire", refused, failures=2, next_poll_s=120),
    )
    assert (status.state, status.http_status, status.error_streak) == ("refused", 403, 2)
    assert status.last_success_at == NOON + timedelta(minutes=1)
    assert status.last_failure_at == NOON + timedelta(minutes=3)
    assert len(status.detail) == 300


def test_a_source_that_is_done_has_no_next_poll() -> None:
    assert after(PollReport("wire", Poll("done"))).next_poll_at is None


def test_it_survives_its_json_and_anything_else_is_no_status() -> None:
    status = after(found(2))
    assert decode_source_status(encode_source_status(status)) == status
    for raw in (b"", b"{}", b"\xff", b'{"id": 3}'):
        assert decode_source_status(raw) is None
