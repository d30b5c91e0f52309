"""What a sink cannot be run with is refused when the configuration is read, without its secret."""

from __future__ import annotations

import base64

import pytest
from pydantic import ValidationError

from connectors.sinks.settings import SlackSettings, WebhookSettings
from tests.fakes.webhook_receiver import SECRET

URL = "https://receiver.example/hook"


# 16, 24 and 32 bytes: with two signs of padding, none, and one.
KEYS = [base64.b64encode(bytes(range(size))).decode() for size in (16, 24, 32)]


@pytest.mark.parametrize(
    "secret",
    [SECRET, f"{SECRET} {SECRET}", SECRET.rstrip("="), *(f"whsec_{key}" for key in KEYS)],
)
def test_a_secret_of_the_standard_is_taken(secret: str) -> None:
    settings = WebhookSettings.model_validate({"url": URL, "secret": secret})
    assert secret not in repr(settings)


@pytest.mark.parametrize(
    "secret", ["", " ", "canary-value", "whsec_", "whsec_canary!value", "whsec_YQ==", f"{SECRET} x"]
)
def test_a_secret_that_cannot_sign_is_refused_and_not_shown(secret: str) -> None:
    with pytest.raises(ValidationError) as refused:
        WebhookSettings.model_validate({"url": URL, "secret": secret})
    assert "whsec_" in str(refused.value)
    assert "canary" not in str(refused.value)


def test_a_time_zone_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValidationError):
        SlackSettings.model_validate({"token": "x", "time_zone": "Europe/Atlantis"})
