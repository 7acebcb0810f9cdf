"""What answers in Rucio's place."""

from __future__ import annotations

import time

import pytest
from aiohttp import web

from dev.ports import free_port
from vre_operator.targets.rucio.http import Login, RucioHttp
from vre_operator.targets.web import Unanswered


async def test_a_page_in_place_of_an_answer_is_no_answer() -> None:
    """R4 found it: what is no JSON was read as nothing at all."""

    async def enter(request: web.Request) -> web.Response:
        return web.Response(headers={"X-Rucio-Auth-Token": "token"})

    async def page(request: web.Request) -> web.Response:
        return web.Response(text="<html>Please log in", content_type="text/html")

    async def made(request: web.Request) -> web.Response:
        return web.Response(status=201, text="Created", content_type="text/html")

    application = web.Application()
    application.add_routes(
        [web.get("/auth/userpass", enter), web.get("/export", page), web.post("/accounts/a", made)]
    )
    runner = web.AppRunner(application)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        http = RucioHttp(Login(f"http://127.0.0.1:{port}", "root", "root", "x"), clock=time.monotonic)
        await http.change("POST", "accounts", "a")
        with pytest.raises(Unanswered, match="text/html instead of JSON"):
            await http.get("export")
    finally:
        await runner.cleanup()
