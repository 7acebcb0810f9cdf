"""Why a workload's pods do not run, as a person would find out with `kubectl describe pod`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vre_operator.api.conditions import Reason
from vre_operator.engine.target import Readiness, State

Object = Mapping[str, Any]

_PULL = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError")
_CONFIG = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
_RESTARTS = 2  # one crash while something else starts is no finding yet
# From what nobody can get past to what may yet pass.
_ORDER = (
    Reason.IMAGE_PULL_FAILED,
    Reason.SECRET_NOT_FOUND,
    Reason.SECRET_KEY_MISSING,
    Reason.REJECTED,
    Reason.CRASH_LOOPING,
    Reason.STORAGE_CLASS_NOT_FOUND,
    Reason.VOLUME_PENDING,
    Reason.UNSCHEDULABLE,
)


def diagnose(pods: Iterable[Object], workload: str = "") -> Readiness | None:
    """The gravest finding among `pods`, if any. `workload` as kubectl names it: `deploy/hub`."""
    findings = [finding for pod in pods for finding in _findings(pod, workload)]
    return min(findings, key=lambda finding: _ORDER.index(Reason(finding.reason)), default=None)


def exit_code(pods: Iterable[Object]) -> tuple[str, int] | None:
    """(container, code) of the last container that ended badly."""
    ended = [
        (terminated.get("finishedAt", ""), container["name"], terminated["exitCode"])
        for pod in pods
        for container in _containers(pod)
        if (terminated := container.get("state", {}).get("terminated")) and terminated["exitCode"]
    ]
    return max(ended)[1:] if ended else None


@dataclass(frozen=True, slots=True)
class End:
    """How a pod ended. words: the last line that it wrote, or what Kubernetes calls it."""

    namespace: str
    code: int
    words: str


def last_end(pods: Iterable[Object]) -> End | None:
    """Of the pods that have ended the latest one; of its containers that one which ended badly, if any."""
    ended = [
        (terminated.get("finishedAt") or "", terminated["exitCode"] != 0, pod, terminated)
        for pod in pods
        if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        for container in _containers(pod)
        if (terminated := (container.get("state") or {}).get("terminated"))
    ]
    if not ended:
        return None
    *_, pod, terminated = max(ended, key=lambda one: one[:2])
    lines = str(terminated.get("message") or "").strip().splitlines()
    words = lines[-1].strip().rstrip(".") if lines else str(terminated.get("reason") or "no reason is known")
    return End(pod["metadata"]["namespace"], terminated["exitCode"], words[:300])


def compact(pod: Object) -> dict[str, Any]:
    """What this module and a label selector read of a pod, and no more: a cluster has many."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    kept = ("name", "namespace", "uid", "resourceVersion", "labels", "ownerReferences", "deletionTimestamp")
    return {
        "metadata": {key: metadata[key] for key in kept if key in metadata},
        "status": {
            key: status[key]
            for key in ("phase", "conditions", "initContainerStatuses", "containerStatuses")
            if key in status
        },
    }


def _containers(pod: Object) -> Iterator[Mapping[str, Any]]:
    status = pod.get("status") or {}
    yield from status.get("initContainerStatuses") or ()
    yield from status.get("containerStatuses") or ()


def _findings(pod: Object, workload: str) -> Iterator[Readiness]:
    metadata, status = pod["metadata"], pod.get("status") or {}
    if "deletionTimestamp" in metadata or status.get("phase") in ("Succeeded", "Failed"):
        return
    for container in _containers(pod):
        yield from _of_container(metadata["namespace"], workload or f"pod/{metadata['name']}", container)
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
            yield _unschedulable(metadata, str(condition.get("message", "")))


def _of_container(namespace: str, what: str, container: Mapping[str, Any]) -> Iterator[Readiness]:
    name = container["name"]
    state = container.get("state") or {}
    waiting = state.get("waiting") or {}
    reason, message = str(waiting.get("reason", "")), str(waiting.get("message", ""))
    if reason in _PULL:
        yield _failed(
            Reason.IMAGE_PULL_FAILED,
            f"container {name} of {what} can't have its image {container['image']} ({reason}). Check the"
            f" image's name, and the pull Secret if its registry wants one",
        )
    elif reason in _CONFIG:
        yield _misconfigured(namespace, what, name, message or reason)
    ended = (container.get("lastState") or {}).get("terminated") or state.get("terminated") or {}
    crashing = reason == "CrashLoopBackOff" or (
        container.get("restartCount", 0) >= _RESTARTS and ended.get("exitCode") and not container.get("ready")
    )
    if crashing:
        how = (
            "is killed for want of memory"
            if ended.get("reason") == "OOMKilled"
            else f"exits with {ended.get('exitCode', '?')}"
        )
        yield _failed(
            Reason.CRASH_LOOPING,
            f"container {name} of {what} {how} again and again ({container.get('restartCount', 0)} restarts)."
            f" kubectl -n {namespace} logs {what} -c {name} --previous",
        )


def _misconfigured(namespace: str, what: str, container: str, message: str) -> Readiness:
    cause = f"container {container} of {what} can't start: {message[:300]}"
    if re.search(r'(secret|configmap) "[^"]+" not found', message):
        return _failed(Reason.SECRET_NOT_FOUND, f"{cause}. kubectl -n {namespace} get secrets,configmaps")
    if "couldn't find key" in message:
        return _failed(Reason.SECRET_KEY_MISSING, f"{cause}. kubectl -n {namespace} get secrets,configmaps")
    return _failed(Reason.REJECTED, f"{cause}. kubectl -n {namespace} describe {what}")


def _unschedulable(metadata: Mapping[str, Any], message: str) -> Readiness:
    cause = f"no node takes pod {metadata['name']}: {message[:300].rstrip('. ')}"
    describe = f"kubectl -n {metadata['namespace']} describe pod {metadata['name']}"
    if re.search(r"storageclass[^ ]* \S+ not found", message, re.IGNORECASE):
        return _failed(Reason.STORAGE_CLASS_NOT_FOUND, f"{cause}. kubectl get storageclass")
    if "PersistentVolumeClaim" in message or "persistentvolumeclaim" in message or "volume" in message:
        claims = f"kubectl -n {metadata['namespace']} get events --field-selector"
        return _failed(Reason.VOLUME_PENDING, f"{cause}. {claims} involvedObject.kind=PersistentVolumeClaim")
    return _failed(Reason.UNSCHEDULABLE, f"{cause}. {describe}")


def _failed(reason: Reason, message: str) -> Readiness:
    return Readiness(State.FAILED, reason, message)
