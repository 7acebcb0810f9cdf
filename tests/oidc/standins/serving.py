"""A stand-in on loopback with https, in the test's own loop."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import unquote

from aiohttp import web

from dev.oidc.tls import write_certificates

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Routes = Mapping[tuple[str, str], Handler]
"""Handlers by method and path; `{id}` in a path matches one segment."""


@asynccontextmanager
async def serving(folder: Path, routes: Routes) -> AsyncIterator[tuple[str, str]]:
    """The address and the authority's certificate, until the block ends."""
    ca = write_certificates(folder)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    app = web.Application()
    for (method, path), handler in routes.items():
        app.router.add_route(method, path, handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    yield f"https://localhost:{runner.addresses[0][1]}", ca
    await runner.cleanup()
    await asyncio.sleep(0.05)  # closed TLS connections are let go some turns of the loop later


def credentials(request: web.Request, scheme: str) -> tuple[str, str]:
    """Id and secret of a header `scheme` base64(escaped id:escaped secret), each "" when there is none."""
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    if kind != scheme:
        return "", ""
    try:
        client_id, _, secret = base64.b64decode(text, validate=True).decode().rpartition(":")
    except ValueError:
        return "", ""
    return unquote(client_id), unquote(secret)


def bearer(request: web.Request) -> str:
    """The token of the request."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if kind == "Bearer" else ""
