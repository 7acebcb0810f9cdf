"""On a bare cluster: marks Deployments, StatefulSets, DaemonSets and Jobs as done the moment they appear.

It stands for controllers, scheduler and kubelet where a test asks about the operator and not about pods. What
it costs the API server is one write of status for each change of a workload's spec. A process of its own:
`python -m tests.readymaker KUBECONFIG` until it is told to end.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import Conflict, NotFound, TargetError
from vre_operator.engine.readiness import readiness
from vre_operator.kube.client import Kube
from vre_operator.kube.errors import Gone

KINDS = ("apps/v1/Deployment", "apps/v1/StatefulSet", "apps/v1/DaemonSet", "batch/v1/Job")
_EPOCH = "2020-01-01T00:00:00Z"
_DONE = ("SuccessCriteriaMet", "Complete")


@contextmanager
def running(kubeconfig: Path) -> Iterator[None]:
    """Beside the block."""
    process = subprocess.Popen([sys.executable, "-m", "tests.readymaker", str(kubeconfig)])
    try:
        yield
        assert process.poll() is None, "the ready-maker ended"
    finally:
        process.terminate()
        process.wait()


def status(kind: str, obj: dict[str, Any]) -> dict[str, Any]:
    """What the workload's controller would write when all of its pods are well."""
    if kind == "batch/v1/Job":
        done = [
            {"type": name, "status": "True", "reason": "ReadyMaker", "lastTransitionTime": _EPOCH}
            for name in _DONE
        ]
        return {"conditions": done, "startTime": _EPOCH, "completionTime": _EPOCH, "succeeded": 1}
    if kind == "apps/v1/DaemonSet":
        counts = ("currentNumberScheduled", "desiredNumberScheduled", "updatedNumberScheduled", "numberReady")
        there = dict.fromkeys((*counts, "numberAvailable"), 1)
        return there | {"observedGeneration": obj["metadata"]["generation"], "numberMisscheduled": 0}
    wanted = obj["spec"].get("replicas", 1)
    made = {"observedGeneration": obj["metadata"]["generation"], "replicas": wanted}
    made |= dict.fromkeys(("updatedReplicas", "readyReplicas", "availableReplicas"), wanted)
    if kind == "apps/v1/StatefulSet":
        made |= {"currentRevision": "one", "updateRevision": "one", "currentReplicas": wanted}
    return made


async def follow(kube: Kube, kind: str) -> None:
    """For ever."""
    tasks: set[asyncio.Task[None]] = set()
    while True:
        try:
            version = ""
            async for page in kube.pages(kind):
                version = page.resource_version
                for item in page.items:
                    await _mark(kube, kind, item)
            async for event in kube.watch(kind, version):
                if event.type in ("ADDED", "MODIFIED"):
                    task = asyncio.create_task(_mark(kube, kind, event.object))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
        except (Gone, TargetError):
            await asyncio.sleep(0.2)


async def _mark(kube: Kube, kind: str, obj: dict[str, Any]) -> None:
    suspended = kind == "batch/v1/Job" and obj["spec"].get("suspend")
    judged = readiness(kind, obj)
    # What a test has made fail stays so.
    settled = judged.ready or judged.reason == Reason.JOB_FAILED
    if suspended or settled or "deletionTimestamp" in obj["metadata"]:
        return
    api_version, _, name = kind.rpartition("/")
    metadata = {key: obj["metadata"][key] for key in ("namespace", "name", "uid")}
    body = {"apiVersion": api_version, "kind": name, "metadata": metadata, "status": status(kind, obj)}
    try:
        await kube.apply(body, subresource="status", manager="ready-maker")
    except (NotFound, Conflict):
        return


async def _run(kubeconfig: str) -> None:
    async with Kube.from_kubeconfig(kubeconfig) as kube, asyncio.TaskGroup() as group:
        for kind in KINDS:
            group.create_task(follow(kube, kind))


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1]))
