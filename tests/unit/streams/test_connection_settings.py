"""The tables of the configuration that say how Kafka and Redis are reached."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from streams.connection_settings import KafkaSettings
from streams.settings import SettingsError, load_settings


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"security_protocol": "SASL_PLAINTEXT"}, "sasl_username is missing"),
        ({"security_protocol": "SSL", "ssl_cafile": "/missing.pem"}, "cannot be used"),
        ({"security_protocol": "SSL", "ssl_certfile": "/missing.pem"}, "cannot be used"),
        ({"ssl_cafile": "/missing.pem"}, "PLAINTEXT has no TLS"),
    ],
)
def test_a_login_that_cannot_work_is_refused_in_words(table: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        KafkaSettings.model_validate(table)


def test_a_file_that_is_no_certificate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(ValueError, match="cannot be used"):
        KafkaSettings(security_protocol="SSL", ssl_cafile=str(tmp_path / "ca.pem"))


def test_certificates_are_found_beside_the_configuration(tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    config = tmp_path / "wirebell.toml"
    config.write_text('[kafka]\nsecurity_protocol = "SSL"\nssl_cafile = "ca.pem"\n')
    assert load_settings(config, {}).kafka.ssl_cafile == str(tmp_path / "ca.pem")
    config.write_text('[kafka]\nsecurity_protocol = "SSL"\nssl_cafile = "another.pem"\n')
    with pytest.raises(SettingsError, match="cannot be used"):
        load_settings(config, {})
