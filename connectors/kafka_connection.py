"""How to reach a Kafka cluster: addresses and credentials, as kafka-python wants them."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """One cluster. `bootstrap_servers` are host:port, separated by commas; the `ssl_` files
    are PEM: the authority that signed the brokers, and a certificate of our own where they ask.
    """

    bootstrap_servers: str
    security_protocol: SecurityProtocol = "PLAINTEXT"
    sasl_mechanism: str = "PLAIN"
    sasl_username: str = ""
    sasl_password: str = field(default="", repr=False)
    ssl_cafile: str = ""
    ssl_certfile: str = ""
    ssl_keyfile: str = ""

    def options(self) -> Mapping[str, Any]:
        """The keyword arguments of every client of kafka-python and of aiokafka, which share their
        names. Raises what `tls` raises.
        """
        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap_servers.split(","),
            "security_protocol": self.security_protocol,
        }
        if self.uses_sasl:
            options["sasl_mechanism"] = self.sasl_mechanism
            options["sasl_plain_username"] = self.sasl_username
            options["sasl_plain_password"] = self.sasl_password
        if self.uses_tls:
            options["ssl_context"] = self.tls()
        return options

    @property
    def uses_sasl(self) -> bool:
        """Whether somebody logs in with a name and a password."""
        return self.security_protocol.startswith("SASL")

    @property
    def uses_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.security_protocol.endswith("SSL")

    def tls(self) -> ssl.SSLContext:
        """What checks the brokers' certificates and names, for clients of every library.

        Raises:
            OSError: a file is missing, or is no certificate or key.
        """
        context = ssl.create_default_context(cafile=self.ssl_cafile or None)
        if self.ssl_certfile:
            context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile or None)
        return context
