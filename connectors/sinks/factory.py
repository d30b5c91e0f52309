"""Makes the sink that a configuration entry describes."""

from __future__ import annotations

from typing import assert_never

from connectors.sinks.console import ConsoleSink
from connectors.sinks.settings import AnySink, ConsoleSettings, SlackSettings, WebhookSettings
from connectors.sinks.sink import Sink
from connectors.sinks.slack import SlackSink
from connectors.sinks.webhook import WebhookSink


def make_sink(sink_id: str, settings: AnySink, time_zone: str = "UTC") -> Sink:
    """The sink, ready to deliver. Call it inside a running event loop; close it at the end.

    `time_zone` is the newsroom's, for sinks that name none of their own.
    """
    match settings:
        case ConsoleSettings():
            return ConsoleSink(sink_id, settings, time_zone=time_zone)
        case SlackSettings():
            return SlackSink(sink_id, settings)
        case WebhookSettings():
            return WebhookSink(sink_id, settings)
        case _:
            assert_never(settings)
