"""Writes docs/configuration.md and docs/metrics.md from the code: `python docs/build_reference.py`.

With `--check` it writes nothing and fails when a page is no longer what the code says.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

sys.path.insert(0, str(Path(__file__).parent.parent))

from connectors.sinks import settings as sinks
from connectors.sources import settings as sources
from streams import metrics, settings

HERE = Path(__file__).parent
TABLES: tuple[tuple[str, type[BaseModel], str], ...] = (
    ("top level", settings.Settings, ""),
    ("[kafka]", settings.KafkaSettings, "WIREBELL_KAFKA__"),
    ("[redis]", settings.RedisSettings, "WIREBELL_REDIS__"),
    ("[newsroom]", settings.NewsroomSettings, "WIREBELL_NEWSROOM__"),
    ("[page]", settings.PageSettings, "WIREBELL_PAGE__"),
    ("[metrics]", settings.MetricsSettings, "WIREBELL_METRICS__"),
    ("[classifier]", settings.ClassifierSettings, "WIREBELL_CLASSIFIER__"),
    ("[topics.ID]", settings.TopicSettings, ""),
    *(("[[sources]]", model, "") for model in get_args(get_args(sources.AnySource)[0])),
    *(("[sinks.ID]", model, "") for model in get_args(get_args(sinks.AnySink)[0])),
    ("[[subscriptions]]", settings.SubscriptionSettings, ""),
    ("deliver = [{ ... }]", settings.Target, ""),
)
HEAD = """# Configuration

One TOML file: the one named by `--config` or `$WIREBELL_CONFIG`, else `./wirebell.toml`, else the
starter that ships. `"${NAME}"` in any value is read from the environment; a variable like
`WIREBELL_KAFKA__BOOTSTRAP_SERVERS` overrides its key. `wirebell check` tells every fault at once.

This page is made from the code by `python docs/build_reference.py`.
"""


METRICS_HEAD = """# Metrics

Registered in `streams/metrics.py`; this page is made from it by `python docs/build_reference.py`.
Every process serves its own. The page adds them up over all processes as `wirebell_line_...`
(`wirebell_line_alerts_total`); health, lag and processes are what it alone measures.

"""


def configuration() -> str:
    """The page of every setting."""
    parts = [HEAD]
    for title, model, prefix in TABLES:
        kind = model.model_fields.get("type")
        suffix = f' type = "{kind.default}"' if kind else ""
        parts.append(
            f"\n## `{title}{suffix}`\n\n{_sentence(model.__doc__)}\n\n{_table(model, prefix)}\n"
        )
    return "".join(parts)


def metric_page() -> str:
    """The page of every metric."""
    rows = [
        f"| `{metric.name}{'_total' if metric.type == 'counter' else ''}` | {metric.type} "
        f"| {metric.documentation} |"
        for metric in sorted(metrics.REGISTRY.collect(), key=lambda metric: metric.name)
    ]
    return METRICS_HEAD + "| metric | kind | meaning |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def _table(model: type[BaseModel], prefix: str) -> str:
    rows = ["| key | type | default | range | meaning |", "|---|---|---|---|---|"]
    for name, field in model.model_fields.items():
        if name == "type" or _is_table(field):
            continue
        environment = f" (`{prefix}{name.upper()}`)" if prefix else ""
        rows.append(
            f"| `{name}` | {_type(field)} | {_default(field)} | {', '.join(_range(field))} "
            f"| {_sentence(field.description)}{environment} |"
        )
    return "\n".join(rows)


def _is_table(field: FieldInfo) -> bool:
    text = str(field.annotation)
    return "Settings" in text and "Target" not in text


def _type(field: FieldInfo) -> str:
    annotation: Any = field.annotation
    if get_origin(annotation) is Literal:
        return ", ".join(map(str, get_args(annotation)))
    if get_origin(annotation) is tuple:
        return "list"
    plain = next((arm for arm in get_args(annotation) if arm is not type(None)), annotation)
    while get_origin(plain) is Annotated:
        plain = get_args(plain)[0]
    name = getattr(plain, "__name__", str(plain))
    return {
        "HttpUrl": "URL",
        "SecretStr": "secret",
        "str": "text",
        "bool": "yes or no",
        "int": "whole number",
        "float": "number",
        "Path": "path",
    }.get(name, name)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    hidden = type(value).__name__ == "SecretStr" and "://" not in value.get_secret_value()
    text = value.get_secret_value() if type(value).__name__ == "SecretStr" else value
    return "" if hidden or text in ("", (), None) else f"`{text}`"


def _range(field: FieldInfo) -> Iterator[str]:
    names = {
        "ge": ">=",
        "gt": ">",
        "le": "<=",
        "lt": "<",
        "min_length": "at least",
        "max_length": "at most",
    }
    for entry in field.metadata:
        for attribute, sign in names.items():
            if getattr(entry, attribute, None) is not None:
                yield f"{sign} {getattr(entry, attribute)}"


def _sentence(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def main() -> None:
    """Write the pages, or check them."""
    stale = []
    for name, page in (("configuration.md", configuration()), ("metrics.md", metric_page())):
        path = HERE / name
        if "--check" not in sys.argv:
            path.write_text(page, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != page:
            stale.append(name)
    if stale:
        sys.exit(
            f"no longer what the code says: {', '.join(stale)}; run python docs/build_reference.py"
        )


if __name__ == "__main__":
    main()
