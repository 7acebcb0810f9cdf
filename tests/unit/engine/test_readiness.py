"""Readiness of each kind, and what pods tell."""

from __future__ import annotations

from typing import Any

import pytest

from vre_operator.api.conditions import Reason
from vre_operator.engine.pods import compact
from vre_operator.engine.readiness import explain, readiness
from vre_operator.engine.target import Readiness, State

DEPLOYMENT, STATEFUL, JOB = "apps/v1/Deployment", "apps/v1/StatefulSet", "batch/v1/Job"
CRON_JOB = "batch/v1/CronJob"


def obj(
    spec: dict[str, Any] | None = None, status: dict[str, Any] | None = None, **meta: Any
) -> dict[str, Any]:
    metadata = {"name": "web", "namespace": "ns", "generation": 2, **meta}
    return {"metadata": metadata, "spec": spec or {}, "status": status or {}}


def counts(**status: int) -> dict[str, Any]:
    return {"observedGeneration": 2, **status}


def condition(kind: str, status: str = "True", **more: str) -> dict[str, Any]:
    return {"type": kind, "status": status, **more}


ALL = {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}

TABLE: dict[str, tuple[str, dict[str, Any], State]] = {
    "rolled out": (DEPLOYMENT, obj({"replicas": 2}, counts(**ALL)), State.READY),
    "one replica by default": (
        DEPLOYMENT,
        obj({}, counts(replicas=1, updatedReplicas=1, availableReplicas=1)),
        State.READY,
    ),
    "scaled to nothing": (DEPLOYMENT, obj({"replicas": 0}), State.READY),
    "not seen by its controller": (
        DEPLOYMENT,
        obj({"replicas": 2}, {**ALL, "observedGeneration": 1}),
        State.PROGRESSING,
    ),
    "nothing known yet": (DEPLOYMENT, obj({"replicas": 1}), State.PROGRESSING),
    "old pods serve": (
        DEPLOYMENT,
        obj({"replicas": 2}, counts(**{**ALL, "updatedReplicas": 1})),
        State.PROGRESSING,
    ),
    "an old pod is left": (
        DEPLOYMENT,
        obj({"replicas": 2}, counts(**{**ALL, "replicas": 3})),
        State.PROGRESSING,
    ),
    "not available": (
        DEPLOYMENT,
        obj({"replicas": 2}, counts(**{**ALL, "availableReplicas": 1})),
        State.PROGRESSING,
    ),
    "being deleted": (
        DEPLOYMENT,
        obj({"replicas": 2}, counts(**ALL), deletionTimestamp="2026-01-01T00:00:00Z"),
        State.PROGRESSING,
    ),
    "a stateful set": (
        STATEFUL,
        obj({}, counts(availableReplicas=1, currentRevision=1, updateRevision=1)),
        State.READY,
    ),
    "a stateful set rolls": (
        STATEFUL,
        obj({}, counts(availableReplicas=1, updatedReplicas=0, currentRevision=1, updateRevision=2)),
        State.PROGRESSING,
    ),
    "a stateful set rolled by hand": (
        STATEFUL,
        obj(
            {"updateStrategy": {"type": "OnDelete"}},
            counts(availableReplicas=1, currentRevision=1, updateRevision=2),
        ),
        State.READY,
    ),
    "a stateful set starts": (
        STATEFUL,
        obj({}, counts(currentRevision=1, updateRevision=1)),
        State.PROGRESSING,
    ),
    "daemons": (
        "apps/v1/DaemonSet",
        obj({}, counts(desiredNumberScheduled=2, updatedNumberScheduled=2, numberAvailable=2)),
        State.READY,
    ),
    "daemons missing": (
        "apps/v1/DaemonSet",
        obj({}, counts(desiredNumberScheduled=2, updatedNumberScheduled=2, numberAvailable=1)),
        State.PROGRESSING,
    ),
    "daemons not seen": (
        "apps/v1/DaemonSet",
        obj({}, {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2}),
        State.PROGRESSING,
    ),
    "a job is done": (JOB, obj({}, {"conditions": [condition("Complete")]}), State.READY),
    "a job runs": (JOB, obj({}, {"active": 1}), State.PROGRESSING),
    "a job failed": (JOB, obj({}, {"conditions": [condition("Failed", message="x")]}), State.FAILED),
    "a job is put to rest": (JOB, obj({"suspend": True}), State.READY),
    "a claim is bound": ("v1/PersistentVolumeClaim", obj({}, {"phase": "Bound"}), State.READY),
    "a claim waits for its pod": ("v1/PersistentVolumeClaim", obj({}, {"phase": "Pending"}), State.READY),
    "a claim lost its volume": ("v1/PersistentVolumeClaim", obj({}, {"phase": "Lost"}), State.FAILED),
    "a service": ("v1/Service", obj({"type": "ClusterIP"}), State.READY),
    "no balancer": ("v1/Service", obj({"type": "LoadBalancer"}, {"loadBalancer": {}}), State.PROGRESSING),
    "a namespace": ("v1/Namespace", obj({}, {"phase": "Active"}), State.READY),
    "a namespace ends": ("v1/Namespace", obj({}, {"phase": "Terminating"}), State.PROGRESSING),
    "a certificate": (
        "cert-manager.io/v1/Certificate",
        obj({}, {"conditions": [condition("Ready")]}),
        State.READY,
    ),
    "no certificate": ("cert-manager.io/v1/Certificate", obj(), State.PROGRESSING),
    "what just exists": ("v1/ConfigMap", obj(), State.READY),
}


@pytest.mark.parametrize(("kind", "live", "state"), TABLE.values(), ids=TABLE.keys())
def test_state(kind: str, live: dict[str, Any], state: State) -> None:
    found = readiness(kind, live)
    assert found.state is state
    assert found.ready or "web" in found.message


def test_daemons_tell_how_many_there_are() -> None:
    kind, whole, _ = TABLE["daemons"]
    part = TABLE["daemons missing"][1]
    assert readiness(kind, whole).progress == "2/2"
    assert readiness(kind, part).progress == "1/2"
    pulling = pod(waiting("ImagePullBackOff", "no such image"))
    told = explain(kind, "web", readiness(kind, part), [pulling])
    assert (told.reason, told.progress) == (Reason.IMAGE_PULL_FAILED, "1/2")


# --- pods ---------------------------------------------------------------------------------------------------

STARTING = obj({"replicas": 1}, counts(replicas=1, updatedReplicas=1))


def pod(
    *containers: dict[str, Any], conditions: list[dict[str, Any]] | None = None, **more: Any
) -> dict[str, Any]:
    return compact(
        {
            "metadata": {"name": "web-1", "namespace": "ns", "uid": "u", "resourceVersion": "1", **more},
            "spec": {"containers": [{"env": [{"name": "SECRET", "value": "hunter2"}]}]},
            "status": {
                "phase": "Pending",
                "containerStatuses": list(containers),
                "conditions": conditions or [],
            },
        }
    )


def waiting(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    return {
        "name": "main",
        "image": "example.org/app:1",
        "restartCount": 0,
        "ready": False,
        "state": state,
        **more,
    }


def unschedulable(message: str) -> dict[str, Any]:
    return pod(conditions=[condition("PodScheduled", "False", reason="Unschedulable", message=message)])


ENDED = {"terminated": {"exitCode": 3, "reason": "Error"}}
OOM = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}

DIAGNOSES: dict[str, tuple[dict[str, Any], Reason, tuple[str, ...]]] = {
    "pull": (pod(waiting("ErrImagePull")), Reason.IMAGE_PULL_FAILED, ("example.org/app:1", "pull Secret")),
    "pull again": (pod(waiting("ImagePullBackOff")), Reason.IMAGE_PULL_FAILED, ("example.org/app:1",)),
    "image name": (pod(waiting("InvalidImageName")), Reason.IMAGE_PULL_FAILED, ("InvalidImageName",)),
    "crash": (
        pod(waiting("CrashLoopBackOff", restartCount=4, lastState=ENDED)),
        Reason.CRASH_LOOPING,
        ("container main", "exits with 3", "kubectl -n ns logs deploy/web -c main --previous"),
    ),
    "crash between restarts": (
        pod({"name": "main", "image": "i", "restartCount": 2, "ready": False, "state": ENDED}),
        Reason.CRASH_LOOPING,
        ("exits with 3",),
    ),
    "memory": (
        pod(waiting("CrashLoopBackOff", restartCount=2, lastState=OOM)),
        Reason.CRASH_LOOPING,
        ("want of memory",),
    ),
    "secret": (
        pod(waiting("CreateContainerConfigError", 'secret "login" not found')),
        Reason.SECRET_NOT_FOUND,
        ('secret "login" not found',),
    ),
    "key": (
        pod(waiting("CreateContainerConfigError", "couldn't find key user in Secret ns/login")),
        Reason.SECRET_KEY_MISSING,
        ("key user",),
    ),
    "root": (
        pod(waiting("CreateContainerConfigError", "container has runAsNonRoot and image will run as root")),
        Reason.REJECTED,
        ("run as root", "describe deploy/web"),
    ),
    "full": (
        unschedulable("0/3 nodes are available: 3 Insufficient memory."),
        Reason.UNSCHEDULABLE,
        ("memory",),
    ),
    "claim": (
        unschedulable("pod has unbound immediate PersistentVolumeClaims"),
        Reason.VOLUME_PENDING,
        ("get events",),
    ),
    "class": (
        unschedulable('storageclass.storage.k8s.io "fast" not found'),
        Reason.STORAGE_CLASS_NOT_FOUND,
        ("kubectl get storageclass",),
    ),
}


@pytest.mark.parametrize(("seen", "reason", "words"), DIAGNOSES.values(), ids=DIAGNOSES.keys())
def test_a_pod_tells_why(seen: dict[str, Any], reason: Reason, words: tuple[str, ...]) -> None:
    found = readiness(DEPLOYMENT, STARTING, [seen])
    assert (found.state, found.reason) == (State.FAILED, reason)
    for word in words:
        assert word in found.message
    assert "hunter2" not in repr(seen)


@pytest.mark.parametrize(
    "seen",
    [
        pod(waiting("ContainerCreating")),
        pod({"name": "main", "image": "i", "restartCount": 1, "ready": False, "state": {}, "lastState": ENDED}),
        pod({"name": "main", "image": "i", "restartCount": 5, "ready": True, "state": {}, "lastState": ENDED}),
        pod(waiting("ErrImagePull"), deletionTimestamp="x"),
    ],
    ids=["starting", "one crash", "recovered", "going away"],
)
def test_a_pod_without_a_finding(seen: dict[str, Any]) -> None:
    assert readiness(DEPLOYMENT, STARTING, [seen]).state is State.PROGRESSING


def test_the_gravest_finding_is_told() -> None:
    found = readiness(DEPLOYMENT, STARTING, [unschedulable("full"), pod(waiting("ErrImagePull"))])
    assert found.reason == Reason.IMAGE_PULL_FAILED


def test_a_ready_workload_is_ready_whatever_a_pod_says() -> None:
    assert readiness(DEPLOYMENT, obj({"replicas": 2}, counts(**ALL)), [pod(waiting("ErrImagePull"))]).ready


def test_a_refusal_of_pods_is_told() -> None:
    def refused(message: str) -> dict[str, Any]:
        return obj({}, {"conditions": [condition("ReplicaFailure", reason="FailedCreate", message=message)]})

    full = readiness(DEPLOYMENT, refused('pods "web-1" is forbidden: exceeded quota: vre, requested: pods=1'))
    assert full.reason == Reason.QUOTA_EXCEEDED
    assert "requested: pods=1" in full.message
    other = readiness(DEPLOYMENT, refused('violates PodSecurity "restricted:latest"'))
    assert (other.state, other.reason) == (State.FAILED, Reason.REJECTED)


def test_a_failed_job_tells_the_exit_code() -> None:
    failed = obj(
        {}, {"conditions": [condition("Failed", message="Job has reached the specified backoff limit")]}
    )
    ended = {"name": "setup", "image": "i", "state": {"terminated": {"exitCode": 7, "finishedAt": "1"}}}
    found = readiness(JOB, failed, [pod(ended)])
    assert found.reason == Reason.JOB_FAILED
    for words in ("setup exits with 7", "backoff limit", "kubectl -n ns logs job/web"):
        assert words in found.message


def ended(finished: str, code: int, message: str = "") -> dict[str, Any]:
    terminated = {"exitCode": code, "finishedAt": finished, "reason": "Error", "message": message}
    found = pod({"name": "main", "image": "i", "state": {"terminated": terminated}})
    found["status"]["phase"] = "Failed" if code else "Succeeded"
    return found


def told_of_runs(*pods: dict[str, Any]) -> Readiness:
    return explain(CRON_JOB, "web", readiness(CRON_JOB, obj()), pods)


def test_a_cron_job_is_as_well_as_its_last_run() -> None:
    assert told_of_runs().ready
    assert told_of_runs(pod()).ready, "the first one has not ended yet"
    assert told_of_runs(ended("1", 1), ended("2", 0)).ready
    assert told_of_runs(ended("1", 1), ended("2", 0), pod()).ready
    failed = told_of_runs(ended("1", 0), ended("2", 1, "3 s: written\nA: reading failed: 403.\n"), pod())
    assert (failed.state, failed.reason) == (State.FAILED, Reason.JOB_FAILED)
    assert "the last run failed: A: reading failed: 403. It comes again" in failed.message
    assert "kubectl -n ns create job --from=cronjob/web web-again" in failed.message


def test_of_a_cron_job_it_is_known_how_its_last_run_ended_and_whether_there_was_one() -> None:
    assert told_of_runs().exit_code is None
    assert told_of_runs(ended("1", 3), ended("2", 0)).exit_code == 0
    assert told_of_runs(ended("1", 0), ended("2", 3)).exit_code == 3


def test_a_run_that_went_well_is_known_longer_than_its_pod_is() -> None:
    times = {"lastScheduleTime": "2027-03-31T10:35:00Z", "lastSuccessfulTime": "2027-03-31T10:35:09Z"}
    assert readiness(CRON_JOB, obj(status=times)).exit_code == 0
    later = times | {"lastScheduleTime": "2027-03-31T11:35:00Z"}
    assert readiness(CRON_JOB, obj(status=later)).exit_code is None
    assert explain(CRON_JOB, "web", readiness(CRON_JOB, obj(status=times)), [ended("3", 2)]).exit_code == 2


def test_a_cron_job_whose_pods_cannot_start_says_so() -> None:
    found = told_of_runs(ended("1", 0), pod(waiting("ErrImagePull")))
    assert found.reason == Reason.IMAGE_PULL_FAILED


def test_a_run_that_said_nothing_is_told_by_its_reason() -> None:
    assert "the last run failed: Error." in told_of_runs(ended("1", 137)).message
