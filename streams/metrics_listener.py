"""`/metrics` of one process: its own numbers, as Prometheus reads them.

Owns the listener of a worker or of the sources process; the page has one of its own. What the
numbers are is declared in streams/metrics.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import Metric

from connectors.listener import Listener
from streams.canary import CANARY
from streams.dashboard.access import guard
from streams.metrics import REGISTRY
from streams.settings import Settings

CONTENT_TYPE = "text/plain; version=1.0.0; charset=utf-8"
# Sources take the port that is set, workers the next; more processes of a role on one machine
# those after it, as far as this.
OFFSETS = {"sources": 0, "worker": 1}
MOST_TRIED = 16
_log = structlog.get_logger(__name__)


class Ours:
    """The declared metrics of this process, but for what the canary's own sink does."""

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client.registry.Collector."""
        for family in REGISTRY.collect():
            kept = [one for one in family.samples if one.labels.get("sink") != CANARY]
            shown = Metric(family.name, family.documentation, family.type)
            shown.samples = kept
            yield shown


def own_registry() -> CollectorRegistry:
    """This process's metrics, with its memory, CPU time and open files as Prometheus's own
    libraries name them.
    """
    registry = CollectorRegistry()
    registry.register(Ours())
    ProcessCollector(registry=registry)
    return registry


async def serve_metrics(settings: Settings, role: str, stop: asyncio.Event) -> None:
    """Serve `/metrics` until `stop`. Never raises: a line without it rings all the same."""
    if settings.metrics.port == 0:
        await stop.wait()
        return
    registry = own_registry()

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application(middlewares=[guard(settings.page.token.get_secret_value())])
    app.router.add_get("/metrics", answer)
    runner = Listener(app, shutdown_timeout=0.5)
    await runner.setup()
    try:
        port = await _listen(runner, settings.metrics.host, settings.metrics.port + OFFSETS[role])
        if port:
            _log.info("metrics are at", url=f"http://{settings.metrics.host}:{port}/metrics")
        await stop.wait()
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, first: int) -> int:
    """Listen on the first free port from `first` on; 0 when there is none."""
    reason = ""
    for port in range(first, min(first + MOST_TRIED, 65_536)):
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            reason = error.strerror or str(error)
        else:
            return port
    _log.warning("this process has no /metrics", host=host, port=first, reason=reason)
    return 0
