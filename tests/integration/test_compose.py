"""docker-compose.yml, without a Docker engine: what it promises, and its very commands and
environment run as processes against the test Kafka and Redis.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from streams.embedded import free_port
from tests.lanes import Lane, wait_until

ROOT = Path(__file__).parents[2]
OURS = ("kafka-topics", "sources", "worker", "page")
TOKEN = "token-of-this-test"

ARTICLE = {
    "id": "compose-1",
    "publisher": "Compose Herald",
    "language": "en",
    "title": "Drones strike fuel depot near Engels, fire crews called",
    "text": "Attack drones struck a fuel depot near Engels overnight and set two tanks on fire. "
    "Air defences shot down four of the drones, officials said. Nobody was hurt.",
    "url": "https://compose-herald.example/1",
}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return document


def _interpolate(value: str, variables: dict[str, str]) -> str:
    """Compose's own rules for "${NAME}", "${NAME:-default}" and "${NAME:?reason}"."""

    def replace(match: re.Match[str]) -> str:
        name, rule, rest = match[1], match[2], match[3]
        if variables.get(name):
            return variables[name]
        assert rule != ":?", f"compose refuses to start: {name}: {rest}"
        return rest or ""

    return re.sub(r"\$\{([A-Z_]+)(?:(:-|:\?)([^}]*))?\}", replace, value)


def test_no_port_is_open_to_the_world(compose: dict[str, Any]) -> None:
    published = [
        port for service in compose["services"].values() for port in service.get("ports", [])
    ]
    assert published
    assert all(str(port).startswith("127.0.0.1:") for port in published)
    for name in ("kafka", "redis"):
        assert compose["services"][name]["networks"] == ["inside"]
    assert compose["networks"]["inside"]["internal"] is True


def test_every_image_of_others_is_pinned(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        if "build" not in service:
            assert re.search(r":v?\d+\.\d+\.\d+", service["image"]), name
    stages = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.M)
    assert len(stages) == 2
    assert all(re.search(r":\d+\.\d+\.\d+-slim", stage) for stage in stages)


def test_every_service_that_stays_has_a_health_check_and_comes_back(
    compose: dict[str, Any],
) -> None:
    for name, service in compose["services"].items():
        if name == "kafka-topics":
            continue
        assert service["restart"] == "unless-stopped", name
        assert service["healthcheck"]["test"][0] == "CMD", name


def test_our_processes_are_not_root_and_cannot_write_the_image(compose: dict[str, Any]) -> None:
    for name in OURS:
        service = compose["services"][name]
        assert service["user"] == "10001:10001"
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
    assert re.search(r"^USER 10001", (ROOT / "Dockerfile").read_text(), re.M)


def test_redis_writes_out_and_evicts_nothing_and_both_keep_their_data(
    compose: dict[str, Any],
) -> None:
    command = " ".join(compose["services"]["redis"]["command"])
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command
    assert compose["services"]["redis"]["volumes"] == ["redis-data:/data"]
    assert compose["services"]["kafka"]["volumes"] == ["kafka-data:/var/lib/kafka/data"]
    assert {"kafka-data", "redis-data"} <= set(compose["volumes"])


def test_nothing_of_ours_starts_before_the_kafka_topics_are_there(compose: dict[str, Any]) -> None:
    for name in ("sources", "worker", "page"):
        conditions = compose["services"][name]["depends_on"]
        assert conditions["kafka-topics"]["condition"] == "service_completed_successfully"
        assert conditions["redis"]["condition"] == "service_healthy"


def test_prometheus_may_read_the_numbers_of_every_process(compose: dict[str, Any]) -> None:
    tokens = {"PAGE_TOKEN": TOKEN}
    config = yaml.safe_load(_interpolate(compose["configs"]["prometheus"]["content"], tokens))
    (job,) = config["scrape_configs"]
    assert job["authorization"]["credentials"] == TOKEN
    assert job["static_configs"][0]["targets"] == ["page:8087", "sources:8088"]
    (workers,) = job["dns_sd_configs"]
    assert (workers["names"], workers["port"]) == (["worker"], 8089)
    for name in ("sources", "worker", "page"):
        said = compose["services"][name]["environment"]
        assert said["WIREBELL_METRICS__HOST"] == "0.0.0.0"
        assert _interpolate(said["WIREBELL_PAGE__TOKEN"], tokens) == TOKEN


def test_it_does_not_start_without_tokens(compose: dict[str, Any]) -> None:
    guarded = {"sources": "INGEST_TOKEN", "page": "WIREBELL_PAGE__TOKEN"}
    for name, variable in guarded.items():
        with pytest.raises(AssertionError, match="compose refuses to start"):
            _interpolate(compose["services"][name]["environment"][variable], {})


@dataclass
class Services:
    """Our services as processes. Names and ports of the containers are mapped to this test's."""

    compose: dict[str, Any]
    lane: Lane
    redis_url: str
    redis_prefix: str
    folder: Path
    page_port: int
    ingest_port: int

    def environment(self, name: str) -> dict[str, str]:
        """The service's own environment, with what a container's network would resolve."""
        given = {
            key: _interpolate(str(value), {"PAGE_TOKEN": TOKEN, "INGEST_TOKEN": TOKEN})
            for key, value in self.compose["services"][name]["environment"].items()
        }
        assert given.pop("WIREBELL_KAFKA__BOOTSTRAP_SERVERS") == "kafka:9092"
        assert given.pop("WIREBELL_REDIS__URL") == "redis://redis:6379/0"
        assert given.pop("WIREBELL_CONFIG") == "/etc/wirebell/wirebell.toml"
        hosts = {
            key for key in ("INGEST_HOST", "WIREBELL_PAGE__HOST") if given.get(key) == "0.0.0.0"
        }
        assert len(hosts) == (name in {"sources", "page"})
        given.update(dict.fromkeys(hosts, "127.0.0.1"))  # a test opens nothing to the world
        inherited = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        return {
            **inherited,
            "PYTHONUNBUFFERED": "1",
            "WIREBELL_STATE_DIR": str(self.folder / "state"),
            **given,
            **self.lane.environment(),
            "WIREBELL_REDIS__URL": self.redis_url,
            "WIREBELL_REDIS__PREFIX": self.redis_prefix,
            "WIREBELL_CONFIG": str(self.folder / "wirebell.toml"),
            "WIREBELL_PAGE__PORT": str(self.page_port),
        }

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """The service's command under the image's entry point; output goes to files."""
        command = self.compose["services"][name]["command"]
        with (self.folder / f"{name}.out").open("wb") as out:
            return subprocess.Popen(
                [sys.executable, "-m", "streams", *command],
                env=self.environment(name),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=(self.folder / f"{name}.err").open("wb"),
                cwd=ROOT,
            )

    def is_well(self, name: str) -> bool:
        """What the service's own health check says."""
        test = self.compose["services"][name]["healthcheck"]["test"]
        assert test[:2] == ["CMD", "python"]
        return (
            subprocess.run(
                [sys.executable, *test[2:]],
                check=False,
                env=self.environment(name),
                cwd=ROOT,
                capture_output=True,
                timeout=30,
            ).returncode
            == 0
        )

    def said(self, name: str) -> str:
        """All that the service has printed."""
        return "".join(
            (self.folder / f"{name}.{end}").read_text(errors="replace") for end in ("out", "err")
        )


@pytest.fixture
def services(
    compose: dict[str, Any], kafka: Lane, redis_url: str, redis_prefix: str, tmp_path: Path
) -> Services:
    """The starter's folder as it is mounted, without the feeds and the sample."""
    shutil.copytree(ROOT / "streams" / "starter", tmp_path, dirs_exist_ok=True)
    ingest_port = free_port()
    path = tmp_path / "wirebell.toml"
    head, *tables = path.read_text(encoding="utf-8").split("[[sources]]")
    ingest = next(table for table in tables if 'type = "ingest"' in table)
    ingest = ingest.replace("port = 8086", f"port = {ingest_port}")
    path.write_text(head + "[[sources]]" + ingest, encoding="utf-8")
    return Services(compose, kafka, redis_url, redis_prefix, tmp_path, free_port(), ingest_port)


@pytest.fixture
def running(services: Services) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    topics = services.start("kafka-topics")
    assert topics.wait(60) == 0, services.said("kafka-topics")
    processes = {name: services.start(name) for name in ("sources", "worker", "page")}
    yield processes
    for process in processes.values():
        process.send_signal(signal.SIGTERM)
    for name, process in processes.items():
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            pytest.fail(f"{name} does not end on SIGTERM:\n{services.said(name)}")


def _post(port: int, token: str = TOKEN) -> int:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/articles",
        data=json.dumps(ARTICLE).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=40) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@pytest.mark.slow
def test_an_article_pushed_in_comes_out_as_an_alert(
    services: Services, running: dict[str, subprocess.Popen[bytes]]
) -> None:
    for name in running:
        wait_until(lambda name=name: services.is_well(name), 60, f"{name} is well")
    assert _post(services.ingest_port, "wrong") == 401
    assert _post(services.ingest_port) == 202
    wait_until(
        lambda: ARTICLE["title"] in (services.folder / "worker.out").read_text(),
        30,
        "the alert is printed: " + services.said("worker"),
    )
    assert TOKEN not in services.said("sources") + services.said("page")
    assert _page_answers(services.page_port)


def _page_answers(port: int) -> bool:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as answer:
        return bool(answer.status == 200)
