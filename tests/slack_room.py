"""What people do in Slack, told to a desk beside a worker: the parts that tests of it share."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from kafka.errors import KafkaTimeoutError
from pydantic import SecretStr

from classifiers.topics import TOPICS
from connectors.records import Alert
from connectors.sinks.settings import SlackSettings
from connectors.sinks.slack import SlackSink
from connectors.sinks.slack_views import ViewOpener
from streams.delivery import Deliveries
from streams.desk import EditorDesk, Send, open_editor_desk
from streams.feedback import Feedback, decode_feedback
from streams.slack_desk import SlackDesk
from streams.stories import Stories
from tests.delivery_rig import SLACK_PACE, Rig

TOPIC_CHOICES = [(topic.id, topic.label) for topic in TOPICS]


@dataclass(slots=True)
class Kafka:
    """Where feedback goes; away for a while if told so."""

    records: list[Feedback] = field(default_factory=list)
    away: int = 0

    async def send(self, kafka_topic: str, key: bytes, value: bytes) -> None:
        if self.away:
            self.away -= 1
            raise KafkaTimeoutError("away")
        assert (kafka_topic, key) == ("feedback", b"s1")
        self.records.append(decode_feedback(value))


@dataclass(slots=True)
class RecordedEditing:
    """What the desk has done to stories, in its order."""

    done: list[tuple[str, ...]] = field(default_factory=list)

    async def merge(self, story_id: str, other_story_id: str) -> Sequence[Alert]:
        self.done.append(("merge", story_id, other_story_id))
        return ()

    async def split(self, story_id: str, article_id: str) -> Sequence[Alert]:
        self.done.append(("split", story_id, article_id))
        return ()

    async def mute(self, story_id: str, *, muted: bool) -> Sequence[Alert]:
        self.done.append(("mute" if muted else "unmute", story_id))
        return ()


def desk_of(rig: Rig) -> SlackDesk:
    editor = open_editor_desk(rig.redis, rig.keys, 72 * 3600)
    editor.ledger = rig.ledger()
    settings = SlackSettings(token=SecretStr("xoxb-test"), api_url=rig.slack.url)
    opener = ViewOpener(settings)
    rig.stack.push_async_callback(opener.close)
    stories = Stories(rig.redis, rig.keys, 72 * 3600, ("en",))
    return SlackDesk("slack", editor, stories, opener, lambda: TOPIC_CHOICES)


def worker_of(rig: Rig) -> Deliveries:
    """A worker whose messages have buttons."""
    settings = SlackSettings(
        token=SecretStr("xoxb-test"), api_url=rig.slack.url, app_token=SecretStr("xapp-test")
    )
    sink = SlackSink("slack", settings, rig.clock.now, SLACK_PACE)
    rig.stack.push_async_callback(sink.close)
    return rig.deliveries(sinks=[sink])


@asynccontextmanager
async def working(editor: EditorDesk, send: Send) -> AsyncIterator[None]:
    """A worker's side of the desk."""
    stop = asyncio.Event()
    task = asyncio.create_task(editor.run(stop, send))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)


def shown(rig: Rig) -> str:
    return json.dumps(rig.slack.stories()[0].body["blocks"], ensure_ascii=False)
