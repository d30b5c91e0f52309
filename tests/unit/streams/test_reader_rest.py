"""A worker that doubts nothing for a while lets its slow reader go."""

from __future__ import annotations

import asyncio

from classifiers import artifact
from classifiers.model import TopicModel
from classifiers.reader import Reader
from classifiers.reader_file import ReaderParts
from classifiers.slow_network import LateNetwork
from streams.live_model import LiveModel, OpenedModel
from streams.reader_rest import rest_when_idle
from tests.unit.classifiers.small_reader import small_reader


class _Watched:
    """A model that doubts everything, and how often its reader was loaded."""

    def __init__(self) -> None:
        self.loads = 0
        slow = Reader(small_reader().outline(), LateNetwork(self._load))
        self._model = TopicModel(artifact.load(artifact.SHIPPED), slow=slow)
        self.live = LiveModel(OpenedModel(self._model, {}))

    def _load(self) -> ReaderParts:
        self.loads += 1
        return small_reader()

    async def read(self) -> None:
        await asyncio.to_thread(self._model.predict, ["Two hurt as fire breaks out near the depot"])


async def test_the_reader_goes_when_nothing_was_doubtful_for_a_while_and_comes_back() -> None:
    watched, ending = _Watched(), asyncio.Event()
    resting = asyncio.create_task(rest_when_idle(watched.live, ending, idle_s=0, look_s=0.001))
    async with asyncio.timeout(10):
        while watched.loads < 3:
            await watched.read()
        ending.set()
        await resting


async def test_while_something_is_doubtful_now_and_then_the_reader_stays() -> None:
    watched, ending = _Watched(), asyncio.Event()
    resting = asyncio.create_task(rest_when_idle(watched.live, ending, idle_s=3600, look_s=0.001))
    for _ in range(10):
        await watched.read()
    ending.set()
    await asyncio.wait_for(resting, 10)
    assert watched.loads == 1
