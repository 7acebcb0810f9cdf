"""The operator as one process: the parts put together, started in order, and stopped in good order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from aiohttp import web

from vre_operator import telemetry
from vre_operator.api import names
from vre_operator.api.vresite import NAME
from vre_operator.engine.target import Target
from vre_operator.kube.client import Kube
from vre_operator.kube.events import Events
from vre_operator.kube.lease import Lease, LeaseLost
from vre_operator.kube.reflector import Entry, Reflector
from vre_operator.runtime import kopf_app, metrics
from vre_operator.runtime.backoff import Backoff
from vre_operator.runtime.metered import Metered
from vre_operator.runtime.publish import Publisher
from vre_operator.runtime.queue import WorkQueue
from vre_operator.runtime.reconcile import SAFETY_SECONDS, Reconciler, guarded
from vre_operator.runtime.seal import Sealer, build, load_key
from vre_operator.runtime.settings import Settings
from vre_operator.runtime.sites import SiteRules
from vre_operator.runtime.tenants import TenantKey, Tenants, key_of
from vre_operator.targets.fts import FtsTarget
from vre_operator.targets.fts.http import GridHttp
from vre_operator.targets.kubernetes import KubernetesTarget
from vre_operator.targets.oidc import OidcTarget
from vre_operator.targets.oidc.http import IssuerHttp
from vre_operator.targets.reana import ReanaTarget
from vre_operator.targets.reana.http import ReanaHttp
from vre_operator.targets.registry import RegistryTarget
from vre_operator.targets.registry.http import RegistryHttp
from vre_operator.targets.rucio import RucioTarget
from vre_operator.targets.rucio.http import RucioHttp
from vre_operator.targets.store import KubernetesStateStore

log = logging.getLogger(__name__)

LEASE = "vre-operator"
DRAIN_SECONDS = 6.0
# Beyond its silence a reflector tries again, and each try has an end.
SILENT_SECONDS = 90.0
STUCK_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes to VREEnvironments that the next pass sees, and whose echo in the watch wakes nobody."""

    kube: Kube
    wishes: Reflector
    tenants: Tenants

    async def apply(self, obj: Mapping[str, Any], *, subresource: str = "") -> dict[str, Any]:
        written = await self.kube.apply(obj, subresource=subresource)
        if written["metadata"].get("finalizers") or "deletionTimestamp" not in written["metadata"]:
            self.keep(written)
        return written

    def keep(self, obj: dict[str, Any]) -> bool:
        """Take in what somebody else than the reflector's watch tells; whether it is news."""
        entry = self.wishes.record(obj)
        newest = self.wishes.get(entry.namespace, entry.name)
        return newest is entry and self.tenants.put(obj)


class Operator:
    """`run` it once. `aside`: a client for the Lease alone, whose renewals wait behind nobody's work."""

    def __init__(self, settings: Settings, kube: Kube, aside: Kube, cluster_id: str) -> None:
        self.settings = settings
        self._kube = kube
        self._cluster_id = cluster_id
        self._queue: WorkQueue[TenantKey] = WorkQueue()
        scope = settings.scope
        self.rules = SiteRules(settings.namespace)
        self.rules.heed(settings.site.vresite)
        self.tenants = Tenants(lambda obj: self.rules.wish(obj).obj)
        self.wishes = Reflector(
            kube,
            f"{names.API_VERSION}/{names.KIND}",
            namespaces=scope.wishes,
            on_change=self._on_change,
            silence=settings.watch_silence,
            whole=True,
        )
        self.sites = Reflector(
            kube,
            f"{names.API_VERSION}/{names.SITE_KIND}",
            on_change=self._on_site,
            silence=settings.watch_silence,
            whole=True,
        )
        self._ears = [one for one in (self.wishes, self.sites) if scope.sees(one.kind)]
        repair = partial(self._queue.add, repair=True)
        self._kubernetes = KubernetesTarget(kube, wake=repair, silence=settings.watch_silence, scope=scope)
        memory = KubernetesStateStore(kube, settings.namespace)
        self._oidc = OidcTarget(
            memory,
            http=partial(IssuerHttp, timeout=settings.provider_timeout, may_write=self._may_write),
        )
        self._rucio = RucioTarget(http=partial(RucioHttp, may_write=self._may_write))
        self._reana = ReanaTarget(http=partial(ReanaHttp, may_write=self._may_write))
        self._fts = FtsTarget(memory, http=partial(GridHttp, may_write=self._may_write))
        self._registry = RegistryTarget(memory, http=partial(RegistryHttp, may_write=self._may_write))
        self._lease = Lease(
            aside, settings.namespace, LEASE, settings.identity, duration=settings.lease_seconds
        )
        # A process that was stopped for long wakes up with requests in its hands.
        kube.fence(self._may_write)
        self._writer = _Writer(kube, self.wishes, self.tenants)
        self._publisher = Publisher(self._writer, Events(kube, settings.identity), self.tenants)
        self._reconciler: Reconciler | None = None
        self._stop = asyncio.Event()
        self.running: dict[TenantKey, float] = {}
        self._idle = asyncio.Event()

    async def run(self) -> None:
        """Until a signal. Raises when a part that must not end ends, so that a new process takes over."""
        servers = [await self.serve_probes(), await self.serve_metrics()]
        try:
            if self.settings.leader_election:
                await self._lease.acquire()
            await self._lead()
        finally:
            telemetry.LEADING.set(0)
            for server in servers:
                await server.cleanup()

    def prepare(self, key: bytes) -> Reconciler:
        """Be ready for passes. key: of the seals."""
        targets: Mapping[str, Target] = {
            target.name: target
            for target in (
                self._kubernetes,
                self._oidc,
                self._rucio,
                self._reana,
                self._fts,
                self._registry,
            )
        }
        sealer = Sealer(key, self.settings.site, build())
        self._reconciler = Reconciler(
            self.tenants, targets, self._publisher, sealer, self._cluster_id, Backoff(), rules=self.rules
        )
        return self._reconciler

    async def _lead(self) -> None:
        reconciler = self.prepare(await load_key(self._kube, self.settings.namespace))
        telemetry.LEADING.set(1)
        self._idle.set()
        # Each part a task that is there before kopf, which at its end ends those that came after it.
        background = [
            asyncio.create_task(self._kubernetes.run(), name="reflectors"),
            *(
                asyncio.create_task(part, name=f"follow {one.kind}")
                for one in self._ears
                for part in one.parts()
            ),
        ]
        if self.settings.leader_election:
            background.append(asyncio.create_task(self._lease.hold(), name="lease"))
        workers = [
            asyncio.create_task(self._work(reconciler), name=f"worker-{number}")
            for number in range(self.settings.workers)
        ]
        registry = kopf_app.build(self._on_event, self.settings.watch_silence)
        door = kopf_app.run(registry, self._stop, self.settings.identity, self.settings.scope.door)
        watch = asyncio.create_task(door, name="watch")
        try:
            done, _ = await asyncio.wait([watch, *background, *workers], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                # kopf sets `stop` on a signal; the others have no reason to end.
                error = task.exception()
                if isinstance(error, LeaseLost):
                    raise error
                if error or not (task is watch or self._stop.is_set()):
                    raise RuntimeError(f"{task.get_name()} ended") from error
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

    async def _work(self, reconciler: Reconciler) -> None:
        # A pass over half-filled caches would take what stands for absent.
        await self._kubernetes.synced()
        for one in self._ears:
            await one.synced.wait()
        while not self._stop.is_set():
            key = await self._queue.take()
            self.running[key] = time.monotonic()
            self._idle.clear()
            wait: float | None = None
            turn = Metered(guarded(reconciler, key))
            try:
                with telemetry.working_for("/".join(key)), telemetry.PASSES.time():
                    wait = await turn
            finally:
                self.running.pop(key, None)
                if not self.running:
                    self._idle.set()
                self._queue.done(key, finished=wait is None or wait > SAFETY_SECONDS, cpu=turn.cpu)
            if wait is not None:
                self._queue.add_after(key, wait)

    def _on_change(self, old: Entry | None, new: Entry | None) -> None:
        """The reflector's word: what stands, and what is gone."""
        if new is not None and new.body is not None:
            self.tenants.put(new.body)
            # Of its status we are the writer, and woke whom it concerns when we wrote.
            if old is None or (old.uid, old.content) != (new.uid, new.content):
                self._queue.add((new.namespace, new.name))
        elif old is not None and old.body is not None:
            self._gone(old.body)

    def _on_site(self, old: Entry | None, new: Entry | None) -> None:
        """The site's word, which concerns everybody."""
        obj = new.body if new is not None else None
        if new is None and (old is None or old.name != NAME):
            return
        if self.rules.take(obj):
            self.tenants.claim_anew()
            for key in self.tenants:
                self._queue.add(key)

    def _on_event(self, obj: Mapping[str, Any], gone: bool) -> None:
        """kopf's word, for what the reflector has not heard of yet."""
        key = key_of(obj)
        metadata = obj["metadata"]
        known = self.wishes.get(*key)
        if known and known.version >= int(metadata["resourceVersion"]):
            return
        if gone:
            self.wishes.forget(*key, metadata["uid"])
            self._gone(obj)
        elif self._writer.keep({**obj, "metadata": dict(metadata)}):
            self._queue.add(key)

    def _gone(self, obj: Mapping[str, Any]) -> None:
        key = key_of(obj)
        if not self.tenants.drop(key, obj["metadata"]["uid"]):
            return
        if self._reconciler:
            self._reconciler.forget(key)
        self._rucio.forget(key)
        self._reana.forget(key)
        self._fts.forget(key)
        self._registry.forget(key)
        self._queue.forget(key)
        # Whatever it held is free now: those that were refused get another look.
        for other in (key, *self.tenants.rivals(obj)):
            self._queue.add(other)

    def _may_write(self) -> bool:
        return not self.settings.leader_election or self._lease.held

    async def serve_probes(self) -> web.AppRunner:
        return await metrics.serve(
            self.settings.health_port,
            [
                web.get("/healthz", metrics.probe([self._silent, self._stuck])),
                web.get("/readyz", metrics.probe([])),
            ],
        )

    async def serve_metrics(self) -> web.AppRunner:
        routes = [web.get("/metrics", metrics.metrics(self._collect))]
        return await metrics.serve(self.settings.metrics_port, routes)

    def _reflectors(self) -> list[Reflector]:
        return [*self._ears, *self._kubernetes.reflectors()] if self._reconciler else []

    def _collect(self) -> None:
        telemetry.QUEUE_DEPTH.set(self._queue.depth)
        telemetry.QUEUE_AGE.set(self._queue.oldest_age())
        telemetry.TENANTS.set(len(self.tenants))
        for reflector in self._reflectors():
            telemetry.WATCH_AGE.labels(reflector.kind).set(reflector.age)
        told = [(self.tenants.get(key) or {}).get("status") or {} for key in self.tenants]
        counted = Counter(
            (item["type"], item["status"]) for status in told for item in status.get("conditions") or ()
        )
        telemetry.CONDITIONS.clear()
        for labels, number in counted.items():
            telemetry.CONDITIONS.labels(*labels).set(number)
        telemetry.CREDENTIALS.clear()
        for item in sorted(
            (item for status in told for item in status.get("credentials") or ()),
            key=lambda item: str(item["expires"]),
            reverse=True,
        ):
            ends = datetime.fromisoformat(item["expires"]).timestamp()
            telemetry.CREDENTIALS.labels(item["name"]).set(ends)

    def _silent(self) -> str | None:
        limit = self.settings.watch_silence + SILENT_SECONDS
        stuck = [f"{one.kind} for {one.stalled:.0f} s" for one in self._reflectors() if one.stalled > limit]
        return f"no word and no attempt to hear one: {', '.join(stuck)}" if stuck else None

    def _stuck(self) -> str | None:
        started = min(self.running.values(), default=None)
        if started is not None and time.monotonic() - started > STUCK_SECONDS:
            return f"a pass has been running for {time.monotonic() - started:.0f} s"
        if self._queue.oldest_age() > STUCK_SECONDS:
            return f"a tenant has been due for {self._queue.oldest_age():.0f} s"
        return None
