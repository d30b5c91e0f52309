"""`wirebell status` as a person and as a script call it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from streams.embedded import EmbeddedRedis
from streams.heartbeat import Heartbeat, encode_heartbeat
from streams.keys import Keys
from streams.redis_client import connect_redis
from streams.topic_setup import create_kafka_topics
from tests.lanes import Lane


def run_status(
    folder: Path, environment: dict[str, str], *options: str
) -> subprocess.CompletedProcess[str]:
    (folder / "wirebell.toml").write_text('state_dir = "state"\n', encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "streams", "status", *options],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2]), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def environment(lane: Lane, redis_url: str, redis_prefix: str) -> dict[str, str]:
    return {
        **lane.environment(),
        "WIREBELL_REDIS__URL": redis_url,
        "WIREBELL_REDIS__PREFIX": redis_prefix,
    }


def put_worker(redis_url: str, redis_prefix: str, *, ahead_s: float) -> None:
    """A worker's heartbeat that stays fresh for the seconds that the command takes."""
    now = datetime.now(UTC).timestamp()
    moment = datetime.fromtimestamp(now + ahead_s, UTC)
    beat = Heartbeat(
        process="w", role="worker", pid=1, host="h", started_at=moment, at=moment, rss_bytes=1
    )

    async def put() -> None:
        redis = connect_redis(redis_url)
        await redis.hset(Keys(redis_prefix).processes, "w", encode_heartbeat(beat))
        await redis.aclose()

    asyncio.run(put())


def put(redis_url: str, key: str, value: str) -> None:
    async def put_it() -> None:
        redis = connect_redis(redis_url)
        await redis.set(key, value)
        await redis.aclose()

    asyncio.run(put_it())


def test_a_redis_that_stands_still_is_named_within_the_commands_patience(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path / "redis") as frozen:
        assert frozen.pid is not None
        os.kill(frozen.pid, signal.SIGSTOP)
        try:
            done = run_status(tmp_path, {"WIREBELL_REDIS__URL": frozen.url}, "--json")
        finally:
            os.kill(frozen.pid, signal.SIGCONT)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Redis is away (no answer in time)" in json.loads(done.stdout)["verdict"]["words"]


def test_a_healthy_line_exits_with_0_and_is_told_as_json(
    kafka: Lane, redis_url: str, redis_prefix: str, tmp_path: Path
) -> None:
    create_kafka_topics(kafka.settings())
    put_worker(redis_url, redis_prefix, ahead_s=0)
    done = run_status(tmp_path, environment(kafka, redis_url, redis_prefix), "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    snapshot = json.loads(done.stdout)
    assert snapshot["verdict"]["state"] == "healthy"
    assert len(snapshot["lag"]) == 8
    assert done.stderr == ""


@pytest.mark.parametrize("kafka", ["embedded"], indirect=True)
def test_what_the_page_has_seen_over_time_counts(
    kafka: Lane, redis_url: str, redis_prefix: str, tmp_path: Path
) -> None:
    create_kafka_topics(kafka.settings())
    put_worker(redis_url, redis_prefix, ahead_s=0)
    words = "Nothing is taken from articles/0 for 3 min"
    finding = {"level": "degraded", "room": "lag", "words": words, "since": "2026-03-01T12:00:00Z"}
    verdict = {
        "state": "degraded",
        "words": words,
        "since": finding["since"],
        "findings": [finding],
    }
    put(redis_url, Keys(redis_prefix).verdict, json.dumps(verdict))
    done = run_status(tmp_path, environment(kafka, redis_url, redis_prefix), "--json")
    assert done.returncode == 1, done.stdout + done.stderr
    assert json.loads(done.stdout)["verdict"] == verdict


@pytest.mark.parametrize("kafka", ["embedded"], indirect=True)
def test_a_line_without_a_worker_exits_with_2_and_says_why(
    kafka: Lane, redis_url: str, redis_prefix: str, tmp_path: Path
) -> None:
    create_kafka_topics(kafka.settings())
    done = run_status(tmp_path, environment(kafka, redis_url, redis_prefix))
    assert done.returncode == 2
    assert "Down" in done.stdout
    assert "No worker process has reported" in done.stdout


def test_nothing_there_at_all_exits_with_2_without_a_traceback(tmp_path: Path) -> None:
    nowhere = {
        "WIREBELL_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:9",
        "WIREBELL_REDIS__URL": "redis://127.0.0.1:9/0",
    }
    done = run_status(tmp_path, nowhere)
    assert done.returncode == 2
    assert "Redis is away" in done.stdout
    assert "Kafka is away" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_configuration_that_does_not_hold_is_no_verdict(tmp_path: Path) -> None:
    done = run_status(tmp_path, {"WIREBELL_PAGE__PORT": "many"})
    assert done.returncode == 64
    assert "page.port" in done.stderr


def test_a_watch_prints_a_snapshot_a_line_and_exits_by_what_it_saw_last(tmp_path: Path) -> None:
    (tmp_path / "wirebell.toml").write_text("", encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "streams", "status", "--watch", "--json"],
        cwd=tmp_path,
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "WIREBELL_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:9",
            "WIREBELL_REDIS__URL": "redis://127.0.0.1:9/0",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        seen = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.terminate()
        _, said = process.communicate(timeout=20)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    assert seen[0]["at"] < seen[1]["at"]
    assert process.returncode == 2, said
    assert "Traceback" not in said
