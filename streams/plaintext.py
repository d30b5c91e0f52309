"""What others could read on the way: connections of the configuration that leave this machine
without TLS. Owns the rule and the words; changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from connectors.addresses import is_loopback
from connectors.sinks.settings import SlackSettings, WebhookSettings
from connectors.sources.settings import FeedSettings, IngestSettings, PageSettings
from streams.settings import Settings


@dataclass(frozen=True, slots=True)
class PlaintextRemark:
    """One connection that others could read: what it is, and what to do about it."""

    subject: str
    detail: str


def plaintext_remarks(settings: Settings) -> list[PlaintextRemark]:
    """Every connection to or from another machine that is not encrypted.

    A network that the configuration calls private (`private_network`) is left alone.
    """
    found = [*_kafka(settings), *_redis(settings), *_sinks(settings), *_sources(settings)]
    listening = {"page": settings.page.host}
    if settings.metrics.port:
        listening["metrics"] = settings.metrics.host
    for source in settings.sources:
        if isinstance(source, IngestSettings) and source.enabled:
            listening[f"source {source.id}"] = source.host
    for subject, host in listening.items():
        if not is_loopback(host):
            detail = "its token is readable on the way: put TLS in front of it"
            found.append(PlaintextRemark(subject, detail))
    return found


def _kafka(settings: Settings) -> Iterator[PlaintextRemark]:
    kafka = settings.kafka
    if kafka.private_network or kafka.connection().uses_tls:
        return
    away = [each for each in kafka.bootstrap_servers.split(",") if not _stays_here(each)]
    if away:
        read = "articles and the password are" if kafka.connection().uses_sasl else "articles are"
        advice = "security_protocol = SSL or SASL_SSL, or private_network = true"
        yield PlaintextRemark("Kafka", f"{read} readable on the way to {away[0].strip()}: {advice}")


def _redis(settings: Settings) -> Iterator[PlaintextRemark]:
    url = urlsplit(settings.redis.url.get_secret_value())
    if url.scheme == "rediss" and _unchecked(parse_qs(url.query)):
        detail = (
            f"anybody on the way to {url.hostname} can pose as it: its certificate is not checked"
        )
        yield PlaintextRemark("Redis", detail)
    if settings.redis.private_network or url.scheme != "redis":
        return
    if url.hostname and not is_loopback(url.hostname):
        read = "stories and the password are" if url.password else "stories are"
        advice = "a rediss:// address, or private_network = true"
        yield PlaintextRemark("Redis", f"{read} readable on the way to {url.hostname}: {advice}")


def _sinks(settings: Settings) -> Iterator[PlaintextRemark]:
    for name, sink in settings.sinks.items():
        if isinstance(sink, WebhookSettings):
            address, what = str(sink.url), "alerts are"
        elif isinstance(sink, SlackSettings):
            address, what = str(sink.api_url), "alerts and the token are"
        else:
            continue
        url = urlsplit(address)
        if url.scheme == "http" and not is_loopback(url.hostname or ""):
            detail = f"{what} readable on the way to {url.hostname}: use https"
            yield PlaintextRemark(f"sink {name}", detail)


def _sources(settings: Settings) -> Iterator[PlaintextRemark]:
    """Passwords of feeds and pages; what they bring is public anyway."""
    for source in settings.sources:
        addresses: tuple[object, ...] = ()
        if isinstance(source, FeedSettings):
            addresses = (source.url,)
        elif isinstance(source, PageSettings):
            addresses = source.urls
        for address in addresses:
            url = urlsplit(str(address))
            if url.scheme == "http" and url.password and not is_loopback(url.hostname or ""):
                detail = f"its password is readable on the way to {url.hostname}: use https"
                yield PlaintextRemark(f"source {source.id}", detail)
                break


def _unchecked(query: dict[str, list[str]]) -> bool:
    """Whether an address of Redis says that any certificate will do."""
    wanted = query.get("ssl_cert_reqs", ["required"]) + query.get("ssl_check_hostname", ["true"])
    return any(each.lower() in ("none", "optional", "false", "no", "0") for each in wanted)


def _stays_here(server: str) -> bool:
    """Whether a broker's host:port can only mean this machine."""
    return is_loopback(urlsplit(f"//{server.strip()}").hostname or "")
