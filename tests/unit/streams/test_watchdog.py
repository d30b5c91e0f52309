"""When a worker counts as stalled."""

from __future__ import annotations

from streams.watchdog import Progress, StallRule, Standing

P0, P1 = ("articles", 0), ("articles", 1)


class Moment:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.progress = Progress(lambda: self.now)
        self.rule = StallRule(60)

    def look(
        self,
        later_s: float,
        standing: Standing,
        assigned: frozenset[tuple[str, int]] = frozenset({P0}),
        *,
        loop: bool = True,
    ) -> str:
        self.now += later_s
        if loop:
            self.progress.loop(assigned)
        return self.rule.look(self.now, standing, self.progress)


def test_records_that_wait_while_nothing_is_committed_are_a_stall() -> None:
    moment = Moment()
    assert moment.look(0, {P0: (5, 10)}) == ""
    assert moment.look(59, {P0: (8, 10)}) == ""
    assert "articles/0 has stood still for 60 s" in moment.look(1, {P0: (9, 10)})


def test_an_idle_line_is_not_a_stall() -> None:
    moment = Moment()
    assert [moment.look(50, {P0: (0, 10)}) for _ in range(10)] == [""] * 10
    assert moment.look(1, {P0: (3, 10)}) == ""  # the wait begins now, not when it was idle


def test_a_slow_worker_is_not_stalled() -> None:
    moment = Moment()
    assert {moment.look(50, {P0: (10_000, offset)}) for offset in range(20)} == {""}


def test_waiting_for_redis_is_not_a_stall_but_standing_still_after_it_is() -> None:
    moment = Moment()
    for _ in range(10):
        moment.progress.wait("redis")
        assert moment.look(30, {P0: (5, 10)}) == ""
    moment.look(60, {P0: (5, 10)})
    assert moment.look(60, {P0: (5, 10)}) != ""


def test_a_broker_that_cannot_be_asked_is_not_our_stall() -> None:
    moment = Moment()
    moment.look(0, {P0: (5, 10)})
    assert moment.look(100, {}) == ""
    assert moment.look(1, {P0: (5, 10)}) == ""


def test_a_partition_of_another_worker_is_not_ours_to_end_for() -> None:
    moment = Moment()
    moment.look(0, {P0: (0, 10), P1: (5, 10)})
    assert moment.look(100, {P0: (0, 10), P1: (5, 10)}) == ""


def test_thrown_out_of_the_group_for_good_is_a_stall_when_nobody_else_works() -> None:
    moment = Moment()
    nobody: frozenset[tuple[str, int]] = frozenset()
    moment.look(0, {P0: (5, 10), P1: (5, 10)}, nobody)
    assert moment.look(30, {P0: (5, 10), P1: (4, 11)}, nobody) == ""
    assert moment.look(40, {P0: (5, 10), P1: (3, 12)}, nobody) == ""  # somebody serves P1
    moment.look(1, {P0: (5, 10), P1: (3, 12)}, nobody)
    assert moment.look(60, {P0: (5, 10), P1: (3, 12)}, nobody) != ""


def test_an_event_loop_that_does_not_turn_is_a_stall_whatever_kafka_says() -> None:
    moment = Moment()
    assert "event loop" in moment.look(60, {}, loop=False)
