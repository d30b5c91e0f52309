"""How the line reaches Kafka and Redis: their tables of the configuration.

Owns what makes a connection sound before it is tried: files that are there, a login that is
whole. `streams/plaintext.py` says what others could read on the way.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from connectors.kafka_connection import KafkaConnection
from streams.subscription_settings import Table


class KafkaSettings(Table):
    """Where Kafka is, and how Wirebell's Kafka topics are named and cut."""

    bootstrap_servers: str = "127.0.0.1:9092"
    """Brokers to begin with: host:port, several separated by commas."""
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,64}$")] = ""
    """What the names of the Kafka topics begin with; keeps several lines apart on one cluster."""
    partitions: Annotated[int, Field(ge=1, le=256)] = 4
    """Partitions of each Kafka topic; as many workers can share the work."""
    replication_factor: Annotated[int, Field(ge=1, le=5)] = 1
    """Copies of each partition; 3 on a cluster that matters."""
    embedded: bool = False
    """The broker is the embedded one: one producer per partition, short fetch waits."""
    whole_slices: bool = True
    """Workers take whole slices of partitions from Faust; off is Faust's own way, slower."""
    session_timeout_s: Annotated[float, Field(ge=3, le=300)] = 15
    """Seconds without a sign of life after which Kafka gives a worker's partitions away."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How the connection is protected."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    """How the login is made when the protocol is a SASL one."""
    sasl_username: str = ""
    """Who logs in."""
    sasl_password: SecretStr = SecretStr("")
    """Its password; write "${NAME}" to read it from the environment."""
    ssl_cafile: str = ""
    """PEM file with the authority that signed the brokers; empty for the system's."""
    ssl_certfile: str = ""
    """PEM file with our own certificate, for brokers that ask for one (mutual TLS)."""
    ssl_keyfile: str = ""
    """PEM file with its private key, without a passphrase; empty if it is in ssl_certfile."""
    private_network: bool = False
    """Nobody else can listen between here and the brokers: no warning without TLS."""

    @model_validator(mode="after")
    def _login_is_whole(self) -> KafkaSettings:
        connection = self.connection()
        if connection.uses_sasl and not self.sasl_username:
            raise ValueError(f"sasl_username is missing, {self.security_protocol} needs it")
        if connection.uses_tls:
            try:
                connection.tls()
            except OSError as error:
                raise ValueError(f"a file of ssl_* cannot be used: {error}") from error
        elif self.ssl_cafile or self.ssl_certfile:
            raise ValueError(f"ssl_* files say nothing, {self.security_protocol} has no TLS")
        return self

    def connection(self) -> KafkaConnection:
        """How a client of any library reaches the brokers."""
        return KafkaConnection(
            bootstrap_servers=self.bootstrap_servers,
            security_protocol=self.security_protocol,
            sasl_mechanism=self.sasl_mechanism,
            sasl_username=self.sasl_username,
            sasl_password=self.sasl_password.get_secret_value(),
            ssl_cafile=self.ssl_cafile,
            ssl_certfile=self.ssl_certfile,
            ssl_keyfile=self.ssl_keyfile,
        )


class RedisSettings(Table):
    """Where Redis is. `prefix` keeps several lines (or test runs) apart in one Redis."""

    url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    """redis://, rediss:// (TLS) or unix:// address, with user and password if it has them; for
    an authority of your own append "?ssl_ca_certs=FILE"."""
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] = "wirebell"
    """The hash tag that every key begins with."""
    private_network: bool = False
    """Nobody else can listen between here and Redis: no warning without TLS."""

    @field_validator("url")
    @classmethod
    def _known_scheme(cls, url: SecretStr) -> SecretStr:
        if not url.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("must begin with redis://, rediss:// or unix://")
        return url
