"""`/metrics` of a process: its own numbers, on the first port that is free."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientError, ClientSession
from pydantic import SecretStr, ValidationError

from streams import metrics
from streams.canary import CANARY
from streams.embedded import free_port
from streams.metrics_listener import serve_metrics
from streams.settings import MetricsSettings, PageSettings, Settings


@contextlib.asynccontextmanager
async def serving(role: str, settings: Settings) -> AsyncIterator[None]:
    stop = asyncio.Event()
    running = asyncio.create_task(serve_metrics(settings, role, stop))
    try:
        yield
    finally:
        stop.set()
        await running


async def scrape(port: int, **headers: str) -> tuple[int, str]:
    """Status and body, once it listens."""
    async with asyncio.timeout(10), ClientSession() as session:
        while True:
            try:
                url = f"http://127.0.0.1:{port}/metrics"
                async with session.get(url, headers=headers) as answer:
                    return answer.status, await answer.text()
            except ClientError:
                await asyncio.sleep(0.02)


async def test_a_process_tells_its_own_numbers_but_not_the_canary_s() -> None:
    port = free_port()
    metrics.DELIVERIES.labels(CANARY, "delivered").inc()
    metrics.DELIVERIES.labels("terminal", "delivered").inc()
    async with serving("sources", Settings(metrics=MetricsSettings(port=port))):
        status, said = await scrape(port)
    assert status == 200
    assert 'wirebell_deliveries_total{outcome="delivered",sink="terminal"}' in said
    assert CANARY not in said
    assert "process_resident_memory_bytes" in said
    assert "# HELP wirebell_articles_screened_total Articles decided on by a worker" in said


async def test_processes_on_one_machine_take_one_port_after_the_other() -> None:
    settings = Settings(metrics=MetricsSettings(port=free_port()))
    first = settings.metrics.port
    async with serving("sources", settings):
        assert (await scrape(first))[0] == 200
        async with serving("worker", settings), serving("worker", settings):
            assert (await scrape(first + 1))[0] == 200
            assert (await scrape(first + 2))[0] == 200


async def test_a_name_that_is_not_this_machine_s_is_turned_away() -> None:
    port = free_port()
    async with serving("sources", Settings(metrics=MetricsSettings(port=port))):
        assert (await scrape(port, Host="elsewhere.example"))[0] == 403


async def test_with_a_token_prometheus_shows_it() -> None:
    port = free_port()
    page = PageSettings(token=SecretStr("a-long-secret"))
    settings = Settings(page=page, metrics=MetricsSettings(port=port, host="0.0.0.0"))
    async with serving("sources", settings):
        assert (await scrape(port))[0] == 401
        assert (await scrape(port, Authorization="Bearer a-long-secret"))[0] == 200


def test_another_address_without_a_token_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"page\.token is needed"):
        Settings(metrics=MetricsSettings(host="0.0.0.0"))
    assert Settings(metrics=MetricsSettings(host="0.0.0.0", port=0)).metrics.port == 0
