"""Prometheus metrics and the two probes, served over plain HTTP inside the cluster."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from aiohttp import web
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from vre_operator import telemetry

# A check answers None when all is well, else what is wrong.
Check = Callable[[], str | None]


async def serve(port: int, routes: Iterable[web.RouteDef]) -> web.AppRunner:
    """Start a server on every interface of the pod; the caller cleans the runner up."""
    app = web.Application()
    app.add_routes(routes)
    # A scrape that is under way must not hold up the end.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", port).start()  # noqa: S104 probes come from the node
    return runner


def probe(checks: Iterable[Check]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """A handler that answers 200, or 503 with what is wrong."""
    checks = tuple(checks)

    async def handle(_: web.Request) -> web.StreamResponse:
        wrong = [text for check in checks if (text := check())]
        return web.Response(status=503 if wrong else 200, text="\n".join(wrong) or "ok")

    return handle


def metrics(collect: Callable[[], None]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """A handler that answers all metrics; `collect` sets those that are counted only when somebody asks."""

    async def handle(_: web.Request) -> web.StreamResponse:
        collect()
        text = generate_latest(telemetry.REGISTRY)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    return handle
