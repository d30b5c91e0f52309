"""The start of a worker: its model is loaded while Kafka lets it wait, and none goes without."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from concurrent.futures import Future
from pathlib import Path

from streams.embedded import free_port
from streams.live_model import LiveModel, OpenedModel, open_model
from streams.settings import Settings


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
