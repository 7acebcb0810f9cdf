"""A provider that answers whatever a test wants, on loopback with https."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from dev.oidc.tls import write_certificates
from vre_operator.targets.oidc.http import IssuerHttp

LOOPBACK = ("127.0.0.0/8", "::1/128")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass(slots=True)
class Idp:
    """`answer` may be replaced at any time; `seen` lists what was asked."""

    url: str = ""
    ca: str = ""
    answer: Handler | None = None
    seen: list[tuple[str, str, str]] = field(default_factory=list)
    clock: Clock = field(default_factory=Clock)

    def http(self, **options: Any) -> IssuerHttp:
        return IssuerHttp(self.url, self.ca, LOOPBACK, clock=self.clock, **options)

    @property
    def document(self) -> dict[str, str]:
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri", "registration_endpoint")
        return {"issuer": self.url, **{name: f"{self.url}/{name}" for name in names}}

    def says(self, data: Any, status: int = 200, **headers: str) -> None:
        """Answer JSON from now on."""

        async def respond(_: web.Request) -> web.StreamResponse:
            return web.json_response(data, status=status, headers=headers)

        self.answer = respond

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((request.method, request.path, await request.text()))
        assert self.answer
        return await self.answer(request)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Idp]:
    idp = Idp(ca=write_certificates(folder))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", idp._serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    idp.url = f"https://localhost:{runner.addresses[0][1]}"
    yield idp
    await runner.cleanup()
    await asyncio.sleep(0.05)  # closed TLS connections are let go some turns of the loop later
