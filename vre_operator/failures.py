"""Why a system was not reached over HTTP, in words for people: no address, no header, no token."""

from __future__ import annotations

import aiohttp

CONNECT_TIMEOUT = 5.0
"""Seconds for a connection to stand."""


def cause(error: BaseException) -> str:
    """The cause of an aiohttp error."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return f"its certificate is not trusted ({getattr(error.certificate_error, 'verify_message', '')})"
        case aiohttp.ClientConnectorDNSError():
            return "its name cannot be resolved"
        case aiohttp.ConnectionTimeoutError():
            return f"no answer within {CONNECT_TIMEOUT:.0f} s"
        case aiohttp.ClientConnectorError():
            return error.os_error.strerror or type(error.os_error).__name__
        case _:
            return type(error).__name__
