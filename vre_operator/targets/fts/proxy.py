"""Kind Proxy: an x509 proxy of a tenant's certificate, made anew when half of its life is over.

It is kept by the operator, so that one that has just started goes on with what there is: each new one has to be
given to the FTS, and takes a key and two writes.

Body: certificate and key, PEM; hours; voms, {url, attributes} or nothing; ca_bundle; allowed_cidrs; asleep.
Output: proxy, PEM of certificate, key and chain, a secret.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import Conflict, Invalid, NotReady, TargetError
from vre_operator.engine.refs import digest
from vre_operator.engine.resources import Tenant
from vre_operator.engine.target import READY, Observation, Presence, Readiness, State
from vre_operator.targets.fts import proxies, voms
from vre_operator.targets.fts.http import VOMS
from vre_operator.targets.fts.proxies import Credential
from vre_operator.targets.fts.server import Connect
from vre_operator.targets.store import StateKey, StateStore

_KIND = "x509-proxy"
_RETRY = 300.0
# A certificate takes its owner a while to get.
_WARN = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class _Held:
    """basis: digest of what it was made of. made, expires, ends: seconds since the epoch; ends: of the
    certificate that signed it."""

    basis: str
    proxy: str = field(repr=False)
    subject: str
    made: float
    expires: float
    ends: float

    @property
    def due(self) -> float:
        return (self.made + self.expires) / 2

    def dump(self, tenant: Tenant) -> dict[str, Any]:
        kept = {name: getattr(self, name) for name in self.__slots__}
        return kept | {"owner": {"uid": tenant.uid}}

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> _Held:
        return cls(**{name: data[name] for name in cls.__slots__})


@dataclass(slots=True)
class _Memory:
    """version: of what is stored, None when nothing is. again: a renewal that failed is not tried before."""

    held: _Held | None
    version: str | None
    again: float = 0.0
    failure: str = ""


class Proxies:
    """One for each tenant. clock: seconds since the epoch."""

    def __init__(self, store: StateStore, connect: Connect, clock: Callable[[], float]) -> None:
        self._store = store
        self._connect = connect
        self._clock = clock
        self._memories: dict[StateKey, _Memory] = {}

    def due(self, tenant: Tenant) -> float:
        """Seconds until it has to be looked at; 0 when it has to be now, as by an operator that has just
        started."""
        memory = self._memories.get(_key(tenant))
        if memory is None or memory.held is None:
            return 0.0
        return max(max(memory.held.due, memory.again) - self._clock(), 0.0)

    async def observe(self, tenant: Tenant, body: Mapping[str, Any]) -> Observation:
        """One request of Kubernetes in the life of a process."""
        memory = await self._recall(tenant)
        held = memory.held
        if held is None:
            return Observation(Presence.ABSENT)
        if held.basis != _basis(body):
            return Observation(Presence.DRIFTED, detail="another certificate or other attributes")
        if body["asleep"]:
            return Observation(Presence.SYNCED, outputs={"proxy": held.proxy}, expires=held.expires)
        due = self._clock() >= max(held.due, memory.again)
        return self._told(memory, held, Presence.DRIFTED if due else Presence.SYNCED)

    async def apply(self, tenant: Tenant, body: Mapping[str, Any]) -> Observation:
        """Make one. A failure is told, and the former one goes on."""
        memory = await self._recall(tenant)
        try:
            made = await self._make(body)
        except TargetError as error:
            if memory.held is None:
                raise
            if memory.held.basis != _basis(body):
                return _unwilling(memory.held, error)
            memory.failure = error.text
            memory.again = self._clock() + max(_RETRY, error.retry_after or 0.0)
            return self._told(memory, memory.held, Presence.DRIFTED)
        await self._keep(tenant, memory, made)
        return self._told(memory, made, Presence.SYNCED)

    async def delete(self, tenant: Tenant) -> None:
        """Forget it. What the FTS holds of it ends by itself."""
        await self._store.delete(_key(tenant))
        self._memories.pop(_key(tenant), None)

    def _told(self, memory: _Memory, held: _Held, presence: Presence) -> Observation:
        now = self._clock()
        good = f"The proxy of {held.subject} is good until {_iso(held.expires)}"
        readiness = READY
        if now >= held.expires:
            message = f"The proxy of {held.subject} ended at {_iso(held.expires)}. {memory.failure}".strip()
            readiness = Readiness(State.PROGRESSING, Reason.PROXY_EXPIRED, message)
        elif memory.failure:
            message = f"{good}, but there is no new one: {memory.failure}"
            readiness = Readiness(State.READY, Reason.RENEWAL_FAILED, message)
        elif now >= held.ends - _WARN.total_seconds():
            message = (
                f"{good}, its certificate until {_iso(held.ends)}. Put a new one into the Secret of"
                " spec.dataLake.transfers.x509"
            )
            readiness = Readiness(State.READY, Reason.CERTIFICATE_EXPIRES, message)
        rest = max(max(held.due, memory.again) - now, 0.0)
        outputs = {"proxy": held.proxy}
        return Observation(presence, readiness, outputs, "half of its life is over", rest, held.expires)

    async def _make(self, body: Mapping[str, Any]) -> _Held:
        credential = proxies.load(body["certificate"], body["key"])
        now = datetime.fromtimestamp(self._clock(), UTC)
        if now >= credential.expires:
            raise Invalid(
                f"The certificate of {credential.subject} ended at {_iso(credential.expires.timestamp())}",
                remedy="Put a new one into the Secret of spec.dataLake.transfers.x509.",
                reason=Reason.CERTIFICATE_INVALID,
            )
        ends = min(now + timedelta(hours=body["hours"]), credential.expires)
        attributes = await self._attributes(body, credential, ends - now)
        if attributes:
            # An FTS tells when the proxy ends that it holds, and nothing of its attributes.
            ends = min(ends, proxies.attributes_expire(attributes))
        key = await asyncio.to_thread(proxies.new_key)
        proxy = proxies.issue(credential, key, now, ends, attributes)
        return _Held(
            _basis(body),
            proxy.pem.decode(),
            credential.subject,
            now.timestamp(),
            ends.timestamp(),
            credential.expires.timestamp(),
        )

    async def _attributes(self, body: Mapping[str, Any], credential: Credential, life: timedelta) -> bytes:
        if not (asked := body["voms"]):
            return b""
        cidrs = tuple(body["allowed_cidrs"])
        http = self._connect(asked["url"], VOMS, credential, body["ca_bundle"], cidrs)
        return await voms.attributes(http, asked["attributes"], int(life.total_seconds()))

    async def _recall(self, tenant: Tenant) -> _Memory:
        key = _key(tenant)
        if key not in self._memories:
            stored = await self._store.load(key)
            held, version = (_Held.load(stored[0]), stored[1]) if stored else (None, None)
            self._memories[key] = _Memory(held, version)
        return self._memories[key]

    async def _keep(self, tenant: Tenant, memory: _Memory, made: _Held) -> None:
        try:
            memory.version = await self._store.save(_key(tenant), made.dump(tenant), memory.version)
        except Conflict:
            # Another operator led meanwhile, and its proxy is as good.
            self._memories.pop(_key(tenant), None)
            raise NotReady("The proxy was made by another process just now") from None
        memory.held, memory.again, memory.failure = made, 0.0, ""


def _unwilling(held: _Held, error: TargetError) -> Observation:
    """Another certificate will not do: the proxy of the former one stays."""
    state = State.FAILED if error.terminal else State.PROGRESSING
    message = f"{error.text.rstrip('.')}. The proxy of {held.subject} stays, until {_iso(held.expires)}"
    readiness = Readiness(state, error.reason, message)
    return Observation(
        Presence.DRIFTED,
        readiness,
        {"proxy": held.proxy},
        recheck_after=error.retry_after,
        expires=held.expires,
    )


def _key(tenant: Tenant) -> StateKey:
    return StateKey.of(tenant, "fts", _KIND)


def _basis(body: Mapping[str, Any]) -> str:
    return digest({name: body[name] for name in ("certificate", "key", "hours", "voms")})


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
