"""An issuer and an attached Rucio are a tenant's text: to which URLs and addresses the operator may be sent.

A name is resolved once, every address is checked, and the connection goes to a checked address, so a name
that changes its mind between check and use gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Goal:
    """Who is to be reached. field: of the spec, from which the URL is. what: in words."""

    field: str
    what: str
    reason: Reason

    def refused(self, message: str, remedy: str) -> Invalid:
        """The error for an address or URL that the site does not allow."""
        return Invalid(message, remedy=remedy, reason=self.reason)


ISSUER = Goal("spec.identity.issuer", "provider", Reason.ISSUER_REFUSED)
ATTACHED = Goal("spec.dataLake.attach.url", "Rucio", Reason.ADDRESS_REFUSED)


def networks(cidrs: Iterable[str], goal: Goal = ISSUER) -> tuple[Network, ...]:
    """The networks that the site allows although they are not public."""
    try:
        return tuple(ipaddress.ip_network(cidr) for cidr in cidrs)
    except ValueError as error:
        raise goal.refused(
            f"The site's issuerCidrs are not valid: {error}", "Correct the site's settings."
        ) from None


def trust(ca_bundle: str, goal: Goal = ISSUER) -> ssl.SSLContext:
    """Whose certificates are believed: the public authorities' and the site's. Raises Invalid."""
    tls = ssl.create_default_context()
    if ca_bundle:
        try:
            tls.load_verify_locations(cadata=ca_bundle)
        except ssl.SSLError:
            raise goal.refused(
                f"The CA bundle for the {goal.what} is not PEM", "Correct the site's caBundle."
            ) from None
    return tls


def allowed(address: str, extra: Iterable[Network] = ()) -> bool:
    """Whether a connection to `address` may be made: public, or inside `extra`."""
    ip: Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    if any(ip in network for network in extra):
        return True
    return ip.is_global and not any(ip in network for network in _SPECIAL)


def check_url(url: str, goal: Goal = ISSUER) -> SplitResult:
    """`url` split, when it is https to a name, without user, query and fragment. Raises Invalid."""
    try:
        parts = urlsplit(url)
        port = parts.port or _HTTPS
    except ValueError:
        raise goal.refused(f"{url!r} is not a URL", f"Correct {goal.field}.") from None
    host = parts.hostname or ""
    if parts.scheme != "https" or not host:
        raise goal.refused(
            f"{url} is not an https URL", f"Use the {goal.what}'s https address in {goal.field}."
        )
    if "@" in parts.netloc or "?" in url or "#" in url:
        raise goal.refused(
            f"{goal.field} for {host} holds a user, a query or a fragment",
            "Leave only scheme, host, port and path.",
        )
    if _is_literal(host):
        raise goal.refused(
            f"{url} addresses a host by number", f"Use the {goal.what}'s host name in {goal.field}."
        )
    if port != _HTTPS and port < _LOWEST_PORT:
        raise goal.refused(
            f"{url} uses port {port}", f"Ports other than {_HTTPS} must be {_LOWEST_PORT} or higher."
        )
    return parts


def origin(parts: SplitResult) -> tuple[str, str, int]:
    """Scheme, host and port: what a credential is meant for."""
    return parts.scheme, (parts.hostname or "").lower(), parts.port or _HTTPS


class GuardedResolver(AbstractResolver):
    """Resolves with the system's resolver and refuses the name when one of its addresses is not allowed."""

    def __init__(self, extra: Iterable[Network], goal: Goal = ISSUER) -> None:
        self._inner = ThreadedResolver()
        self._extra = tuple(extra)
        self._goal = goal

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        answers = await self._inner.resolve(host, port, family)
        for answer in answers:
            if not allowed(answer["host"], self._extra):
                where = f"{host} resolves to {answer['host']}, which is not a public address"
                remedy = "or ask the site's admin to list its network in issuerCidrs."
                raise self._goal.refused(where, f"Use a public {self._goal.what}, {remedy}")
        return answers

    async def close(self) -> None:
        await self._inner.close()


def _is_literal(host: str) -> bool:
    try:
        socket.inet_aton(host)  # also 127.1, 0x7f000001 and 2130706433, which resolvers take for addresses
    except OSError:
        return ":" in host
    return True
