"""The port engine.target.Target for an FTS of somebody else's."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol

from vre_operator.engine.errors import Invalid
from vre_operator.engine.resources import FTS, Policy, ResourceId, Tenant
from vre_operator.engine.target import Desired, Observation, Presence, Promise, Voucher
from vre_operator.targets.fts.http import GridHttp
from vre_operator.targets.fts.proxies import Credential
from vre_operator.targets.fts.proxy import Proxies
from vre_operator.targets.fts.server import Servers
from vre_operator.targets.guard import Goal
from vre_operator.targets.store import StateStore

PROXY = "Proxy"
SERVER = "Server"
_SPREAD = 300.0
"""Seconds over which an operator that has just started looks at everybody's."""


class HttpFactory(Protocol):
    """Makes the way to an FTS or a VOMS server; tests put faults there."""

    def __call__(
        self,
        url: str,
        goal: Goal,
        credential: Credential | None,
        ca_bundle: str,
        allowed_cidrs: tuple[str, ...],
        *,
        clock: Callable[[], float],
    ) -> GridHttp: ...


class FtsTarget:
    """Kinds: Proxy (output proxy, a secret), Server. One of each for a tenant.

    store: where proxies are remembered. clock: seconds since the epoch, for tests.
    """

    name = FTS

    def __init__(
        self, store: StateStore, *, clock: Callable[[], float] = time.time, http: HttpFactory = GridHttp
    ) -> None:
        self._clock = clock
        connect = partial(http, clock=clock)
        self._proxies = Proxies(store, connect, clock)
        self._servers = Servers(connect, clock)
        self._looked: set[tuple[str, str]] = set()
        self._first: dict[tuple[str, str], float] = {}

    def observe(self, tenant: Tenant, desired: Desired) -> Observation | Awaitable[Observation]:
        """Settled: no request; an FTS is asked every ten minutes."""
        self._looked.add(tenant.key)
        if desired.id.kind == PROXY:
            return Promise(partial(self._proxies.observe, tenant, desired.body))
        if desired.id.kind != SERVER:
            raise Invalid(f"The fts target has no kind {desired.id.kind}")
        if desired.body["asleep"]:
            return Observation(Presence.SYNCED)
        return Promise(partial(self._servers.observe, tenant.key, desired.body))

    def vouch(self, tenant: Tenant, resources: Sequence[ResourceId], *, walked: bool) -> Voucher | None:
        """Trusted until the next look, also by an operator that has just started."""
        if not resources:
            return Voucher("")
        if tenant.key in self._looked:
            kinds = {one.kind for one in resources}
            due = [self._proxies.due(tenant)] if PROXY in kinds else []
            rest = min([*due, self._servers.due(tenant.key)] if SERVER in kinds else due)
        else:
            now = self._clock()
            rest = self._first.setdefault(tenant.key, now + random.uniform(0.0, _SPREAD)) - now  # noqa: S311
        return Voucher("", rest) if rest > 0 else None

    async def apply(self, tenant: Tenant, desired: Desired) -> Observation:
        """Make a proxy, or give it to the FTS."""
        if desired.id.kind == PROXY:
            return await self._proxies.apply(tenant, desired.body)
        return await self._servers.apply(tenant.key, desired.body)

    async def delete(self, tenant: Tenant, resource: ResourceId, policy: Policy, data: bool) -> bool:
        """Forget. Nothing of a tenant is at the FTS but a proxy that ends by itself."""
        del policy, data
        if resource.kind == PROXY:
            await self._proxies.delete(tenant)
        self.forget(tenant.key)
        return True

    def forget(self, tenant: tuple[str, str]) -> None:
        """The tenant is no more."""
        self._servers.forget(tenant)
        self._looked.discard(tenant)
        self._first.pop(tenant, None)
