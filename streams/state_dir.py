"""The directory where one machine keeps its line: who holds it, and where what it started
can be found by the other commands.

Owns the lock (flock on one file, so a crash leaves nothing to clear away) and the note in
it. Does not own what else lies there: Redis's file and the logs.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

LOCK_NAME = "up.lock"
# A command that looks who holds the lock takes it for a moment; longer means a holder.
_PATIENCE_S = 0.5


class Holder(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who holds the directory, and the addresses of what it started itself ("": nothing)."""

    pid: int
    since: datetime
    bootstrap_servers: str = ""
    redis_url: str = ""
    page_port: int = 0


class HeldError(Exception):
    """Another `wirebell up` holds the directory; the message names it."""

    def __init__(self, directory: Path, holder: Holder | None) -> None:
        who = (
            f"process {holder.pid}, since {holder.since:%Y-%m-%d %H:%M:%S} UTC"
            if holder
            else "a process that has not said its name yet"
        )
        super().__init__(
            f"{directory} is in use by another `wirebell up` ({who}). "
            "Stop that one, or give this one a state_dir of its own."
        )


class StateDir:
    """The directory, held by this process until `release`. A context manager."""

    def __init__(self, directory: Path) -> None:
        self.path = directory
        self._file = directory / LOCK_NAME
        self._descriptor: int | None = None
        self.since = datetime.now(UTC)

    def hold(self) -> None:
        """Take the directory, making it where it is missing.

        Raises:
            HeldError: another process holds it.
            OSError: it cannot be made or written.
        """
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        deadline = time.monotonic() + _PATIENCE_S
        while self._descriptor is None:
            descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if _lock(descriptor, fcntl.LOCK_EX) and _is_file(descriptor, self._file):
                self._descriptor = descriptor
                break
            os.close(descriptor)
            if time.monotonic() > deadline:
                raise HeldError(self.path, _read(self._file))
            time.sleep(0.02)
        self.note()

    def note(self, bootstrap_servers: str = "", redis_url: str = "", page_port: int = 0) -> None:
        """Write down what others need to find this line."""
        assert self._descriptor is not None, "hold the directory first"
        holder = Holder(
            pid=os.getpid(),
            since=self.since,
            bootstrap_servers=bootstrap_servers,
            redis_url=redis_url,
            page_port=page_port,
        )
        raw = msgspec.json.encode(holder)
        os.pwrite(self._descriptor, raw, 0)
        os.ftruncate(self._descriptor, len(raw))

    def release(self) -> None:
        """Give the directory back and remove the lock's file. May be called twice."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                self._file.unlink()
            os.close(self._descriptor)
            self._descriptor = None


def find_holder(directory: Path) -> Holder | None:
    """Who holds the directory now; None when nobody does, whatever a crash left behind."""
    try:
        descriptor = os.open(directory / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return None if _lock(descriptor, fcntl.LOCK_SH) else _read(directory / LOCK_NAME)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_file(descriptor: int, path: Path) -> bool:
    """Whether the locked file is still the one of that name: its last holder removes it."""
    try:
        return os.fstat(descriptor).st_ino == path.stat().st_ino
    except OSError:
        return False


def _read(path: Path) -> Holder | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Holder)
    except (OSError, msgspec.DecodeError):
        return None
