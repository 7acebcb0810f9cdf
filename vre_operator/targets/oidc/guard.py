"""The issuer is a tenant's text: which URLs and addresses the operator may be sent to.

A name is resolved once, every address is checked, and the connection goes to a checked address, so a name
that changes its mind between check and use gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import Invalid

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Ranges that Python's is_global lets pass although they lead inside, to nobody or to many.
_SPECIAL = tuple(
    ipaddress.ip_network(text)
    for text in (
        "192.88.99.0/24",  # 6to4 relays
        "224.0.0.0/4",
        "::/96",  # IPv4-compatible
        "64:ff9b::/96",  # NAT64 and its local-use range
        "64:ff9b:1::/48",
        "2002::/16",  # 6to4
        "5f00::/16",  # segment routing
        "fec0::/10",  # site-local
        "ff00::/8",
    )
)

_LOWEST_PORT = 1024
_HTTPS = 443


def refused(message: str, remedy: str) -> Invalid:
    """The error for an address or URL that the site does not allow."""
    return Invalid(message, remedy=remedy, reason=Reason.ISSUER_REFUSED)


def networks(cidrs: Iterable[str]) -> tuple[Network, ...]:
    """The networks that the site allows although they are not public."""
    try:
        return tuple(ipaddress.ip_network(cidr) for cidr in cidrs)
    except ValueError as error:
        raise refused(
            f"The site's issuerCidrs are not valid: {error}", "Correct the site's settings."
        ) from None


def allowed(address: str, extra: Iterable[Network] = ()) -> bool:
    """Whether a connection to `address` may be made: public, or inside `extra`."""
    ip: Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    if any(ip in network for network in extra):
        return True
    return ip.is_global and not any(ip in network for network in _SPECIAL)


def check_url(url: str) -> SplitResult:
    """`url` split, when it is https to a name, without user, query and fragment. Raises IssuerRefused."""
    try:
        parts = urlsplit(url)
        port = parts.port or _HTTPS
    except ValueError:
        raise refused(f"{url!r} is not a URL", "Correct spec.identity.issuer.") from None
    host = parts.hostname or ""
    if parts.scheme != "https" or not host:
        raise refused(f"{url} is not an https URL", "Use the provider's https address in spec.identity.issuer.")
    if "@" in parts.netloc or "?" in url or "#" in url:
        raise refused(
            f"spec.identity.issuer for {host} holds a user, a query or a fragment",
            "Leave only scheme, host, port and path.",
        )
    if _is_literal(host):
        raise refused(
            f"{url} addresses a host by number", "Use the provider's host name in spec.identity.issuer."
        )
    if port != _HTTPS and port < _LOWEST_PORT:
        raise refused(f"{url} uses port {port}", f"Ports other than {_HTTPS} must be {_LOWEST_PORT} or higher.")
    return parts


def origin(parts: SplitResult) -> tuple[str, str, int]:
    """Scheme, host and port: what a credential is meant for."""
    return parts.scheme, (parts.hostname or "").lower(), parts.port or _HTTPS


class GuardedResolver(AbstractResolver):
    """Resolves with the system's resolver and refuses the name when one of its addresses is not allowed."""

    def __init__(self, extra: Iterable[Network]) -> None:
        self._inner = ThreadedResolver()
        self._extra = tuple(extra)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        answers = await self._inner.resolve(host, port, family)
        for answer in answers:
            if not allowed(answer["host"], self._extra):
                raise refused(
                    f"{host} resolves to {answer['host']}, which is not a public address",
                    "Use a public provider, or ask the site's admin to list its network in issuerCidrs.",
                )
        return answers

    async def close(self) -> None:
        await self._inner.close()


def _is_literal(host: str) -> bool:
    try:
        socket.inet_aton(host)  # also 127.1, 0x7f000001 and 2130706433, which resolvers take for addresses
    except OSError:
        return ":" in host
    return True
