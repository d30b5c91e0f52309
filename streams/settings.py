"""The configuration: one TOML file plus environment, declared once, read once, frozen.

Owns reading, the environment's overlay, secrets named as "${NAME}", and telling all faults
at once with file and key. Does not try the dependencies: `wirebell check` does.
"""

from __future__ import annotations

import hmac
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from classifiers.topics import name_topics
from connectors.addresses import is_loopback
from connectors.sinks.settings import AnySink
from connectors.sources.settings import AnySource
from streams.connection_settings import KafkaSettings, RedisSettings
from streams.settings_faults import readable_fault, reference_faults
from streams.state_dir import find_holder
from streams.subscription_settings import (
    SubscriptionSettings,
    Table,
    Target,
    known_zone,
)
from streams.topic_settings import TopicSettings, own_topics

# Who reads the configuration reads it from here; a subscription's part stands apart for its size.
__all__ = [
    "ENVIRONMENT_PREFIX",
    "STARTER",
    "ClassifierSettings",
    "EmbeddedSettings",
    "KafkaSettings",
    "MetricsSettings",
    "NewsroomSettings",
    "PageSettings",
    "RedisSettings",
    "Settings",
    "SettingsError",
    "SubscriptionSettings",
    "Target",
    "TopicSettings",
    "find_config",
    "load_settings",
]
ENVIRONMENT_PREFIX = "WIREBELL_"
STARTER = Path(__file__).parent / "starter" / "wirebell.toml"
# "${NAME}" or, with a default, "${NAME:-value}", as shells and compose files write it.
_REFERENCE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)(?::-([^}]*))?\}")

# What the environment may set outside of tables.
_TOP_LEVEL = frozenset({"state_dir", "model_path", "models_dir", "log_level"})


class SettingsError(Exception):
    """The configuration cannot be used; `faults` says every reason, one line each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class NewsroomSettings(Table):
    """What the newsroom is like: the languages it reads (best first) and its time zone."""

    languages: tuple[Annotated[str, Field(pattern=r"^[a-z]{2}$")], ...] = ("en",)
    """Languages the newsroom reads, best first; a headline is shown in one of them if it can."""
    time_zone: str = "UTC"
    """IANA name of the zone in which times are shown."""
    window_hours: Annotated[float, Field(ge=1, le=24 * 30)] = 72
    """Hours in which an article can join a story."""

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        return known_zone(name)


class PageSettings(Table):
    """Where the ops page listens. Any address but loopback needs a token."""

    host: str = "127.0.0.1"
    """Address to listen on; any but loopback needs a token."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8087
    """Port to listen on; 0 lets the system choose."""
    token: SecretStr = SecretStr("")
    """What a browser or program must show to see the page."""
    act_token: SecretStr = SecretStr("")
    """What it must show to act; empty lets everybody act who may see the page."""
    canary: bool = True
    """Whether a test article goes through the whole line every minute, told to nobody."""
    incident_to: Target | None = None
    """Who hears of incidents: a sink and the place in it; or in one word, "slack:#ops"."""
    incident_after_s: Annotated[float, Field(ge=0, le=3_600)] = 60
    """Seconds for which a change of the verdict has to last before it is told."""

    @model_validator(mode="after")
    def _outside_needs_a_token(self) -> PageSettings:
        if not self.token.get_secret_value() and not is_loopback(self.host):
            raise ValueError("host is not loopback, so a token is needed")
        return self

    @model_validator(mode="after")
    def _tokens_differ(self) -> PageSettings:
        act_token, token = self.act_token.get_secret_value(), self.token.get_secret_value()
        if act_token and hmac.compare_digest(act_token.encode(), token.encode()):
            raise ValueError("act_token must not be the same as token")
        return self

    @field_validator("incident_to", mode="before")
    @classmethod
    def _target_in_one_word(cls, value: Any) -> Any:
        """The environment has no tables: "slack:#ops" is sink and place."""
        if not isinstance(value, str):
            return value
        sink, _, place = value.partition(":")
        return {"sink": sink, "to": place} if sink else None


class MetricsSettings(Table):
    """Where the workers and the sources process serve `/metrics`; the page has it on its own
    port. Any address but loopback needs the page's token, which Prometheus then shows.
    """

    host: str = "127.0.0.1"
    """Address to listen on; any but loopback needs page.token."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8088
    """Port of the sources, workers from the next on, each the first that is free; 0 is off."""


class ClassifierSettings(Table):
    """How articles get their topics."""

    reader: bool = True
    """Whether the slow reader reads what the fast model doubts: better, at 15 to 30 ms of each."""
    doubt: Annotated[float, Field(ge=0, le=30)] = 0.65
    """How near to even (a logit) a topic must be to be doubted: 0.65 is 4 % of feeds; 30 is all.
    In other languages than English three and a half times as far."""
    reader_patience_s: Annotated[float, Field(ge=0)] = 60.0
    """Seconds of reading for which a worker may be behind, before it decides doubtful articles
    without the slow reader until it has caught up; 0 is none, a very large number reads all."""
    labels: Path | None = None
    """JSON lines with reports that you labelled (`id`, `text`, `topics`): `wirebell train
    --with-feedback` learns them, in place of our labels where it is a report of ours."""


class EmbeddedSettings(Table):
    """The broker and the Redis that `wirebell up` starts where none are named.

    The broker keeps its log in memory. One that has grown too large is replaced once the
    worker has read all; the sources then read again, and Redis keeps it from ringing twice.
    """

    kafka_port: Annotated[int, Field(ge=0, le=65_535)] = 0
    """Port of the embedded broker; 0 takes any free one."""
    redis_port: Annotated[int, Field(ge=0, le=65_535)] = 0
    """Port of the embedded Redis; 0 takes any free one."""
    broker_memory_mb: Annotated[int, Field(ge=64, le=64_000)] = 700
    """Resident memory, in MB, over which the embedded broker is replaced by an empty one."""


class Settings(Table):
    """All of the configuration, validated whole."""

    kafka: KafkaSettings = KafkaSettings()
    redis: RedisSettings = RedisSettings()
    newsroom: NewsroomSettings = NewsroomSettings()
    page: PageSettings = PageSettings()
    metrics: MetricsSettings = MetricsSettings()
    classifier: ClassifierSettings = ClassifierSettings()
    embedded: EmbeddedSettings = EmbeddedSettings()
    state_dir: Path = Path("var")
    """Folder for logs, locks and the embedded stores' data."""
    model_path: Path | None = None
    """Model to use instead of the one that ships, where nothing was promoted."""
    models_dir: Path | None = None
    """Folder for models that editors have taught; left out, `models` in the state directory."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least level that is logged."""
    sources: tuple[AnySource, ...] = ()
    topics: dict[str, TopicSettings] = Field(default_factory=dict)
    sinks: dict[str, AnySink] = Field(default_factory=dict)
    subscriptions: tuple[SubscriptionSettings, ...] = ()
    _origin: Path | None = PrivateAttr(None)
    _origin_changed: int = PrivateAttr(0)

    def __eq__(self, other: object) -> bool:
        """Whether all settings are the same, whatever file they are from."""
        return isinstance(other, Settings) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]  # it holds tables

    @property
    def origin(self) -> Path | None:
        """The file that was read, if it was one."""
        return self._origin

    @property
    def origin_changed(self) -> int:
        """When that file had been changed last, in nanoseconds."""
        return self._origin_changed

    @model_validator(mode="after")
    def _references_hold(self) -> Settings:
        faults = reference_faults(self.model_dump())
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @model_validator(mode="after")
    def _numbers_outside_need_a_token(self) -> Settings:
        guarded = self.page.token.get_secret_value() or self.metrics.port == 0
        if not guarded and not is_loopback(self.metrics.host):
            raise ValueError("metrics.host is not loopback, so page.token is needed")
        return self

    @property
    def models(self) -> Path:
        """The folder for models that editors have taught."""
        return self.models_dir or self.state_dir / "models"


def load_settings(
    path: Path | None = None,
    environment: Mapping[str, str] | None = None,
    *,
    join_running: bool = True,
) -> Settings:
    """Read the configuration: `path`, else $WIREBELL_CONFIG, else ./wirebell.toml, else the
    starter that ships. A name like WIREBELL_KAFKA__BOOTSTRAP_SERVERS in the environment
    overrides the key kafka.bootstrap_servers; "${NAME}" in a value is read from it.
    Where no addresses are named and a `wirebell up` holds the state directory, its own are
    used (unless `join_running` is off).

    Raises:
        SettingsError: every fault, each with file and key, no values of secrets.
    """
    environment = os.environ if environment is None else environment
    path = path or find_config(environment)
    try:
        changed = path.stat().st_mtime_ns
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError([f"{path}: {error.strerror or error}"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError([f"{path}: {error}"]) from error
    faults: list[str] = []
    document = _resolve(raw, environment, str(path), "", faults)
    assert isinstance(document, dict)
    _overlay(document, environment, faults)
    document = _resolve_paths(document, path.parent)
    if join_running:
        _join_running_line(document)
    try:
        settings = Settings.model_validate(document)
    except ValidationError as error:
        found = [said for fault in error.errors() for said in readable_fault(fault, document)]
        # A reference that does not hold is only seen by pydantic once every field is well.
        found += reference_faults(document)
        faults += [f"{path}: {said}" for said in dict.fromkeys(found)]
        raise SettingsError(faults) from None
    if faults:
        raise SettingsError(faults)
    settings._origin, settings._origin_changed = path.absolute(), changed
    name_topics(each.topic for each in own_topics(settings.topics))
    return settings


def find_config(environment: Mapping[str, str]) -> Path:
    """The configuration file that would be read when none is named."""
    named = environment.get("WIREBELL_CONFIG")
    if named:
        return Path(named)
    local = Path("wirebell.toml")
    return local if local.exists() else STARTER


def _resolve(
    value: Any, environment: Mapping[str, str], file: str, key: str, faults: list[str]
) -> Any:
    """Replace "${NAME}" by the environment's value, everywhere in a TOML document."""
    if isinstance(value, dict):
        return {
            name: _resolve(inner, environment, file, f"{key}.{name}".lstrip("."), faults)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [
            _resolve(inner, environment, file, f"{key}.{index}", faults)
            for index, inner in enumerate(value)
        ]
    if not isinstance(value, str):
        return value
    faults.extend(
        f"{file}: {key}: the environment has no {name}"
        for name, default in _references(value)
        if name not in environment and default is None
    )
    return _REFERENCE.sub(lambda match: environment.get(match[1]) or match[2] or "", value)


def _references(value: str) -> list[tuple[str, str | None]]:
    return [(match[1], match[2]) for match in _REFERENCE.finditer(value)]


def _overlay(document: dict[str, Any], environment: Mapping[str, str], faults: list[str]) -> None:
    """Put WIREBELL_TABLE__KEY=value over the file; a name that fits no key is a fault."""
    for name, value in environment.items():
        if not name.startswith(ENVIRONMENT_PREFIX) or name == "WIREBELL_CONFIG":
            continue
        path = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
        field = Settings.model_fields.get(path[0])
        table = field.annotation if field else None
        if len(path) == 2 and isinstance(table, type) and issubclass(table, BaseModel):
            if path[1] in table.model_fields:
                document.setdefault(path[0], {})[path[1]] = value
                continue
        elif len(path) == 1 and field and path[0] in _TOP_LEVEL:
            document[path[0]] = value
            continue
        faults.append(f"environment: {name} is not a setting")


def _join_running_line(document: dict[str, Any]) -> None:
    """Fill in the addresses of the line that runs on this state directory."""
    holder = find_holder(
        Path(str(document.get("state_dir", Settings.model_fields["state_dir"].default)))
    )
    kafka, redis, page = (document.setdefault(name, {}) for name in ("kafka", "redis", "page"))
    if holder is None or not all(isinstance(table, dict) for table in (kafka, redis, page)):
        return
    if holder.bootstrap_servers and "bootstrap_servers" not in kafka:
        kafka.update(bootstrap_servers=holder.bootstrap_servers, embedded=True)
    if holder.redis_url:
        redis.setdefault("url", holder.redis_url)
    if holder.page_port:
        page["port"] = holder.page_port


def _resolve_paths(document: dict[str, Any], base: Path) -> dict[str, Any]:
    """Paths in the file are relative to the file, so that it works from every folder."""
    kafka = document.get("kafka")
    for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
        path = kafka.get(name) if isinstance(kafka, dict) else None
        if isinstance(kafka, dict) and isinstance(path, str) and path:
            kafka[name] = str(base / path)
    classifier = document.get("classifier")
    labels = classifier.get("labels") if isinstance(classifier, dict) else None
    if isinstance(classifier, dict) and isinstance(labels, str) and labels:
        classifier["labels"] = str(base / labels)
    topics = document.get("topics")
    for topic in topics.values() if isinstance(topics, dict) else ():
        examples = topic.get("examples") if isinstance(topic, dict) else None
        if isinstance(examples, str) and examples:
            topic["examples"] = str(base / examples)
    for source in document.get("sources", []):
        path = source.get("path") if isinstance(source, dict) else None
        if isinstance(path, str) and path != "-":
            source["path"] = str(base / path)
    return document
