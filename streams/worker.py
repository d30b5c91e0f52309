"""The worker: two agents on one Faust app, from the first record taken to a clean stop.

Owns the life of the process's work: start, the agents' loops, the end. What is done with a
batch is `steps.py`, what happens when that fails `settling.py`; who makes them is
`assembly.py`.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import faust
import structlog
from faust.exceptions import ConsumerNotStarted

from classifiers import heap
from streams.app import WorkerApp, add_agent
from streams.batches import Held, Intake
from streams.dead_letters import DeadLetter
from streams.in_hand import CONDEMNED_AFTER, InHand
from streams.outages import StoppedWaiting
from streams.settling import MOST_IN_A_ROW, Settler, Step
from streams.slices import SliceIntake
from streams.watchdog import Progress

# SIGTERM to exit takes 10 s at most: what is in hand and the background may take so long to
# finish (a batch takes milliseconds, a delivery up to 5 s), then Faust to leave its group.
FINISH_S, LEAVE_S = 6.0, 3.0
TURN_S = 1.0
# A batch of 256 makes some 10,000 objects that live as long as it does.
COLLECT_AFTER = (20_000, 10, 10)

_log = structlog.get_logger("wirebell.worker")

Background = Callable[[asyncio.Event], Awaitable[None]]


class WorkerFailedError(Exception):
    """The worker cannot go on; the process must end and be started again."""


def utc_now() -> datetime:
    """The clock of a worker."""
    return datetime.now(UTC)


async def _at_once() -> None:
    """Nothing is waited for."""


class Worker:
    """Runs steps on Kafka topics until told to stop. Runs once."""

    def __init__(
        self,
        app: WorkerApp,
        bury: Callable[[Sequence[DeadLetter]], Awaitable[None]],
        progress: Progress,
        *,
        clock: Callable[[], datetime] = utc_now,
        most_in_a_row: int = MOST_IN_A_ROW,
        ready: Callable[[], Awaitable[None]] = _at_once,
    ) -> None:
        """`bury` returns when Kafka has confirmed the dead letters, `ready` when the steps have
        what they need: nothing is taken before.
        """
        self._app = app
        self._bury = bury
        self._progress = progress
        self._clock = clock
        self._most_in_a_row = most_in_a_row
        self._ready = ready
        self._closing = False
        self._in_hand = 0
        self._hands_free = asyncio.Event()
        self._hands_free.set()
        self._failure: BaseException | None = None
        self._failed = asyncio.Event()

    def add_step(self, kafka_topic: str, step: Step[Any], in_hand: InHand | None = None) -> None:
        """Have every record of a Kafka topic settled by a step. Before `run`.

        `in_hand` remembers over deaths what the agent worked on; None remembers nothing.
        """

        async def agent(stream: Any) -> None:
            await self._work(self._intake(stream, kafka_topic), step, in_hand)

        add_agent(self._app, kafka_topic, agent, name=f"{step.stage}-agent")

    async def run(self, stop: asyncio.Event, background: Sequence[Background] = ()) -> None:
        """Work until `stop`, then finish what is in hand, commit, and leave the group.

        `background` runs beside the agents with an event that is set when they have ended.

        Raises:
            WorkerFailedError: Faust, an agent or a background task ended by itself.
        """
        ending = asyncio.Event()
        tasks = [asyncio.ensure_future(each(ending)) for each in background]
        for task in tasks:
            task.add_done_callback(lambda done: self._background_ended(done, ending))
        try:
            if await self._start(stop):
                await self._until_over(stop)
        finally:
            self._closing = True  # the agents take nothing more, and wait for nobody
            ending.set()
            await self._finish(tasks)
            await self._leave()
        if self._failure is not None:
            raise WorkerFailedError(_said(self._failure)) from self._failure

    async def _start(self, stop: asyncio.Event) -> bool:
        """Start Faust, which waits for its group; False when told to stop before that."""
        starting = asyncio.ensure_future(self._app.start())
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not starting.done():
            starting.cancel()
            return False
        error = starting.exception()
        if error is not None:
            raise WorkerFailedError(f"cannot start: {_said(error)}") from error
        _settle_memory()
        _log.info("ready")
        return True

    async def _until_over(self, stop: asyncio.Event) -> None:
        app = self._app
        over = [asyncio.ensure_future(event.wait()) for event in (stop, self._failed)]
        try:
            while not (stop.is_set() or self._failed.is_set()):
                if app.should_stop:
                    self._fail(app.crash_reason or RuntimeError("Faust has stopped by itself"))
                self._progress.loop(_assignment(app))
                await asyncio.wait(over, timeout=TURN_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiting in over:
                waiting.cancel()

    def _intake(self, stream: Any, kafka_topic: str) -> Intake | SliceIntake:
        slices = self._app.slices.get(kafka_topic)
        return SliceIntake(self._app, slices) if slices else Intake(self._app, stream)

    async def _work(
        self, intake: Intake | SliceIntake, step: Step[Any], in_hand: InHand | None
    ) -> None:
        """The loop of one agent. Nothing escapes it: Faust would take it for an outcome."""
        settler = Settler(
            step,
            self._bury,
            self._clock,
            called_off=lambda: self._closing or intake.suspended(),
            on_wait=self._progress.wait,
            most_in_a_row=self._most_in_a_row,
        )
        try:
            await self._ready()
            while (batch := await intake.take(lambda: self._closing)) is not None:
                self._busy(1)
                try:
                    await self._settle(batch, intake, settler, in_hand)
                except StoppedWaiting:
                    intake.let_go(batch)
                finally:
                    self._busy(-1)
        except asyncio.CancelledError:
            # Taking anew without the batch in hand would let Faust commit past it.
            if not self._closing:
                self._fail(self._app.crash_reason or RuntimeError("Faust cancelled an agent"))
            raise
        except Exception as error:  # noqa: BLE001 - the outermost loop of the agent
            self._fail(error)
        await asyncio.Event().wait()  # until Faust cancels us: an agent that ends is restarted

    async def _settle(
        self,
        batch: Sequence[Held],
        intake: Intake | SliceIntake,
        settler: Settler[Any],
        in_hand: InHand | None,
    ) -> None:
        for part in in_hand.parts(batch) if in_hand else [batch]:
            deaths = in_hand.deaths(part[0]) if in_hand else 0
            if in_hand is None:
                await settler.settle(part)
            elif deaths >= CONDEMNED_AFTER:
                await settler.condemn(part[0], deaths)
                in_hand.put_down(part)
            else:
                in_hand.take(part)
                try:
                    await settler.settle(part)
                finally:
                    in_hand.put_down(part)
            intake.acknowledge(part)
            self._progress.settled(len(part))
            if deaths >= CONDEMNED_AFTER:
                # At once: should the next record kill us too, this one must not come again.
                await self._app.consumer.commit()

    def _busy(self, change: int) -> None:
        self._in_hand += change
        if self._in_hand:
            self._hands_free.clear()
        else:
            self._hands_free.set()

    async def _finish(self, background: Sequence[asyncio.Future[None]]) -> None:
        """Let the agents finish what is in hand, and the background its own."""
        waited_for: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._hands_free.wait())]
        waited_for += background
        _, late = await asyncio.wait(waited_for, timeout=FINISH_S)
        for task in late:
            task.cancel()

    async def _leave(self) -> None:
        """Commit and leave the group. What cannot be committed any more is repeated.

        Faust swallows cancellation while it stops, so it is left behind when it takes too
        long: the process must then end without waiting for its tasks and threads.
        """
        farewell = asyncio.ensure_future(self._farewell())
        await asyncio.wait([farewell], timeout=LEAVE_S)
        if not farewell.done():
            _log.warning("left without a farewell: Kafka does not answer")
        elif (error := farewell.exception()) is not None:
            _log.warning("left without a farewell", error=_said(error))

    async def _farewell(self) -> None:
        if not self._app.should_stop:
            await self._app.consumer.commit()
        self._app.consumer.unacked.clear()
        await self._app.stop()

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
        self._failed.set()

    def _background_ended(self, task: asyncio.Future[None], ending: asyncio.Event) -> None:
        if ending.is_set() or task.cancelled():
            return
        self._fail(task.exception() or RuntimeError("a background task ended by itself"))


def _settle_memory() -> None:
    """What is in memory now stays until the end: the garbage collector need not look at those
    160,000 objects again and again (10 ms each time), nor at every 700 new ones. What loading
    has left behind goes back to the system: 38 MB of the files of the models.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    heap.give_back()


def _assignment(app: faust.App) -> frozenset[tuple[str, int]]:
    try:
        return frozenset((each.topic, each.partition) for each in app.consumer.assignment())
    except ConsumerNotStarted:
        return frozenset()


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
