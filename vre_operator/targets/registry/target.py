"""The port engine.target.Target for registries of container images: a catalogue's tags, and what is offered."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol

from vre_operator.engine.errors import Invalid
from vre_operator.engine.resources import REGISTRY, Policy, ResourceId, Tenant
from vre_operator.engine.target import Desired, Observation, Promise, Voucher
from vre_operator.targets.registry.http import RegistryHttp
from vre_operator.targets.registry.images import Images, Registry
from vre_operator.targets.registry.memory import Memory
from vre_operator.targets.registry.offers import Offers
from vre_operator.targets.store import StateStore

IMAGES = "Images"
OFFERS = "Offers"


class HttpFactory(Protocol):
    """Makes the way to one registry; tests put faults there."""

    def __call__(
        self, host: str, ca_bundle: str, allowed_cidrs: tuple[str, ...], *, clock: Callable[[], float]
    ) -> Registry: ...


class RegistryTarget:
    """Kinds: Images (outputs: a reference for each image), only read, but in the inventory, so that it is read
    between walks, too; Offers (output pinned). One of each for a tenant.

    store: where offers are remembered. clock: seconds since the epoch, for tests.
    """

    name = REGISTRY

    def __init__(
        self, store: StateStore, *, clock: Callable[[], float] = time.time, http: HttpFactory = RegistryHttp
    ) -> None:
        self._clock = clock
        self._http = http
        self._ways: dict[tuple[str, str, tuple[str, ...]], Registry] = {}
        self._memory = Memory(store)
        self._images = Images(self._memory, self._connect, clock)
        self._offers = Offers(self._memory, clock)

    def observe(self, tenant: Tenant, desired: Desired) -> Awaitable[Observation]:
        """Settled: no request. A tag is asked for once in each period, whoever offers it."""
        if desired.id.kind == IMAGES:
            return Promise(partial(self._images.observe, tenant, desired.body))
        if desired.id.kind == OFFERS:
            return Promise(partial(self._offers.observe, tenant, desired.body))
        raise Invalid(f"The registry target has no kind {desired.id.kind}")

    def vouch(self, tenant: Tenant, resources: Sequence[ResourceId], *, walked: bool) -> Voucher | None:
        """Trusted until the next reading, also by an operator that has just started."""
        if not any(one.kind == IMAGES for one in resources):
            return Voucher("")
        rest = self._images.due(tenant.key)
        return Voucher("", rest) if rest > 0 else None

    async def apply(self, tenant: Tenant, desired: Desired) -> Observation:
        """Offer what was found to be good."""
        if desired.id.kind != OFFERS:
            raise Invalid(f"{desired.id.short} can only be read")
        return await self._offers.apply(tenant, desired.body)

    async def delete(self, tenant: Tenant, resource: ResourceId, policy: Policy, data: bool) -> bool:
        """Forget."""
        del policy, data
        if resource.kind == OFFERS:
            await self._memory.delete(tenant)
        else:
            self._images.forget(tenant.key)
        return True

    def forget(self, tenant: tuple[str, str]) -> None:
        """The tenant is no more."""
        self._images.forget(tenant)
        self._offers.forget(tenant)
        self._memory.forget(tenant)

    def _connect(self, host: str, ca_bundle: str, allowed_cidrs: tuple[str, ...]) -> Registry:
        key = (host, ca_bundle, allowed_cidrs)
        if key not in self._ways:
            self._ways[key] = self._http(host, ca_bundle, allowed_cidrs, clock=self._clock)
        return self._ways[key]
