"""One process of ours under supervision: how it is started, ended, and started again.

Owns a child's life, its environment's form and its log file. Does not decide when to start
or stop it: `supervisor.py` does.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from streams.embedded import die_with_parent
from streams.forked import Forked, can_fork, fork_command

# A child that dies at once is a fault that will not go away by itself: ask ever less often.
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0
# One that lived this long had started well; its next death is a new fault.
LIVED_WELL_S = 60.0
# A log is cut at this size, one older part is kept: 20 MB a process at most.
MAX_LOG_BYTES = 10_000_000
_TAIL_BYTES = 4_000
# What the command line's own error messages are framed with.
_FRAME = " │╭╮╰╯─"


class Child:
    """A `wirebell` command as a child process. stderr goes to its log; stdout is ours.

    It has a session of its own, so that Ctrl-C in the terminal reaches the supervisor alone,
    and ends with the supervisor, even when that is killed. From the main thread only.
    """

    def __init__(
        self, name: str, environment: Mapping[str, str], log: Path, *, forks: bool = False
    ) -> None:
        """`forks`: made out of this process where that can be done (streams/forked.py)."""
        self.name = name
        self._forks = forks
        self.log = log
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | Forked | None = None
        self._started_at = 0.0
        self._wait_s = FIRST_WAIT_S
        self._due_at: float | None = None
        self._last_words = ""

    @property
    def pid(self) -> int | None:
        """The process id, None when it is not running."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self, now: float) -> None:
        """Start it. `now` is the supervisor's monotonic clock, in seconds."""
        self.log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            if self._forks and can_fork():
                self._process = fork_command(self.name, self._environment, descriptor)
            else:
                self._process = self._spawn(descriptor)
        finally:
            os.close(descriptor)
        self._started_at = now
        self._due_at = None

    def _spawn(self, descriptor: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - our own command, no shell
            [sys.executable, "-m", "streams", self.name],
            stdin=subprocess.DEVNULL,
            stderr=descriptor,
            env=self._environment,
            preexec_fn=die_with_parent(),  # noqa: PLW1509 - one call, loaded before
            start_new_session=True,
        )

    def notice_end(self, now: float) -> str:
        """If it has ended by itself, note when it starts again and say so in a line.

        "" when it runs, and when it has ended just as it did the time before: a fault that
        stays is told once.
        """
        code = None if self._process is None else self._process.poll()
        if code is None:
            return ""
        self._process = None
        if now - self._started_at >= LIVED_WELL_S:
            self._wait_s, self._last_words = FIRST_WAIT_S, ""
        self._due_at = now + self._wait_s
        words = f"{self.name} ended ({_ending(code)})"
        said = last_line(self.log)
        said = "" if said.startswith("INFO ") else said  # it was well: no reason to end
        line = f"{words}; starts again in {self._wait_s:.0f} s" + (
            f". It said: {said}" if said else ""
        )
        self._wait_s = min(self._wait_s * 2, LONGEST_WAIT_S)
        before, self._last_words = self._last_words, f"{words} {said}"
        return line if before != self._last_words else ""

    def is_due(self, now: float) -> bool:
        """Whether it has ended and waited long enough to be started again."""
        return self._due_at is not None and now >= self._due_at

    def ask_to_end(self) -> None:
        """SIGTERM, once; and no more restarts. May be repeated."""
        self._due_at = None
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()

    def wait(self, timeout_s: float) -> bool:
        """Wait until it has ended; False when it has not in time."""
        if self._process is None:
            return True
        try:
            self._process.wait(max(0.0, timeout_s))
        except subprocess.TimeoutExpired:
            return False
        self._process = None
        return True

    def kill(self) -> None:
        """SIGKILL to all of its session, and wait."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, 9)
            if self._process.poll() is None:  # or not yet the leader of its session
                os.kill(self._process.pid, 9)
            self._process.wait()
            self._process = None

    def cut_log(self) -> None:
        """Put a log that has grown too large aside. The child goes on: it only appends."""
        with contextlib.suppress(OSError):
            if self.log.stat().st_size > MAX_LOG_BYTES:
                shutil.copyfile(self.log, self.log.with_suffix(".log.1"))
                os.truncate(self.log, 0)


def last_line(log: Path) -> str:
    """The last line of a log with words in it, without its time; "" when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    said = [line.strip(_FRAME) for line in lines if re.search(r"\w", line)]
    time, _, rest = said[-1].partition(" ") if said else ("", "", "")
    return " ".join((rest if time.endswith("Z") else f"{time} {rest}").split())[:300]


def resident_mb(pid: int | None) -> float:
    """The resident memory of a process in MB; 0 when it cannot be told."""
    if pid is None:
        return 0.0
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (OSError, ValueError, IndexError):
        pass
    with contextlib.suppress(OSError, ValueError, subprocess.SubprocessError):
        told = subprocess.run(  # noqa: S603 - a number of ours, no shell
            ["ps", "-o", "rss=", "-p", str(pid)],  # noqa: S607 - where it lies differs
            capture_output=True,
            check=False,
            timeout=5,
        )
        return int(told.stdout) * 1024 / 1e6
    return 0.0


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit {code}"
