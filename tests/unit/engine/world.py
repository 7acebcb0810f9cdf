"""An in-memory target for tests of the engine: real semantics, and a fault before or after any call.

It stands beside the real targets for fault injection; tests/cluster and tests/e2e run the real ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from vre_operator.engine.refs import digest
from vre_operator.engine.resources import Policy, Resource, ResourceId, Tenant
from vre_operator.engine.target import READY, Desired, Observation, Presence, Readiness, Voucher

TENANT = Tenant("atlas", "vre", "uid-1", "cluster-1")


class Killed(BaseException):
    """The process dies here."""


@dataclass
class World:
    """name -> digest of what stands there; `log` counts what was done.

    unseen: changed since it was looked at. outsider: how often others changed what is theirs. left: what each
    deletion was told of targets that hold nothing that is wanted.
    """

    name: str = "kubernetes"
    stands: dict[ResourceId, str] = field(default_factory=dict)
    foreign: set[ResourceId] = field(default_factory=set)
    readiness: dict[ResourceId, Readiness] = field(default_factory=dict)
    outputs: dict[ResourceId, dict[str, str]] = field(default_factory=dict)
    rechecks: dict[ResourceId, float] = field(default_factory=dict)
    ends: dict[ResourceId, float] = field(default_factory=dict)
    unseen: set[ResourceId] = field(default_factory=set)
    outsider: int = 0
    slow_to_go: set[ResourceId] = field(default_factory=set)
    left: list[frozenset[str]] = field(default_factory=list)
    log: list[tuple[str, ResourceId]] = field(default_factory=list)
    fault: Callable[[str, ResourceId], None] = lambda verb, resource: None

    async def observe(self, tenant: Tenant, desired: Desired) -> Observation:
        self.fault("observe", desired.id)
        if desired.id in self.foreign:
            return Observation(Presence.FOREIGN, detail="belongs to somebody else")
        standing = self.stands.get(desired.id)
        if standing is None and desired.resource.policy is not Policy.EXTERNAL:
            return Observation(Presence.ABSENT)
        presence = Presence.SYNCED if standing == desired.digest else Presence.DRIFTED
        return self._seen(desired.id, presence)

    def vouch(self, tenant: Tenant, resources: Sequence[ResourceId], *, walked: bool) -> Voucher | None:
        if any(one not in self.stands or not self.readiness.get(one, READY).ready for one in resources):
            return None
        if walked and self.unseen.intersection(resources):
            return None
        return Voucher(digest([self.outsider, *(self.stands[one] for one in resources)]))

    async def apply(self, tenant: Tenant, desired: Desired) -> Observation:
        self.fault("before apply", desired.id)
        self.log.append(("apply", desired.id))
        self.stands[desired.id] = desired.digest
        self.fault("after apply", desired.id)
        return self._seen(desired.id, Presence.SYNCED)

    async def delete(self, tenant: Tenant, resource: ResourceId, policy: Policy, data: bool) -> bool:
        self.fault("before delete", resource)
        self.left.append(tenant.left)
        if resource in self.stands:
            self.log.append(("delete", resource))
        if resource in self.slow_to_go:
            self.slow_to_go.discard(resource)
            return False
        self.stands.pop(resource, None)
        self.fault("after delete", resource)
        return True

    def applied(self) -> list[str]:
        return [resource.name for verb, resource in self.log if verb == "apply"]

    def deleted(self) -> list[str]:
        return [resource.name for verb, resource in self.log if verb == "delete"]

    def _seen(self, resource: ResourceId, presence: Presence) -> Observation:
        return Observation(
            presence,
            self.readiness.get(resource, READY),
            self.outputs.get(resource, {}),
            "digest",
            self.rechecks.get(resource),
            self.ends.get(resource),
        )


def rid(name: str) -> ResourceId:
    return ResourceId("kubernetes", "v1/ConfigMap", "atlas", name)


def res(
    name: str, *needs: str, policy: Policy = Policy.DELETE, component: str = "hub", **body: object
) -> Resource:
    return Resource(rid(name), component, body, frozenset(map(rid, needs)), policy)
