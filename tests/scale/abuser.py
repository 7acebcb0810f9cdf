"""A tenant's admin who writes into her namespace as fast as the API server takes it, until a line is read.

`python -m tests.scale.abuser KUBECONFIG NAMESPACE DEED` says `begun`, and in the end how many writes were taken
and in how many seconds. A process of its own, with a user of its own, as the measuring shares a loop with
nobody.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Iterator

import aiohttp

from tests.scale.tenants import NAME, Json
from vre_operator.api import names
from vre_operator.kube import access

_AT_ONCE = 8
_OBJECTS = 50
_WISHES = f"/apis/{names.API_VERSION}/namespaces/{{}}/{names.PLURAL}"
_CORE = "/api/v1/namespaces/{}/"
_MERGE, _PATCH, _PLAIN = "application/merge-patch+json", "application/json-patch+json", "application/json"

Write = tuple[str, str, str, Json | list[Json]]
"""Method, path, content type and body."""


def edits(namespace: str) -> Iterator[Write]:
    """Of the wish, each another one."""
    path = f"{_WISHES.format(namespace)}/{NAME}"
    for number in itertools.count():
        change = {"op": "add", "path": "/spec/notebooks/maxSessions", "value": 100 + number % 50}
        yield "PATCH", path, _PATCH, [change]


def events(namespace: str) -> Iterator[Write]:
    involved = {"apiVersion": names.API_VERSION, "kind": names.KIND, "namespace": namespace, "name": NAME}
    event = {
        "metadata": {"generateName": "e"},
        "involvedObject": involved,
        "reason": "Abuse",
        "type": "Warning",
    }
    while True:
        yield "POST", f"{_CORE.format(namespace)}events", _PLAIN, event


def objects(namespace: str, plural: str, name: str, labels: dict[str, str]) -> Iterator[Write]:
    """Made, then changed in turn."""
    path, field = _CORE.format(namespace) + plural, "stringData" if plural == "secrets" else "data"
    for number in range(_OBJECTS):
        yield "POST", path, _PLAIN, {"metadata": {"name": f"{name}-{number}", "labels": labels}}
    for number in itertools.count():
        yield "PATCH", f"{path}/{name}-{number % _OBJECTS}", _MERGE, {field: {"number": str(number)}}


def forged(namespace: str) -> dict[str, str]:
    """Labels by which it is looked at as the operator's own, and the tenant is woken."""
    return {
        names.MANAGED_BY_LABEL: names.FIELD_MANAGER,
        names.TENANT_NAMESPACE_LABEL: namespace,
        names.TENANT_NAME_LABEL: NAME,
        names.TENANT_UID_LABEL: "forged",
    }


def writes(deed: str, namespace: str) -> Iterator[Write]:
    match deed:
        case "edits":
            return edits(namespace)
        case "events":
            return events(namespace)
        case "configmaps" | "secrets":
            return objects(namespace, deed, "plain", {})
        case _:
            return objects(namespace, deed.removeprefix("forged-"), "forged", forged(namespace))


async def _run(kubeconfig: str, namespace: str, deed: str) -> None:
    who = access.from_kubeconfig(kubeconfig)
    headers = {"Authorization": f"Bearer {who.token()}", "Accept": "application/json"}
    connector = aiohttp.TCPConnector(limit=0, ssl=who.tls or True)
    todo, taken = writes(deed, namespace), 0

    async def work() -> None:
        nonlocal taken
        for method, path, content, body in todo:
            data, kind = json.dumps(body).encode(), {"Content-Type": content}
            async with session.request(method, who.server + path, data=data, headers=kind) as answer:
                await answer.read()
                taken += answer.status < 300

    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        began = time.monotonic()
        print("begun", flush=True)
        tasks = [asyncio.create_task(work()) for _ in range(_AT_ONCE)]
        end = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
        done, _ = await asyncio.wait([end, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in done - {end}:
            task.result()
        print(taken, time.monotonic() - began, flush=True)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(_run(*sys.argv[1:4]))
