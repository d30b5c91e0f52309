"""When the lane of Apache Kafka is skipped, and when its failure fails the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kafka import apache
from tests.kafka.apache import (
    ApacheKafka,
    KafkaBrokenError,
    KafkaUnavailableError,
    resolve_jars,
)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of commands that alone is on the PATH, and no jars yet."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(apache, "LIB", tmp_path / "lib")
    return folder


def command(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def java(folder: Path, version: str) -> None:
    command(folder, "java", f"echo 'openjdk version \"{version}\" 2025-04-15' >&2")


def test_without_java_or_with_an_old_one_it_is_skipped(tools: Path) -> None:
    with pytest.raises(KafkaUnavailableError, match="no Java"):
        resolve_jars()
    java(tools, "11.0.2")
    with pytest.raises(KafkaUnavailableError, match="older than 17"):
        resolve_jars()


def test_without_maven_or_its_repository_it_is_skipped(tools: Path) -> None:
    java(tools, "17.0.15")
    with pytest.raises(KafkaUnavailableError, match="no Maven"):
        resolve_jars()
    command(
        tools, "mvn", "echo '[ERROR] Could not transfer artifact: Network is unreachable'; exit 1"
    )
    with pytest.raises(KafkaUnavailableError, match="Could not transfer"):
        resolve_jars()


def test_a_maven_that_reaches_its_repository_and_fails_fails_the_run(tools: Path) -> None:
    java(tools, "21.0.1")
    command(tools, "mvn", "echo '[ERROR] Non-parseable POM'; exit 1")
    with pytest.raises(KafkaBrokenError, match="Non-parseable POM"):
        resolve_jars()
    assert not apache.LIB.exists(), "nothing half-fetched is taken for whole"


def test_what_maven_fetched_is_used_the_next_time_without_it(tools: Path) -> None:
    java(tools, "17.0.15")
    matching = 'case "$word" in -DoutputDirectory=*) : > "${word#*=}/kafka_2.13.jar";; esac'
    command(tools, "mvn", f"for word; do {matching}; done")
    assert (resolve_jars() / "kafka_2.13.jar").exists()
    (tools / "mvn").unlink()
    assert [path.name for path in resolve_jars().iterdir()] == ["kafka_2.13.jar"]


def test_storage_that_cannot_be_formatted_fails_the_run(tools: Path, tmp_path: Path) -> None:
    command(tools, "java", 'echo \'openjdk version "17.0.1"\' >&2; test "$1" = -version')
    apache.LIB.mkdir()
    (apache.LIB / "kafka_2.13.jar").touch()
    with pytest.raises(KafkaBrokenError, match="formatting"):
        ApacheKafka(tmp_path / "node").start()
