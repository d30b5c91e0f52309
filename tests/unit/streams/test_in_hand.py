"""What is remembered over a worker's deaths, and when a record is condemned for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from streams.batches import Held
from streams.dead_letters import Origin
from streams.in_hand import CONDEMNED_AFTER, InHand, open_in_hand


def _held(*offsets: int, partition: int = 0) -> list[Held]:
    return [
        Held(None, b"x", b"", Origin(kafka_topic="a", partition=partition, offset=each), True)
        for each in offsets
    ]


def _live(in_hand: InHand, batch: Sequence[Held], killers: set[int]) -> list[int] | None:
    """Work through a batch as the worker does: offsets condemned, None for a death."""
    condemned = []
    for part in in_hand.parts(batch):
        if in_hand.deaths(part[0]) >= CONDEMNED_AFTER:
            condemned.append(part[0].origin.offset)
        else:
            in_hand.take(part)
            if any(each.origin.offset in killers for each in part):
                return None
        in_hand.put_down(part)
    return condemned


@pytest.mark.parametrize("killer", [0, 5, 9])
def test_a_killer_is_condemned_after_three_deaths_and_nobody_else(
    tmp_path: Path, killer: int
) -> None:
    for _ in range(3):
        worker = open_in_hand(tmp_path, "screen")
        assert _live(worker, _held(*range(10)), {killer}) is None
        worker.close()
    heir = open_in_hand(tmp_path, "screen")
    assert _live(heir, _held(*range(10)), {killer}) == [killer]
    heir.close()
    assert open_in_hand(tmp_path, "screen").suspects == ()


def test_a_worker_that_ends_well_leaves_no_suspects(tmp_path: Path) -> None:
    worker = open_in_hand(tmp_path, "screen")
    assert _live(worker, _held(1, 2, 3), set()) == []
    worker.close()
    assert open_in_hand(tmp_path, "screen").suspects == ()


def test_one_death_changes_nothing_but_the_count(tmp_path: Path) -> None:
    worker = open_in_hand(tmp_path, "screen")
    assert _live(worker, _held(1, 2, 3), {2}) is None
    worker.close()
    heir = open_in_hand(tmp_path, "screen")
    batch = _held(0, 1, 2, 3, 4)
    assert [heir.deaths(each) for each in batch] == [0, 1, 1, 1, 0]
    assert list(heir.parts(batch)) == [batch]
    assert heir.deaths(_held(2, partition=1)[0]) == 0


def test_after_two_deaths_suspects_are_taken_alone_and_in_order(tmp_path: Path) -> None:
    for _ in range(2):
        worker = open_in_hand(tmp_path, "screen")
        assert _live(worker, _held(1, 2), {2}) is None
        worker.close()
    heir = open_in_hand(tmp_path, "screen")
    parts = [[each.origin.offset for each in part] for part in heir.parts(_held(0, 1, 2, 3, 4))]
    assert parts == [[0], [1], [2], [3, 4]]


def test_two_workers_of_a_machine_have_a_file_each(tmp_path: Path) -> None:
    first, second = open_in_hand(tmp_path, "screen"), open_in_hand(tmp_path, "screen")
    first.take(_held(1))
    first.close()
    second.close()
    assert [len(open_in_hand(tmp_path, "screen").suspects) for _ in range(2)] == [1, 0]


def test_a_file_of_another_version_is_nobodys_death(tmp_path: Path) -> None:
    (tmp_path / "in-hand-screen-0").write_bytes(b"\x00 what is this")
    assert open_in_hand(tmp_path, "screen").suspects == ()
