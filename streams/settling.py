"""Settling: bringing every record of a batch to an outcome, before anything is acknowledged.

Owns what happens when a step raises: an outage is waited out, a batch that fails is cut in
halves until the record to blame stands alone, that one becomes a dead letter and the others
go on. Does not know what a step does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Generic, Protocol, TypeVar

import structlog

from connectors.records import MAX_RECORD_BYTES, RecordError
from streams.batches import Held
from streams.dead_letters import DeadLetter, Reason, Stage, make_dead_letter
from streams.outages import StoppedWaiting, outlast

R = TypeVar("R")

# A fault that a repeat heals (a race, a cache) is gone by the third time; more only delays.
ATTEMPTS = 3
# More dead letters than this without one good record between them are not bad records but a
# bad release: the worker stops instead of emptying the line into the bin.
MOST_IN_A_ROW = 100

_log = structlog.get_logger("wirebell.settling")


class StepFault(Exception):  # noqa: N818 - carries a fault, and its place
    """A step failed for a reason that waiting will not mend; says where and why."""

    def __init__(self, stage: Stage, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.stage: Stage = stage
        self.reason: Reason = reason


class TooManyDeadLettersError(Exception):
    """So many records failed in a row that the fault must be ours: stop, and say so."""


class Step(Protocol[R]):
    """What is done with the records of one Kafka topic.

    `settle` returns when every record has its durable outcome (a Redis that answered, a
    Kafka that confirmed). It may be repeated, with the same records, with some of them, in
    another process: the outcome must be the same. It raises `StepFault` for a fault, lets
    the exceptions of an outage through, and counts metrics only just before it returns.
    """

    @property
    def stage(self) -> Stage:
        """The stage that undecodable records are reported under."""
        ...

    @property
    def reason(self) -> Reason:
        """The reason given when `settle` raises something that is not a `StepFault`."""
        ...

    def decode(self, raw: bytes) -> R:
        """The record in a Kafka message. Raises RecordError."""
        ...

    async def settle(self, records: Sequence[R]) -> None:
        """Bring the records to their outcome."""
        ...


class Settler(Generic[R]):
    """Brings whole batches to an outcome with one step. Holds the count of failures in a row.

    `bury` returns when Kafka has confirmed the dead letters. `called_off` says that waiting
    for an outage is no longer wanted; `on_wait` hears who is away.
    """

    def __init__(
        self,
        step: Step[R],
        bury: Callable[[Sequence[DeadLetter]], Awaitable[None]],
        clock: Callable[[], datetime],
        *,
        called_off: Callable[[], bool],
        on_wait: Callable[[str], None] = lambda who: None,
        most_in_a_row: int = MOST_IN_A_ROW,
    ) -> None:
        self._step = step
        self._bury = bury
        self._clock = clock
        self._called_off = called_off
        self._on_wait = on_wait
        self._most_in_a_row = most_in_a_row
        self._in_a_row = 0

    async def condemn(self, held: Held, deaths: int) -> None:
        """Bury a record without another try: workers have died of it. Raises as `settle`."""
        detail = f"{deaths} workers in a row died with this record alone or among a few in hand"
        letter = self._letter(held, StepFault(self._step.stage, "killed_worker", detail), deaths)
        self._count([held], {0: letter})
        await outlast(lambda: self._bury([letter]), self._called_off, self._on_wait)

    async def settle(self, batch: Sequence[Held]) -> None:
        """Returns when every record of the batch may be acknowledged.

        Raises:
            StoppedWaiting: called off during an outage; acknowledge nothing.
            TooManyDeadLettersError: stop the worker; acknowledge nothing.
        """
        letters: dict[int, DeadLetter] = {}
        good: list[tuple[int, R]] = []
        for index, held in enumerate(batch):
            try:
                good.append((index, self._decode(held)))
            except StepFault as undecodable:
                letters[index] = self._letter(held, undecodable, attempts=1)
        for index, fault in (await self._settle(good)).items():
            letters[index] = self._letter(batch[index], fault, ATTEMPTS)
        self._count(batch, letters)
        if letters:
            in_order = [letters[index] for index in sorted(letters)]
            await outlast(lambda: self._bury(in_order), self._called_off, self._on_wait)

    def _decode(self, held: Held) -> R:
        if not held.raw:
            raise StepFault(self._step.stage, "empty", "a Kafka message without a value")
        try:
            return self._step.decode(held.raw)
        except RecordError as error:
            reason: Reason = "too_large" if len(held.raw) > MAX_RECORD_BYTES else "undecodable"
            raise StepFault(self._step.stage, reason, str(error)) from error

    async def _settle(self, records: Sequence[tuple[int, R]]) -> dict[int, StepFault]:
        """Settle what can be settled; index and fault of each record that cannot."""
        if not records:
            return {}
        fault = await self._try(records)
        if fault is None:
            return {}
        if len(records) > 1:
            middle = len(records) // 2
            return await self._settle(records[:middle]) | await self._settle(records[middle:])
        for _ in range(ATTEMPTS - 1):
            fault = await self._try(records)
            if fault is None:
                return {}
        return {records[0][0]: fault}

    async def _try(self, records: Sequence[tuple[int, R]]) -> StepFault | None:
        alone = [record for _, record in records]
        try:
            await outlast(lambda: self._step.settle(alone), self._called_off, self._on_wait)
        except StepFault as fault:
            return fault
        except (StoppedWaiting, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 - the record's own fault, whatever it is
            detail = f"{type(error).__name__}: {error}"
            return StepFault(self._step.stage, self._step.reason, detail)
        return None

    def _letter(self, held: Held, fault: StepFault, attempts: int) -> DeadLetter:
        letter = make_dead_letter(
            fault.stage,
            fault.reason,
            held.origin,
            self._clock(),
            detail=str(fault),
            attempts=attempts,
            key=held.key,
            raw=held.raw or b"",
        )
        _log.warning("dead letter", reason=letter.reason, origin=str(letter.origin), id=letter.id)
        return letter

    def _count(self, batch: Sequence[Held], letters: dict[int, DeadLetter]) -> None:
        """Count failures in a row. Garbage that does not carry our header is nobody's release:
        it neither counts nor clears.
        """
        for index, held in enumerate(batch):
            letter = letters.get(index)
            if letter is None:
                self._in_a_row = 0
            elif held.ours or letter.reason not in ("undecodable", "empty"):
                self._in_a_row += 1
            if self._in_a_row > self._most_in_a_row:
                raise TooManyDeadLettersError(
                    f"{self._in_a_row} records in a row became dead letters, the last because"
                    f" {letter.reason if letter else ''}: {letter.detail if letter else ''}"
                )
