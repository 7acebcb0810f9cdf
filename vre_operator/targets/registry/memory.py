"""What is offered to a tenant's people now, remembered over restarts: one state Secret for each tenant."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from vre_operator.engine.errors import TargetError
from vre_operator.engine.resources import Tenant
from vre_operator.targets.store import StateKey, StateStore

_ROLE = "catalogue"


@dataclass(frozen=True, slots=True)
class Offered:
    """image: as it is written in the entry. reference: what sessions start. since: when that began, as in
    2027-03-31T12:00:00Z. good: whether it was found to be."""

    image: str
    reference: str
    since: str
    good: bool


class Memory:
    """Read once for each tenant, and written only when something changes."""

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._known: dict[StateKey, tuple[dict[str, Offered], str | None]] = {}
        self._locks: dict[StateKey, asyncio.Lock] = {}

    async def load(self, tenant: Tenant) -> dict[str, Offered]:
        """By the name of the entry. Raises TargetError."""
        async with self._lock(tenant):
            return (await self._held(tenant))[0]

    async def references(self, tenant: Tenant, images: Iterable[str]) -> dict[str, str]:
        """For each image what is offered of it, or else the image itself."""
        known = {offer.image: offer.reference for offer in (await self.load(tenant)).values()}
        return {image: known.get(image, image) for image in images}

    async def save(self, tenant: Tenant, offers: Mapping[str, Offered]) -> None:
        """Raises TargetError; Conflict when somebody else wrote: the next look reads it anew."""
        key = _key(tenant)
        data = {
            "owner": {"uid": tenant.uid},
            "offers": {name: asdict(offer) for name, offer in offers.items()},
        }
        async with self._lock(tenant):
            _, version = await self._held(tenant)
            try:
                self._known[key] = (dict(offers), await self._store.save(key, data, version))
            except TargetError:
                # It may have been written all the same.
                self._known.pop(key, None)
                raise

    async def delete(self, tenant: Tenant) -> None:
        await self._store.delete(_key(tenant))
        self.forget(tenant.key)

    def forget(self, tenant: tuple[str, str]) -> None:
        key = StateKey(*tenant, _ROLE, _ROLE)
        self._known.pop(key, None)
        self._locks.pop(key, None)

    def _lock(self, tenant: Tenant) -> asyncio.Lock:
        return self._locks.setdefault(_key(tenant), asyncio.Lock())

    async def _held(self, tenant: Tenant) -> tuple[dict[str, Offered], str | None]:
        """What is known and its version; read when nothing is."""
        key = _key(tenant)
        if (known := self._known.get(key)) is None:
            state, version = await self._store.load(key) or ({}, None)
            # What an earlier tenant of this name was offered is nothing to this one.
            ours = bool(state) and state["owner"]["uid"] == tenant.uid
            offers = {name: Offered(**offer) for name, offer in state["offers"].items()} if ours else {}
            known = self._known[key] = (offers, version)
        return known


def _key(tenant: Tenant) -> StateKey:
    return StateKey.of(tenant, _ROLE, _ROLE)
