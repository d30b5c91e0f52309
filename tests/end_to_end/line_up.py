"""`wirebell up` as a process of its own, for tests: started, watched, ended as a terminal does."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from streams.embedded import free_port
from streams.settings import STARTER
from streams.state_dir import Holder, find_holder

ROOT = Path(__file__).parents[2]


def starter_text(*, per_second: float, feeds: bool) -> str:
    """The starter configuration with ports of its own and feeds that nobody can reach.

    A test asks no publisher anything: the hosts get a name that never resolves.
    """
    text = STARTER.read_text(encoding="utf-8")
    head, *tables = text.split("[[sources]]")
    kept = [table for table in tables if feeds or 'type = "feed"' not in table]
    text = "[[sources]]".join([head, *kept])
    text = re.sub(r'^url = "https://([^/"]+)', r'url = "https://\1.invalid', text, flags=re.M)
    text = text.replace("port = 8087", "port = 0").replace("port = 8086", f"port = {free_port()}")
    text = text.replace("per_second = 2", f"per_second = {per_second}")
    return text.replace('path = "sample"', f'path = "{STARTER.parent / "sample"}"')


@dataclass
class LineUp:
    """One `wirebell up`, with its output in files."""

    folder: Path
    config: str
    environment_of_test: dict[str, str] = field(default_factory=dict)

    def start(self) -> None:
        """Start it as a shell would: in a process group of its own."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "wirebell.toml").write_text(self.config, encoding="utf-8")
        self.started_at = time.monotonic()
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def command(self) -> list[str]:
        """What is run, in the folder that holds the configuration."""
        return [sys.executable, "-m", "streams", "up"]

    def environment(self) -> dict[str, str]:
        """Nothing of the test's own configuration, and the code of this repository."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith("WIREBELL_")
        }
        return {**kept, "PYTHONPATH": str(ROOT), **self.environment_of_test}

    @property
    def out(self) -> Path:
        """Where the alerts are printed."""
        return self.folder / "up.out"

    @property
    def err(self) -> Path:
        """Where the supervisor's own lines are."""
        return self.folder / "up.err"

    @property
    def state_dir(self) -> Path:
        """The directory that the line holds."""
        return self.folder / "var"

    def holder(self) -> Holder:
        """Where the line can be found."""
        holder = find_holder(self.state_dir)
        assert holder, "nobody holds the state directory: " + self.said()
        return holder

    def said(self) -> str:
        """All that was printed, and the last lines of every log, for a failing test."""
        parts = [self.err.read_text(errors="replace"), self.out.read_text(errors="replace")]
        for log in sorted((self.state_dir / "logs").glob("*.log")):
            parts.append(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}")
        return "\n".join(parts)

    def family(self) -> list[psutil.Process]:
        """Every process of the line, the supervisor first."""
        leader = psutil.Process(self.process.pid)
        return [leader, *leader.children(recursive=True)]

    def interrupt(self) -> float:
        """Ctrl-C: SIGINT to the terminal's whole process group. Seconds until all is over."""
        family = self.family()
        asked_at = time.monotonic()
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(30)
        took_s = time.monotonic() - asked_at
        alive = [each for each in family if each.is_running() and each.status() != "zombie"]
        assert not alive, f"left behind: {alive}"
        return took_s

    def clear_away(self) -> None:
        """For a test that failed midway: end whatever still runs."""
        if self.process.poll() is None:
            for each in self.family():
                each.kill()
            self.process.wait()
