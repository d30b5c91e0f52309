"""When a failed delivery is tried again, and when it ends."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from connectors.sinks.pace import ATTENTIVE, STANDARD_WEBHOOKS, Pace
from connectors.sinks.sink import Outcome, Result
from streams.ledger import Claim, Retry
from streams.retries import JITTER, MAX_RETRY_AFTER_S, End, plan

NOW = 1_000_000.0
WEBHOOK = Pace(schedule_s=STANDARD_WEBHOOKS, off_after_s=5 * 86_400)
SLACK = Pace(settle_s=45.0)
CLAIM = Claim(
    job="hook||s1",
    fence=1,
    state="new",
    destination="hook|",
    target="",
    subscriptions="desk",
    done_revision=0,
    receipt={},
    failures=0,
    first_sent=None,
    last_sent=None,
    failing_since=None,
    failed_times=0,
    together="",
    stance="",
    verdicts=(),
    message="",
    revision=1,
    raw=b"",
)


def after(result: Result, pace: Pace = WEBHOOK, chance: float = 0.0, **claim: object) -> Retry:
    step = plan(result, replace(CLAIM, **claim), NOW, pace, lambda: chance)  # type: ignore[arg-type]
    assert isinstance(step, Retry)
    return step


def test_a_webhook_is_tried_again_on_the_schedule_of_the_standard() -> None:
    waits = [after(Result("not_sent"), failures=failed).due - NOW for failed in range(12)]
    assert waits == [5, 300, 1_800, 7_200, 18_000, *[36_000] * 7]
    assert 75 <= sum(waits) / 3_600 <= 80


@pytest.mark.parametrize("pace", [WEBHOOK, SLACK])
def test_after_the_last_attempt_comes_the_end(pace: Pace) -> None:
    for outcome, unknown in (("not_sent", False), ("unknown", True)):
        result = Result(outcome)  # type: ignore[arg-type]
        step = plan(result, replace(CLAIM, failures=len(pace.schedule_s)), NOW, pace, lambda: 0)
        assert step == End("gave_up", unknown)


def test_jitter_only_adds() -> None:
    assert after(Result("not_sent"), chance=1.0).due == NOW + 5 * (1 + JITTER)


def test_a_demand_to_wait_holds_the_destination_and_counts_as_no_failure() -> None:
    limited = after(Result("not_sent", retry_after_s=30, status=429), SLACK, failures=50)
    assert limited == Retry(NOW + 30, blocked_until=NOW + 30, counts=False)


def test_too_many_without_a_time_to_come_again_follows_the_schedule() -> None:
    bare = Result("not_sent", status=429)
    assert [after(bare, failures=failed).due - NOW for failed in range(3)] == [5, 300, 1_800]
    assert after(bare).counts and after(bare).blocked_until > NOW


def test_retry_after_lengthens_a_wait_and_never_shortens_it() -> None:
    busy = Result("unknown", retry_after_s=60, status=503)
    assert after(busy).due == NOW + 60
    assert after(busy, failures=1).due == NOW + 300
    endless = Result("unknown", retry_after_s=1e12, status=503)
    assert after(endless).due == NOW + MAX_RETRY_AFTER_S


@pytest.mark.parametrize("status", [502, 504])
def test_an_overloaded_receiver_gets_fewer_requests(status: int) -> None:
    assert after(Result("unknown", status=status)).blocked_until > NOW
    assert after(Result("unknown", status=500)).blocked_until == 0


def test_doubt_settles_before_looking_back() -> None:
    sent = after(Result("unknown"), SLACK)
    assert (sent.unknown, sent.due, sent.settled_at) == (True, NOW + 45, NOW + 45)
    looked = plan(Result("unknown"), CLAIM, NOW, SLACK, lambda: 0, sent=False)
    assert looked == Retry(NOW + 1, unknown=True)


@pytest.mark.parametrize(("outcome"), ["refused", "turned_off"])
def test_what_is_permanent_ends_at_once(outcome: Outcome) -> None:
    assert plan(Result(outcome), CLAIM, NOW, WEBHOOK, lambda: 0) == End(outcome)  # type: ignore[arg-type]


def test_an_endpoint_that_failed_for_five_days_is_turned_off() -> None:
    since = NOW - 5 * 86_400 - 1
    failing = replace(CLAIM, failing_since=since, failed_times=5)
    assert plan(Result("unknown"), failing, NOW, WEBHOOK, lambda: 0) == End("turned_off", True)
    seldom = replace(failing, failed_times=4)
    assert isinstance(plan(Result("unknown"), seldom, NOW, WEBHOOK, lambda: 0), Retry)
    assert isinstance(plan(Result("unknown"), failing, NOW, SLACK, lambda: 0), Retry)


@pytest.mark.parametrize(
    "result",
    [Result("refused", status=400), Result("not_sent", retry_after_s=60, status=429)],
    ids=["refuses all", "limits all"],
)
def test_one_that_refuses_or_limits_everything_has_failed_too(result: Result) -> None:
    long = replace(CLAIM, failing_since=NOW - 5 * 86_400 - 1, failed_times=5)
    assert plan(result, long, NOW, WEBHOOK, lambda: 0) == End("turned_off")
    step = plan(result, CLAIM, NOW, WEBHOOK, lambda: 0)
    assert step == End("refused") or (isinstance(step, Retry) and step.fails and not step.counts)


def test_a_night_without_slack_is_outlived() -> None:
    assert all(earlier <= later for earlier, later in pairwise(ATTENTIVE))
    assert sum(ATTENTIVE) > 24 * 3_600
