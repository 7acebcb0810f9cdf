"""The operator as one process: the parts put together, started in order, and stopped in good order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from aiohttp import web

from vre_operator.engine.target import Target
from vre_operator.kube.client import Kube
from vre_operator.kube.events import Events
from vre_operator.kube.lease import Lease
from vre_operator.runtime import kopf_app, metrics
from vre_operator.runtime.backoff import Backoff
from vre_operator.runtime.publish import Publisher
from vre_operator.runtime.queue import WorkQueue
from vre_operator.runtime.reconcile import Reconciler, guarded
from vre_operator.runtime.settings import Settings
from vre_operator.runtime.tenants import TenantKey, Tenants
from vre_operator.targets.kubernetes import KubernetesTarget
from vre_operator.targets.oidc import KubernetesStateStore, OidcTarget
from vre_operator.targets.oidc.http import IssuerHttp

log = logging.getLogger(__name__)

LEASE = "vre-operator"
DRAIN_SECONDS = 8.0
# A reflector hears something at least every minute; a pass takes seconds.
SILENT_SECONDS = 300.0
STUCK_SECONDS = 300.0


class Operator:
    """`run` it once."""

    def __init__(self, settings: Settings, kube: Kube, cluster_id: str) -> None:
        self._settings = settings
        self._queue: WorkQueue[TenantKey] = WorkQueue()
        self._tenants = Tenants()
        self._kubernetes = KubernetesTarget(kube, wake=self._queue.add, silence=settings.watch_silence)
        self._oidc = OidcTarget(
            KubernetesStateStore(kube, settings.namespace),
            http=partial(IssuerHttp, timeout=settings.provider_timeout),
        )
        self._lease = Lease(kube, settings.namespace, LEASE, settings.identity)
        targets: Mapping[str, Target] = {target.name: target for target in (self._kubernetes, self._oidc)}
        self._publisher = Publisher(kube, Events(kube, settings.identity), self._tenants)
        self._reconciler = Reconciler(
            self._tenants, targets, self._publisher, settings.site, cluster_id, Backoff()
        )
        self._stop = asyncio.Event()
        self._leading = False
        self._running: dict[TenantKey, float] = {}
        self._idle = asyncio.Event()

    async def run(self) -> None:
        """Until a signal. Raises when a part that must not end ends, so that a new process takes over."""
        servers = [await self._serve_probes(), await self._serve_metrics()]
        try:
            if self._settings.leader_election:
                await self._lease.acquire()
            await self._lead()
        finally:
            for server in servers:
                await server.cleanup()

    async def _lead(self) -> None:
        self._leading = True
        self._idle.set()
        background = [asyncio.create_task(self._kubernetes.run(), name="reflectors")]
        if self._settings.leader_election:
            background.append(asyncio.create_task(self._lease.hold(), name="lease"))
        workers = [asyncio.create_task(self._work(), name=f"worker-{n}") for n in range(self._settings.workers)]
        registry = kopf_app.build(self._on_event, self._settings.watch_silence)
        door = kopf_app.run(registry, self._stop, self._settings.identity)
        watch = asyncio.create_task(door, name="watch")
        try:
            done, _ = await asyncio.wait([watch, *background, *workers], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                # kopf sets `stop` on a signal; the others have no reason to end.
                if task.exception() or not (task is watch or self._stop.is_set()):
                    raise RuntimeError(f"{task.get_name()} ended") from task.exception()
        finally:
            self._stop.set()
            await self._drain([watch, *workers])
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            await self._lease.release()

    async def _drain(self, tasks: list[asyncio.Task[None]]) -> None:
        """Let passes that are under way end; no new one begins."""
        if self._may_write():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), DRAIN_SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self) -> None:
        # A pass over half-filled caches would take what stands for absent.
        await self._kubernetes.synced()
        while not self._stop.is_set():
            key = await self._queue.take()
            self._running[key] = time.monotonic()
            self._idle.clear()
            try:
                with metrics.PASS_SECONDS.time():
                    wait = await guarded(self._reconciler, key)
            finally:
                self._running.pop(key, None)
                if not self._running:
                    self._idle.set()
                self._queue.done(key)
            if wait is not None:
                self._queue.add_after(key, wait)

    def _on_event(self, obj: Mapping[str, Any], gone: bool) -> None:
        key = (obj["metadata"]["namespace"], obj["metadata"]["name"])
        if gone:
            self._tenants.drop(key)
            self._publisher.forget(key)
            self._queue.forget(key)
            # Whatever it held is free now: those that were refused get another look.
            for other in self._tenants.refused():
                self._queue.add(other)
        else:
            self._tenants.put(obj)
        self._queue.add(key)

    def _may_write(self) -> bool:
        return not self._settings.leader_election or self._lease.held

    async def _serve_probes(self) -> web.AppRunner:
        return await metrics.serve(
            self._settings.health_port,
            [
                web.get("/healthz", metrics.probe([self._silent, self._stuck])),
                web.get("/readyz", metrics.probe([])),
            ],
        )

    async def _serve_metrics(self) -> web.AppRunner:
        metrics.QUEUE_DEPTH.set_function(lambda: self._queue.depth)
        metrics.QUEUE_AGE.set_function(self._queue.oldest_age)
        metrics.TENANTS.set_function(lambda: len(self._tenants))
        return await metrics.serve(self._settings.metrics_port, [web.get("/metrics", metrics.metrics)])

    def _silent(self) -> str | None:
        if self._leading and self._kubernetes.age > SILENT_SECONDS:
            return f"no word from the API server for {self._kubernetes.age:.0f} s"
        return None

    def _stuck(self) -> str | None:
        started = min(self._running.values(), default=None)
        if started is not None and time.monotonic() - started > STUCK_SECONDS:
            return f"a pass has been running for {time.monotonic() - started:.0f} s"
        if self._queue.oldest_age() > STUCK_SECONDS:
            return f"a tenant has been due for {self._queue.oldest_age():.0f} s"
        return None
