"""The independent watcher: a process and a user of its own, with stamps of its own clock.

`python -m tests.scale.witness KUBECONFIG FILE` follows every kind that a tenant consists of and writes a line
for each event. A watch that can't go on from where it was ends the process: a gap in what was seen would make
every later figure a lie.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TextIO

import aiohttp

from tests.scale.tenants import Key
from vre_operator.api import names
from vre_operator.kube import access
from vre_operator.kube.kinds import kind_of
from vre_operator.targets.kubernetes.cache import FOLLOWED

WISH = f"{names.API_VERSION}/{names.KIND}"
KINDS = (*FOLLOWED, WISH)
# Reading whole objects would cost a third of a core; all that is needed stands at the head of a line.
_HEAD = re.compile(
    rb'^\{"type":"(\w+)","object":\{"kind":"\w+","apiVersion":"[\w./]+","metadata":\{"name":"([^"]+)"'
    rb'(?:,"namespace":"([^"]+)")?,"uid":"([^"]+)","resourceVersion":"(\d+)"(?:,"generation":(\d+))?'
)


class Sight(NamedTuple):
    """at: seconds of the machine's monotonic clock. ready: a VREEnvironment's reason of its condition."""

    at: float
    type: str
    key: Key
    uid: str
    version: int
    generation: int
    ready: str


@dataclass
class Witness:
    """What was seen so far; `look` reads on."""

    file: Path
    process: subprocess.Popen[bytes]
    sights: list[Sight] = field(default_factory=list)
    by_key: dict[Key, list[Sight]] = field(default_factory=dict)
    _reader: TextIO | None = None

    def look(self) -> int:
        """Read what came since; how many sights there are now."""
        if self.process.poll() is not None:
            raise RuntimeError(f"the witness ended: {self.file.with_suffix('.log').read_text()[-500:]}")
        if self._reader is None:
            self._reader = self.file.open()
        while True:
            position = self._reader.tell()
            line = self._reader.readline()
            if not line.endswith("\n"):
                self._reader.seek(position)
                return len(self.sights)
            at, kind_of_event, kind, namespace, name, uid, version, generation, ready = line[:-1].split("\t")
            key = (kind, namespace, name)
            sight = Sight(float(at), kind_of_event, key, uid, int(version), int(generation), ready)
            self.sights.append(sight)
            self.by_key.setdefault(key, []).append(sight)

    def close(self) -> None:
        """Read no more."""
        if self._reader:
            self._reader.close()

    def until(self, holds: Callable[[], bool], seconds: float, what: str) -> None:
        """Look on until it holds; raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while True:
            self.look()
            if holds():
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {seconds:.0f} s still not: {what}")
            time.sleep(0.05)

    def first(self, key: Key, since: float) -> Sight | None:
        """The first sight of an object that is there, at `since` or after."""
        return next((it for it in self.by_key.get(key, ()) if it.at >= since and it.type != "DELETED"), None)

    def missing(self, keys: Iterable[Key], since: float) -> set[Key]:
        return {key for key in keys if self.first(key, since) is None}

    def quiet(self, seconds: float, limit: float = 120) -> None:
        """Wait until nothing was seen for so long."""
        deadline = time.monotonic() + limit
        while True:
            self.look()
            if not self.sights or time.monotonic() - self.sights[-1].at > seconds:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"it does not get quiet: last {self.sights[-1]}")
            time.sleep(0.1)


@contextmanager
def watching(kubeconfig: Path, file: Path) -> Iterator[Witness]:
    """Beside the block; it has begun to watch when the block is entered."""
    command = [sys.executable, "-m", "tests.scale.witness", str(kubeconfig), str(file)]
    with file.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
    try:
        assert process.stdout
        if not process.stdout.readline():
            raise RuntimeError(f"the witness did not start: {file.with_suffix('.log').read_text()[-500:]}")
        witness = Witness(file, process)
        try:
            yield witness
        finally:
            witness.close()
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


_NOT_YET = 429


async def _follow(session: aiohttp.ClientSession, server: str, kind: str, out: TextIO) -> None:
    url = server + kind_of(kind).path()
    async with session.get(url, params={"limit": "1"}) as answer:
        answer.raise_for_status()
        version = (await answer.json())["metadata"]["resourceVersion"]
    begun = False
    while True:
        query = {"watch": "true", "resourceVersion": version, "timeoutSeconds": "86400"}
        async with session.get(url, params=query) as answer:
            if answer.status == _NOT_YET:
                # The store of a kind whose definition is new is being set up.
                await asyncio.sleep(0.2)
                continue
            answer.raise_for_status()
            if not begun:
                begun = True
                _begun.append(kind)
                if len(_begun) == len(KINDS):
                    print("watching", flush=True)
            # Who reads too slowly is sent away, and misses nothing by going on from where it was.
            with contextlib.suppress(aiohttp.ClientPayloadError):
                rest = b""
                async for chunk in answer.content.iter_any():
                    at = time.monotonic()
                    *lines, rest = (rest + chunk).split(b"\n")
                    told = [line_of(at, kind, line) for line in lines if line]
                    out.writelines(told)
                    out.flush()
                    if told:
                        version = told[-1].split("\t")[_VERSION]


_VERSION = 6
_begun: list[str] = []


def line_of(at: float, kind: str, line: bytes) -> str:
    """What is kept of an event; raises RuntimeError for an error."""
    head = _HEAD.match(line)
    if head:
        kind_of_event, name, namespace, uid, version, generation = (
            part.decode() if part else "" for part in head.groups()
        )
        ready = ""
    else:
        event = json.loads(line)
        kind_of_event, obj = event["type"], event["object"]
        if kind_of_event == "ERROR":
            raise RuntimeError(f"the watch of {kind}: {obj}")
        metadata = obj["metadata"]
        name, namespace = metadata["name"], metadata.get("namespace", "")
        uid, version = metadata["uid"], metadata["resourceVersion"]
        generation = str(metadata.get("generation", 0))
        ready = _ready(obj)
    parts = (f"{at:.6f}", kind_of_event, kind, namespace, name, uid, version, generation or "0", ready)
    return "\t".join(parts) + "\n"


def _ready(obj: dict[str, dict[str, list[dict[str, str]]]]) -> str:
    conditions = (obj.get("status") or {}).get("conditions") or []
    return next((item["reason"] for item in conditions if item["type"] == "Ready"), "")


async def _run(kubeconfig: str, out: TextIO) -> None:
    who = access.from_kubeconfig(kubeconfig)
    timeout = aiohttp.ClientTimeout(total=None)
    connector = aiohttp.TCPConnector(limit=0, ssl=who.tls or True)
    headers = {"Authorization": f"Bearer {who.token()}", "Accept": "application/json"}
    session = aiohttp.ClientSession(connector=connector, headers=headers, timeout=timeout)
    async with session, asyncio.TaskGroup() as group:
        for kind in KINDS:
            group.create_task(_follow(session, who.server, kind, out))


if __name__ == "__main__":
    with Path(sys.argv[2]).open("w") as opened:
        asyncio.run(_run(sys.argv[1], opened))
