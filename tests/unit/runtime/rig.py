"""A tenant's passes, with the engine's in-memory world and a small plan in place of the components."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from tests.unit.engine.world import World, res
from vre_operator.api.site import Site
from vre_operator.components.context import Environment
from vre_operator.engine.errors import NotFound
from vre_operator.engine.resources import Policy, Resource
from vre_operator.runtime.backoff import Backoff
from vre_operator.runtime.publish import Publisher
from vre_operator.runtime.reconcile import Reconciler, guarded
from vre_operator.runtime.seal import Sealer
from vre_operator.runtime.tenants import Tenants

KEY = ("atlas", "vre")
PLAN = [
    res("ns", component="tenancy"),
    res("volume", "ns", component="database", policy=Policy.RETAIN),
    res("db", "volume", component="database"),
    res("hub", "db"),
]


@dataclass
class Cluster:
    """The API server's side of a VREEnvironment: what is applied to it is seen by the next pass."""

    tenants: Tenants
    obj: dict[str, Any]
    writes: list[str] = field(default_factory=list)
    events: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    fault: Callable[[str], None] = lambda _: None

    async def apply(self, obj: Mapping[str, Any], *, subresource: str = "") -> dict[str, Any]:
        if self.tenants.get(KEY) is None:
            raise NotFound("gone")
        what = subresource or f"finalizers={obj['metadata'].get('finalizers', [])}"
        self.fault(f"before {what}")
        self.writes.append(what)
        self.obj = deepcopy(self.obj)
        if subresource:
            self.obj["status"] = deepcopy(obj["status"])
        else:
            self.obj["metadata"]["finalizers"] = list(obj["metadata"].get("finalizers", []))
        self.tenants.put(self.obj)
        if "deletionTimestamp" in self.obj["metadata"] and not self.obj["metadata"]["finalizers"]:
            self.tenants.drop(KEY)
        self.fault(f"after {what}")
        return self.obj

    async def post(self, obj: Mapping[str, Any], *, warning: bool, reason: str, message: str) -> None:
        self.events.append((reason, message))
        self.warnings += [reason] * warning

    @property
    def ready(self) -> dict[str, Any]:
        return next(item for item in self.obj["status"]["conditions"] if item["type"] == "Ready")


@dataclass
class Rig:
    world: World
    cluster: Cluster
    tenants: Tenants
    plan: list[Resource]
    reconciler: Reconciler = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def older(self, namespace: str, hostname: str) -> dict[str, Any]:
        """Another tenant like this one, that came before it."""
        other = deepcopy(self.cluster.obj)
        made = {"creationTimestamp": "2020-01-01T00:00:00Z"}
        other["metadata"] |= {"namespace": namespace, "uid": f"uid-{namespace}", **made}
        other["spec"]["hostname"] = hostname
        self.change(creationTimestamp="2021-01-01T00:00:00Z")
        self.tenants.put(other)
        return other

    def restart(self, *, build: str = "0", key: bytes = b"k" * 32, quiet: float = 0) -> None:
        """A new process: nothing of the old one's memory."""
        self.reconciler = Reconciler(
            tenants=self.tenants,
            targets={self.world.name: self.world},
            publisher=Publisher(
                self.cluster, self.cluster, self.tenants, lambda: "2026-01-01T00:00:00Z", quiet=quiet
            ),
            sealer=Sealer(key, Site(), build),
            cluster_id="c",
            backoff=Backoff(seed=1),
            render=self.render,
        )

    def render(self, env: Environment) -> list[Resource]:
        return self.plan

    async def run(self) -> float | None:
        return await guarded(self.reconciler, KEY)

    def change(self, **metadata: Any) -> None:
        self.cluster.obj = deepcopy(self.cluster.obj)
        self.cluster.obj["metadata"].update(metadata)
        self.tenants.put(self.cluster.obj)

    def inventory(self) -> list[str]:
        return [item.rsplit(":")[-1] for item in self.cluster.obj["status"]["inventory"]]


def make_rig(**spec: Any) -> Rig:
    tenants = Tenants()
    obj = {
        "metadata": {"namespace": "atlas", "name": "vre", "uid": "u1", "generation": 1},
        "spec": {
            "hostname": "vre.example.org",
            "identity": {"issuer": "https://idp.example.org", "provider": "generic-dcr", "allowAll": True},
            **spec,
        },
    }
    tenants.put(obj)
    return Rig(World(), Cluster(tenants, obj), tenants, list(PLAN))
