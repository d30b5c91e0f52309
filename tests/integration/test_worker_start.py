"""The start of a worker: its model is loaded while Kafka lets it wait, and none goes without."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from pathlib import Path

from redis import Redis

from connectors.records import encode
from streams.embedded import free_port
from streams.heartbeat import decode_heartbeat
from streams.kafka_topics import ALERTS
from streams.keys import Keys
from streams.live_model import LiveModel, OpenedModel, open_model
from streams.settings import Settings
from tests.fakes.alerts import make_alert
from tests.fakes.worker_line import open_line
from tests.integration.test_worker_process import start_worker
from tests.lanes import Lane, wait_until


def test_a_model_that_cannot_be_used_ends_the_worker_before_it_has_reached_kafka(
    tmp_path: Path,
) -> None:
    (tmp_path / "spoilt.npz").write_bytes(b"no model")
    config = tmp_path / "wirebell.toml"
    config.write_text(f'model_path = "{tmp_path}/spoilt.npz"\n', encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-m", "streams", "worker"],
        env={
            **os.environ,
            "WIREBELL_CONFIG": str(config),
            "WIREBELL_STATE_DIR": str(tmp_path),
            "WIREBELL_KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}",
        },
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 2, ended.stderr
    assert "the topic model cannot be used" in ended.stderr


async def test_a_model_that_is_loading_is_waited_for_by_who_asks_something_of_it() -> None:
    loading: Future[OpenedModel] = Future()
    live = LiveModel(loading)
    assert not live.loaded
    asking = asyncio.create_task(asyncio.to_thread(lambda: live.version))
    opened = await asyncio.to_thread(open_model, Settings())
    assert not asking.done()
    loading.set_result(opened)
    assert await asking == opened.model.version
    assert live.loaded


def test_an_alert_that_comes_before_the_model_is_loaded_keeps_nobody_else_waiting(
    embedded_kafka: Lane, redis_url: str, redis_prefix: str, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "model")  # it loads for as long as nobody writes into it
    with (
        open_line(embedded_kafka, redis_url, redis_prefix, tmp_path) as line,
        Redis.from_url(redis_url) as redis,
    ):
        line.publish_raw([(b"s1", encode(make_alert()))], kafka_topic=ALERTS)
        start_worker(line, tmp_path, WIREBELL_MODEL_PATH=str(tmp_path / "model"))
        said = tmp_path / "err"
        wait_until(lambda: " ready" in said.read_text(), 20, "the worker's group")
        ready_at = datetime.now(UTC)

        def heard() -> datetime:
            raws = redis.hvals(Keys(redis_prefix).processes)
            return max(beat.at for beat in map(decode_heartbeat, raws) if beat)

        # The alert is fetched at once; who writes this is the event loop.
        wait_until(lambda: heard() > ready_at + timedelta(seconds=3), 15, said.read_text())


async def test_who_is_stopped_while_a_model_loads_leaves_it_loading() -> None:
    loading: Future[OpenedModel] = Future()
    waiting = asyncio.create_task(LiveModel(loading).ready())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    assert not loading.cancelled()
