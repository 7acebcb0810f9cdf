"""The yardstick Y: nothing but the applies, as fast as one process sends them.

`python -m tests.scale.yardstick KUBECONFIG CONNECTIONS FOLDER` says `ready`, then obeys lines on standard input
and answers each when it is done: `load NAMESPACE...` reads these tenants' files, `go` applies them (namespaces,
then all the rest at once), `delete` deletes them, all but the tenants' own namespaces.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import aiohttp

from vre_operator.kube import access
from vre_operator.kube.client import address
from vre_operator.kube.kinds import kind_of

_QUERY = {"fieldManager": "vre-operator", "force": "true", "fieldValidation": "Strict"}
_CONTENT = {"Content-Type": "application/apply-patch+yaml"}
_TRIES = 5
Ready = tuple[str, bytes]
"""URL and body."""


def load(folder: Path, namespaces: Iterable[str], server: str) -> tuple[list[Ready], list[Ready]]:
    """Namespaces and everything else."""
    first: list[Ready] = []
    rest: list[Ready] = []
    for namespace in namespaces:
        for line in (folder / f"{namespace}.jsonl").read_text().splitlines():
            obj: dict[str, Any] = json.loads(line)["object"]
            kind, where, name = address(obj)
            ready = (server + kind_of(kind).path(where, name), json.dumps(obj).encode())
            (first if kind == "v1/Namespace" else rest).append(ready)
    return first, rest


async def apply(session: aiohttp.ClientSession, things: Iterable[Ready], connections: int) -> None:
    """All of them, each once; raises what the API server refuses."""
    queue = iter(things)

    async def worker() -> None:
        for url, body in queue:
            for left in reversed(range(_TRIES)):
                async with session.patch(url, params=_QUERY, data=body, headers=_CONTENT) as answer:
                    text = await answer.read()
                    if answer.status < 300:
                        break
                    if not left or answer.status not in (409, 429, 500, 503):
                        raise RuntimeError(f"{url}: {answer.status} {text.decode()}")
                await asyncio.sleep(0.1)

    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(worker())


async def delete(session: aiohttp.ClientSession, urls: Iterable[str], connections: int) -> None:
    """All of them, each once."""
    queue = iter(urls)

    async def worker() -> None:
        for url in queue:
            async with session.delete(url, params={"propagationPolicy": "Background"}) as answer:
                if answer.status not in (200, 202):
                    raise RuntimeError(f"{url}: {answer.status} {await answer.text()}")

    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(worker())


async def _run(kubeconfig: str, connections: int, folder: Path) -> None:
    who = access.from_kubeconfig(kubeconfig)
    connector = aiohttp.TCPConnector(limit=connections, ssl=who.tls or True)
    headers = {"Authorization": f"Bearer {who.token()}", "Accept": "application/json"}
    loaded: tuple[list[Ready], list[Ready]] = ([], [])
    own: tuple[str, ...] = ()
    loop = asyncio.get_running_loop()
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        print("ready", flush=True)
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            verb, *namespaces = line.split()
            if verb == "load":
                loaded = load(folder, namespaces, who.server)
                own = tuple(f"/{namespace}" for namespace in namespaces)
            elif verb == "go":
                for things in loaded:
                    await apply(session, things, connections)
            else:
                spaces, rest = ([url for url, _ in part] for part in loaded)
                await delete(session, rest, connections)
                await delete(session, (url for url in spaces if not url.endswith(own)), connections)
            print(verb, flush=True)


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
