"""What somebody spoils, and how long it stays so: of each kind, deleted, edited, and robbed of its labels."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.scale import compare
from tests.scale.rig import Rig
from tests.scale.tenants import Json, Key, Rendered
from tests.scale.witness import Sight, Witness
from vre_operator.api import names
from vre_operator.engine.errors import TargetError
from vre_operator.kube.client import Kube
from vre_operator.targets.kubernetes.cache import FOLLOWED

DELETED, EDITED, STRIPPED = "deleted", "edited", "label stripped"
_OWNERS = (
    names.MANAGED_BY_LABEL,
    names.TENANT_NAMESPACE_LABEL,
    names.TENANT_NAME_LABEL,
    names.TENANT_UID_LABEL,
)
_ANY_KEY = "*"
"""In a path: the object's first key there."""

# A field that the operator means to own: path and what a person writes there.
_EDITS: Mapping[str, tuple[str, Any]] = {
    "v1/Namespace": ("/metadata/labels/pod-security.kubernetes.io~1enforce", "privileged"),
    "v1/Secret": (f"/data/{_ANY_KEY}", "c3BvaWxlZA=="),
    "v1/ConfigMap": (f"/data/{_ANY_KEY}", "spoiled"),
    "v1/Service": ("/spec/selector", {"spoiled": "yes"}),
    "v1/ServiceAccount": ("/automountServiceAccountToken", True),
    # Nothing in a claim's spec can be edited.
    "v1/PersistentVolumeClaim": ("/metadata/labels/app.kubernetes.io~1component", "spoiled"),
    "v1/ResourceQuota": ("/spec/hard/pods", "1"),
    "v1/LimitRange": ("/spec/limits", []),
    "apps/v1/Deployment": ("/spec/replicas", 3),
    "apps/v1/StatefulSet": ("/spec/replicas", 3),
    "apps/v1/DaemonSet": ("/spec/template/spec/terminationGracePeriodSeconds", 7),
    "batch/v1/Job": ("/spec/backoffLimit", 7),
    "batch/v1/CronJob": ("/spec/schedule", "1 1 1 1 1"),
    "networking.k8s.io/v1/NetworkPolicy": ("/spec/podSelector", {"matchLabels": {"spoiled": "yes"}}),
    "networking.k8s.io/v1/Ingress": ("/spec/ingressClassName", "spoiled"),
    "rbac.authorization.k8s.io/v1/Role": ("/rules", []),
    "rbac.authorization.k8s.io/v1/RoleBinding": ("/subjects", []),
}
# Of most kinds the first by name; not of these. A Secret with generated values would change others in its wake.
_CHOSEN = {"v1/Secret": "rucio-config", "batch/v1/Job": "image-check", "v1/Service": "rucio"}


@dataclass(frozen=True, slots=True)
class Spoil:
    """One deed. at: the moment before it, on the machine's monotonic clock."""

    key: Key
    how: str
    at: float

    @property
    def kind(self) -> str:
        return self.key[0].rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Repair:
    """seconds: from the witness's sight of the deed to its sight of the repair; None: it saw none in time."""

    spoil: Spoil
    seconds: float | None


def deeds() -> Iterator[tuple[str, str]]:
    """Every kind with every way. A namespace is not deleted: what is in it would go with it."""
    for kind in FOLLOWED:
        for how in (DELETED, EDITED, STRIPPED):
            if (kind, how) != ("v1/Namespace", DELETED):
                yield kind, how


def subject(tenant: Rendered, kind: str) -> tuple[Key, Json]:
    """The object of a kind that is spoiled in every tenant."""
    found = [
        step
        for step in tenant.steps
        if step.key[0] == kind
        and step.key[2].startswith(_CHOSEN.get(kind, ""))
        and step.key != ("v1/Namespace", "", tenant.namespace)
    ]
    first = min(found, key=lambda step: step.key)
    return first.key, first.object


async def spoil(kube: Kube, key: Key, how: str, obj: Json) -> Spoil:
    """Do it as a person would."""
    kind, namespace, name = key
    at = time.monotonic()
    if how == DELETED:
        await kube.delete(kind, namespace, name)
    elif how == EDITED:
        path, value = _EDITS[kind]
        if path.endswith(_ANY_KEY):
            path = path.removesuffix(_ANY_KEY) + min(obj["data"]).replace("~", "~0").replace("/", "~1")
        await kube.patch_json(kind, namespace, name, [{"op": "replace", "path": path, "value": value}])
    else:
        paths = [f"/metadata/labels/{label.replace('/', '~1')}" for label in _OWNERS]
        await kube.patch_json(kind, namespace, name, [{"op": "remove", "path": path} for path in paths])
    return Spoil(key, how, at)


def one_by_one(world: Rig, tenant: Rendered, times: int, limit: float = 20) -> list[Repair]:
    """Each deed when the one before is repaired and the tenant is quiet again."""
    repairs = []
    for _ in range(times):
        for kind, how in deeds():
            key, obj = subject(tenant, kind)
            done = world.api(partial(spoil, key=key, how=how, obj=obj))
            seconds = _await(world.witness, done, limit)
            repairs.append(Repair(done, seconds))
            world.witness.quiet(0.15)
    return repairs


Beside = Callable[[Kube], Coroutine[Any, Any, None]]


def at_a_rate(
    world: Rig,
    group: Sequence[Rendered],
    *,
    rate: float,
    count: int,
    seed: int,
    limit: float = 30,
    beside: Beside | None = None,
) -> list[Repair]:
    """`count` deeds, `rate` a second, on tenants drawn at random; no object twice, so there may be fewer.

    beside: what goes on meanwhile, ended with the last deed.
    """
    draw = random.Random(seed)  # noqa: S311 no secret
    ways = {kind: [how for of, how in deeds() if of == kind] for kind in FOLLOWED}
    everything = [(tenant, kind) for tenant in group for kind in ways]
    chosen = draw.sample(everything, min(count, len(everything)))
    pairs = [(tenant, kind, draw.choice(ways[kind])) for tenant, kind in chosen]

    async def work(kube: Kube) -> list[Spoil]:
        meanwhile = asyncio.create_task(beside(kube)) if beside else None
        began = time.monotonic()
        tasks = []
        for number, (tenant, kind, how) in enumerate(pairs):
            await asyncio.sleep(began + number / rate - time.monotonic())
            key, obj = subject(tenant, kind)
            tasks.append(asyncio.create_task(spoil(kube, key, how, obj)))
        done = await asyncio.gather(*tasks)
        if meanwhile:
            meanwhile.cancel()
            with suppress(asyncio.CancelledError):
                await meanwhile
        return done

    done = world.api(work)
    deadline = time.monotonic() + limit
    return [Repair(it, _await(world.witness, it, max(0.0, deadline - time.monotonic()))) for it in done]


def unequal(world: Rig, repairs: Sequence[Repair], before: Mapping[Key, Json]) -> list[str]:
    """Which of the spoiled objects are not as they were; `before` is compare.standing's."""

    async def work(kube: Kube) -> list[str]:
        wrong = []
        for key in {repair.spoil.key for repair in repairs}:
            try:
                now = compare.normal(await kube.get(*key))
            except TargetError as error:
                wrong.append(f"{key}: {error.text}")
            else:
                wrong += compare.differences({key: before[key]}, {key: now})
        return wrong

    return world.api(work)


def _await(seen: Witness, done: Spoil, limit: float) -> float | None:
    deadline = time.monotonic() + limit
    while True:
        seen.look()
        if (seconds := repaired(seen.by_key.get(done.key, []), done)) is not None:
            return seconds
        if time.monotonic() > deadline:
            return None
        time.sleep(0.01)


def repaired(sights: Sequence[Sight], done: Spoil) -> float | None:
    """From the sight of the deed to that of the repair, if both are there."""
    after = [sight for sight in sights if sight.at >= done.at]
    before = [sight for sight in sights if sight.at < done.at]
    if done.how == DELETED:
        gone = next((sight for sight in after if sight.type == "DELETED"), None)
        again = gone and next((it for it in after if it.at >= gone.at and it.type == "ADDED"), None)
        return again.at - gone.at if gone and again else None
    if not after:
        return None
    deed, *rest = after
    generation = before[-1].generation if before else 0
    if deed.generation > generation:
        # In between a workload's status follows the deed: that is no repair.
        rest = [sight for sight in rest if sight.generation > deed.generation]
    return rest[0].at - deed.at if rest else None
