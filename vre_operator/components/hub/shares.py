"""Volumes of sessions: what is made for them, and the list of those beside the home, which the hub reads.

The list is read at every spawn, so a change of it restarts nothing. The hub leaves out what does not exist: one
share that is gone must not keep everybody from working. Sources: contracts/jupyterhub.md section 5.
"""

from __future__ import annotations

from collections.abc import Iterable

from vre_operator.api.shares import Share, ShareVolume
from vre_operator.components import claims, ids, workloads
from vre_operator.components.context import Environment, kube
from vre_operator.components.package import json_file
from vre_operator.engine.resources import Resource, ResourceId

COMPONENT = "notebooks"


def render(env: Environment) -> Iterable[Resource]:
    """The claims, also while there are no notebooks: they hold data."""
    homes, common = env.spec.storage.homes, ids.homes(env)
    if common and homes.volume:
        yield _kept(env, common, homes.volume, "spec.storage.homes.volume")
    elif common:
        yield workloads.external(COMPONENT, common, "spec.storage.homes.claim")
    for index, share in enumerate(env.spec.storage.shares):
        origin = f"spec.storage.shares[{index}]"
        if share.claim:
            yield workloads.external(COMPONENT, _claim(env, share), f"{origin}.claim")
        elif share.cvmfs:
            needs = {ids.notebooks_namespace(env)}
            yield claims.cvmfs(COMPONENT, _claim(env, share), share.cvmfs, needs, origin)
        elif share.volume:
            yield _kept(env, _claim(env, share), share.volume, origin)


def as_json(env: Environment) -> str:
    """shares.json: what a session may have, and who."""
    return json_file(
        [
            {
                "name": share.name,
                "path": share.path,
                "claim": _claim(env, share).name,
                "readOnly": share.read_only or share.cvmfs is not None,
                "groups": list(share.allowed_groups),
                "writers": list(share.writers),
                # What the driver mounts later has to appear in a session that runs.
                "propagation": "HostToContainer" if share.cvmfs else None,
            }
            for share in env.spec.storage.shares
        ]
    )


def _claim(env: Environment, share: Share) -> ResourceId:
    name = share.claim.name if share.claim else f"share-{share.name}"
    return kube("v1/PersistentVolumeClaim", env.notebooks, name)


def _kept(env: Environment, claim: ResourceId, wish: ShareVolume, origin: str) -> Resource:
    return claims.claim(
        COMPONENT,
        claim,
        wish.size,
        mode=wish.access_mode.value,
        storage_class=wish.storage_class,
        needs={ids.notebooks_namespace(env)},
        origin=origin,
    )
