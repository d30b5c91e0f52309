"""One node of Apache Kafka on loopback, its jars resolved by Maven.

`python -m tests.kafka.apache` starts one and prints its address until Ctrl-C.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

from streams.embedded import LOOPBACK, EmbeddedError, EmbeddedServer, free_port, kafka_answers

HERE = Path(__file__).parent
LIB = HERE / "lib"
MINIMUM_JAVA = 17
MAVEN_TIMEOUT_S = 600
# What Maven says when its repository cannot be reached, as opposed to a wrong pom.
_UNREACHABLE = re.compile(
    r"Could not transfer|UnknownHost|Connection (refused|reset|timed out)|Network is unreachable"
    r"|Cannot access .* in offline mode|Temporary failure in name resolution"
)
_JVM_OPTIONS = ("-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


class KafkaUnavailableError(Exception):
    """Apache Kafka cannot be had on this machine: the lane is skipped, with this reason."""


class KafkaBrokenError(Exception):
    """Apache Kafka could be had and does not work: the run fails."""


def resolve_jars() -> Path:
    """The folder of Kafka's jars, fetched by Maven the first time; safe to call at once.

    Raises:
        KafkaUnavailableError: there is no Java 17 or no Maven, or Maven reaches no repository.
        KafkaBrokenError: Maven reached its repository and still failed.
    """
    _require_java()
    lock = os.open(HERE, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not any(LIB.glob("kafka_*.jar")):
            _fetch_jars()
    finally:
        os.close(lock)
    return LIB


class ApacheKafka(EmbeddedServer):
    """A broker and controller in one JVM. `kill()` and `start()` keep its log and its port."""

    name = "Apache Kafka"
    ready_timeout_s = 60.0  # 4 s on an idle machine with 2 cores
    stop_timeout_s = 20.0

    def __init__(self, directory: Path, port: int = 0) -> None:
        super().__init__(port)
        self._directory = directory
        self._jars = resolve_jars()
        self._controller_port = 0

    @property
    def bootstrap_servers(self) -> str:
        """Where it listens, as Kafka clients want it."""
        return f"{LOOPBACK}:{self.port}"

    def wipe(self) -> None:
        """Forget everything it holds, cluster id included. Only while it is not running."""
        assert not self.running
        shutil.rmtree(self._directory, ignore_errors=True)

    def _command(self) -> list[str]:
        properties = self._directory / "server.properties"
        if not properties.exists():
            self._directory.mkdir(parents=True, exist_ok=True)
            self._controller_port = free_port()
        properties.write_text(self._properties())
        if not (self._directory / "log" / "meta.properties").exists():
            self._format(properties)
        return self._java("kafka.Kafka", str(properties))

    def _answers(self) -> bool:
        return kafka_answers(self.port)

    def _java(self, main: str, *arguments: str) -> list[str]:
        options = (*_JVM_OPTIONS, f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}")
        return ["java", *options, "-cp", f"{self._jars}/*", main, *arguments]

    def _format(self, properties: Path) -> None:
        # An id that begins with "-" would be read as an option.
        cluster_id = (
            base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().strip("=").replace("-", "A")
        )
        arguments = ("format", "-t", cluster_id, "-c", str(properties), "--ignore-formatted")
        done = subprocess.run(
            self._java("kafka.tools.StorageTool", *arguments, *self._format_options()),
            capture_output=True,
            text=True,
            check=False,
            timeout=self.ready_timeout_s,
        )
        if done.returncode:
            raise KafkaBrokenError(f"formatting Kafka's storage failed: {done.stderr[-500:]}")

    def _format_options(self) -> tuple[str, ...]:
        """What else the storage is formatted with: users, in a cluster that has them."""
        return ()

    def _properties(self) -> str:
        controller = f"{LOOPBACK}:{self._controller_port}"
        one_replica = (
            "offsets.topic.replication.factor",
            "transaction.state.log.replication.factor",
            "transaction.state.log.min.isr",
            "share.coordinator.state.topic.replication.factor",
            "share.coordinator.state.topic.min.isr",
            # Coordinators start faster with fewer partitions of their own Kafka topics.
            "offsets.topic.num.partitions",
            "transaction.state.log.num.partitions",
        )
        lines = [
            "process.roles=broker,controller",
            "node.id=1",
            f"controller.quorum.voters=1@{controller}",
            f"listeners=PLAINTEXT://{self.bootstrap_servers},CONTROLLER://{controller}",
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            f"advertised.listeners=PLAINTEXT://{self.bootstrap_servers}",
            "controller.listener.names=CONTROLLER",
            f"log.dirs={self._directory / 'log'}",
            "group.initial.rebalance.delay.ms=0",
            "auto.create.topics.enable=false",
            "log.segment.delete.delay.ms=1000",
            # A killed broker may register again only when its old session has ended (9 s).
            "broker.session.timeout.ms=2000",
            "broker.heartbeat.interval.ms=500",
            # A killed worker's partitions wait for its session; the default forbids under 6 s.
            "group.min.session.timeout.ms=1000",
            *(f"{name}=1" for name in one_replica),
        ]
        return "\n".join(lines) + "\n"


def _require_java() -> None:
    java = shutil.which("java")
    if java is None:
        raise KafkaUnavailableError("there is no Java (17 or later) on this machine")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=True).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < MINIMUM_JAVA:
        raise KafkaUnavailableError(f"Java is older than {MINIMUM_JAVA}: {said.splitlines()[:1]}")


def _fetch_jars() -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaUnavailableError(
            "there is no Maven on this machine and no jars in tests/kafka/lib"
        )
    (HERE / "target").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=HERE / "target") as partial:
        goal = ("dependency:copy-dependencies", "-DincludeScope=runtime")
        command = [maven, "-q", "-B", *goal, f"-DoutputDirectory={partial}"]
        try:
            done = subprocess.run(
                command,
                cwd=HERE,
                capture_output=True,
                text=True,
                check=False,
                timeout=MAVEN_TIMEOUT_S,
            )
        except subprocess.TimeoutExpired as error:
            raise KafkaUnavailableError(f"Maven took over {MAVEN_TIMEOUT_S} s") from error
        if done.returncode:
            said = done.stdout + done.stderr
            first = next((line for line in said.splitlines() if "ERROR" in line), said[:300])
            kind = KafkaUnavailableError if _UNREACHABLE.search(said) else KafkaBrokenError
            raise kind(f"Maven could not resolve Apache Kafka: {first[:300]}")
        shutil.rmtree(LIB, ignore_errors=True)
        Path(partial).rename(LIB)
        Path(partial).mkdir()  # for TemporaryDirectory to remove


def main() -> None:
    """Run one node until Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with tempfile.TemporaryDirectory() as folder, ApacheKafka(Path(folder) / "kafka") as node:
        print(node.bootstrap_servers, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    try:
        main()
    except (KafkaUnavailableError, KafkaBrokenError, EmbeddedError) as error:
        raise SystemExit(str(error)) from None
