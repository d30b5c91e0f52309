"""Processes that die while they take what people press: no choice is lost, none is taken twice."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import pytest

from connectors.sinks.slack_actions import Choice, Press
from connectors.sinks.slack_views import View
from streams.desk import PLACES, EditorDesk, open_editor_desk
from streams.feedback import decode_feedback
from streams.feedback_store import FeedbackStore
from streams.slack_desk import SlackDesk
from streams.stories import Stories
from tests.delivery_rig import Rig, open_rig
from tests.fakes.alerts import make_alert
from tests.fakes.crash import Crash, die_at

LOAD = int(os.environ.get("WIREBELL_CHAOS", "1"))
# Three hundred deaths at each place are the full load.
LIVES = 30 * LOAD
CHOICES: tuple[Choice, ...] = ("relevant", "mute", "not_relevant", "follow")


class NoWindows:
    """Nothing is asked back here."""

    async def open(self, trigger: str, view: View) -> None:
        raise AssertionError("nothing is asked back here")


@pytest.fixture
async def rig(redis_url: str, redis_prefix: str) -> AsyncIterator[Rig]:
    async with open_rig(redis_url, redis_prefix) as made:
        yield made


def open_desk(rig: Rig, reached: Callable[[str], None]) -> SlackDesk:
    """A desk as a fresh process has it."""
    editor = open_editor_desk(rig.redis, rig.keys, 72 * 3600)
    editor.ledger, editor.reached = rig.ledger(), reached
    stories = Stories(rig.redis, rig.keys, 72 * 3600, ("en",))
    return SlackDesk("slack", editor, stories, NoWindows(), list)


async def live(desk: SlackDesk, presses: list[Press], heard: list[bytes]) -> bool:
    """One process's life: hears presses, does them, tells Kafka. What it acknowledges leaves
    `presses`; the rest Slack sends again. True when it died.
    """

    async def send(kafka_topic: str, key: bytes, value: bytes) -> None:
        heard.append(value)

    try:
        for press in list(presses):
            assert await desk.pressed(press)
            presses.remove(press)
        while await desk.editor._do_waiting():
            pass
        while await desk.editor._send_outgoing(send):
            pass
    except Crash:
        # Its turn ends with its lock, ten seconds later.
        await desk.editor.choices.redis.delete(*_turns(desk.editor))
        return True
    return False


def _turns(editor: EditorDesk) -> list[str]:
    return [f"{editor.choices.keys.tag}desk:turn:{name}" for name in ("doing", "sending")]


@pytest.mark.parametrize("place", PLACES)
async def test_a_process_that_dies_with_a_choice_in_hand_loses_none_and_takes_none_twice(
    rig: Rig, place: str, record_property: Callable[[str, object], None]
) -> None:
    await rig.deliveries().accept([make_alert(f"s{number}") for number in range(5)])
    presses: list[Press] = []
    heard: list[bytes] = []
    made: list[Press] = []
    deaths = 0
    for number in range(LIVES):
        choice = CHOICES[number % len(CHOICES)]
        made.append(Press(f"p{number}", choice, f"s{number % 5}", 1, "C0000001", "U1", "ann"))
        presses.append(made[-1])
        switch = die_at(place, 1 + number % 2)
        deaths += await live(open_desk(rig, switch), presses, heard)
    assert not await live(open_desk(rig, lambda reached: None), presses, heard)
    told = Counter(decode_feedback(raw).id for raw in heard)
    kept = [each.id for each in await FeedbackStore(rig.redis, rig.keys).since(_ever())]
    stances = [
        (await rig.redis.hget(f"{rig.keys.tag}ledger:job:slack|C0000001|s{story}", "stance"))
        for story in range(5)
    ]
    lost = len(made) - len(told)
    record_property("owed", len(made))
    record_property("lost", lost)
    record_property("doubled", len(kept) - len(set(kept)))
    record_property("faults", deaths)
    assert deaths >= LIVES // 3
    assert (lost, sorted(kept)) == (0, sorted(press.id for press in made))
    # What Kafka hears again has the same id; it can come again only where it died after sending.
    assert told.total() - len(told) <= (deaths if place == "sent" else 0)
    assert stances == [_last_stance(made, f"s{story}") for story in range(5)]


def _last_stance(made: list[Press], story: str) -> bytes | None:
    stances = [each.choice for each in made if each.story_id == story]
    last = [choice for choice in stances if choice in ("mute", "follow")]
    return last[-1].encode() if last else None


def _ever() -> datetime:
    return datetime.fromtimestamp(0, UTC)


async def test_what_a_dead_process_left_is_done_by_the_next_one_at_its_start(rig: Rig) -> None:
    await rig.deliveries().accept([make_alert()])
    dead = open_desk(rig, die_at("edited", 1))
    presses = [Press("p1", "relevant", "s1", 1, "C0000001", "U1", "ann")]
    heard: list[bytes] = []
    assert await live(dead, presses, heard)
    assert (presses, heard) == ([], [])
    stop = asyncio.Event()

    async def send(kafka_topic: str, key: bytes, value: bytes) -> None:
        heard.append(value)
        stop.set()

    await asyncio.wait_for(open_desk(rig, lambda reached: None).editor.run(stop, send), 10)
    assert [decode_feedback(raw).id for raw in heard] == ["p1"]
