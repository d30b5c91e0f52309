"""A `wirebell` command in a process forked from this one, which has what all of them need in
memory already: it starts half a second of work sooner, and the memory of both is one until
either writes to it.

Owns the fork and what a fresh process would have had otherwise: environment, signals, files,
name. Linux only, and only from a process of one thread: a lock that another thread holds would
stay locked in the child for good. `Child` starts a fresh interpreter where this cannot be done.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from streams.embedded import die_with_parent

_THREADS = Path("/proc/self/task")
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)
_M_ARENA_MAX = -8  # of glibc's malloc.h
_LOOK_S = 0.02
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def preload(modules: Sequence[str]) -> None:
    """Import what the children need, and keep the garbage collector from writing to it: a page
    that is written to is no longer shared.
    """
    for module in modules:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()


def can_fork() -> bool:
    """Whether a fork of this process is a sound one."""
    return _libc is not None and _THREADS.is_dir() and len(list(_THREADS.iterdir())) == 1


class Forked:
    """A forked child, with the part of subprocess.Popen's interface that `Child` uses."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit code, minus the signal that ended it; None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: it has not ended in so many seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() >= deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            time.sleep(_LOOK_S)
        return code

    def terminate(self) -> None:
        """SIGTERM, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)


def fork_command(name: str, environment: Mapping[str, str], stderr: int) -> Forked:
    """Run `wirebell NAME` in a child with this environment and nothing else of ours open. From
    the main thread, and only where `can_fork`.
    """
    ask_kernel = die_with_parent()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                if ask_kernel is not None:
                    ask_kernel()
                _become_fresh(name, environment, stderr)
                signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
                code = _run(name)
            except BaseException:  # noqa: BLE001 - told, or its log would say nothing
                sys.excepthook(*sys.exc_info())
            finally:
                # Never back into the parent's code: what it holds open is not ours to close.
                os._exit(code)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    return Forked(pid)


def _become_fresh(name: str, environment: Mapping[str, str], stderr: int) -> None:
    signal.set_wakeup_fd(-1)
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    atexit._clear()
    os.setsid()
    os.dup2(stderr, 2)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    # The parent's objects are never freed here, so none of them closes a number used anew. What is
    # open is listed: containers allow numbers up to a billion.
    for held in list(Path("/proc/self/fd").iterdir()):
        if int(held.name) > 2:
            with contextlib.suppress(OSError):  # the one that listed them
                os.close(int(held.name))
    sys.stdout = io.TextIOWrapper(
        io.FileIO(1, "w", closefd=False),
        encoding=sys.stdout.encoding,
        errors=sys.stdout.errors,
        write_through=True,  # as with PYTHONUNBUFFERED
    )
    os.environ.clear()
    os.environ.update(environment)
    if _libc is not None and environment.get("MALLOC_ARENA_MAX", "").isdigit():
        with contextlib.suppress(AttributeError):  # glibc reads it at the start of a program
            _libc.mallopt(_M_ARENA_MAX, int(environment["MALLOC_ARENA_MAX"]))
    sys.argv = ["wirebell", name]
    _show_as([Path(sys.executable).name, "-m", "streams", name])


def _run(name: str) -> int:
    """What the interpreter does with a program, up to its exit code."""
    from streams.cli import run

    code: object = 0
    try:
        run(name)
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001 - the outermost frame of this process
        sys.excepthook(*sys.exc_info())
        code = 1
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return code if isinstance(code, int) else int(code is not None)


def _show_as(words: Sequence[str]) -> None:
    """Have `ps` show these words for this process, where the parent's own took more room."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        # Fields 48 and 49 of proc(5): where the arguments begin and end. The second field is a
        # name in brackets that may hold spaces.
        fields = Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        begin, end = int(fields[45]), int(fields[46])
        shown = b"".join(word.encode() + b"\0" for word in words)
        if 0 < len(shown) <= end - begin:
            ctypes.memset(begin, 0, end - begin)
            ctypes.memmove(begin, shown, len(shown))
