"""The generated dashboard and rules name only what the metrics declare."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from streams.dashboard.exposition import JUDGED, line_name
from streams.dashboard.monitoring import alert_rules, grafana_dashboard
from streams.metrics import REGISTRY

SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}
DECLARED = {
    (family.name if family.name in JUDGED else line_name(family.name)) + suffix
    for family in REGISTRY.collect()
    for suffix in SUFFIXES[family.type]
}


def names_in(expression: str) -> set[str]:
    return set(re.findall(r"wirebell_\w+", expression))


def panels() -> list[dict[str, Any]]:
    found = json.loads(grafana_dashboard())["panels"]
    assert isinstance(found, list)
    return found


def test_every_rule_names_declared_metrics_and_tells_a_person_what_it_means() -> None:
    (group,) = yaml.safe_load(alert_rules())["groups"]
    assert len(group["rules"]) >= 5
    for rule in group["rules"]:
        assert names_in(rule["expr"])
        assert names_in(rule["expr"]) <= DECLARED
        assert rule["annotations"]["summary"].endswith(".")


def test_every_declared_metric_has_a_panel_and_no_panel_has_another() -> None:
    drawn = {
        name for panel in panels() for one in panel["targets"] for name in names_in(one["expr"])
    }
    assert drawn <= DECLARED
    assert len(panels()) == len(list(REGISTRY.collect()))


def test_counters_are_drawn_by_their_labels() -> None:
    (dropped,) = [
        panel for panel in panels() if panel["description"] == "wirebell_articles_dropped"
    ]
    assert "sum by (reason)" in dropped["targets"][0]["expr"]
    assert dropped["targets"][0]["legendFormat"] == "{{reason}}"


def test_panels_lie_side_by_side() -> None:
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels()}
    assert len(places) == len(panels())
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels())
