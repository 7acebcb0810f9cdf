"""What others make and we only read: a person's Secret, a StorageClass, an IngressClass, a Gateway.

Which of them there are, and at which version, is told by watches that bring metadata alone: to keep the
content of every Secret of a cluster for the sake of a few would cost memory, and keep what nobody gave us.
The content of one that a tenant names is read once for each of its versions.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

from cryptography import x509

from vre_operator.api import names
from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import Invalid, NotFound
from vre_operator.engine.resources import Resource, ResourceId
from vre_operator.engine.target import READY, Observation, Presence, Promise, Readiness, State
from vre_operator.kube.client import SILENCE, Kube
from vre_operator.kube.reflector import Entry, Reflector
from vre_operator.kube.scope import CLUSTER, EVERYWHERE, Scope
from vre_operator.targets.kubernetes.manifest import CLAIM, GATEWAY, SECRET, decode

TenantKey = tuple[str, str]

_MISSING_SECONDS = 15.0
_UNINSTALLED_SECONDS = 60.0
_CERTIFICATE = "tls.crt"
# It takes its owner a while to get one.
_WARN = 14 * 86400.0
_CLASSES = {
    "storage.k8s.io/v1/StorageClass": Reason.STORAGE_CLASS_NOT_FOUND,
    "networking.k8s.io/v1/IngressClass": Reason.INGRESS_CLASS_NOT_FOUND,
}
# Ours are followed by the cache, and are nobody's to name.
_THEIRS = f"{names.MANAGED_BY_LABEL}!={names.FIELD_MANAGER}"


class _Known(NamedTuple):
    """What was read of one Secret. until: for how long that holds where no watch tells of it."""

    version: int
    keys: tuple[str, ...]
    seen: Observation
    until: float


class External:
    """Reads, with a memory. `run` the reflectors. `wake` is called with the tenants that named what changed."""

    def __init__(
        self,
        kube: Kube,
        wake: Callable[[TenantKey], None],
        silence: float = SILENCE,
        scope: Scope = CLUSTER,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._kube = kube
        self._wake = wake
        self._clock = clock
        self._now = now
        self._known: dict[ResourceId, _Known] = {}
        self._askers: defaultdict[tuple[str, str, str], set[TenantKey]] = defaultdict(set)
        self._followed = {
            kind: Reflector(
                kube,
                kind,
                namespaces=scope.secrets if kind == SECRET else EVERYWHERE,
                selector=_THEIRS if kind == SECRET else "",
                compact=lambda _: {},
                on_change=partial(self._changed, kind),
                silence=silence,
                whole=True,
                metadata_only=True,
                optional=kind == GATEWAY,
            )
            for kind in scope.seen((SECRET, GATEWAY, *_CLASSES))
        }

    def reflectors(self) -> Iterator[Reflector]:
        yield from self._followed.values()

    def observe(self, tenant: TenantKey, resource: Resource) -> Observation | Awaitable[Observation]:
        kind, namespace, name = resource.id.kind, resource.id.namespace, resource.id.name
        if kind == CLAIM:
            return self._claim(resource)
        if kind in (*_CLASSES, GATEWAY) and kind not in self._followed:
            # Out of our sight, and taken at its word: what it is for tells when it is wrong.
            return Observation(Presence.SYNCED)
        if kind not in self._followed:
            raise Invalid(f"{kind} is not among the kinds that this operator reads of others")
        self._askers[kind, namespace, name].add(tenant)
        entry = self._followed[kind].get(namespace, name)
        if kind in _CLASSES:
            return Observation(Presence.SYNCED) if entry else self._no_class(resource.id)
        if kind == GATEWAY:
            return Observation(Presence.SYNCED) if entry else self._no_gateway(resource.id)
        known = self._known.get(resource.id)
        if known and known.keys == resource.required_keys:
            holds = known.version == entry.version if entry else self._clock() < known.until
            if holds:
                return self._aged(resource, known.seen)
        return Promise(partial(self._read, resource))

    async def _read(self, resource: Resource) -> Observation:
        identity = resource.id
        version = 0
        try:
            obj = await self._kube.get(identity.kind, identity.namespace, identity.name)
        except NotFound:
            seen = Observation(Presence.ABSENT, _missing(resource))
        else:
            version = int(obj["metadata"]["resourceVersion"])
            seen = _content(resource, decode(obj.get("data")))
        if not seen.readiness.ready:
            seen = replace(seen, recheck_after=_MISSING_SECONDS)
        until = self._clock() + _MISSING_SECONDS
        self._known[identity] = _Known(version, resource.required_keys, seen, until)
        return self._aged(resource, seen)

    def _aged(self, resource: Resource, seen: Observation) -> Observation:
        """A certificate that ends soon, or has ended, still works as far as we can tell."""
        if not seen.expires or self._now() < seen.expires - _WARN:
            return seen
        verb = "ended" if self._now() >= seen.expires else "ends"
        ends = datetime.fromtimestamp(seen.expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        message = f"the certificate in {resource.id.short} {verb} at {ends}. Put a new one into the Secret"
        return replace(seen, readiness=Readiness(State.READY, Reason.CERTIFICATE_EXPIRES, message))

    def _claim(self, resource: Resource) -> Observation | Awaitable[Observation]:
        """No watch: it would bring the homes of all people of all tenants."""
        known = self._known.get(resource.id)
        return known.seen if known and self._clock() < known.until else Promise(partial(self._read, resource))

    def _no_class(self, identity: ResourceId) -> Observation:
        there = sorted(entry.name for entry in self._followed[identity.kind].within(""))
        message = (
            f"{identity.short} does not exist. This cluster has: {', '.join(there[:20]) or 'none'}."
            " Name one of these, or ask the cluster's admin"
        )
        reason = _CLASSES[identity.kind]
        return Observation(Presence.ABSENT, Readiness(State.FAILED, reason, message))

    def _no_gateway(self, identity: ResourceId) -> Observation:
        """Without the names of others: they are in namespaces that are not the tenant's."""
        if not self._followed[GATEWAY].installed:
            self._followed[GATEWAY].look()
            message = (
                f"this cluster has no {GATEWAY.rpartition('/')[0]}: its admin installs the Gateway API (1.2 or"
                " newer) and what serves it. Without a gateway in spec.exposure there is an Ingress"
            )
            failed = Readiness(State.FAILED, Reason.GATEWAY_API_NOT_INSTALLED, message)
            return Observation(Presence.ABSENT, failed, recheck_after=_UNINSTALLED_SECONDS)
        message = (
            f"{identity.short} does not exist in namespace {identity.namespace}. Name one that does: the site's"
            " admin knows which. kubectl get gateways -A"
        )
        return Observation(Presence.ABSENT, Readiness(State.FAILED, Reason.GATEWAY_NOT_FOUND, message))

    def _changed(self, kind: str, old: Entry | None, new: Entry | None) -> None:
        entry = new or old
        if entry is None:
            return
        if new is None:
            self._known = {one: kept for one, kept in self._known.items() if one[1:] != (kind, *_place(entry))}
        for tenant in self._askers.get((kind, *_place(entry)), ()):
            self._wake(tenant)


def _place(entry: Entry) -> tuple[str, str]:
    return (entry.namespace, entry.name)


def _content(resource: Resource, data: dict[str, str]) -> Observation:
    identity = resource.id
    lacking = [key for key in resource.required_keys if not data.get(key)]
    if not lacking:
        ends = _certificate_ends(data[_CERTIFICATE]) if _CERTIFICATE in resource.required_keys else None
        return Observation(Presence.SYNCED, READY, outputs=data, expires=ends)
    message = (
        f"{identity.short} in namespace {identity.namespace} lacks {', '.join(lacking)}."
        f" kubectl -n {identity.namespace} edit {identity.short.lower()}"
    )
    return Observation(Presence.DRIFTED, Readiness(State.FAILED, Reason.SECRET_KEY_MISSING, message))


def _certificate_ends(text: str) -> float | None:
    """Of the first certificate, in seconds since the epoch; None where there is none to be read."""
    try:
        return x509.load_pem_x509_certificate(text.encode()).not_valid_after_utc.timestamp()
    except ValueError:
        return None


def _missing(resource: Resource) -> Readiness:
    identity = resource.id
    if identity.kind == CLAIM:
        message = (
            f"{identity.short} does not exist in namespace {identity.namespace}; sessions start without it."
            " Name one that does, or have it made there"
        )
        return Readiness(State.FAILED, Reason.CLAIM_NOT_FOUND, message)
    literals = " ".join(f"--from-literal={key}=..." for key in resource.required_keys)
    message = (
        f"{identity.short} does not exist in namespace {identity.namespace}."
        f" kubectl -n {identity.namespace} create secret generic {identity.name} {literals}".rstrip()
    )
    return Readiness(State.FAILED, Reason.SECRET_NOT_FOUND, message)
