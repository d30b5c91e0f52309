"""The embedded broker and Redis: ready, on loopback alone, and gone with their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import redis
from kafka import KafkaAdminClient

from streams.embedded import EmbeddedBroker, EmbeddedError, EmbeddedRedis, EmbeddedServer
from tests.lanes import wait_until

PARENT = """
import sys, time
from pathlib import Path
from streams.embedded import EmbeddedBroker, EmbeddedRedis
broker, valkey = EmbeddedBroker(), EmbeddedRedis(Path(sys.argv[1]))
broker.start(); valkey.start()
print(broker.pid, valkey.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture(params=["broker", "redis"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> EmbeddedServer:
    return EmbeddedBroker() if request.param == "broker" else EmbeddedRedis(tmp_path / "redis")


def test_it_listens_on_loopback_only(server: EmbeddedServer) -> None:
    with server:
        connections = psutil.Process(server.pid).net_connections(kind="inet")
        listening = {c.laddr for c in connections if c.status == psutil.CONN_LISTEN}
    assert listening == {("127.0.0.1", server.port)}


def test_it_comes_back_on_its_port_after_a_kill(server: EmbeddedServer) -> None:
    with server:
        port, first = server.port, server.pid
        server.kill()
        assert not server.running
        server.start()
        assert (server.port, server.pid != first) == (port, True)
    assert not server.running


def test_a_taken_port_is_a_clear_error(server: EmbeddedServer, tmp_path: Path) -> None:
    with server:
        for second in (EmbeddedBroker(server.port), EmbeddedRedis(tmp_path / "2", server.port)):
            with pytest.raises(EmbeddedError, match=f"port {server.port} is taken"):
                second.start()


def test_stopping_twice_does_no_harm(server: EmbeddedServer) -> None:
    server.start()
    server.stop()
    server.stop()
    assert not server.running


def test_broker_tells_a_new_cluster_id_at_every_start() -> None:
    seen = set()
    with EmbeddedBroker() as broker:
        for _ in range(2):
            admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
            cluster_id = admin.describe_cluster()["cluster_id"]
            admin.close()
            assert cluster_id == broker.cluster_id
            seen.add(cluster_id)
            broker.restart()
    assert len(seen) == 2


def test_redis_keeps_its_keys_over_a_clean_stop_and_a_kill(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path / "redis")
    with server:
        client = redis.Redis.from_url(server.url)
        for number in range(1_000):
            client.set(f"key:{number}", number)
        server.kill()
        server.start()
        assert client.dbsize() == 1_000
        server.restart()
        assert client.dbsize() == 1_000
        client.close()


def test_two_redis_cannot_share_a_directory_and_no_lock_is_left(tmp_path: Path) -> None:
    directory = tmp_path / "redis"
    with EmbeddedRedis(directory), pytest.raises(EmbeddedError, match="in use by another"):
        EmbeddedRedis(directory).start()
    with EmbeddedRedis(directory) as after:
        assert after.running


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_both_die_with_their_parent(tmp_path: Path, how: signal.Signals) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path / "redis")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        children = [int(word) for word in parent.stdout.readline().split()]
        assert len(children) == 2
        os.kill(parent.pid, how)
        parent.wait()
    wait_until(lambda: not any(map(_alive, children)), what="both servers are gone")


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
