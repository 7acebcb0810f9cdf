"""What a tenant of the bench wants, and the objects that this leads to: rendered by the product itself.

The engine walks the plan before a target that writes everything down, so contenders get what the operator
would send, to the byte but for what only a cluster gives (uids) and what is random (generated values).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vre_operator.api import names
from vre_operator.api.site import Site
from vre_operator.api.validate import load
from vre_operator.components import registry
from vre_operator.components.context import Environment
from vre_operator.engine.executor import Walk
from vre_operator.engine.plan import Plan, make_plan
from vre_operator.engine.resources import KUBERNETES, OIDC, RUCIO, Policy, ResourceId, Tenant
from vre_operator.engine.target import Desired, Observation, Presence, Voucher
from vre_operator.targets.kubernetes.manifest import SECRET, VIRTUAL, manifest

Json = dict[str, Any]
Key = tuple[str, str, str]
"""Kind (`apiVersion/Kind`), namespace and name."""

CREDENTIALS = "login-client"
CLIENT = {"client_id": "bench", "client_secret": "bench-secret"}
NAME = "vre"
_NOWHERE = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class Step:
    """One object. level: 0 for what needs nothing."""

    level: int
    key: Key
    object: Json


@dataclass(frozen=True, slots=True)
class Rendered:
    """A tenant's wish and all of its objects, by level. needs: of the plan, without those on the provider."""

    namespace: str
    wish: Json
    steps: tuple[Step, ...]
    needs: Mapping[Key, frozenset[Key]]

    @property
    def namespaces(self) -> tuple[str, str, str]:
        return (self.namespace, f"{self.namespace}-notebooks", f"{self.namespace}-workflows")

    @property
    def keys(self) -> frozenset[Key]:
        return frozenset(step.key for step in self.steps)


def wish(namespace: str, identity: Mapping[str, Any], **spec: Any) -> Json:
    """A VREEnvironment with notebooks and a data lake."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": {
            "hostname": f"{namespace}.example.org",
            "identity": dict(identity),
            # With a CronJob and a DaemonSet: there are objects of every kind.
            "dataLake": {"enabled": True, "history": {"keepDays": 365}},
            "catalogue": {"entries": [{"name": "base", "image": "example.org/base:1", "prePull": True}]},
            **spec,
        },
    }


def manual(issuer: str) -> Json:
    """Identity without a call to the provider that changes anything there."""
    return {
        "issuer": issuer,
        "provider": "manual",
        "credentialsSecret": {"name": CREDENTIALS},
        "allowAll": True,
    }


def credentials(namespace: str) -> Json:
    """The Secret that a person makes."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": CREDENTIALS, "namespace": namespace},
        "stringData": CLIENT,
    }


def render(tenant: Json, site: Site) -> Rendered:
    """Everything that the operator would apply for it."""
    namespace = tenant["metadata"]["namespace"]
    who = Tenant(namespace, tenant["metadata"]["name"], _NOWHERE, _NOWHERE)
    plan = make_plan(registry.render(Environment(who, load(tenant), site)))
    recorder = _Recorder(who)
    asyncio.run(Walk(who, plan, {KUBERNETES: recorder, OIDC: recorder, RUCIO: recorder}).run())
    steps = [
        Step(plan.levels[resource], _key(resource), recorder.made[resource])
        for resource in plan.levels
        if resource in recorder.made
    ]
    return Rendered(namespace, tenant, tuple(sorted(steps, key=lambda it: (it.level, it.key))), _needs(plan))


def write_lines(folder: Path, rendered: Iterable[Rendered]) -> None:
    """A file NAMESPACE.jsonl for each tenant: a line {"level", "object"} for each object."""
    folder.mkdir(parents=True, exist_ok=True)
    for tenant in rendered:
        lines = (json.dumps({"level": step.level, "object": step.object}) for step in tenant.steps)
        (folder / f"{tenant.namespace}.jsonl").write_text("\n".join(lines) + "\n")


@dataclass
class _Recorder:
    """A target in which nothing stands and everything is ready at once."""

    tenant: Tenant
    made: dict[ResourceId, Json] = field(default_factory=dict)
    name: str = ""

    def observe(self, tenant: Tenant, desired: Desired) -> Observation:
        if desired.resource.policy is not Policy.EXTERNAL:
            return Observation(Presence.ABSENT)
        outputs = {key: CLIENT.get(key, key) for key in desired.resource.required_keys}
        if desired.id.target == OIDC:
            outputs = discovery(desired.body["issuer"])
        return Observation(Presence.SYNCED, outputs=outputs)

    def vouch(self, tenant: Tenant, resources: Sequence[ResourceId], *, walked: bool) -> Voucher | None:
        raise NotImplementedError

    async def apply(self, tenant: Tenant, desired: Desired) -> Observation:
        if desired.id.target == OIDC:
            return Observation(Presence.SYNCED, outputs=CLIENT)
        if desired.id.kind in VIRTUAL:
            return Observation(Presence.SYNCED)
        made = manifest(tenant, desired)
        generated = {key: _value(desired.id, key) for key in desired.resource.generate}
        if generated:
            encoded = {key: base64.b64encode(value.encode()).decode() for key, value in generated.items()}
            made = {**made, "data": {**made.get("data", {}), **encoded}}
        self.made[desired.id] = made
        stated = desired.body.get("stringData" if desired.id.kind == SECRET else "data") or {}
        return Observation(Presence.SYNCED, outputs={**_texts(stated), **generated})

    async def delete(self, tenant: Tenant, resource: ResourceId, policy: Policy, data: bool) -> bool:
        raise NotImplementedError


def discovery(issuer: str) -> dict[str, str]:
    """What the bench's provider says of itself."""
    paths = ("authorization", "token", "userinfo", "registration", "end_session")
    return {
        "issuer": issuer,
        "jwks_uri": f"{issuer}/jwks",
        **{f"{path}_endpoint": f"{issuer}/{path}" for path in paths},
    }


def _texts(stated: Any) -> dict[str, str]:
    return {key: str(value) for key, value in stated.items()} if isinstance(stated, Mapping) else {}


def _value(resource: ResourceId, key: str) -> str:
    return hashlib.sha256(f"{resource} {key}".encode()).hexdigest()[:48]


def _key(resource: ResourceId) -> Key:
    return (resource.kind, resource.namespace, resource.name)


def _needs(plan: Plan) -> dict[Key, frozenset[Key]]:
    return {
        _key(resource): frozenset(_key(need) for need in needs if need.target == KUBERNETES)
        for resource, needs in plan.needs.items()
        if resource.target == KUBERNETES
    }
