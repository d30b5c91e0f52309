"""`wirebell deliveries` on a real ledger."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from streams.commands.deliveries import app
from streams.settings import Target
from tests.delivery_rig import Rig, eventually, open_rig
from tests.fakes.alerts import make_alert
from tests.fakes.faults import Fault

SLACK, HOOK = Target(sink="slack", to="C0000001"), Target(sink="hook")


@pytest.fixture
async def rig(redis_url: str, redis_prefix: str) -> AsyncIterator[Rig]:
    async with open_rig(redis_url, redis_prefix) as made:
        yield made


@pytest.fixture
def config(tmp_path: Path, redis_url: str, redis_prefix: str) -> Path:
    path = tmp_path / "wirebell.toml"
    path.write_text(f'[redis]\nurl = "{redis_url}"\nprefix = "{redis_prefix}"\n')
    return path


async def call(*args: str, config: Path) -> Result:
    """In a thread: the command runs an event loop of its own."""
    arguments = [*args, "--config", str(config)]
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, arguments))


async def test_it_lists_logs_turns_on_and_sends_again(rig: Rig, config: Path) -> None:
    worker = rig.deliveries(targets=(SLACK, HOOK))
    await worker.accept([make_alert(f"s{number}") for number in range(3)])
    await rig.settle([worker])
    rig.hook.faults.queue.append(Fault("status", 410))
    await worker.accept([make_alert("s9")])
    async with rig.running(worker):
        await eventually(lambda: len(rig.letters) == 1)

    listed = (await call("list", config=config)).stdout
    assert "'slack|C0000001'  waiting 0  under way 0  told 2026-03-04 08:0" in listed
    # What is printed is what a shell takes.
    assert [shlex.split(line)[0] for line in listed.splitlines()] == ["hook|", "slack|C0000001"]
    assert "OFF: the receiver answered 410 Gone" in listed
    log = (await call("log", config=config)).stdout
    assert log.count("delivered") == 7 and "'hook|'  s9:1  attempt 1  turned_off" in log

    assert (await call("turn-on", "hook|", config=config)).exit_code == 0
    assert (await call("turn-on", "hook|", config=config)).exit_code == 1
    # The command's clock is the real one, far after the test's.
    again = await call("resend", "hook|", "--since", "9999d", config=config)
    # The one that became a dead letter too.
    assert again.stdout == "4 to be sent again\n"
    assert (await call("resend", "slack|C0000001", "--story", "s1", config=config)).exit_code == 0
    assert (await call("resend", "slack|C0000001", "--story", "no", config=config)).exit_code == 1
    rig.clock.forward(400 * 86_400)
    await rig.settle([worker])
    ids = [webhook_id for webhook_id, _ in rig.hook.attempts]
    assert (len(ids), len(set(ids)), len(rig.hook.received)) == (8, 4, 4)
    assert [message.edits for message in rig.slack.stories()].count(1) == 1


async def test_a_fault_outside_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "wirebell.toml"
    path.write_text('[redis]\nurl = "redis://127.0.0.1:1/0"\n')
    result = await call("list", config=path)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "Redis cannot be asked" in result.stderr
