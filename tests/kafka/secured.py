"""Apache Kafka as a careful operator runs it: TLS on every listener, a login or a certificate of
the client's own asked for. The authority is made for the run and signs nothing else.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization

from streams.embedded import LOOPBACK, free_port
from tests.kafka.apache import ApacheKafka

USER, PASSWORD = "wirebell", "not-a-real-password"
STRANGER = "another-fake-password"
_LOGIN = "org.apache.kafka.common.security"


class SecuredKafka(ApacheKafka):
    """`bootstrap_servers` asks for a login over TLS (PLAIN or SCRAM-SHA-512), `mutual_servers`
    for a certificate. `authority` and `client` are the PEM files of who connects.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(directory / "node")
        made = trustme.CA()
        self.authority = directory / "authority.pem"
        made.cert_pem.write_to_path(str(self.authority))
        self.client = directory / "client.pem"
        _write_identity(made.issue_cert("newsroom@example.org"), self.client)
        self._keys = directory / "broker.pem"
        _write_identity(made.issue_cert(LOOPBACK, "localhost"), self._keys)
        self._mutual_port = 0

    @property
    def mutual_servers(self) -> str:
        """The listener that asks for a certificate and no password."""
        return f"{LOOPBACK}:{self._mutual_port}"

    def _answers(self) -> bool:
        context = ssl.create_default_context(cafile=str(self.authority))
        with (
            contextlib.suppress(OSError),
            socket.create_connection((LOOPBACK, self.port), 1) as raw,
        ):
            raw.settimeout(2)
            with context.wrap_socket(raw, server_hostname=LOOPBACK):
                return True
        return False

    def _format_options(self) -> tuple[str, ...]:
        return ("--add-scram", f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]")

    def _properties(self) -> str:
        self._mutual_port = self._mutual_port or free_port()
        login = f'{_LOGIN}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
        scram = f"{_LOGIN}.scram.ScramLoginModule required;"
        ours = {
            "listeners": f"SASL_SSL://{self.bootstrap_servers},SSL://{self.mutual_servers},"
            f"CONTROLLER://{LOOPBACK}:{self._controller_port}",
            "advertised.listeners": f"SASL_SSL://{self.bootstrap_servers},"
            f"SSL://{self.mutual_servers}",
            "listener.security.protocol.map": "SASL_SSL:SASL_SSL,SSL:SSL,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "SSL",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self._keys),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority),
            "listener.name.ssl.ssl.client.auth": "required",
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
            "listener.name.sasl_ssl.plain.sasl.jaas.config": login,
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": scram,
        }
        kept = [
            line for line in super()._properties().splitlines() if line.split("=")[0] not in ours
        ]
        return "\n".join([*kept, *(f"{name}={value}" for name, value in ours.items())]) + "\n"


def _write_identity(issued: trustme.LeafCert, path: Path) -> None:
    """Key and certificates in one file. Kafka reads keys in PKCS 8 alone."""
    key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
    said = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.touch(mode=0o600)
    path.write_bytes(said + b"".join(pem.bytes() for pem in issued.cert_chain_pems))
