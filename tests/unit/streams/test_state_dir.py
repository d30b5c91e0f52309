"""The state directory: one holder at a time, and nothing to clear away after a crash."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from streams.settings import load_settings
from streams.state_dir import LOCK_NAME, HeldError, StateDir, find_holder

# Holds the directory until its standard input ends.
_HOLD = """
import sys
from pathlib import Path
from streams.state_dir import StateDir
state = StateDir(Path(sys.argv[1]))
state.hold()
state.note(bootstrap_servers="127.0.0.1:1234", redis_url="redis://127.0.0.1:5678/0", page_port=91)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_holder_is_told_who_holds_it(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    with pytest.raises(HeldError, match=f"in use by another .*process {holder.pid}, since"):
        StateDir(tmp_path).hold()
    holder.communicate("")


def test_a_killed_holder_leaves_no_lock(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.communicate()
    assert (tmp_path / LOCK_NAME).exists()
    assert find_holder(tmp_path) is None
    state = StateDir(tmp_path)
    state.hold()
    state.release()


def test_release_removes_the_lock_and_may_be_repeated(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "new" / "var")
    state.hold()
    state.release()
    state.release()
    assert list(state.path.iterdir()) == []
    state.hold()
    state.release()


def test_other_commands_find_the_line_that_runs(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    config = tmp_path / "wirebell.toml"
    config.write_text(f'state_dir = "{tmp_path}"\n')
    joined = load_settings(config, {})
    assert joined.kafka.bootstrap_servers == "127.0.0.1:1234"
    assert joined.kafka.embedded
    assert joined.redis.url.get_secret_value() == "redis://127.0.0.1:5678/0"
    assert joined.page.port == 91
    named = load_settings(config, {"WIREBELL_KAFKA__BOOTSTRAP_SERVERS": "kafka:9092"})
    assert named.kafka.bootstrap_servers == "kafka:9092"
    assert not named.kafka.embedded
    holder.communicate("")
    assert load_settings(config, {}).kafka.bootstrap_servers == "127.0.0.1:9092"


def test_a_reference_may_have_a_default(tmp_path: Path) -> None:
    config = tmp_path / "wirebell.toml"
    config.write_text('[page]\nhost = "${PAGE_HOST:-127.0.0.1}"\ntoken = "${PAGE_TOKEN:-}"\n')
    assert load_settings(config, {}).page.host == "127.0.0.1"
    assert load_settings(config, {"PAGE_HOST": "::1"}).page.host == "::1"
