"""How a worker treats canaries: by the same screening, stories, ledger and delivery as every
article, beside them in Redis, to a sink that tells nobody.

Owns telling the two apart at the steps' seams. Counts nothing: a canary is no article.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from redis.asyncio import Redis

from classifiers.model import Evidence, Reading
from classifiers.topics import Topic
from connectors.records import Alert, Article
from connectors.sinks.pace import Pace
from connectors.sinks.sink import Delivery, Result
from streams.canary import (
    CANARY,
    as_canary,
    canary_keys,
    is_canary,
    is_canary_alert,
)
from streams.delivery import DeadLetterCallback, Deliveries
from streams.keys import Keys
from streams.ledger import Ledger
from streams.live_model import LiveModel
from streams.screening import Screened, screen
from streams.settings import Settings, SubscriptionSettings, Target
from streams.stories import Decision, Keep, Stories

# Nothing joins a canary's story; an hour covers what Kafka may deliver again after a kill.
KEEP_S = 3_600.0
# Woken by its own worker's `accept`; only another worker's leftovers are found by asking.
POLL_S = 5.0

Screen = Callable[[Sequence[Article], datetime], list[Screened]]
Assign = Callable[[Sequence[Screened], datetime], Awaitable[list[Decision]]]
Accept = Callable[[Sequence[Alert]], Awaitable[None]]


class CanaryLane:
    """The canaries of one worker. Each method may be repeated, as the steps' own may."""

    def __init__(
        self, settings: Settings, redis: Redis, model: LiveModel, dead_letter: DeadLetterCallback
    ) -> None:
        keys = canary_keys(settings.redis.prefix)
        self._model = _AnyTopic(model)
        self._stories = Stories(redis, keys, KEEP_S, ("en",), Keep(KEEP_S, KEEP_S))
        sink = SilentSink(redis, Keys(settings.redis.prefix))
        wanted = SubscriptionSettings(id="canary", deliver=(Target(sink=CANARY),))
        ledger = Ledger(redis, keys, KEEP_S)
        self._deliveries = Deliveries(ledger, (wanted,), {CANARY: sink}, dead_letter, POLL_S)
        self.run = self._deliveries.run

    def beside_screen(self, others: Screen) -> Screen:
        """Screening that gives a canary a topic, whatever the newsroom's thresholds."""

        def both(articles: Sequence[Article], now: datetime) -> list[Screened]:
            ours = [one for one in articles if is_canary(one)]
            if not ours:
                return others(articles, now)
            theirs = [one for one in articles if not is_canary(one)]
            screened = iter(screen(ours, self._model, now))
            rest = iter(others(theirs, now))
            return [next(screened if is_canary(one) else rest) for one in articles]

        return both

    def beside_assign(self, others: Assign) -> Assign:
        """Assigning that keeps canaries out of everybody's stories."""

        async def both(batch: Sequence[Screened], now: datetime) -> list[Decision]:
            ours = [one for one in batch if is_canary(one.article)]
            if not ours:
                return await others(batch, now)
            rest = iter(await others([one for one in batch if not is_canary(one.article)], now))
            decided = iter(await self._stories.assign(ours, now))
            return [
                _told(next(decided), one.article) if is_canary(one.article) else next(rest)
                for one in batch
            ]

        return both

    def beside_accept(self, others: Accept) -> Accept:
        """Accepting that owes a canary to the silent sink, and to nobody else."""

        async def both(alerts: Sequence[Alert]) -> None:
            ours = [one for one in alerts if is_canary_alert(one)]
            await others([one for one in alerts if not is_canary_alert(one)])
            await self._deliveries.accept(ours)

        return both


@dataclass(frozen=True, slots=True)
class SilentSink:
    """Tells nobody: writes down for the page that a canary came through."""

    redis: Redis
    keys: Keys
    id: str = CANARY
    pace: Pace = field(default_factory=Pace)

    async def deliver(self, delivery: Delivery) -> Result:
        """Leave the receipt; Redis away is for the caller to outlast."""
        number = delivery.alert.story.revision
        await self.redis.set(self.keys.canary, number, ex=int(KEEP_S))
        return Result("delivered")

    async def look_back(self, delivery: Delivery) -> None:
        """Sending again does no harm."""

    async def check(self) -> str:
        """Nothing to try."""
        return ""

    async def close(self) -> None:
        """Nothing to give back."""


class _AnyTopic:
    """The model, but its best topic is always chosen: nonsense is about nothing. The slow reader is
    not asked: one canary in fifty would have it loaded, on a line that is at rest.
    """

    def __init__(self, model: LiveModel) -> None:
        self._model = model

    @property
    def topics(self) -> tuple[Topic, ...]:
        return self._model.topics  # another model may have come in

    def read(self, texts: Sequence[str], explain: int = 0) -> Reading:
        return self._model.current.alone().read(texts, explain)

    def choose(
        self, probabilities_row: NDArray[np.float32] | Sequence[float], /
    ) -> tuple[str, ...]:
        return (self.topics[int(np.argmax(probabilities_row))].id,)

    def explain_all(
        self, wanted: Sequence[tuple[str, Sequence[str]]], /
    ) -> list[tuple[Evidence, ...]]:
        return self._model.explain_all(wanted)


def _told(decision: Decision, article: Article) -> Decision:
    if decision.alert is None:
        return decision
    return replace(decision, story_id=CANARY, alert=as_canary(decision.alert, article))
