"""A Grafana dashboard and Prometheus alert rules, made from the metrics as they are declared.

Served by the page, so that they never name what does not exist. Judges nothing itself: the
rules lean on the verdict, which knows more than any one series.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
from prometheus_client import Counter
from prometheus_client.core import Metric

from streams import metrics
from streams.dashboard.exposition import JUDGED, line_name

# Scrapes come every 15 to 60 s; the verdict has its own patience already.
_GRID_WIDTH, _PANEL_WIDTH, _PANEL_HEIGHT = 24, 8, 7


@dataclass(frozen=True, slots=True)
class Rule:
    """One alert: when `expression` has held for `hold`, a person is told `summary`."""

    name: str
    expression: str
    hold: str
    severity: str
    summary: str


RULES = (
    Rule(
        "WirebellDown",
        'wirebell_health{state="down"} == 1',
        "1m",
        "page",
        "Nothing rings. The ops page and `wirebell status` say why.",
    ),
    Rule(
        "WirebellDegraded",
        'wirebell_health{state="degraded"} == 1',
        "10m",
        "ticket",
        "Something rings late, or not at all for somebody.",
    ),
    Rule(
        "WirebellUnwatched",
        "absent(wirebell_health)",
        "3m",
        "page",
        "The ops page cannot be scraped: nobody watches the line.",
    ),
    Rule(
        "WirebellLag",
        "max(wirebell_lag_seconds) > 60",
        "5m",
        "page",
        "An article or an alert has waited for a worker for more than a minute.",
    ),
    Rule(
        "WirebellDeadLetters",
        'sum(increase(wirebell_line_dead_letters_total{stage!="source"}[1h])) > 0',
        "0m",
        "ticket",
        "An article or an alert of ours could not be processed.",
    ),
)


def alert_rules() -> str:
    """The rules file, as Prometheus reads it. JSON is YAML: quoting is then never wrong."""
    rules = [
        {
            "alert": rule.name,
            "expr": rule.expression,
            "for": rule.hold,
            "labels": {"severity": rule.severity},
            "annotations": {"summary": rule.summary},
        }
        for rule in RULES
    ]
    document = {"groups": [{"name": "wirebell", "rules": rules}]}
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def grafana_dashboard() -> bytes:
    """The dashboard as Grafana imports it: a panel for every declared metric."""
    across = _GRID_WIDTH // _PANEL_WIDTH
    families = sorted(metrics.REGISTRY.collect(), key=lambda family: family.name)
    panels = [
        {
            "id": number + 1,
            "type": "timeseries",
            "title": family.documentation,
            "description": family.name,
            "datasource": {"type": "prometheus", "uid": "${datasource}"},
            "gridPos": {
                "x": number % across * _PANEL_WIDTH,
                "y": number // across * _PANEL_HEIGHT,
                "w": _PANEL_WIDTH,
                "h": _PANEL_HEIGHT,
            },
            "fieldConfig": {"defaults": {"unit": _unit(family), "min": 0}, "overrides": []},
            "targets": [
                {"refId": letter, "expr": expression, "legendFormat": legend}
                for letter, (expression, legend) in zip("ABC", _targets(family), strict=False)
            ],
        }
        for number, family in enumerate(families)
    ]
    return msgspec.json.encode(
        {
            "uid": "wirebell",
            "title": "Wirebell",
            "tags": ["wirebell"],
            "schemaVersion": 39,
            "refresh": "30s",
            "time": {"from": "now-6h", "to": "now"},
            "templating": {
                "list": [{"name": "datasource", "type": "datasource", "query": "prometheus"}]
            },
            "panels": panels,
        }
    )


def _targets(family: Metric) -> Iterator[tuple[str, str]]:
    """What a panel draws: rates of counters, quantiles of histograms, gauges as they are. What
    the page adds up over all processes is enough: no other process need be scraped for it.
    """
    name = family.name if family.name in JUDGED else line_name(family.name)
    if family.type == "counter":
        labels = ", ".join(_LABELS.get(family.name, ()))
        by = f" by ({labels})" if labels else ""
        legend = " ".join(f"{{{{{name}}}}}" for name in _LABELS.get(family.name, ()))
        yield f"60 * sum{by} (rate({name}_total[5m]))", legend or "a minute"
    elif family.type == "histogram":
        for share in (0.5, 0.95, 0.99):
            bucket = f"sum by (le) (rate({name}_bucket[10m]))"
            yield f"histogram_quantile({share}, {bucket})", f"p{share * 100:g}"
    else:
        yield name, ""


def _unit(family: Metric) -> str:
    return "s" if family.name.endswith("_seconds") else "short"


# prometheus_client keeps the declared label names on the metric, in no public place.
_LABELS: dict[str, tuple[str, ...]] = {
    collector._name: collector._labelnames
    for collector in vars(metrics).values()
    if isinstance(collector, Counter)
}
