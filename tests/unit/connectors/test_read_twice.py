"""Whoever reads an alert sees it where the words shown did not decide alone."""

from __future__ import annotations

import json
from zoneinfo import ZoneInfo

from connectors.records import Alert, Evidence
from connectors.sinks.console import render
from connectors.sinks.sink import Delivery
from connectors.sinks.slack_blocks import story_message
from connectors.sinks.webhook_body import encode_body
from tests.fakes.alerts import make_alert

UTC = ZoneInfo("UTC")
TOLD = "read twice; 35% by these words alone"


def _alert(first: float | None) -> Alert:
    why = Evidence(topic="sabotage", words=("depot",), sentence="A depot burned.", first=first)
    return make_alert(evidence=(why,))


def test_slack_terminal_and_webhook_say_that_a_second_reading_decided() -> None:
    twice, once = _alert(0.35), _alert(None)
    for alert, told in ((twice, True), (once, False)):
        message = story_message(alert, UTC)
        shown = json.dumps(message.blocks, ensure_ascii=False)
        assert (f"Sabotage {TOLD}" in shown) is told
        delivery = Delivery(alert.id, "desk", "", alert)
        assert (TOLD in render(delivery, UTC).plain) is told
        first = json.loads(encode_body(alert))["data"]["story"]["evidence"][0]["first"]
        assert (first == 0.35) is told
