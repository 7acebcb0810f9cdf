"""A small server that counts, behind a proxy."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from dev.oidc.tls import write_certificates
from dev.ports import free_port
from tests.faults.rig.background import Background
from tests.faults.rig.proxy import Proxy


@dataclass
class Counting:
    """Every POST makes one more; GET /watch tells what is in `lines` and goes on."""

    made: list[str] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)

    async def make(self, request: web.Request) -> web.Response:
        self.made.append(await request.text())
        self.hosts.append(request.headers["Host"])
        return web.json_response({"count": len(self.made)}, status=201)

    async def count(self, _: web.Request) -> web.Response:
        return web.json_response({"count": len(self.made)})

    async def watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        told = 0
        while request.transport is not None and not request.transport.is_closing():
            for line in self.lines[told:]:
                await response.write(line)
                told += 1
            await asyncio.sleep(0.01)
        return response


@dataclass
class Behind:
    proxy: Proxy
    server: Counting

    @asynccontextmanager
    async def caller(self) -> AsyncIterator[aiohttp.ClientSession]:
        tls = ssl.create_default_context(cadata=self.proxy.ca)
        connector = aiohttp.TCPConnector(ssl=tls, force_close=True)
        async with aiohttp.ClientSession(self.proxy.url, connector=connector) as session:
            yield session
        await asyncio.sleep(0.2)  # TLS connections end some turns of the loop later

    async def post(self, body: str = "", path: str = "/things") -> tuple[int, dict[str, int]]:
        async with self.caller() as session, session.post(path, data=body) as answer:
            return answer.status, json.loads(await answer.read())


@pytest.fixture
def background() -> Iterator[Background]:
    with Background() as started:
        yield started


@pytest.fixture
def behind(background: Background, tmp_path: Path) -> Iterator[Behind]:
    server = Counting()
    folder = tmp_path / "server"
    folder.mkdir()
    ca = write_certificates(folder)
    port = free_port()

    async def start() -> web.AppRunner:
        app = web.Application()
        app.add_routes([web.post("/{any:.*}", server.make), web.get("/watch", server.watch)])
        app.add_routes([web.get("/{any:.*}", server.count)])
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(folder / "tls.crt", folder / "tls.key")
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
        return runner

    runner = background.run(start())
    proxy = Proxy(background, tmp_path / "proxy")
    with proxy.to(f"https://localhost:{port}", ca):
        yield Behind(proxy, server)
    background.run(runner.cleanup())
