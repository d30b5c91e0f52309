"""How each kind of sink is configured: names, types, units, defaults, limits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr


class SinkSettings(BaseModel):
    """What every sink has."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    timeout_s: Annotated[float, Field(ge=1, le=60)] = 15


class ConsoleSettings(SinkSettings):
    """Alerts printed in the terminal."""

    type: Literal["console"] = "console"


class SlackSettings(SinkSettings):
    """A Slack workspace by its bot token (xoxb-...). The target of a delivery is a channel.

    `api_url` is Slack's own unless a proxy stands before it.
    """

    type: Literal["slack"] = "slack"
    token: SecretStr
    api_url: HttpUrl = HttpUrl("https://slack.com/api/")
    time_zone: str = "UTC"


class WebhookSettings(SinkSettings):
    """A receiver of Standard Webhooks. `secret` is "whsec_" and base64; several, separated
    by spaces, sign side by side while one replaces the other.
    """

    type: Literal["webhook"] = "webhook"
    url: HttpUrl
    secret: SecretStr
    allow_private: bool = False


AnySink = Annotated[ConsoleSettings | SlackSettings | WebhookSettings, Field(discriminator="type")]
