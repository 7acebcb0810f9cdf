"""What an unwell API server makes of our requests: one that refuses, stalls, breaks off and falls silent."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from vre_operator import telemetry
from vre_operator.engine.errors import Forbidden, Invalid, Throttled, Unavailable
from vre_operator.kube.access import Access, Token
from vre_operator.kube.client import Kube
from vre_operator.kube.errors import Fenced, from_response
from vre_operator.kube.reflector import Entry, Reflector
from vre_operator.kube.transport import Request, Transport

CONFIG = "v1/ConfigMap"
OBJECT = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "x", "namespace": "ns", "uid": "u", "resourceVersion": "5"},
}
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """Answers the n-th request with the n-th answer, the last one for ever."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = answers
        self.requests: list[web.Request] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        return await self.answers[min(len(self.requests), len(self.answers)) - 1](request)


Start = Callable[..., Awaitable[tuple[Kube, Server]]]


@pytest.fixture
async def start(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Start]:
    opened: list[tuple[Kube, web.AppRunner]] = []
    monkeypatch.setattr(random, "uniform", lambda low, high: 0.01)

    async def start(*answers: Answer) -> tuple[Kube, Server]:
        server = Server(*answers)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", server.handle)
        runner = web.AppRunner(app, shutdown_timeout=0, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        kube = Kube(Access(f"http://127.0.0.1:{runner.addresses[0][1]}", token=lambda: "t0ken"))
        opened.append((kube, runner))
        return kube, server

    yield start
    for kube, runner in opened:
        await kube.close()
        await runner.cleanup()


def status(code: int, message: str = "", **headers: str) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response({"kind": "Status", "message": message}, status=code, headers=headers)

    return answer


async def fine(_: web.Request) -> web.StreamResponse:
    return web.json_response(OBJECT)


async def hang_up(request: web.Request) -> web.StreamResponse:
    assert request.transport
    request.transport.close()
    return web.Response()


@pytest.mark.parametrize("failure", [status(503), status(429, **{"Retry-After": "1"}), hang_up])
async def test_reads_and_applies_are_repeated(start: Start, failure: Answer) -> None:
    kube, server = await start(failure, failure, fine)
    assert await kube.get(CONFIG, "ns", "x") == OBJECT
    kube, server = await start(failure, fine)
    assert await kube.apply(OBJECT) == OBJECT
    assert len(server.requests) == 2
    assert server.requests[1].headers["Authorization"] == "Bearer t0ken"


@pytest.mark.parametrize("failure", [status(503), status(429), hang_up])
async def test_what_may_have_been_done_is_not_repeated(start: Start, failure: Answer) -> None:
    kube, server = await start(failure)
    for call in (kube.create(OBJECT), kube.replace(OBJECT), kube.delete(CONFIG, "ns", "x")):
        with pytest.raises((Unavailable, Throttled)):
            await call
    # aiohttp itself repeats a PUT or DELETE on a connection that turned out to be dead; a create never.
    assert [request.method for request in server.requests].count("POST") == 1


async def test_repeats_come_to_an_end(start: Start) -> None:
    kube, server = await start(status(503))
    with pytest.raises(Unavailable, match="the API server answered 503"):
        await kube.get(CONFIG, "ns", "x")
    assert len(server.requests) == 4


async def test_a_long_retry_after_goes_to_the_caller(start: Start) -> None:
    kube, server = await start(status(429, **{"Retry-After": "60"}))
    with pytest.raises(Throttled) as told:
        await kube.get(CONFIG, "ns", "x")
    assert told.value.retry_after == 60
    assert len(server.requests) == 1


async def test_a_redirect_does_not_carry_the_token_away(start: Start) -> None:
    kube, server = await start(status(302, Location="/elsewhere"))
    with pytest.raises(Invalid):
        await kube.get(CONFIG, "ns", "x")
    assert len(server.requests) == 1


async def test_an_answer_that_is_no_json_is_no_answer(start: Start) -> None:
    async def page(_: web.Request) -> web.StreamResponse:
        return web.Response(text="<html>hidden</html>", status=200)

    kube, _ = await start(page)
    with pytest.raises(Unavailable) as told:
        await kube.get(CONFIG, "ns", "x")
    assert "hidden" not in str(told.value)


async def test_a_silent_watch_is_left_and_continued(start: Start) -> None:
    """No event, no bookmark, no end: the reflector comes back by itself and misses nothing."""

    async def listed(_: web.Request) -> web.StreamResponse:
        return web.json_response({"metadata": {"resourceVersion": "7"}, "items": []})

    def events(*told: dict[str, Any]) -> Answer:
        async def silent_after(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            for event in told:
                await response.write(json.dumps(event).encode() + b"\n")
            await asyncio.sleep(60)
            return response

        return silent_after

    bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "9"}}}
    added = {
        "type": "ADDED",
        "object": {**OBJECT, "metadata": {"name": "x", "namespace": "ns", "uid": "u", "resourceVersion": "11"}},
    }
    kube, server = await start(listed, events(bookmark), events(added))
    seen = asyncio.Event()
    reflector = Reflector(kube, CONFIG, silence=0.2, on_change=lambda old, new: seen.set())
    task = asyncio.create_task(reflector.run())
    async with asyncio.timeout(10):
        await seen.wait()
    assert [request.query.get("resourceVersion") for request in server.requests] == [None, "7", "9"]
    assert reflector.age < 5
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_reflector_survives_what_ends_its_watch(start: Start) -> None:
    async def listed(_: web.Request) -> web.StreamResponse:
        return web.json_response({"metadata": {"resourceVersion": "7"}, "items": [OBJECT]})

    async def half_a_line(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"type": "ADDED", "obj')
        return response

    async def error_event(request: web.Request) -> web.StreamResponse:
        return web.Response(
            text=json.dumps({"type": "ERROR", "object": {"code": 410, "reason": "Expired"}}) + "\n"
        )

    removed = asyncio.Event()
    empty = web.json_response

    async def nothing_left(_: web.Request) -> web.StreamResponse:
        return empty({"metadata": {"resourceVersion": "20"}, "items": []})

    async def stall(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        return web.Response()

    kube, _ = await start(listed, half_a_line, status(500), error_event, nothing_left, stall)
    reflector = Reflector(kube, CONFIG, on_change=lambda old, new: removed.set() if new is None else None)
    task = asyncio.create_task(reflector.run())
    async with asyncio.timeout(30):
        await removed.wait()
    assert len(reflector) == 0
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


# --- words --------------------------------------------------------------------------------------------------


def refusal(code: int, message: str, *causes: tuple[str, str], kind: str = "apps/v1/Deployment") -> str:
    details = {"causes": [{"field": field, "message": text} for field, text in causes]}
    body = {"message": message, "details": details}
    return from_response(code, body, what="apply Deployment ns/x", kind=kind, namespace="ns").text


def test_values_are_cut_out_of_refusals() -> None:
    text = refusal(
        422,
        'Deployment "x" is invalid: spec.x: Invalid value: "hunter2": too short',
        ("spec.x", 'Invalid value: "hunter2": too short'),
        ("spec.y", 'Invalid value: {"a":"hunter2: yes"}: must be an integer'),
        ("spec.z", "Required value"),
        ("spec.u", 'Duplicate value: "hunter2"'),
    )
    assert "hunter2" not in text
    assert "spec.x: Invalid value: too short" in text
    assert "spec.y: Invalid value: must be an integer" in text
    assert "spec.z: Required value" in text


def test_of_a_secret_only_the_field_is_told() -> None:
    text = refusal(422, "hunter2", ("data[a]", "Invalid value: hunter2"), kind="v1/Secret")
    assert "data[a]" in text
    assert "hunter2" not in text
    assert "hunter2" not in refusal(400, "hunter2 is no base64", kind="v1/Secret")


def test_a_missing_right_names_verb_and_kind() -> None:
    error = from_response(403, {"message": "x"}, what="apply Ingress ns/hub", kind="k", namespace="ns")
    assert isinstance(error, Forbidden)
    assert "may not apply Ingress ns/hub" in error.text
    assert "ClusterRole" in error.text


def test_a_pod_security_refusal_is_told_in_full() -> None:
    message = 'pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true'
    assert "runAsNonRoot != true" in refusal(403, message)


def test_a_rotated_token_is_read_again(tmp_path: Path) -> None:
    now = [time.monotonic()]
    path = tmp_path / "token"
    path.write_text("one\n")
    token = Token(path.read_text, clock=lambda: now[0])
    assert token() == "one"
    path.write_text("two")
    assert token() == "one"
    now[0] += 61
    assert token() == "two"


@pytest.mark.parametrize("verb", ["create", "update", "apply", "patch", "delete"])
async def test_a_write_is_not_sent_when_the_lease_is_lost_while_the_connection_is_made(verb: str) -> None:
    heard = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.read(1 << 16))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        transport = Transport(Access(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
        asked = iter([True])  # when it is begun, and never again
        transport.may_write = lambda: next(asked, False)
        held_back = telemetry.api_call(verb, "Fenced")
        before = held_back._value.get()
        with pytest.raises(Fenced, match="does not lead any more"):
            await transport.call(Request(verb, "v1/Secret", "a", "b", body={"kind": "Secret"}, repeat=True))
        assert held_back._value.get() == before + 1
        await transport.close()
    assert bytes(heard) == b""


async def test_a_namespace_that_is_refused_holds_up_no_other(start: Start) -> None:
    """And is found when it is there."""
    refused = True

    async def answer(request: web.Request) -> web.StreamResponse:
        here = "/namespaces/there/" in request.path
        if not here and refused:
            return await status(403, "forbidden")(request)
        if "watch" in request.query:
            await asyncio.sleep(60)
        where = "there" if here else "lacking"
        one = {**OBJECT, "metadata": {**OBJECT["metadata"], "namespace": where}}  # type: ignore[dict-item]
        return web.json_response({"metadata": {"resourceVersion": "7"}, "items": [one]})

    kube, server = await start(answer)
    found = asyncio.Event()

    def heard(_: object, new: Entry | None) -> None:
        if new and (new.namespace, new.name) == ("lacking", "x"):
            found.set()

    reflector = Reflector(kube, CONFIG, namespaces=("there", "lacking"), on_change=heard)
    task = asyncio.create_task(reflector.run())
    async with asyncio.timeout(10):
        await reflector.synced.wait()
    assert (bool(reflector.get("there", "x")), bool(reflector.get("lacking", "x"))) == (True, False)
    # What is written there meanwhile is kept, and nothing of a namespace that nobody listens to.
    for where in ("lacking", "elsewhere"):
        made = {**OBJECT, "metadata": {**OBJECT["metadata"], "namespace": where, "name": "made"}}  # type: ignore[dict-item]
        reflector.record(made)
    assert (bool(reflector.get("lacking", "made")), bool(reflector.get("elsewhere", "made"))) == (True, False)
    refused = False
    async with asyncio.timeout(10):
        await found.wait()
    assert reflector.get("there", "x")
    assert all("/namespaces/" in request.path for request in server.requests)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
