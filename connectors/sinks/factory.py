"""Makes the sink that a configuration entry describes.

Rich and slack-sdk are 4 MB each: a process has them when its line has such a sink.
"""

from __future__ import annotations

from typing import assert_never

from connectors.sinks.settings import AnySink, ConsoleSettings, SlackSettings, WebhookSettings
from connectors.sinks.sink import Sink
from connectors.sinks.webhook import WebhookSink


def make_sink(sink_id: str, settings: AnySink, time_zone: str = "UTC") -> Sink:
    """The sink, ready to deliver. Call it inside a running event loop; close it at the end.

    `time_zone` is the newsroom's, for sinks that name none of their own.
    """
    match settings:
        case ConsoleSettings():
            from connectors.sinks.console import ConsoleSink

            return ConsoleSink(sink_id, settings, time_zone=time_zone)
        case SlackSettings():
            from connectors.sinks.slack import SlackSink

            return SlackSink(sink_id, settings)
        case WebhookSettings():
            return WebhookSink(sink_id, settings)
        case _:
            assert_never(settings)
