"""Prometheus metrics and the two probes, served over plain HTTP inside the cluster."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

REGISTRY = CollectorRegistry()
PASS_SECONDS = Histogram("vre_reconcile_duration_seconds", "Duration of a pass", registry=REGISTRY)
QUEUE_DEPTH = Gauge("vre_queue_depth", "Tenants that are due", registry=REGISTRY)
QUEUE_AGE = Gauge("vre_queue_oldest_seconds", "Age of the tenant that has been due longest", registry=REGISTRY)
TENANTS = Gauge("vre_tenants", "VREEnvironments that the operator knows", registry=REGISTRY)

# A check answers None when all is well, else what is wrong.
Check = Callable[[], str | None]


async def serve(port: int, routes: Iterable[web.RouteDef]) -> web.AppRunner:
    """Start a server on every interface of the pod; the caller cleans the runner up."""
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None)
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


async def metrics(_: web.Request) -> web.Response:
    return web.Response(body=generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})
