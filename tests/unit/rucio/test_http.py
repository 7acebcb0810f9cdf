"""What answers in Rucio's place."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from dev.ports import free_port
from vre_operator.targets.rucio.http import Login, RucioHttp
from vre_operator.targets.web import Unanswered


@asynccontextmanager
async def answering(*routes: web.RouteDef) -> AsyncIterator[RucioHttp]:
    async def enter(request: web.Request) -> web.Response:
        return web.Response(headers={"X-Rucio-Auth-Token": "token"})

    application = web.Application()
    application.add_routes([web.get("/auth/userpass", enter), *routes])
    runner = web.AppRunner(application)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield RucioHttp(Login(f"http://127.0.0.1:{port}", "root", "root", "x"), clock=time.monotonic)
    finally:
        await runner.cleanup()


async def test_a_page_in_place_of_an_answer_is_no_answer() -> None:
    """R4 found it: what is no JSON was read as nothing at all."""

    async def page(request: web.Request) -> web.Response:
        return web.Response(text="<html>Please log in", content_type="text/html")

    async def made(request: web.Request) -> web.Response:
        return web.Response(status=201, text="Created", content_type="text/html")

    async with answering(web.get("/export", page), web.post("/accounts/a", made)) as http:
        await http.change("POST", "accounts", "a")
        with pytest.raises(Unanswered, match="text/html instead of JSON"):
            await http.get("export")


@pytest.mark.parametrize("told", [{"padding": "x"}, ["x"], "x", None])
async def test_another_answer_than_a_list_is_no_answer(told: object) -> None:
    """R4 found it: the operator took what it read in place of an RSE's name for one, and died of it."""

    async def listed(request: web.Request) -> web.Response:
        return web.json_response(told)

    async with answering(web.get("/rses/", listed)) as http:
        with pytest.raises(Unanswered):
            await http.rows("rses", "")


async def test_what_is_streamed_is_a_list_also_where_nothing_is() -> None:
    lines = iter(('{"rse": "A"}\n{"rse": "B"}\n', ""))

    async def listed(request: web.Request) -> web.Response:
        return web.Response(text=next(lines), content_type="application/x-json-stream")

    async with answering(web.get("/rses/", listed)) as http:
        assert await http.rows("rses", "") == [{"rse": "A"}, {"rse": "B"}]
        assert await http.rows("rses", "") == []
