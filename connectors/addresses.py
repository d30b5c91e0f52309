"""Which network addresses the outside may send us to: public ones only.

The check runs on the very address that a socket is about to be made for, after DNS, so a
name that changes its address between look-up and connection gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

# Networks that `is_global` lets through, in all or in some of our Pythons, although they lead, or
# may lead, inside: translated and tunnelled IPv4 (NAT64, 6to4, Teredo), site-local, the retired
# IPv4-compatible form, what the IETF keeps for protocols and documents, and the two clouds whose
# machines are told their secrets at an address that looks public (Oracle's is 192.0.0.192).
_LEADS_INSIDE = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/23", "fec0::/10"),
        *("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "5f00::/16", "192.88.99.0/24"),
        *("192.0.0.0/24", "3fff::/20", "168.63.129.16/32"),
    )
)


class PrivateAddressError(OSError):
    """A connection to an address that is not public was asked for, and not made."""


def is_public(address: str) -> bool:
    """Whether an IP address (no name) is one that anybody on the internet may serve from."""
    try:
        ip = ipaddress.ip_address(address.split("%", 1)[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if not ip.is_global or ip.is_multicast or ip.is_reserved or ip.is_unspecified:
        return False
    return not any(ip.version == network.version and ip in network for network in _LEADS_INSIDE)


def public_socket(address_info: tuple[Any, ...]) -> socket.socket:
    """Make the socket for one resolved address (aiohttp's `socket_factory`).

    Raises:
        PrivateAddressError: the address is not public.
    """
    family, kind, protocol, _name, sockaddr = address_info
    if family not in (socket.AF_INET, socket.AF_INET6) or not is_public(str(sockaddr[0])):
        raise PrivateAddressError("the address is not public")
    return socket.socket(family=family, type=kind, proto=protocol)


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only mean this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() in ("localhost", "localhost.")
