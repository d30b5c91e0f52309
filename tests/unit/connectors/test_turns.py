"""Turns: one of a host at a time, never too soon, nobody forgotten."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.sources.source import Poll
from connectors.turns import Politeness, Turns, host_rest_s, next_wait_s

CALM = Politeness(host_gap_s=1.0, running=8, jitter=0.0)


def middle() -> float:
    return 0.5


def test_sources_of_one_host_are_asked_one_at_a_time_with_a_gap_between() -> None:
    turns = Turns(CALM)
    for name in ("a", "b", "c"):
        turns.add(name, "news.example", 0.0)
    assert turns.take(0.0) == ["a"]
    assert turns.take(5.0) == []
    turns.fetched("a", 6.0)
    assert turns.take(6.9) == []
    assert turns.next_due() == 7.0
    assert turns.take(7.0) == ["b"]
    turns.fetched("b", 7.5)
    assert turns.take(8.5) == ["c"]


def test_hosts_do_not_wait_for_each_other_and_a_source_without_a_host_for_nobody() -> None:
    turns = Turns(Politeness(running=2))
    for name in ("a", "b", "c"):
        turns.add(name, f"{name}.example", 0.0)
    turns.add("pushed", "", 0.0)
    assert sorted(turns.take(0.0)) == ["a", "b", "pushed"]
    assert turns.take(1.0) == []
    turns.fetched("b", 2.0)
    assert turns.next_due() == 0.0
    assert turns.take(2.0) == ["c"]


def test_a_host_that_asks_for_rest_is_left_alone_by_all_its_sources() -> None:
    turns = Turns(CALM)
    turns.add("a", "news.example", 0.0)
    turns.add("b", "news.example", 0.0)
    turns.take(0.0)
    told = Poll("refused", http_status=429, retry_after_s=90)
    turns.fetched("a", 1.0, host_rest_s(told, CALM))
    assert turns.take(90.9) == []
    assert turns.take(91.0) == ["b"]
    assert host_rest_s(Poll("refused", http_status=403, retry_after_s=90), CALM) == 0


def test_a_source_keeps_its_own_pace_and_others_their_interval() -> None:
    assert next_wait_s(Poll("ok", next_poll_s=0.25), 120, 0, CALM, middle) == 0.25
    assert next_wait_s(Poll("not_modified"), 120, 0, CALM, middle) == 120
    jittery = Politeness(jitter=0.1)
    waits = [next_wait_s(Poll("ok"), 100, 0, jittery, lambda share=s: share) for s in (0, 0.5, 1)]
    assert waits == pytest.approx([90, 100, 110])


def test_failures_double_the_wait_up_to_an_hour() -> None:
    waits = [next_wait_s(Poll("unreachable"), 120, n, CALM, middle) for n in (1, 2, 3, 5, 6, 99)]
    assert waits == [120, 240, 480, 1920, 3600, 3600]
    daily = next_wait_s(Poll("unreachable"), 86_400, 4, CALM, middle)
    assert daily == 86_400, "a longer interval is not shortened by failing"


@pytest.mark.parametrize("state", ["ok", "refused", "unreachable"])
def test_retry_after_is_never_undercut_and_never_believed_beyond_a_day(state: str) -> None:
    poll = Poll(state, retry_after_s=700, next_poll_s=0.0)  # type: ignore[arg-type]
    for share in (0.0, 1.0):
        assert next_wait_s(poll, 120, 1, Politeness(), lambda share=share: share) >= 700
    endless = Poll("refused", retry_after_s=1e9)
    assert next_wait_s(endless, 120, 1, CALM, middle) == 86_400


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.floats(0, 5)), min_size=1, max_size=40),
    st.integers(1, 4),
)
def test_everybody_gets_a_turn_and_no_host_is_asked_too_soon(
    sources: list[tuple[int, float]], running: int
) -> None:
    """Host 0 stands for no host. Each poll takes 0.3 s of a clock that jumps from event
    to event.
    """
    turns = Turns(Politeness(host_gap_s=1.0, running=running))
    host_of = {}
    for number, (host, due) in enumerate(sources):
        name = f"s{number}"
        host_of[name] = f"h{host}" if host else ""
        turns.add(name, host_of[name], due)
    now, under_way, asked, ended = 0.0, {}, set(), {}
    for _ in range(1_000):
        for name in turns.take(now):
            host = host_of[name]
            if host:
                assert host not in {host_of[other] for other in under_way}
                assert now >= ended.get(host, -9.0) + 1.0 - 1e-9
            assert name not in asked
            asked.add(name)
            under_way[name] = now + 0.3
        assert sum(1 for name in under_way if host_of[name]) <= running
        upcoming = [*under_way.values()]
        if (due := turns.next_due()) is not None:
            upcoming.append(due)
        if not upcoming:
            break
        now = max(now, min(upcoming))
        for name in [name for name, end in under_way.items() if end <= now]:
            del under_way[name]
            turns.fetched(name, now)
            ended[host_of[name]] = now
    assert asked == set(host_of)


def test_a_thousand_idle_feeds_cost_nothing_between_their_turns() -> None:
    turns = Turns(Politeness(running=1_000))
    for number in range(1_000):
        turns.add(f"s{number}", f"h{number % 50}", 100.0 + number / 10)
    looks = 0
    now = 0.0
    while now < 100:
        assert turns.take(now) == []
        due = turns.next_due()
        assert due is not None
        now = due
        looks += 1
    assert looks == 1, "one look, then asleep until the first is due"


def test_a_hastened_source_is_asked_once_and_no_sooner_than_its_host_allows() -> None:
    turns = Turns(CALM)
    turns.add("a", "news.example", 0.0)
    turns.add("b", "news.example", 100.0)
    assert turns.take(0.0) == ["a"]
    turns.fetched("a", 5.0)
    assert turns.hasten("b", 5.0)
    assert turns.take(5.5) == []
    assert turns.take(6.0) == ["b"]
    assert not turns.hasten("b", 6.0)
    turns.fetched("b", 7.0)
    assert turns.take(200.0) == []


def test_a_paused_source_is_held_back_when_its_turn_comes_and_due_when_resumed() -> None:
    turns = Turns(CALM)
    turns.add("a", "", 10.0)
    turns.add("b", "", 10.0)
    turns.pause({"a"}, 0.0)
    assert turns.take(10.0) == ["b"]
    assert not turns.hasten("a", 11.0)
    turns.pause((), 20.0)
    assert turns.take(20.0) == ["a"]


def test_a_source_resumed_before_its_turn_keeps_it() -> None:
    turns = Turns(CALM)
    turns.add("a", "", 10.0)
    turns.pause({"a"}, 0.0)
    turns.pause((), 1.0)
    assert turns.take(9.0) == []
    assert turns.take(10.0) == ["a"]
