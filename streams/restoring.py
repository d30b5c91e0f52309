"""What people decided before Redis was emptied, brought back from Kafka topic `feedback`.

Level-triggered: a mark in Redis is gone when the rest is. Who finds it gone writes down all that
is owed, then the mark; what is owed is done when its story is there again, since the sources
are read anew first. Every step may be repeated. What a decision does is `streams/desk.py`'s.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, cast

import msgspec
import structlog

from connectors.records import encode
from streams.choices import LOCK_S
from streams.corrections import decisions_in_kafka
from streams.desk import EditorDesk, Send
from streams.feedback import Feedback
from streams.kafka_topics import ALERTS
from streams.ledger import KEEP_WINDOWS
from streams.outages import StoppedWaiting, outlast
from streams.settings import Settings

#: How soon a Redis that was emptied is noticed, and how soon what waits for its story is tried
#: again at first: the sources need some minutes to be read anew.
LOOK_EVERY_S, AGAIN_S, RARELY_S = 5.0, 1.0, 60.0
#: A story that has not come again by then is in no feed any more.
PATIENCE_S: Final = 86_400.0
MOST_OWED: Final = 1_000
_STANCES: Final = ("mute", "unmute", "follow")
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Restoring:
    """Brings decisions back for one process; several may do so at once. `read` gives what Kafka
    has, oldest first, and blocks; what is older than `keep_s` had its effect and is over.
    """

    desk: EditorDesk
    read: Callable[[], list[Feedback]]
    keep_s: float
    reached: Callable[[str], None] = lambda place: None
    _wait_s: float = LOOK_EVERY_S

    async def run(self, stop: asyncio.Event, send: Send) -> None:
        """Look and do until `stop`; `send` takes a Kafka topic without prefix, key and value, and
        returns when Kafka has confirmed. Waits while Redis or Kafka is away.
        """
        while not stop.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._wait_s):
                    await stop.wait()
                return
            with suppress(StoppedWaiting):
                done, owed = await outlast(lambda: self.step(send), called_off=stop.is_set)
                slower = RARELY_S if self._wait_s >= RARELY_S / 2 else 2 * self._wait_s
                self._wait_s = (AGAIN_S if done else slower) if owed else LOOK_EVERY_S

    async def step(self, send: Send) -> tuple[int, int]:
        """Once: how many were done, and how many are still owed.

        Raises:
            RedisError, KafkaAwayError: repeat it.
        """
        if not await self.desk.choices.redis.exists(self._key("restored")):
            await self._collect()
        owed = await self._owed()
        if not owed:
            return 0, 0
        async with self.desk.choices.turn("doing") as mine:
            return (await self._do(owed, send) if mine else 0), len(owed)

    async def _collect(self) -> None:
        """Redis is new, or was emptied: write down all that it may have known."""
        redis = self.desk.choices.redis
        await self.desk.note_again()
        decisions = await asyncio.to_thread(self.read)
        self.reached("read")
        for one in decisions:
            await self.desk.store.add(one)
        since = self.desk.choices.clock() - self.keep_s
        young = [one for one in decisions if one.at.timestamp() >= since]
        owed = 0
        for one in _last_words(young)[-MOST_OWED:]:
            # An empty outcome: this Redis knows that it was done, and nothing is owed.
            if await self.desk.choices.outcome(one.id) != "":
                raw = msgspec.msgpack.encode(one)
                await redis.hset(self._key("owed"), one.id, raw)
                self.reached("owed")
                owed += 1
        await redis.set(self._key("restored"), self.desk.choices.clock())
        if owed:
            _log.info("Redis was empty: what people decided is done again", decisions=owed)

    async def _owed(self) -> list[Feedback]:
        """What is owed, in the order in which it was decided."""
        redis = self.desk.choices.redis
        raws = await cast(Awaitable[dict[bytes, bytes]], redis.hgetall(self._key("owed")))
        found = [msgspec.msgpack.decode(raw, type=Feedback) for raw in raws.values()]
        return sorted(found, key=lambda one: (one.at, one.id))

    async def _do(self, owed: list[Feedback], send: Send) -> int:
        """Do what can be done now; how much that was."""
        redis = self.desk.choices.redis
        began = float(await redis.get(self._key("restored")) or 0)
        given_up = self.desk.choices.clock() - began > PATIENCE_S
        later = await self._decided_later(owed)
        done, until = 0, asyncio.get_running_loop().time() + LOCK_S / 2
        for one in owed:
            if asyncio.get_running_loop().time() > until:
                break  # what people decide now has its turn
            if not given_up and _stance(one) not in later:
                alerts = await self.desk.redo(one)
                self.reached("redone")
                if alerts is None:
                    continue
                for alert in alerts:
                    await send(ALERTS, alert.story.id.encode(), encode(alert))
            await redis.hdel(self._key("owed"), one.id)
            self.reached("done")
            done += 1
        return done

    async def _decided_later(self, owed: list[Feedback]) -> set[tuple[str, str]]:
        """Whose stance somebody has changed since: the older word must not undo the newer."""
        known = {one.id for one in owed}
        newer = await self.desk.store.since(owed[0].at)
        mine = {_stance(one): one.at for one in owed if one.verdict in _STANCES}
        return {
            stance
            for one in newer
            if one.verdict in _STANCES and one.id not in known
            if (stance := _stance(one)) in mine and one.at > mine[stance]
        }

    def _key(self, name: str) -> str:
        return f"{self.desk.choices.keys.tag}desk:{name}"


def open_restoring(desk: EditorDesk, settings: Settings) -> Restoring:
    """For the line that is configured. A story can be told for some windows after its first day."""
    keep_s = KEEP_WINDOWS * settings.newsroom.window_hours * 3600
    return Restoring(desk, functools.partial(decisions_in_kafka, settings.kafka), keep_s)


def _stance(one: Feedback) -> tuple[str, str]:
    """What a mute and its undoing are about: a story in a place. Others are about nothing else."""
    return (one.story_id, one.destination) if one.verdict in _STANCES else (one.id, "")


def _last_words(decisions: Iterable[Feedback]) -> list[Feedback]:
    """Of mutes and their undoing the last for each story and place; all the others that can be
    done again.
    """
    last: dict[tuple[str, str], Feedback] = {}
    for one in decisions:
        if one.verdict != "split" or one.article_id:
            last.pop(_stance(one), None)
            last[_stance(one)] = one
    return list(last.values())
