"""What can become of a request, by name: each is a small function of an exchange."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from aiohttp import web

from tests.faults.rig.proxy import Answer, Exchange, Fault, patience

_HTML = b"<html><body>Sign in to the network first</body></html>"
_HUGE = 10 << 20


async def kill_before(exchange: Exchange) -> web.StreamResponse:
    exchange.kill()
    return exchange.reset()


async def kill_committed(exchange: Exchange) -> web.StreamResponse:
    """The server has done it, and the caller dies before it hears of it."""
    await exchange.forward()
    exchange.kill()
    return exchange.reset()


async def kill_answered(exchange: Exchange) -> web.StreamResponse:
    response = await exchange.reply(await exchange.forward())
    exchange.kill()
    return response


async def reset_before(exchange: Exchange) -> web.StreamResponse:
    return exchange.reset()


async def reset_committed(exchange: Exchange) -> web.StreamResponse:
    await exchange.forward()
    return exchange.reset()


async def reset_inside(exchange: Exchange) -> web.StreamResponse:
    """Done, and the connection breaks in the middle of the answer."""
    answer = await exchange.forward()
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.headers["Content-Length"] = str(len(answer.body) + 1)
    await response.prepare(exchange.request)
    await response.write(answer.body[: len(answer.body) // 2])
    return exchange.reset()


async def timeout_before(exchange: Exchange) -> web.StreamResponse:
    await patience(exchange)
    return exchange.reset()


async def timeout_committed(exchange: Exchange) -> web.StreamResponse:
    await exchange.forward()
    return await timeout_before(exchange)


async def error_committed(exchange: Exchange) -> web.StreamResponse:
    """Done, and told as a failure."""
    await exchange.forward()
    return await exchange.reply(_said(500, b'{"error":"server_error"}'))


async def html(exchange: Exchange) -> web.StreamResponse:
    """A captive portal: 200, and not from the server at all."""
    return await exchange.reply(Answer(200, {"Content-Type": "text/html"}, _HTML))


async def truncated(exchange: Exchange) -> web.StreamResponse:
    """Done; the answer claims to be whole, and its JSON is not."""
    answer = await exchange.forward()
    headers = {"Content-Type": "application/json"}
    return await exchange.reply(Answer(answer.status, headers, answer.body[: len(answer.body) // 2] or b"{"))


async def huge(exchange: Exchange) -> web.StreamResponse:
    """Done, with a 10 MiB answer."""
    answer = await exchange.forward()
    body = b'{"padding":"' + b"x" * _HUGE + b'"}'
    return await exchange.reply(Answer(answer.status, {"Content-Type": "application/json"}, body))


async def trickle(exchange: Exchange) -> web.StreamResponse:
    """Done, and told at a byte a second."""
    answer = await exchange.forward()
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    await response.prepare(exchange.request)
    for byte in answer.body:
        if exchange.abandoned:
            break
        await response.write(bytes([byte]))
        await asyncio.sleep(1)
    return exchange.reset()


def status(code: int, headers: Mapping[str, str] | None = None, body: bytes = b"{}") -> Fault:
    """Not done, and answered so."""

    async def answer(exchange: Exchange) -> web.StreamResponse:
        return await exchange.reply(_said(code, body, headers))

    return answer


def delayed(seconds: float) -> Fault:
    async def late(exchange: Exchange) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await exchange.relay()

    return late


def answered(answer: Answer) -> Fault:
    """Another answer in place of the server's, an old one for example; the server is not asked."""

    async def say(exchange: Exchange) -> web.StreamResponse:
        kept = {name: value for name, value in answer.headers.items() if name.lower() != "content-length"}
        return await exchange.reply(replace(answer, headers=kept))

    return say


def _said(code: int, body: bytes, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(code, {"Content-Type": "application/json", **(headers or {})}, body)


ANSWERED = "killed answered"
KILLS: Mapping[str, Fault] = {
    "killed before": kill_before,
    "killed committed": kill_committed,
    ANSWERED: kill_answered,
}

EXTERNAL: Mapping[str, Fault] = {
    "503 before": status(503),
    "500 committed": error_committed,
    "timeout committed": timeout_committed,
    "reset committed": reset_committed,
    "reset inside": reset_inside,
    "reset before": reset_before,
    "429": status(429, {"Retry-After": "1"}),
    "401": status(401, {}, b'{"error":"invalid_token"}'),
    "409": status(409, {}, b'{"error":"already_exists"}'),
    "html": html,
    "truncated": truncated,
    "huge": huge,
    "trickle": trickle,
}
"""What an external system can do to a call: R4's list."""

LOST = ("500 committed", "timeout committed", "reset committed", "reset inside", "truncated", "huge", "trickle")
"""Done, but the answer was lost."""
