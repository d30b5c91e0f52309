"""How each kind of sink is configured: names, types, units, defaults, limits."""

from __future__ import annotations

import base64
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr, field_validator


class SinkSettings(BaseModel):
    """What every sink has."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )

    # The ledger's lease of 60 s leaves 45 s in which a late request may still be applied.
    timeout_s: Annotated[float, Field(ge=1, le=15)] = 15
    """Seconds after which an attempt counts as unanswered."""


class ConsoleSettings(SinkSettings):
    """Alerts printed in the terminal."""

    type: Literal["console"] = "console"
    """The terminal."""


class SlackSettings(SinkSettings):
    """A Slack workspace by its bot token (xoxb-...). The target of a delivery is a channel.

    `api_url` is Slack's own unless a proxy stands before it.
    """

    type: Literal["slack"] = "slack"
    """A Slack workspace."""
    token: SecretStr
    """Bot token (xoxb-...); write "${NAME}" to read it from the environment."""
    api_url: HttpUrl = HttpUrl("https://slack.com/api/")
    """Slack's API; another only when a proxy stands before it."""
    time_zone: str = "UTC"
    """IANA name of the zone in which times are shown."""
    channel_time_zones: dict[str, str] = Field(default_factory=dict)
    """Like { C0123456789 = "Europe/Kyiv" }: channels whose times are shown in another zone."""
    post_interval_s: Annotated[float, Field(ge=0, le=60)] = 1.0
    """Seconds between two messages to one channel; Slack allows about one a second."""
    gather_s: Annotated[float, Field(ge=0, le=60)] = 4.0
    """Routine stories of one channel within so many seconds come in one message if three or
    more; 0 tells each at once."""

    app_token: SecretStr = SecretStr("")
    """App-level token (xapp-...) for buttons and the slash command by Socket Mode; empty: none."""
    signing_secret: SecretStr = SecretStr("")
    """Signing secret for buttons and the slash command over HTTP instead; empty: none."""
    listen_host: str = "127.0.0.1"
    """Address on which POST /slack is taken when there is a signing secret."""
    listen_port: Annotated[int, Field(ge=0, le=65_535)] = 8085
    """Its port."""

    def zone_of(self, channel: str) -> ZoneInfo:
        """The time zone in which a channel sees its times."""
        zones = {name.removeprefix("#"): zone for name, zone in self.channel_time_zones.items()}
        return ZoneInfo(zones.get(channel.removeprefix("#"), self.time_zone))

    @property
    def interactive(self) -> bool:
        """Whether people can answer: messages then have buttons."""
        return bool(self.app_token.get_secret_value() or self.signing_secret.get_secret_value())

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        return _known_zone(name)

    @field_validator("channel_time_zones")
    @classmethod
    def _known_zones(cls, zones: dict[str, str]) -> dict[str, str]:
        return {channel: _known_zone(name) for channel, name in zones.items()}


class WebhookSettings(SinkSettings):
    """A receiver of Standard Webhooks. `secret` is "whsec_" and base64; several, separated
    by spaces, sign side by side while one replaces the other.
    """

    type: Literal["webhook"] = "webhook"
    """A receiver of Standard Webhooks."""
    url: HttpUrl
    """Where to post."""
    secret: SecretStr
    """Written "whsec_" and base64; several, separated by a space, sign side by side."""
    allow_private: bool = False
    """Let the receiver be on a private address."""

    @field_validator("secret")
    @classmethod
    def _usable_secret(cls, secret: SecretStr) -> SecretStr:
        """Says nothing of the value: it is a secret even when it is wrong."""
        parts = secret.get_secret_value().split()
        if not parts or not all(_is_key(part) for part in parts):
            raise ValueError('not "whsec_" and base64 (several: separated by a space)')
        return secret


AnySink = Annotated[ConsoleSettings | SlackSettings | WebhookSettings, Field(discriminator="type")]


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("not a time zone of the IANA database") from error
    return name


def _is_key(text: str) -> bool:
    """Whether it is "whsec_" and base64 of at least 16 bytes."""
    name, _, encoded = text.partition("_")
    bare = encoded.rstrip("=")  # written with or without padding
    try:
        key = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
        return name == "whsec" and len(key) >= 16
    except ValueError:
        return False
