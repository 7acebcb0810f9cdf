"""An API server that forgets: the recorder goes on, and does not say that it saw everything."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web

from tests.faults.rig.api import Api
from tests.faults.rig.background import Background
from tests.faults.rig.recorders import Name, Recorder
from tests.site import eventually


def _namespace(name: str, version: int, uid: str = "") -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": uid or f"uid-of-{name}", "resourceVersion": str(version)}}


class _Forgetful:
    """Lists `there`, namespaces; a watch tells nothing until `forget`, then that the version is too old."""

    def __init__(self) -> None:
        self.there = [
            _namespace("same", 1),
            _namespace("changed", 2),
            _namespace("gone", 3),
            _namespace("new-uid", 4),
        ]
        self.forget = asyncio.Event()
        self.over = asyncio.Event()

    def end(self) -> None:
        self.over.set()
        self.forget.set()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            items = self.there if request.path == "/api/v1/namespaces" else []
            return web.json_response({"metadata": {"resourceVersion": "9"}, "items": items})
        response = web.StreamResponse()
        await response.prepare(request)
        if request.path == "/api/v1/namespaces":
            await self.forget.wait()
            self.forget.clear()
            expired = {"type": "ERROR", "object": {"code": 410, "reason": "Expired"}}
            await response.write(json.dumps(expired).encode() + b"\n")
        await self.over.wait()
        return response


@contextmanager
def _recording(server: _Forgetful) -> Iterator[tuple[Background, Recorder]]:
    async def serve() -> tuple[web.AppRunner, aiohttp.ClientSession]:
        app = web.Application()
        app.router.add_get("/{path:.*}", server.answer)
        runner = web.AppRunner(app, shutdown_timeout=5)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        connector = aiohttp.TCPConnector(limit=0)
        return runner, aiohttp.ClientSession(f"http://{host}:{port}", connector=connector)

    with Background() as background:
        runner, session = background.run(serve())
        recorder = Recorder(background, cast(Api, SimpleNamespace(session=session)))
        recorder.start()
        yield background, recorder
        # While its watches are open: one that ended is begun anew, and a connection that is cut off while it is
        # made leaves a socket behind.
        recorder.stop()
        background.run(session.close())
        background.loop.call_soon_threadsafe(server.end)
        background.run(runner.cleanup())


def test_it_reads_afresh_what_it_missed() -> None:
    server = _Forgetful()
    with _recording(server) as (background, recorder):
        mark = recorder.mark()
        server.there = [_namespace("same", 1), _namespace("changed", 7), _namespace("new-uid", 8, "another")]
        background.loop.call_soon_threadsafe(server.forget.set)
        eventually(lambda: len(recorder.history) == 5)
        assert [(change.type, change.name.name) for change in recorder.history[mark:]] == [
            ("GAP", ""),
            ("DELETED", "gone"),
            ("DELETED", "new-uid"),
            ("MODIFIED", "changed"),
            ("ADDED", "new-uid"),
        ]
        assert set(recorder.as_of(recorder.mark())) == set(recorder.objects)
        assert Name("Namespace", "", "gone") in recorder.as_of(mark)


def test_who_asks_about_that_time_is_told_that_changes_may_lack() -> None:
    server = _Forgetful()
    with _recording(server) as (background, recorder):
        mark = recorder.mark()
        assert recorder.since(mark) == []
        background.loop.call_soon_threadsafe(server.forget.set)
        eventually(lambda: recorder.history)
        with pytest.raises(RuntimeError, match=r"forgot changes of \['Namespace'\]"):
            recorder.since(mark)
        assert recorder.since(mark, kinds={"Secret"}) == []
        assert recorder.since(recorder.mark()) == []
