"""Decided in haste or with the slow reader: the first decision on an article stands, whichever
worker has it again, and nothing that was decided is lost on the way to Kafka.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec
import numpy as np
import pytest
from redis.asyncio import Redis

from classifiers import artifact
from classifiers.model import TopicModel
from classifiers.reader import Reader
from connectors.records import Alert, Article, decode_alert
from streams import metrics
from streams.keys import Keys
from streams.patience import BACKLOG_RECORDS, Patience
from streams.quality import QualityCounts
from streams.screening import Screened, screen
from streams.steps import ScreenStep
from streams.stories import Stories
from tests.reports import DEPOT, START, WINDOW_S, article
from tests.unit.classifiers.small_reader import small_reader

# The reader that these tests have is surer, or less sure, of everything by so much (a logit).
SURER, LESS_SURE = 12.0, -12.0
PATIENT, HASTY = 1e9, 0.0
DULL = ("Council meets on Tuesday", "The council meets on Tuesday about the budget of the library.")


class _Line:
    """Workers on one Redis, whose reader turns every doubtful answer over."""

    def __init__(self, redis: Redis, keys: Keys, bias: float) -> None:
        parts = small_reader(doubt=(-99.0, 99.0))
        parts.arrays["blend"] = np.tile(
            np.array([[1.0], [0.0], [bias]], dtype=np.float32), (1, len(parts.topic_ids))
        )
        self.model = TopicModel(artifact.load(artifact.SHIPPED), slow=Reader.of(parts))
        self.alerts: list[Alert] = []
        self.kafka_is_away = False
        self._redis, self._keys = redis, keys

    def worker(self, patience_s: float) -> ScreenStep:
        """Another worker, so patient."""
        patience = Patience(patience_s)

        def screening(articles: Sequence[Article], now: datetime) -> list[Screened]:
            return screen(articles, patience.may_ask(self.model), now)

        return ScreenStep(
            patience.over(screening),
            Stories(self._redis, self._keys, WINDOW_S).assign,
            self._send,
            lambda: START,
            kafka_topic="alerts",
            watched=QualityCounts(self._redis, self._keys, self.model).add,
            aside=patience.weigh,
        )

    async def _send(self, kafka_topic: str, messages: Sequence[tuple[bytes, bytes]]) -> None:
        if self.kafka_is_away:
            raise ConnectionError
        self.alerts += [decode_alert(value) for _, value in messages]


@pytest.fixture
def line_of(redis: Redis, keys: Keys) -> Callable[[float], _Line]:
    return lambda bias: _Line(redis, keys, bias)


def _unread() -> float:
    name = "wirebell_articles_unread_total"
    return metrics.REGISTRY.get_sample_value(name, {"reason": "behind"}) or 0.0


def _backlog(told: tuple[str, str], count: int = BACKLOG_RECORDS) -> list[Article]:
    """A batch with one article that counts, and many of nothing."""
    return [article("a1", told), *(article(f"n{number}", ("-", "")) for number in range(1, count))]


async def test_a_worker_that_is_behind_leaves_the_reader_out_and_says_so(
    line_of: Callable[[float], _Line],
) -> None:
    line, before = line_of(LESS_SURE), _unread()
    hasty = line.worker(HASTY)
    await hasty.settle(_backlog(DEPOT))
    assert _unread() - before == BACKLOG_RECORDS
    (alert,) = line.alerts
    assert all(one.unread for one in alert.story.evidence)
    assert alert.story.evidence[0].remark == "doubtful, and not read twice"
    await hasty.settle([article("b", DEPOT, "Other Post")])  # caught up: read, and turned down
    assert len(line.alerts) == 1
    assert _unread() - before == BACKLOG_RECORDS


@pytest.mark.parametrize(
    ("bias", "first", "then", "told"),
    [(LESS_SURE, HASTY, PATIENT, DEPOT), (SURER, PATIENT, HASTY, DULL)],
)
async def test_what_was_decided_first_stands_and_is_told_although_it_is_turned_down_now(
    line_of: Callable[[float], _Line],
    bias: float,
    first: float,
    then: float,
    told: tuple[str, str],
) -> None:
    line = line_of(bias)
    line.kafka_is_away = True
    with pytest.raises(ConnectionError):  # decided, and killed before Kafka has heard of it
        await line.worker(first).settle([*_backlog(told)])
    line.kafka_is_away = False
    await line.worker(then).settle(_backlog(told))
    assert [alert.id.partition(":")[2] for alert in line.alerts if _tells(alert, told)] == ["1"]


async def test_an_article_in_doubt_and_about_nothing_leaves_nothing_behind(
    line_of: Callable[[float], _Line], redis: Redis, keys: Keys
) -> None:
    line = line_of(SURER)
    await line.worker(HASTY).settle(_backlog(DULL))
    assert line.alerts == []
    assert [key async for key in redis.scan_iter(match=f"{keys.tag}*")] == []


async def test_an_edit_that_is_about_nothing_changes_no_story_in_haste_either(
    line_of: Callable[[float], _Line], redis: Redis, keys: Keys
) -> None:
    line = line_of(SURER)
    await line.worker(PATIENT).settle([article("a1", DULL)])
    (alert,) = line.alerts
    edited = msgspec.structs.replace(_backlog(DULL)[0], text="Nothing is left of the report.")
    await line.worker(HASTY).settle([edited, *_backlog(DULL)[1:]])
    assert len(line.alerts) == 1
    stories = Stories(redis, keys, WINDOW_S)
    assert len(await stories.members(alert.story.id)) == 1


def _tells(alert: Alert, told: tuple[str, str]) -> bool:
    return alert.story.headline == told[0]
