"""Does it work? One pure function for each kind: what stands in the cluster -> Ready, Progressing or Failed.

A failure names the object, the cause and the next step. Pods are asked only when their workload is not ready.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from vre_operator.api.conditions import Reason
from vre_operator.engine.pods import diagnose, exit_code, last_end
from vre_operator.engine.routes import served
from vre_operator.engine.target import READY, Readiness, State

Object = Mapping[str, Any]

# What `kubectl` calls the kinds that run pods.
_SHORT = {
    "apps/v1/Deployment": "deploy",
    "apps/v1/StatefulSet": "sts",
    "apps/v1/DaemonSet": "ds",
    "batch/v1/Job": "job",
    "batch/v1/CronJob": "cronjob",
}

_CRON_JOB = "batch/v1/CronJob"

# Finalizers that Kubernetes sets itself and takes off by itself.
_KUBERNETES = re.compile(r"^(orphan|foregroundDeletion|([a-z.]+\.)?(kubernetes|k8s)(\.io/.*)?)$")
# "a/b in 1 resource instances, c/d in 2 resource instances": the finalizers of what a namespace still holds.
_INSIDE = re.compile(r"(\S+) in \d+ resource instances")
# Conditions of a namespace that tell why it does not end; one that merely is not empty yet is not told.
_NAMESPACE_HELD = (
    "NamespaceFinalizersRemaining",
    "NamespaceDeletionContentFailure",
    "NamespaceDeletionDiscoveryFailure",
)


def readiness(kind: str, obj: Object, pods: Iterable[Object] = ()) -> Readiness:
    """`pods`: those of the workload `obj`, to tell why it is not ready."""
    if "deletionTimestamp" in obj["metadata"]:
        return _progressing(f"{_name(kind, obj)} is being deleted{held(obj)}")
    judged = _TABLE[kind](kind, obj) if kind in _TABLE else READY
    return explain(kind, obj["metadata"]["name"], judged, pods)


def asks_pods(kind: str, judged: Readiness) -> bool:
    """Whether `explain` can say more than `judged` does."""
    return kind == _CRON_JOB or (kind in _SHORT and not judged.ready)


def explain(kind: str, name: str, judged: Readiness, pods: Iterable[Object]) -> Readiness:
    """`judged` with what the workload's pods tell, where that is more."""
    if not asks_pods(kind, judged):
        return judged
    if kind == _CRON_JOB:
        pods = list(pods)
        return diagnose(pods, f"{_SHORT[kind]}/{name}") or _last_run(name, judged, pods)
    if judged.reason == Reason.JOB_FAILED and (ended := exit_code(pods)):
        return _failed(Reason.JOB_FAILED, f"Container {ended[0]} exits with {ended[1]}: {judged.message}")
    if judged.state is State.FAILED:
        return judged
    found = diagnose(pods, f"{_SHORT[kind]}/{name}")
    return replace(found, progress=judged.progress) if found else judged


def _deployment(kind: str, obj: Object) -> Readiness:
    wanted, status = _replicas(obj), _status(obj)
    if wanted == 0:
        return READY
    if refused := _condition(obj, "ReplicaFailure", "True"):
        return _refused(kind, obj, str(refused.get("message", "")))
    if not _observed(obj):
        return _progressing(f"{_name(kind, obj)}: the change is not picked up yet")
    updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    if updated >= wanted and available >= wanted and status.get("replicas", 0) <= updated:
        return READY
    late = _condition(obj, "Progressing", "False")
    return _progressing(
        f"{_name(kind, obj)}: {min(available, updated)} of {wanted} pods are available"
        + (f" ({late.get('reason')})" if late else "")
    )


def _stateful_set(kind: str, obj: Object) -> Readiness:
    wanted, status = _replicas(obj), _status(obj)
    if wanted == 0:
        return READY
    if not _observed(obj):
        return _progressing(f"{_name(kind, obj)}: the change is not picked up yet")
    by_hand = obj["spec"].get("updateStrategy", {}).get("type") == "OnDelete"
    same = status.get("currentRevision") == status.get("updateRevision")
    updated = wanted if by_hand or same else status.get("updatedReplicas", 0)
    available = status.get("availableReplicas", status.get("readyReplicas", 0))
    if updated >= wanted and available >= wanted:
        return READY
    return _progressing(f"{_name(kind, obj)}: {min(available, updated)} of {wanted} pods are available")


def _daemon_set(kind: str, obj: Object) -> Readiness:
    status = _status(obj)
    wanted = status.get("desiredNumberScheduled", 0)
    there = min(status.get("updatedNumberScheduled", 0), status.get("numberAvailable", 0))
    if not _observed(obj):
        return _progressing(f"{_name(kind, obj)}: the change is not picked up yet")
    if there >= wanted:
        return Readiness(State.READY, progress=f"{wanted}/{wanted}")
    waits = _progressing(f"{_name(kind, obj)}: {there} of {wanted} pods are available")
    return replace(waits, progress=f"{there}/{wanted}")


def _job(kind: str, obj: Object) -> Readiness:
    if _condition(obj, "Complete", "True") or _condition(obj, "SuccessCriteriaMet", "True"):
        return READY
    if failed := _condition(obj, "Failed", "True"):
        metadata = obj["metadata"]
        return _failed(
            Reason.JOB_FAILED,
            f"{_name(kind, obj)} failed: {failed.get('message') or failed.get('reason')}."
            f" kubectl -n {metadata['namespace']} logs job/{metadata['name']} --all-containers",
        )
    if obj["spec"].get("suspend"):
        # It was put to rest on purpose, and so must be able to be whatever needs it.
        return READY
    return _progressing(f"{_name(kind, obj)} is running")


def _cron_job(kind: str, obj: Object) -> Readiness:
    """Ready. Of its last run that went well it is known longer than its pods are."""
    del kind
    status = _status(obj)
    well = status.get("lastSuccessfulTime", "")
    return replace(READY, exit_code=0) if well and well >= status.get("lastScheduleTime", "") else READY


def _last_run(name: str, judged: Readiness, pods: Iterable[Object]) -> Readiness:
    """How the last pod of a CronJob ended; well where none has ended yet."""
    if (ended := last_end(pods)) is None:
        return judged
    if not ended.code:
        return replace(READY, exit_code=0)
    again = f"kubectl -n {ended.namespace} create job --from=cronjob/{name} {name}-again"
    failed = _failed(
        Reason.JOB_FAILED,
        f"CronJob {name}: the last run failed: {ended.words}. It comes again by itself; at once: {again}",
    )
    return replace(failed, exit_code=ended.code)


def _claim(kind: str, obj: Object) -> Readiness:
    # A claim that waits for its first consumer is bound by the pod that needs it, so nothing waits for it;
    # when its storage can't be had the pod's own message says so.
    if _status(obj).get("phase") == "Lost":
        return _failed(
            Reason.VOLUME_PENDING,
            f"{_name(kind, obj)} has lost its volume. kubectl -n {obj['metadata']['namespace']} describe pvc"
            f" {obj['metadata']['name']}",
        )
    return READY


def _service(kind: str, obj: Object) -> Readiness:
    balanced = _status(obj).get("loadBalancer", {}).get("ingress")
    if obj["spec"].get("type") == "LoadBalancer" and not balanced:
        return _progressing(f"{_name(kind, obj)} has no address from the load balancer yet")
    return READY


def _namespace(kind: str, obj: Object) -> Readiness:
    if _status(obj).get("phase") == "Terminating":
        return _progressing(f"{_name(kind, obj)} is being deleted{held(obj)}")
    return READY


def _certificate(kind: str, obj: Object) -> Readiness:
    if _condition(obj, "Ready", "True"):
        return READY
    waits = _condition(obj, "Ready", "False") or {}
    return _progressing(f"{_name(kind, obj)}: {waits.get('message') or 'not issued yet'}")


_TABLE: Mapping[str, Callable[[str, Object], Readiness]] = {
    "apps/v1/Deployment": _deployment,
    "apps/v1/StatefulSet": _stateful_set,
    "apps/v1/DaemonSet": _daemon_set,
    "batch/v1/Job": _job,
    "batch/v1/CronJob": _cron_job,
    "v1/PersistentVolumeClaim": _claim,
    "v1/Service": _service,
    "v1/Namespace": _namespace,
    "cert-manager.io/v1/Certificate": _certificate,
    "gateway.networking.k8s.io/v1/HTTPRoute": served,
}


def _refused(kind: str, obj: Object, message: str) -> Readiness:
    """The workload's controller may not make its pods."""
    namespace = obj["metadata"]["namespace"]
    if "exceeded quota" in message:
        cause = message[message.index("exceeded quota") :]
        return _failed(
            Reason.QUOTA_EXCEEDED,
            f"{_name(kind, obj)} can't make its pods: {cause}. kubectl -n {namespace} describe resourcequota",
        )
    return _failed(
        Reason.REJECTED,
        f"{_name(kind, obj)} can't make its pods: {message[:300]}. kubectl -n {namespace} get events",
    )


def _status(obj: Object) -> Mapping[str, Any]:
    return obj.get("status") or {}


def _replicas(obj: Object) -> int:
    return int(obj["spec"].get("replicas", 1))


def _observed(obj: Object) -> bool:
    return bool(_status(obj).get("observedGeneration", 0) >= obj["metadata"].get("generation", 0))


def _condition(obj: Object, name: str, status: str) -> Mapping[str, Any] | None:
    for condition in _status(obj).get("conditions") or ():
        if condition["type"] == name and condition["status"] == status:
            return dict(condition)
    return None


def _name(kind: str, obj: Object) -> str:
    return f"{kind.rsplit('/', 1)[-1]} {obj['metadata']['name']}"


def _progressing(message: str) -> Readiness:
    return Readiness(State.PROGRESSING, Reason.PROGRESSING, message)


def _failed(reason: Reason, message: str) -> Readiness:
    return Readiness(State.FAILED, reason, message)


def held(obj: Mapping[str, Any]) -> str:
    """What keeps an object that is being deleted, other than Kubernetes' own work on it; "" if nothing."""
    foreign = [name for name in obj["metadata"].get("finalizers") or () if not _KUBERNETES.search(name)]
    if foreign:
        return f": the finalizer {', '.join(foreign)} holds it. Whoever set it removes it when its work is done"
    for item in (obj.get("status") or {}).get("conditions") or ():
        if item["type"] not in _NAMESPACE_HELD or item["status"] != "True":
            continue
        message = str(item.get("message") or item["type"])
        inside = _INSIDE.findall(message)
        if not inside or not all(map(_KUBERNETES.search, inside)):
            return f": {message}"
    return ""
