"""Versions of the topic model: which there are, which one is in force, and by whom.

Owns the records in Redis and the bytes of promoted models there, so that workers on other machines
get them. Does not load a model (model_pickup.py does) and does not judge one.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import msgspec
from redis.asyncio import Redis
from redis.exceptions import WatchError

from streams.keys import Keys
from streams.model_files import (
    SHIPPED,
    SHIPPED_RECORD,
    ModelFileError,
    ModelFiles,
    version_of,
)
from streams.model_records import InForce, ModelRecord, ModelVersion, State, Turn

#: As many turns can be rolled back, one after the other; their bytes stay in Redis.
MOST_TURNS = 6
#: The bytes of a model that nobody promotes leave Redis after so long.
LENT_S = 30 * 86_400

_Record = TypeVar("_Record", InForce, ModelRecord)


class UnknownModelError(ValueError):
    """There is no such version, or nothing to roll back to."""


class RefusedModelError(ValueError):
    """The version did worse on the pinned evaluation; promote it with a reason or not at all."""


def utc_now() -> datetime:
    """The clock of promotions."""
    return datetime.now(UTC)


class ModelVersions:
    """The versions of one line. Every method raises RedisError when Redis is away.

    `base` is the model file that works where nothing was promoted: the one that ships, or the one
    that the configuration names.
    """

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        files: ModelFiles,
        base: Path | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._files = files
        self._base = base or SHIPPED
        self._clock = clock

    async def add(self, record: ModelRecord, content: bytes) -> None:
        """List a version, and lend its bytes to whoever promotes it from another machine."""
        await self._redis.set(self._keys.model_file(record.version), content, ex=LENT_S)
        await self._redis.hset(self._keys.models, record.version, msgspec.json.encode(record))

    async def records(self) -> dict[str, ModelRecord]:
        """What is known of every version, here or in Redis, by version."""
        known = {record.version: record for record in self._files.records()}
        for raw in (await self._redis.hgetall(self._keys.models)).values():
            record = _decoded(raw, ModelRecord)
            if record is not None:
                known.setdefault(record.version, record)
        return known

    async def turns(self) -> InForce | None:
        """Which model is in force and was before; None where Redis knows of none: nothing was
        promoted yet, or Redis was emptied.
        """
        raw = await self._redis.get(self._keys.model_in_force)
        return None if raw is None else _decoded(raw, InForce)

    async def in_force(self) -> str | None:
        """The version in force; "" is the base; None where Redis does not know."""
        turns = await self.turns()
        return None if turns is None else turns.version

    async def listed(self) -> list[ModelVersion]:
        """Every version, the newest first; the base is the last."""
        turns, records = await self.turns(), await self.records()
        found = [
            _listed(record, turns) for record in sorted(records.values(), key=_age, reverse=True)
        ]
        return [*found, await self._base_listed(turns)]

    async def content(self, version: str) -> bytes:
        """The bytes of a version, from the directory or from Redis.

        Raises:
            UnknownModelError: nobody has them.
            ModelFileError: those in Redis are not that version's.
        """
        found = self._files.read(version)
        if found is None:
            raw = await self._redis.get(self._keys.model_file(version))
            if raw is None:
                raise UnknownModelError(f"model {version}: its file is neither here nor in Redis")
            found = raw if isinstance(raw, bytes) else raw.encode()
            self._files.put(version, found)
        return found

    async def promote(self, version: str, who: str, forced: str = "") -> None:
        """Bring a version into force. The bytes go first: who sees the version can have it.

        Raises:
            UnknownModelError: there is no such version.
            RefusedModelError: it did worse, and no reason was given to take it all the same.
        """
        base = self._base_version()
        if version in ("", "shipped", base):
            await self._turn(Turn(version="", at=self._clock(), who=who))
            return
        record = (await self.records()).get(version)
        if record is None:
            raise UnknownModelError(f"there is no model {version}; `wirebell models` lists them")
        if record.refusals and not forced:
            raise RefusedModelError(f"model {version} was refused: {'; '.join(record.refusals)}")
        content = await self.content(version)
        await self._redis.set(self._keys.model_file(version), content)
        await self._redis.hset(self._keys.models, version, msgspec.json.encode(record))
        await self._turn(Turn(version=version, at=self._clock(), who=who, forced=forced))

    async def roll_back(self, who: str) -> str:
        """Go back to the model before; its version, "" for the base.

        Raises:
            UnknownModelError: none was promoted before.
        """

        def undo(now: InForce | None) -> InForce:
            if now is None or len(now.turns) < 2:
                raise UnknownModelError("nothing was promoted, so there is nothing to roll back")
            return InForce(
                turns=now.turns[:-1], undone=now.turns[-1], undone_by=who, undone_at=self._clock()
            )

        version = (await self._change(undo)).version
        self._remember(version)
        return version

    async def _turn(self, turn: Turn) -> None:
        def take(now: InForce | None) -> InForce | None:
            before = now.turns if now else (Turn(version="", at=turn.at, who=""),)
            if before[-1].version == turn.version and now is not None:
                return now
            return InForce(turns=(*before, turn)[-MOST_TURNS:])

        await self._change(take)
        self._remember(turn.version)

    def _remember(self, version: str) -> None:
        """For the commands of this machine, which use the model last in force here."""
        with suppress(OSError):
            self._files.remember(version)

    async def _change(self, change: Callable[[InForce | None], InForce | None]) -> InForce:
        """Change who is in force, by one person at a time; forget files nobody can go back to."""
        key = self._keys.model_in_force
        while True:
            async with self._redis.pipeline(transaction=True) as pipe:
                await pipe.watch(key)
                raw = await pipe.get(key)
                before = None if raw is None else _decoded(raw, InForce)
                after = change(before)
                assert after is not None
                kept = {turn.version for turn in after.turns}
                if after.undone:
                    kept.add(after.undone.version)
                left = {turn.version for turn in before.turns} - kept if before else set()
                pipe.multi()  # type: ignore[no-untyped-call]  # of redis-py
                pipe.set(key, msgspec.json.encode(after))
                if left:
                    pipe.delete(*(self._keys.model_file(version) for version in left))
                try:
                    await pipe.execute()
                except WatchError:
                    continue
                return after

    def _base_version(self) -> str:
        try:
            return _version_at(self._base, self._base.stat().st_mtime_ns)
        except OSError as error:
            raise ModelFileError(f"{self._base}: {error.strerror or error}") from error

    async def _base_listed(self, turns: InForce | None) -> ModelVersion:
        version = self._base_version()
        record = shipped_record(version)
        in_force = turns is None or not turns.version
        who = turns.turns[-1].who if turns and in_force else ""
        return ModelVersion(
            version=version,
            trained_at=None,
            scores=record.scores if record else {},
            state="in force" if in_force else "ready",
            why="" if turns is not None else "nothing was promoted, or Redis has forgotten it",
            who=who,
            learned_from="what ships" if self._base == SHIPPED else str(self._base),
            shipped=True,
        )


def _age(record: ModelRecord) -> tuple[float, str]:
    return (record.trained_at.timestamp() if record.trained_at else 0.0, record.version)


@lru_cache(maxsize=8)
def _version_at(path: Path, changed: int) -> str:
    return version_of(path.read_bytes())


def shipped_record(version: str) -> ModelRecord | None:
    """What is known of the model that ships, if that is this version."""
    try:
        record = _decoded(SHIPPED_RECORD.read_bytes(), ModelRecord)
    except OSError:
        return None
    return record if record is not None and record.version == version else None


def _listed(record: ModelRecord, turns: InForce | None) -> ModelVersion:
    why = "; ".join(record.refusals)
    who = record.trained_by
    state: State = "refused" if record.refusals else "ready"
    turn = turns.turns[-1] if turns else None
    if turn is not None and turn.version == record.version:
        state, who = "in force", turn.who
        why = f"forced: {turn.forced}" if turn.forced else ""
    elif turns is not None and turns.undone and turns.undone.version == record.version:
        why = f"rolled back by {turns.undone_by}" + (f"; {why}" if why else "")
    return ModelVersion(
        version=record.version,
        trained_at=record.trained_at,
        scores=record.scores,
        state=state,
        why=why,
        who=who,
        learned_from=learned_from(record),
    )


def learned_from(record: ModelRecord) -> str:
    """What a version learned beside the course, in words."""
    told = []
    if record.verdicts:
        people = "1 person" if record.people == 1 else f"{record.people} people"
        told.append(f"{record.verdicts} verdicts of {people}")
    if record.labels:
        told.append(f"{record.labels} labels of yours")
    if record.own_topics:
        told.append(f"topics {', '.join(record.own_topics)}")
    return "; ".join(told) or "nothing new"


def _decoded(raw: bytes | str, kind: type[_Record]) -> _Record | None:
    """The record; None for what a newer version wrote and this one cannot read."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
