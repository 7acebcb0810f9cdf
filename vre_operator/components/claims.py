"""Volumes: one way to ask for them."""

from __future__ import annotations

from collections.abc import Iterable

from vre_operator.api.shares import Cvmfs
from vre_operator.components import ids, quantity
from vre_operator.engine.resources import Policy, Resource, ResourceId


def cvmfs(
    component: str, identity: ResourceId, wish: Cvmfs, needs: Iterable[ResourceId], origin: str
) -> Resource:
    """The software of CVMFS. Nothing of it is on that volume, whose size the driver ignores."""
    return claim(
        component,
        identity,
        "1",
        mode="ReadOnlyMany",
        storage_class=wish.storage_class,
        policy=Policy.DELETE,
        needs=needs,
        origin=origin,
    )


def claim(
    component: str,
    identity: ResourceId,
    size: str,
    *,
    mode: str = "ReadWriteOnce",
    storage_class: str | None = None,
    policy: Policy = Policy.RETAIN,
    needs: Iterable[ResourceId] = (),
    origin: str = "",
) -> Resource:
    """A PersistentVolumeClaim, of the cluster's default class when none is named. It waits for its class, and
    whoever mounts it for the same: most classes bind a claim only when a pod wants it."""
    spec: dict[str, object] = {
        "accessModes": [mode],
        "resources": {"requests": {"storage": quantity.size(size)}},
    }
    if storage_class:
        spec["storageClassName"] = storage_class
    return Resource(
        id=identity,
        component=component,
        body={"spec": spec},
        needs=frozenset(needs) | ({ids.storage_class(storage_class)} if storage_class else set()),
        policy=policy,
        origin=origin,
    )
