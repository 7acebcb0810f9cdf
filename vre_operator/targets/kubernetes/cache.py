"""What we know of the cluster without asking: a reflector for each kind that a plan may hold, and the pods."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from vre_operator.api import names
from vre_operator.engine.errors import Unavailable
from vre_operator.engine.pods import compact, diagnose, last_end
from vre_operator.engine.resources import ResourceId, Tenant
from vre_operator.engine.target import READY, Readiness
from vre_operator.kube.client import SILENCE, Kube
from vre_operator.kube.reflector import Entry, Reflector
from vre_operator.kube.scope import CLUSTER, Scope
from vre_operator.kube.transport import Object
from vre_operator.targets.kubernetes.manifest import NAMESPACE, ROUTE

TenantKey = tuple[str, str]

FOLLOWED = (
    NAMESPACE,
    "v1/Secret",
    "v1/ConfigMap",
    "v1/Service",
    "v1/ServiceAccount",
    "v1/PersistentVolumeClaim",
    "v1/ResourceQuota",
    "v1/LimitRange",
    "apps/v1/Deployment",
    "apps/v1/StatefulSet",
    "apps/v1/DaemonSet",
    "batch/v1/Job",
    "batch/v1/CronJob",
    "networking.k8s.io/v1/NetworkPolicy",
    "networking.k8s.io/v1/Ingress",
    "rbac.authorization.k8s.io/v1/Role",
    "rbac.authorization.k8s.io/v1/RoleBinding",
)
"""What every cluster knows of what tenants consist of."""
OPTIONAL = (ROUTE,)
"""What a cluster may lack."""
CRON_JOB = "batch/v1/CronJob"
_JOB_LABEL = "batch.kubernetes.io/job-name"
_WORKLOAD_LABEL = "app.kubernetes.io/name"
_OURS = f"{names.MANAGED_BY_LABEL}={names.FIELD_MANAGER}"


class Cache:
    """`wake` is called with a tenant's key when something of the tenant's changed."""

    def __init__(
        self,
        kube: Kube,
        wake: Callable[[TenantKey], None],
        kinds: Iterable[str],
        silence: float = SILENCE,
        scope: Scope = CLUSTER,
    ) -> None:
        self._wake = wake
        self._tenants: dict[str, TenantKey] = {}
        self._kinds = {
            # All namespaces: the tenants' own ones carry no label of ours, and there are few.
            kind: Reflector(
                kube,
                kind,
                namespaces=scope.tenants,
                selector="" if kind == NAMESPACE else _OURS,
                on_change=self._changed,
                silence=silence,
                optional=kind in OPTIONAL,
            )
            for kind in scope.seen(kinds)
        }
        self._pods = Reflector(
            kube,
            "v1/Pod",
            namespaces=scope.tenants,
            selector=names.TENANT_LABEL,
            compact=compact,
            judge=_judge_pod,
            on_change=self._pod_changed,
            silence=silence,
        )

    def reflectors(self) -> Iterator[Reflector]:
        yield from self._kinds.values()
        yield self._pods

    def meet(self, tenant: Tenant) -> None:
        """Remember whose the three namespaces are: pods and foreign changes in them wake this tenant."""
        for namespace in (tenant.namespace, tenant.notebooks_namespace, tenant.workflows_namespace):
            self._tenants[namespace] = tenant.key

    def follows(self, kind: str) -> bool:
        return kind in self._kinds

    def of(self, kind: str) -> Reflector:
        found = _filled(self._kinds[kind])
        if not found.installed:
            found.look()
        return found

    def get(self, resource: ResourceId) -> Entry | None:
        return self.of(resource.kind).get(resource.namespace, resource.name)

    def pods(self, namespace: str, selector: Mapping[str, str]) -> list[Object]:
        """Compact pods with those labels."""
        return [
            entry.body
            for entry in _filled(self._pods).within(namespace)
            if entry.body and selector.items() <= (entry.body["metadata"].get("labels") or {}).items()
        ]

    def pods_of(self, resource: ResourceId, body: Mapping[str, Any]) -> list[Object]:
        """The pods of a workload."""
        if resource.kind == "batch/v1/Job":
            selector = {_JOB_LABEL: resource.name}
        elif resource.kind == CRON_JOB:
            selector = body["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
        else:
            selector = ((body.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
        return self.pods(resource.namespace, selector) if selector else []

    def runs(self, cron_job: ResourceId, entry: Entry) -> str:
        """What the pods of a CronJob tell, the same for as long as it means the same: how the last run ended,
        and why one does not come up. They have its name as their workload's."""
        pods = [
            one
            for one in _filled(self._pods).within(cron_job.namespace)
            if one.body and one.body["metadata"].get("labels", {}).get(_WORKLOAD_LABEL) == cron_job.name
        ]
        ended = last_end(one.body for one in pods if one.body)
        code = ended.code if ended else entry.readiness.exit_code
        troubles = sorted({one.readiness.reason for one in pods if not one.readiness.ready})
        return f"{code} {troubles}"

    def _changed(self, old: Entry | None, new: Entry | None) -> None:
        keys = {entry.owner[:2] for entry in (old, new) if entry and entry.owner}
        entry = new or old
        if entry and (home := self._tenants.get(entry.namespace or entry.name)):
            keys.add(home)
        for key in keys:
            self._wake(key)

    def _pod_changed(self, old: Entry | None, new: Entry | None) -> None:
        # A pod that comes up well is told by its workload; people's sessions come and go all day.
        if (old is None and new and new.readiness.ready) or (old and new and old.readiness == new.readiness):
            return
        self._changed(old, new)


def _filled(reflector: Reflector) -> Reflector:
    if not reflector.synced.is_set():
        raise Unavailable(f"the list of {reflector.kind} is not complete yet", retry_after=1)
    return reflector


def _judge_pod(_: str, pod: Object) -> Readiness:
    if found := diagnose([pod]):
        return found
    # The end of a run is news: of a Job that somebody made of a CronJob nothing else tells.
    ended = last_end([pod]) if _JOB_LABEL in (pod["metadata"].get("labels") or {}) else None
    return replace(READY, exit_code=ended.code) if ended else READY
