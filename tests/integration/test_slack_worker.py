"""`wirebell worker` with Slack: an article becomes a message with buttons, a click becomes a record
on Kafka topic `feedback` and a line below the message.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from redis import Redis

from streams.feedback import decode_feedback
from streams.kafka_topics import FEEDBACK
from streams.keys import Keys
from tests.delivery_rig import eventually
from tests.fakes.slack_server import FakeSlack
from tests.fakes.slack_socket import click
from tests.fakes.worker_line import ROOT, WorkerLine, make_article, open_line
from tests.lanes import Lane, read_kafka_topic

CONFIG = """
[sinks.slack]
type = "slack"
token = "xoxb-test"
app_token = "xapp-test"
api_url = "{url}"

[[subscriptions]]
id = "desk"
deliver = [{{ sink = "slack", to = "C0000001" }}]
"""
TEXT = (
    "Saboteurs cut the signal cables of the Northern Railway near Velmora before dawn on"
    " Tuesday and stopped 40 trains, the police said. Investigators found deliberate cuts at"
    " three places and treat it as an act of sabotage."
)


@pytest.fixture
def line(kafka: Lane, redis_url: str, redis_prefix: str, tmp_path: Path) -> Iterator[WorkerLine]:
    with open_line(kafka, redis_url, redis_prefix, tmp_path) as opened:
        yield opened


async def test_a_click_goes_the_whole_way(line: WorkerLine, tmp_path: Path) -> None:
    async with FakeSlack() as slack:
        (tmp_path / "wirebell.toml").write_text(CONFIG.format(url=slack.url))
        environment = {
            **os.environ,
            **line.lane.environment(),
            "WIREBELL_CONFIG": str(tmp_path / "wirebell.toml"),
            "WIREBELL_REDIS__URL": line.orders.redis_url,
            "WIREBELL_REDIS__PREFIX": line.orders.redis_prefix,
            "WIREBELL_STATE_DIR": str(tmp_path / "state"),
        }
        with (tmp_path / "err").open("wb") as err:
            worker = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "streams", "worker"), cwd=ROOT, env=environment, stderr=err
            )
        try:
            told = make_article(1, "Sabotage halts trains near Velmora", text=TEXT)
            await asyncio.to_thread(line.publish, [told])
            await eventually(lambda: bool(slack.messages and slack.socket.connections), 40)
            payload = click(slack.messages[0].body, "not_relevant")
            envelope = await slack.socket.send("interactive", payload)
            _, taken_s = await slack.socket.answer_to(envelope)
            assert taken_s < 3
            await eventually(lambda: "not relevant: ann" in json.dumps(slack.messages[0].body), 20)
            # It has looked whether Kafka knows of decisions that this Redis does not.
            mark = f"{Keys(line.orders.redis_prefix).tag}desk:restored"
            with Redis.from_url(line.orders.redis_url) as redis:
                await eventually(lambda: redis.exists(mark) == 1, 20)
            worker.terminate()
            assert await asyncio.wait_for(worker.wait(), 15) == 0
        finally:
            if worker.returncode is None:
                worker.kill()
                await worker.wait()
        assert (len(slack.messages), slack.violations) == (1, [])
    records = await asyncio.to_thread(read_kafka_topic, line.lane, line.lane.prefix + FEEDBACK)
    (feedback,) = [decode_feedback(record.value) for record in records]
    assert (feedback.verdict, feedback.article_ids) == ("not_relevant", ("article-1",))
    assert feedback.at <= datetime.now(UTC)
    assert "Traceback" not in (tmp_path / "err").read_text()
