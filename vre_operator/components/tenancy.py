"""The walls: the tenant's three namespaces, each labelled, bounded by quota and closed by default.

The tenant's own namespace holds the services. User pods live in `-notebooks` and workflow pods in
`-workflows`, because whoever can create pods in a namespace can read all of its Secrets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from vre_operator.api.notebooks import NotebookResources
from vre_operator.api.rules import quantity as in_bytes
from vre_operator.components import ids, policies, quantity, workloads
from vre_operator.components.context import Environment, kube
from vre_operator.engine.resources import Policy, Resource, ResourceId

COMPONENT = "tenancy"


def render(env: Environment) -> Iterable[Resource]:
    """Everything that must stand before the first pod."""
    # The services' namespace enforces no more than `baseline`: the official Rucio image starts as root. Without
    # it everything of ours would pass `restricted`, so whatever else comes is at least warned of.
    advice = "baseline" if ids.own_lake(env) else "restricted"
    yield _namespace(ids.tenant_namespace(env), "baseline", advice, Policy.RELEASE)
    # Deleted with the tenant, but never with homes in it: the target keeps a namespace that holds claims.
    yield _namespace(ids.notebooks_namespace(env), "restricted", "restricted", Policy.DELETE)
    # REANA's images start as root, and so does the part of it that is beside each workflow's engine.
    workflows = "baseline" if env.spec.workflows.enabled else "restricted"
    yield _namespace(ids.workflows_namespace(env), workflows, workflows, Policy.DELETE)

    yield from _bounds(env, env.namespace, _services_quota(env), SERVICES_LIMITS)
    yield from _bounds(env, env.notebooks, *_notebook_bounds(env))
    yield from _bounds(env, env.tenant.workflows_namespace, WORKFLOWS_QUOTA, WORKFLOWS_LIMITS)

    for namespace in (env.namespace, env.notebooks, env.tenant.workflows_namespace):
        yield from _closed(env, namespace)
        if env.site.ca_bundle:
            yield Resource(
                id=ids.ca_bundle(env, namespace),
                component=COMPONENT,
                body={"data": {"ca.crt": env.site.ca_bundle}},
                needs=frozenset({kube("v1/Namespace", "", namespace)}),
            )

    yield from _storage_classes(env)
    if env.spec.notebooks.enabled:
        yield Resource(
            id=ids.sessions(env),
            component=COMPONENT,
            body={"selector": ids.SESSION_LABELS, "running": not env.spec.suspend},
            # Sessions end before their walls fall.
            needs=frozenset({ids.notebooks_namespace(env), ids.default_deny(env, env.notebooks)}),
        )


def _namespace(identity: ResourceId, level: str, advice: str, policy: Policy) -> Resource:
    prefix = "pod-security.kubernetes.io"
    labels = {f"{prefix}/enforce": level, f"{prefix}/warn": advice, f"{prefix}/audit": advice}
    return Resource(id=identity, component=COMPONENT, body={"metadata": {"labels": labels}}, policy=policy)


# --- bounds -------------------------------------------------------------------------------------------------

# Objects only: what the services use is set on each of them. High enough never to be met in good faith.
SERVICES_QUOTA: Mapping[str, str] = {
    "pods": "100",
    "persistentvolumeclaims": "50",
    "services": "100",
    "secrets": "500",
    "configmaps": "500",
    "count/jobs.batch": "200",
}
# With a pod on each node for each image that is to be there.
PODS_ON_NODES = "10k"
WORKFLOWS_QUOTA: Mapping[str, str] = {
    "pods": "200",
    "persistentvolumeclaims": "100",
    "secrets": "500",
    "configmaps": "500",
    "count/jobs.batch": "500",
    "services.loadbalancers": "0",
    "services.nodeports": "0",
}

# What a container gets that states nothing, so that no batch pod is refused for being silent.
Limits = tuple[Mapping[str, str], Mapping[str, str]]  # (requests, limits)
SERVICES_LIMITS: Limits = ({"cpu": "50m", "memory": "128Mi"}, {"cpu": "1", "memory": "1Gi"})
WORKFLOWS_LIMITS: Limits = ({"cpu": "100m", "memory": "256Mi"}, {"cpu": "1", "memory": "2Gi"})


def _services_quota(env: Environment) -> Mapping[str, str]:
    on_nodes = any(entry.pre_pull for entry in env.spec.catalogue.entries)
    return {**SERVICES_QUOTA, "pods": PODS_ON_NODES} if on_nodes else SERVICES_QUOTA


def _notebook_bounds(env: Environment) -> tuple[Mapping[str, str], Limits]:
    """Room for the sessions that may run at once, a tenth more because a pod counts until it is really gone,
    and a few for checks of images."""
    sessions = env.spec.notebooks.max_sessions
    pods = sessions + sessions // 10 + 4
    beside, largest = _beside(env), _largest(env)
    cpu, memory = _requests(largest)
    quota = {
        "pods": quantity.number(pods),
        "requests.cpu": quantity.number((cpu + beside.cpu[0]) * pods),
        "requests.memory": quantity.total(pods, memory, beside.memory[0]),
        "limits.cpu": quantity.number((largest.cpu_limit + beside.cpu[1]) * pods),
        "limits.memory": quantity.total(pods, largest.memory_limit, beside.memory[1]),
        "persistentvolumeclaims": "20k",
        "secrets": "100",
        "configmaps": "100",
        "services": "10",
        "services.loadbalancers": "0",
        "services.nodeports": "0",
    }
    silent = env.spec.notebooks.resources
    cpu, memory = _requests(silent)
    requests = {"cpu": quantity.number(cpu), "memory": quantity.size(memory)}
    limits = {"cpu": quantity.number(silent.cpu_limit), "memory": quantity.size(silent.memory_limit)}
    return quota, (requests, limits)


def _requests(notebook: NotebookResources) -> tuple[float, str]:
    """CPU and memory. KubeSpawner leaves a guarantee of zero out, and a pod without a request is taken to
    request its limit."""
    cpu = notebook.cpu_guarantee or notebook.cpu_limit
    no_guarantee = quantity.is_zero(notebook.memory_guarantee)
    return cpu, notebook.memory_limit if no_guarantee else notebook.memory_guarantee


def _largest(env: Environment) -> NotebookResources:
    """Of each the most that a session of the catalogue takes."""
    sizes = [env.spec.notebooks.resources]
    sizes += [entry.resources for entry, _ in ids.entries(env) if entry.resources]
    asked = [_requests(size) for size in sizes]
    return NotebookResources(
        cpu_guarantee=max(cpu for cpu, _ in asked),
        cpu_limit=max(size.cpu_limit for size in sizes),
        memory_guarantee=max((memory for _, memory in asked), key=in_bytes),
        memory_limit=max((size.memory_limit for size in sizes), key=in_bytes),
    )


@dataclass(frozen=True, slots=True)
class _Beside:
    """What a session's pod takes beside the notebook: CPU and memory, (request, limit)."""

    cpu: tuple[float, float] = (0.0, 0.0)
    memory: tuple[str, str] = ("0", "0")


def _beside(env: Environment) -> _Beside:
    return _Beside(ids.TOKENS_CPU, ids.TOKENS_MEMORY) if ids.tokens_wanted(env) else _Beside()


def _bounds(env: Environment, namespace: str, quota: Mapping[str, str], limits: Limits) -> Iterator[Resource]:
    needs = frozenset({kube("v1/Namespace", "", namespace)})
    origin = "spec.notebooks" if namespace == env.notebooks else ""
    yield Resource(
        id=kube("v1/ResourceQuota", namespace, "vre"),
        component=COMPONENT,
        body={"spec": {"hard": dict(quota)}},
        needs=needs,
        origin=origin,
    )
    requested, limited = limits
    defaults = {"type": "Container", "defaultRequest": dict(requested), "default": dict(limited)}
    yield Resource(
        id=kube("v1/LimitRange", namespace, "vre"),
        component=COMPONENT,
        body={"spec": {"limits": [defaults]}},
        needs=needs,
        origin=origin,
    )


# --- walls --------------------------------------------------------------------------------------------------


def _closed(env: Environment, namespace: str) -> Iterator[Resource]:
    """Nothing in, nothing out but names; the components open their own flows."""
    yield Resource(
        id=ids.default_deny(env, namespace),
        component=COMPONENT,
        body={"spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}},
        needs=frozenset({kube("v1/Namespace", "", namespace)}),
    )
    yield policies.policy(env, COMPONENT, "allow-dns", selects={}, egress=[policies.dns()], namespace=namespace)


def _storage_classes(env: Environment) -> Iterator[Resource]:
    """The classes that the spec names, each once although several volumes may share one."""
    named: dict[str, str] = {}
    homes = env.spec.storage.homes
    if env.spec.notebooks.enabled and homes.storage_class:
        named[homes.storage_class] = "spec.storage.homes.storageClass"
    if homes.volume and homes.volume.storage_class:
        named.setdefault(homes.volume.storage_class, "spec.storage.homes.volume.storageClass")
    if (embedded := ids.embedded_database(env)) and embedded.storage_class:
        named.setdefault(embedded.storage_class, "spec.database.embedded.storageClass")
    for index, share in enumerate(env.spec.storage.shares):
        where = f"spec.storage.shares[{index}]"
        if share.volume and share.volume.storage_class:
            named.setdefault(share.volume.storage_class, f"{where}.volume.storageClass")
        if share.cvmfs:
            named.setdefault(share.cvmfs.storage_class, f"{where}.cvmfs.storageClass")
    if env.spec.workflows.enabled and env.spec.workflows.volume.storage_class:
        named.setdefault(env.spec.workflows.volume.storage_class, "spec.workflows.volume.storageClass")
    lake = env.spec.data_lake
    for index, one in enumerate(lake.storage if lake.enabled else ()):
        if one.storage_class:
            named.setdefault(one.storage_class, f"spec.dataLake.storage[{index}].storageClass")
    for name, origin in named.items():
        yield workloads.external(COMPONENT, ids.storage_class(name), origin)
