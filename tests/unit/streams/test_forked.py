"""A forked child is as good as a fresh one. Each test forks from an interpreter of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux alone")

# A parent that holds a file, handles signals, and forks a command that tells what it sees.
PARENT = """
import json, os, signal, sys, threading
import streams.cli
from streams.doorbell import Doorbell
from streams.forked import can_fork, fork_command, preload

def tell(name):
    numbers = [signal.SIGTERM, signal.SIGINT, signal.SIGCHLD]
    told = {
        "argv": sys.argv,
        "environment": dict(os.environ),
        "files": sorted(name for name in os.listdir("/proc/self/fd") if int(name) != 3),
        "stdin": os.readlink("/proc/self/fd/0"),
        "leads": os.getsid(0) == os.getpid(),
        "shown": open("/proc/self/cmdline").read().rstrip("\\0").split("\\0"),
        "default": [signal.getsignal(one) in (signal.SIG_DFL, signal.default_int_handler)
                    for one in numbers],
        "blocked": len(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    }
    sys.stdout.write(json.dumps(told))
    print("to the log", file=sys.stderr)
    raise SystemExit(7)

streams.cli.run = tell
for number in (signal.SIGTERM, signal.SIGCHLD):
    signal.signal(number, lambda *_: None)
held = open("/dev/zero")
preload(["json"])
assert can_fork()
with Doorbell() as bell:
    log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
    child = fork_command("page", {"PATH": "/bin", "MALLOC_ARENA_MAX": "2"}, log)
    heard = bell.wait(30)
    code = child.wait(30)
    assert (heard, code, child.poll()) == (True, 7, 7), (heard, code)
    child.terminate()  # it has ended: nobody else is hit
waiting = threading.Event()
threading.Thread(target=waiting.wait).start()
assert not can_fork()
waiting.set()
"""


def test_it_has_what_a_fresh_process_has_and_nothing_of_its_parents(tmp_path: Path) -> None:
    log = tmp_path / "log"
    told = subprocess.run(
        [sys.executable, "-c", PARENT, str(log)],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    seen = json.loads(told.stdout)
    assert seen["argv"] == ["wirebell", "page"]
    assert seen["environment"] == {"PATH": "/bin", "MALLOC_ARENA_MAX": "2"}
    assert seen["files"] == ["0", "1", "2"]
    assert seen["stdin"] == "/dev/null"
    assert seen["leads"]
    assert seen["shown"][1:] == ["-m", "streams", "page"]
    assert seen["default"] == [True, True, True]
    assert seen["blocked"] == 0
    assert log.read_text() == "to the log\n"


def test_a_fault_is_told_by_the_hook_and_the_exit_code(tmp_path: Path) -> None:
    parent = PARENT.replace("raise SystemExit(7)", "raise ValueError('a fault')")
    parent = parent.replace("(True, 7, 7)", "(True, 1, 1)")
    log = tmp_path / "log"
    subprocess.run(
        [sys.executable, "-c", parent, str(log)], check=True, capture_output=True, timeout=60
    )
    assert log.read_text().endswith("ValueError: a fault\n")
