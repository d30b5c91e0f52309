"""The Faust settings that keep articles, pinned: Faust's own defaults lose some of them.

What each is for is shown by killing real workers in tests/chaos/test_worker_kills.py; the
worker reads Faust's queue itself, so a wrong value here would not always show there.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest
from faust.tables.manager import TableManager

from streams.app import NoTables, add_agent, make_app
from streams.settings import KafkaSettings

PINNED = {
    "processing_guarantee": "at_least_once",  # exactly_once loses and repeats
    "stream_wait_empty": True,  # False loses on SIGTERM
    "topic_disable_leader": True,  # Kafka 4 refuses the leader topic
    "web_enabled": False,  # its port clashes between workers
    "consumer_auto_offset_reset": "earliest",  # latest passes over what waited
    "producer_acks": -1,
    "topic_allow_declare": False,  # the Kafka topics are declared once, by us
    "value_serializer": "raw",  # a typed topic dies of a poison record
    "key_serializer": "raw",
}


@pytest.mark.parametrize(("name", "value"), PINNED.items())
async def test_a_setting_that_keeps_articles_is_as_it_must_be(name: str, value: Any) -> None:
    app = make_app(KafkaSettings(), "worker")
    found = getattr(app.conf, name)
    assert getattr(found, "value", found) == value


async def test_commits_follow_within_a_second() -> None:
    assert 0 < make_app(KafkaSettings(), "worker").conf.broker_commit_interval <= 1


async def test_there_are_no_tables_and_no_changelog() -> None:
    assert not make_app(KafkaSettings(), "worker").tables


class _Stream:
    def __init__(self) -> None:
        self.acknowledges_by_itself = True

    def noack(self) -> _Stream:
        self.acknowledges_by_itself = False
        return self


async def test_faust_never_acknowledges_for_an_agent_and_runs_one_at_a_time() -> None:
    app = make_app(KafkaSettings(), "worker")
    given: asyncio.Future[_Stream] = asyncio.get_running_loop().create_future()

    async def agent(stream: Any) -> None:
        given.set_result(stream)

    add_agent(app, "articles", agent, "screen")
    (made,) = app.agents.values()
    assert made.concurrency == 1
    await made.fun(_Stream())
    assert not (await given).acknowledges_by_itself


def test_a_worker_waits_for_no_tables_before_it_joins_its_group() -> None:
    app = make_app(KafkaSettings(), "test")
    assert type(app.tables) is NoTables
    fausts_own = inspect.getsource(TableManager.on_start).splitlines()
    assert fausts_own[2].strip() == "await self.sleep(1.0)"
    ours = inspect.getsource(NoTables.on_start).splitlines()
    assert ours[2:] == fausts_own[3:]
