"""The console command itself: what it is called with before any subcommand is imported."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from streams.cli import COMMANDS

ROOT = Path(__file__).parents[3]


def _wirebell(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "streams", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_it_tells_its_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    said = _wirebell("--version")
    assert (said.returncode, said.stdout) == (0, f"wirebell {project['version']}\n")


def test_an_unknown_command_is_named_without_a_traceback() -> None:
    said = _wirebell("rign")
    assert said.returncode == 2
    assert "'rign'" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    said = _wirebell(command, "--help")
    assert said.returncode == 0, said.stderr
    assert "Usage" in said.stdout
