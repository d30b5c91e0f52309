"""Makes the notifier of a configured sink's place."""

from __future__ import annotations

from connectors.sinks.notices import ConsoleNotifier, Notifier, WebhookNotifier
from connectors.sinks.settings import AnySink, ConsoleSettings, SlackSettings, WebhookSettings
from connectors.sinks.webhook import WebhookSink


def make_notifier(settings: AnySink, target: str, time_zone: str = "UTC") -> Notifier:
    """The notifier of a sink's place. Call it inside a running event loop. Slack's SDK and the
    terminal's are loaded for those who are told there.
    """
    if isinstance(settings, SlackSettings):
        from connectors.sinks.slack_notices import SlackNotifier

        return SlackNotifier(settings, target)
    if isinstance(settings, WebhookSettings):
        return WebhookNotifier(WebhookSink("notices", settings))
    assert isinstance(settings, ConsoleSettings)
    from connectors.sinks.console import ConsoleSink

    return ConsoleNotifier(ConsoleSink("notices", settings, time_zone=time_zone))
