"""The port engine.target.Target for an OpenID Connect provider."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol

from vre_operator.engine.errors import Invalid
from vre_operator.engine.resources import OIDC, Policy, ResourceId, Tenant
from vre_operator.engine.target import Desired, Observation, Promise, Voucher
from vre_operator.targets.oidc.clients import Clients
from vre_operator.targets.oidc.discovery import Issuers
from vre_operator.targets.oidc.http import IssuerHttp
from vre_operator.targets.oidc.people import People
from vre_operator.targets.store import StateStore

ISSUER = "Issuer"
CLIENT = "Client"
PEOPLE = "People"


class HttpFactory(Protocol):
    """Makes the way to one issuer; tests put faults there."""

    def __call__(
        self, issuer: str, ca_bundle: str, allowed_cidrs: tuple[str, ...], *, clock: Callable[[], float]
    ) -> IssuerHttp: ...


class OidcTarget:
    """Kinds: Issuer (External; outputs issuer and endpoints), Client (outputs client_id, client_secret), People
    (outputs people, storage, problems): only read, but in the inventory, so that it is read between walks, too.

    store: where clients are remembered. clock: seconds since the epoch, for tests.
    """

    name = OIDC

    def __init__(
        self, store: StateStore, *, clock: Callable[[], float] = time.time, http: HttpFactory = IssuerHttp
    ) -> None:
        self._clock = clock
        self._http = http
        self._ways: dict[tuple[str, str, tuple[str, ...]], IssuerHttp] = {}
        self._issuers = Issuers(self._connect, clock)
        self._people = People(self._connect, clock)
        self._clients = Clients(store, self._connect, clock)

    def observe(self, tenant: Tenant, desired: Desired) -> Awaitable[Observation]:
        """Settled: no request. An issuer is asked about every 10 minutes, a client every 10 to 30."""
        if desired.id.kind == ISSUER:
            return Promise(partial(self._issuers.observe, desired.body))
        if desired.id.kind == PEOPLE:
            return Promise(partial(self._people.observe, tenant.key, desired.body))
        if desired.id.kind == CLIENT:
            return Promise(partial(self._clients.observe, tenant, desired.id.name, desired.body))
        raise Invalid(f"The oidc target has no kind {desired.id.kind}")

    def vouch(self, tenant: Tenant, resources: Sequence[ResourceId], *, walked: bool) -> Voucher | None:
        """A client is trusted until the time of its next reading, also by an operator that has just started."""
        after = [self._clients.due(tenant, one.name) for one in resources if one.kind == CLIENT]
        after += [self._people.due(tenant.key) for one in resources if one.kind == PEOPLE]
        if not after:
            return Voucher("")
        return Voucher("", min(after)) if min(after) > 0 else None

    async def apply(self, tenant: Tenant, desired: Desired) -> Observation:
        """Register or repair a client."""
        if desired.id.kind != CLIENT:
            raise Invalid(f"{desired.id.short} can only be read")
        return await self._clients.apply(tenant, desired.id.name, desired.body)

    async def delete(self, tenant: Tenant, resource: ResourceId, policy: Policy, data: bool) -> bool:
        """Remove a client from its provider. A client holds no data, so `data` does not matter."""
        del policy, data
        if resource.kind == PEOPLE:
            self._people.forget(tenant.key)
        return resource.kind != CLIENT or await self._clients.delete(tenant, resource.name)

    def _connect(self, issuer: str, ca_bundle: str, allowed_cidrs: tuple[str, ...]) -> IssuerHttp:
        key = (issuer, ca_bundle, allowed_cidrs)
        if key not in self._ways:
            self._ways[key] = self._http(issuer, ca_bundle, allowed_cidrs, clock=self._clock)
        return self._ways[key]
