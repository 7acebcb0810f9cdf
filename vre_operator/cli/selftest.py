"""`vre selftest isolation`: the trial of the walls that comes on a schedule, now, and what came of it."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vre_operator.api import names
from vre_operator.cli.cluster import ClusterError, cluster, environment
from vre_operator.cli.table import table
from vre_operator.engine.errors import NotFound

if TYPE_CHECKING:
    from vre_operator.kube.client import Kube

Object = Mapping[str, Any]
Say = Callable[[str], None]

CRON_JOB, JOB, POD = "batch/v1/CronJob", "batch/v1/Job", "v1/Pod"
TRIAL = "isolation"
_JOB_LABEL = "batch.kubernetes.io/job-name"
_HOLDS, _OPEN, _NOT_ENFORCED = 0, 2, 3


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be tried. neighbours: namespaces of other tenants. timeout: seconds for each of the pods."""

    namespace: str
    name: str | None
    neighbours: Sequence[str]
    timeout: int


@dataclass(frozen=True, slots=True)
class Trial:
    """What one pod found. rows: state, what, where, how. words: what it comes to."""

    place: str
    code: int
    rows: Sequence[tuple[str, ...]]
    words: str


async def run(context: str | None, wish: Wish, say: Say) -> tuple[list[str], int]:
    """Lines for people, and the exit code: 0 when all was stopped, 1 when something was open, 2 when nothing
    can be told. Raises ClusterError."""
    async with cluster(context) as kube:
        vre = await environment(kube, wish.namespace, wish.name)
        if (vre["spec"] or {}).get("suspend"):
            raise ClusterError(
                f"{vre['metadata']['name']} is suspended: nothing runs in it. Set spec.suspend to false"
            )
        found = [await _cron_job(kube, f"{wish.namespace}-{part}") for part in ("notebooks", "workflows")]
        more = [one for name in wish.neighbours for one in await neighbour(kube, name)]
        asked = [_tried(kube, one, more, wish.timeout, say) for one in found if one]
        if not asked:
            raise ClusterError(
                f"There is no trial in {wish.namespace}: it has neither notebooks nor workflows, or the site"
                " has isolation.enabled: false, or the operator has not come to it yet"
            )
        trials = await asyncio.gather(*asked)
    return list(lines(trials)), verdict(trials)


def verdict(trials: Iterable[Trial]) -> int:
    """The exit code."""
    codes = {trial.code for trial in trials}
    return 1 if codes & {_OPEN, _NOT_ENFORCED} else 0 if codes == {_HOLDS} else 2


def lines(trials: Sequence[Trial]) -> Iterator[str]:
    """All attempts, and what they come to."""
    rows = [("FROM", "RESULT", "ATTEMPT", "ADDRESS", "HOW")]
    rows += [(trial.place, *row) for trial in trials for row in trial.rows]  # type: ignore[misc]
    yield from table(rows)
    yield ""
    for trial in trials:
        yield f"{trial.place}: {trial.words}"


def read(place: str, code: int, log: str) -> Trial:
    """What a pod has written."""
    *before, last = [line for line in log.splitlines() if line.strip()] or ["it said nothing"]
    rows = [tuple(line.split("\t")) for line in before if line.count("\t") == 3]
    return Trial(place, code, rows, last)


def job(cron: Object, more: Sequence[Object], suffix: str) -> dict[str, Any]:
    """A Job of the CronJob, as `kubectl create job --from` makes it; with `more` one that nobody counts."""
    metadata, template = cron["metadata"], cron["spec"]["jobTemplate"]
    owner = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    made: dict[str, Any] = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": f"{TRIAL}-{suffix}",
            "namespace": metadata["namespace"],
            "labels": dict((template.get("metadata") or {}).get("labels") or {}),
            "annotations": {"cronjob.kubernetes.io/instantiate": "manual"},
            "ownerReferences": [owner],
        },
        # A copy: what is not a part of the template stays as it was read.
        "spec": json.loads(json.dumps(template["spec"])) | {"backoffLimit": 0},
    }
    if more:
        del made["metadata"]["ownerReferences"]
        made["spec"]["ttlSecondsAfterFinished"] = 600
        # Not among the pods by which the operator tells how the CronJob's last run ended.
        del made["spec"]["template"]["metadata"]["labels"][names.COMPONENT_LABEL]
        (container,) = made["spec"]["template"]["spec"]["containers"]
        container["command"] = [*container["command"], json.dumps(list(more))]
    return made


async def neighbour(kube: Kube, namespace: str) -> list[dict[str, Any]]:
    """What listens in another tenant's three namespaces. Raises ClusterError where there is none."""
    await environment(kube, namespace, None)
    found: list[dict[str, Any]] = []
    for where in (namespace, f"{namespace}-notebooks", f"{namespace}-workflows"):
        found += served(await kube.list("v1/Service", where), await kube.list(POD, where))
    return found


def served(services: Iterable[Object], pods: Iterable[Object]) -> Iterator[dict[str, Any]]:
    """The addresses of Services, and of pods that are ready. Only TCP."""
    for service in services:
        name, address = _full(service), service["spec"].get("clusterIP")
        for port in service["spec"].get("ports") or ():
            if address and address != "None" and port.get("protocol", "TCP") == "TCP":
                yield {"what": f"Service {name}", "host": address, "port": port["port"]}
    for pod in pods:
        status = pod.get("status") or {}
        ready = any(
            one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions") or ()
        )
        if not ready or pod["spec"].get("hostNetwork"):
            continue
        for container in pod["spec"]["containers"]:
            for port in container.get("ports") or ():
                if port.get("protocol", "TCP") == "TCP":
                    yield {
                        "what": f"Pod {_full(pod)}",
                        "host": status["podIP"],
                        "port": port["containerPort"],
                    }


def _full(obj: Object) -> str:
    return f"{obj['metadata']['namespace']}/{obj['metadata']['name']}"


async def _cron_job(kube: Kube, namespace: str) -> Object | None:
    try:
        return await kube.get(CRON_JOB, namespace, TRIAL)
    except NotFound:
        return None


async def _tried(kube: Kube, cron: Object, more: Sequence[Object], seconds: int, say: Say) -> Trial:
    made = job(cron, more, secrets.token_hex(3))
    await kube.create(made)
    namespace, name = made["metadata"]["namespace"], made["metadata"]["name"]
    say(f"{namespace}: Job {name} is started")
    try:
        pod = await _ended(kube, namespace, name, seconds, say)
        (status,) = pod["status"]["containerStatuses"]
        code = status["state"]["terminated"]["exitCode"]
        return read(namespace, code, await kube.log(namespace, pod["metadata"]["name"]))
    finally:
        if more:
            await kube.delete(JOB, namespace, name)


async def _ended(kube: Kube, namespace: str, name: str, seconds: int, say: Say) -> Object:
    """The pod of a Job, when it has ended. Raises ClusterError when it does not in time."""
    deadline, told = time.monotonic() + seconds, ""
    while time.monotonic() < deadline:
        pods = await kube.list(POD, namespace, selector=f"{_JOB_LABEL}={name}")
        if pods and pods[0].get("status", {}).get("phase") in ("Succeeded", "Failed"):
            return pods[0]
        if (now := _state(pods)) != told:
            told = now
            say(f"{namespace}: {now}")
        await asyncio.sleep(1)
    look = f"kubectl -n {namespace} describe job {name}"
    raise ClusterError(f"No trial has ended in {namespace} after {seconds} s: {told}. {look}")


def _state(pods: Sequence[Object]) -> str:
    if not pods:
        return "its pod is not there yet"
    status = pods[0].get("status") or {}
    waiting = [
        reason
        for one in status.get("containerStatuses") or ()
        if (reason := ((one.get("state") or {}).get("waiting") or {}).get("reason"))
    ]
    refused = [
        str(one.get("message"))
        for one in status.get("conditions") or ()
        if one["type"] == "PodScheduled" and one["status"] == "False"
    ]
    return f"its pod is {', '.join([status.get('phase', 'Pending'), *waiting, *refused])}"
