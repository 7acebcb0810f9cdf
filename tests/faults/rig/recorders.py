"""What really happened, from sources that the operator has no hand in: a watch of our own and the audit log."""

from __future__ import annotations

import asyncio
import json
import re
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import orjson

from tests.faults.rig.api import KINDS, Api, Json, collection
from tests.faults.rig.background import Background


class Name(NamedTuple):
    """An object's address."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


@dataclass(frozen=True, slots=True)
class Change:
    """`type`: ADDED, MODIFIED or DELETED; GAP, without an object, where changes of a kind may lack.

    packed: the object. A run of hours sees hundreds of thousands, and asks again for few of them.
    """

    type: str
    name: Name
    uid: str
    packed: bytes

    @classmethod
    def of(cls, what: str, name: Name, obj: Json) -> Change:
        return cls(what, name, _uid(obj), zlib.compress(orjson.dumps(obj), 1))

    @property
    def object(self) -> Json:
        found: Json = orjson.loads(zlib.decompress(self.packed))
        return found


class _Expired(Exception):
    """The API server no longer knows what came after that resource version."""


class Recorder:
    """Follows every kind in all namespaces. history: all changes since the start; objects: what there is."""

    def __init__(self, background: Background, api: Api) -> None:
        self.history: list[Change] = []
        self.objects: dict[Name, Json] = {}
        self._initial: dict[Name, Json] = {}
        self._latest: dict[Name, tuple[Change | None, Change]] = {}
        self._background = background
        self._api = api
        self._failure: BaseException | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Returns when every kind was listed."""
        self._background.run(self._start())

    def stop(self) -> None:
        self._background.run(self._stop())

    def mark(self) -> int:
        self.check()
        return len(self.history)

    def check(self) -> None:
        """Raise what ended a watch: a blind recorder proves nothing."""
        if self._failure:
            raise RuntimeError("a recorder ended") from self._failure

    def since(self, mark: int, namespaces: Iterable[str] = (), kinds: Collection[str] = KINDS) -> list[Change]:
        """The changes of `kinds` after `mark`, in these namespaces (themselves included) or in all.

        Raises RuntimeError when one of them may lack: the machine stood still for longer than the API server
        remembers.
        """
        self.check()
        wanted = set(namespaces)
        changes = [change for change in self.history[mark:] if change.name.kind in kinds]
        if gaps := {change.name.kind for change in changes if change.type == "GAP"}:
            raise RuntimeError(f"the API server forgot changes of {sorted(gaps)} before the recorder saw them")
        return [
            change for change in changes if not wanted or (change.name.namespace or change.name.name) in wanted
        ]

    def within(self, namespaces: Iterable[str]) -> dict[Name, Json]:
        """What there is in these namespaces, with the namespaces themselves, without events."""
        self.check()
        wanted = set(namespaces)
        return {
            name: obj
            for name, obj in list(self.objects.items())
            if (name.namespace or name.name) in wanted and name.kind != "Event"
        }

    def as_of(self, mark: int) -> dict[Name, Json]:
        """What there was at `mark`."""
        last = {change.name: change for change in self.history[:mark] if change.type != "GAP"}
        there = {name: change.object for name, change in last.items() if change.type != "DELETED"}
        return {name: obj for name, obj in self._initial.items() if name not in last} | there

    def before(self, name: Name) -> Json | None:
        """The version before the last one, whatever its uid; None when there was none."""
        earlier, _ = self._latest.get(name, (None, None))
        return earlier.object if earlier and earlier.type != "DELETED" else None

    async def _start(self) -> None:
        self._initial = {}
        versions = await asyncio.gather(*(self._list(kind) for kind in KINDS))
        self.history.clear()
        self._latest.clear()
        self._initial = dict(self.objects)
        for kind, version in zip(KINDS, versions, strict=True):
            self._tasks.append(asyncio.create_task(self._guarded(kind, version)))

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _list(self, kind: str) -> str:
        async with self._api.session.get(collection(kind)) as answer:
            listed = json.loads(await answer.read())
        if answer.status == 429:  # a kind that was installed a moment ago
            await asyncio.sleep(1)
            return await self._list(kind)
        if answer.status != 200:
            raise RuntimeError(f"{kind}: {listed}")
        there = {_name(kind, item): item for item in listed["items"] or ()}
        for name in [name for name in self.objects if name.kind == kind]:
            if _uid(there.get(name)) != _uid(self.objects[name]):
                self._note("DELETED", name, self.objects[name])
        for name, item in there.items():
            known = self.objects.get(name)
            if known is None or known["metadata"]["resourceVersion"] != item["metadata"]["resourceVersion"]:
                self._note("MODIFIED" if known else "ADDED", name, item)
        return str(listed["metadata"]["resourceVersion"])

    async def _guarded(self, kind: str, version: str) -> None:
        try:
            await self._watch(kind, version)
        except Exception as failure:
            self._failure = failure

    async def _watch(self, kind: str, version: str) -> None:
        while True:
            try:
                version = await self._follow(kind, version)
            except _Expired:
                self._note("GAP", Name(kind, "", ""), {})
                version = await self._list(kind)

    async def _follow(self, kind: str, version: str) -> str:
        """Until the API server ends the watch; where the next one begins. Raises _Expired."""
        query = {"watch": "true", "resourceVersion": version, "allowWatchBookmarks": "true"}
        timeout = aiohttp.ClientTimeout(total=None)
        async with self._api.session.get(collection(kind), params=query, timeout=timeout) as answer:
            rest = b""
            async for piece in answer.content.iter_any():
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    version = self._take(kind, orjson.loads(line))
        return version

    def _take(self, kind: str, event: Json) -> str:
        obj = event["object"]
        if event["type"] == "ERROR":
            raise _Expired if obj["code"] == 410 else RuntimeError(f"{kind}: {obj}")
        if event["type"] != "BOOKMARK":
            self._note(event["type"], _name(kind, obj), obj)
        return str(obj["metadata"]["resourceVersion"])

    def _note(self, what: str, name: Name, obj: Json) -> None:
        change = Change.of(what, name, obj)
        self.history.append(change)
        self._latest[name] = (self._latest.get(name, (None, None))[1], change)
        if what == "DELETED":
            self.objects.pop(name, None)
        elif what != "GAP":
            self.objects[name] = obj


def _name(kind: str, obj: Json) -> Name:
    return Name(kind, obj["metadata"].get("namespace", ""), obj["metadata"]["name"])


def _uid(obj: Json | None) -> str:
    return str(obj["metadata"]["uid"]) if obj else ""


def counted(changes: Iterable[Change], what: str) -> Counter[Name]:
    """How many different objects were ADDED or DELETED under each name."""
    return Counter(name for name, _ in {(change.name, change.uid) for change in changes if change.type == what})


_LEASE = re.compile(r"/leases/")


class Audit:
    """The API server's audit log."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def mark(self) -> int:
        return self._path.stat().st_size

    def since(self, mark: int, user: str) -> Iterator[Json]:
        """What `user` asked, without the watches that go on and without the lease."""
        with self._path.open("rb") as log:
            log.seek(mark)
            for line in log:
                if not line.endswith(b"\n") or user.encode() not in line:
                    continue
                event = json.loads(line)
                if event["user"]["username"] == user and not _LEASE.search(event["requestURI"]):
                    yield event

    def text(self, mark: int) -> str:
        """All of the log since `mark`, as it stands there."""
        with self._path.open("rb") as log:
            log.seek(mark)
            return log.read().decode(errors="replace")


def verbs(events: Iterable[Json]) -> Counter[str]:
    """Requests by verb."""
    return Counter(event["verb"] for event in events)


def spoken(event: Json) -> str:
    """An audit event in words."""
    what: dict[str, Any] = event.get("objectRef") or {}
    parts = (event["verb"], what.get("resource", ""), what.get("namespace", ""), what.get("name", ""))
    return " ".join(part for part in parts if part)
