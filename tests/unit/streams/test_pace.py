"""A jump in speed: against the newsroom's usual and the story's own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.pace import BREAKING_REPORTS, CALM_S, Speed, jump
from streams.story import Folded, fold
from tests.reports import facts

BURST = [(60.0 * n, f"paper {n % 4}") for n in range(BREAKING_REPORTS)]
QUIET = [(-3_600.0 * n, "paper 9") for n in range(30, 0, -1)]


def test_many_publishers_at_once_are_a_jump() -> None:
    speed = jump(BURST, None)
    assert speed is not None
    assert (speed.reports, speed.publishers, speed.usual) == (BREAKING_REPORTS, 4, 0.0)


def test_a_live_page_is_none_and_neither_are_a_few_reports() -> None:
    assert jump([(at, "one paper") for at, _ in BURST], None) is None
    assert jump(BURST[1:], None) is None
    assert jump([], None) is None


def test_a_story_that_is_always_so_fast_has_not_jumped() -> None:
    steady = [(600.0 * n, f"paper {n % 4}") for n in range(40)]
    assert jump(steady, None) is None
    assert jump(QUIET + BURST, None) is not None


def test_it_jumps_once_in_some_hours() -> None:
    lately, long_ago = (Speed(BURST[-1][0] - back, 5, 4, 0.0) for back in (60.0, CALM_S + 1))
    assert jump(BURST, lately) is None
    assert jump(BURST, long_ago) is not None


@given(st.permutations(range(8)))
def test_a_breaking_story_rings_breaking_once_in_whatever_order_its_reports_come(
    order: list[int],
) -> None:
    folded: Folded | None = None
    breaking: list[str] = []
    for n in order:
        step = fold(folded, facts(f"a{n}", publisher=f"p{n}", minutes=5 * n), "0" * 12, ("en",))
        folded = step.folded
        if step.alert is not None:
            breaking += [words for words in step.alert.story.changes if "breaking" in words]
            if breaking:
                assert step.alert.priority == "flash"
                assert "breaking" in step.alert.priority_reason
    assert len(breaking) == 1
    assert folded is not None
    assert [report.article_id for report in folded.story.reports] == [f"a{n}" for n in range(8)]
