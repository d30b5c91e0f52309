"""The receiver that the docs show takes what the sink sends, once, and refuses forgeries."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType

import pytest
from aiohttp import ClientSession, web
from pydantic import SecretStr

from connectors.sinks.factory import make_sink
from connectors.sinks.settings import WebhookSettings
from connectors.sinks.sink import Delivery
from tests.fakes.alerts import make_alert
from tests.fakes.webhook_receiver import SECRET

EXAMPLE = Path(__file__).parents[2] / "examples" / "webhook_receiver.py"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    spec = importlib.util.spec_from_file_location("webhook_receiver_example", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
async def url(example: ModuleType) -> AsyncIterator[str]:
    runner = web.AppRunner(example.app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


async def test_the_example_takes_each_revision_once_and_no_forgery(
    example: ModuleType, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = WebhookSettings(url=url, secret=SecretStr(SECRET), allow_private=True)
    sink = make_sink("hook", settings)
    for revision in (1, 1, 3, 2):
        alert = make_alert(revision=revision)
        result = await sink.deliver(Delivery(alert.id, "desk", "", alert))
        assert result.outcome == "delivered"
    await sink.close()
    assert capsys.readouterr().out.splitlines() == [
        "1 Fuel depot at Lindholm set alight",
        "3 Fuel depot at Lindholm set alight",
    ]
    async with ClientSession() as session, session.post(url, data=b"{}") as answer:
        assert answer.status == 401


def test_the_example_stays_short() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").split('"""', 2)[2].splitlines()
    assert sum(bool(line.strip()) for line in lines) <= 32
