"""A live copy of one kind: list, then watch, and on any doubt list again and report the difference.

In all namespaces at once, or in some by a list and a watch for each.

No ghosts: what vanished while nobody watched is reported as removed by the next list. A watch that is open
but silent is ended (client.SILENCE) and continued. What is kept of an object is an `Entry`; its body only
until somebody has looked at it and called `settle`.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import random
import sys
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from vre_operator.api import names
from vre_operator.engine.errors import Forbidden, NotFound, TargetError
from vre_operator.engine.readiness import readiness
from vre_operator.engine.target import READY, Readiness
from vre_operator.kube.client import SILENCE, Kube
from vre_operator.kube.errors import Gone
from vre_operator.kube.scope import EVERYWHERE
from vre_operator.kube.transport import Object

log = logging.getLogger(__name__)

_PAUSE = (1.0, 30.0)
_MISSING_KIND = 120.0
_NO_CONTENT = ("apiVersion", "kind", "metadata", "status")


class Owner(NamedTuple):
    """The tenant that an object's labels name."""

    namespace: str
    name: str
    uid: str

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> Owner | None:
        labels = metadata.get("labels") or {}
        if names.TENANT_NAMESPACE_LABEL not in labels:
            return None
        wanted = (names.TENANT_NAMESPACE_LABEL, names.TENANT_NAME_LABEL, names.TENANT_UID_LABEL)
        # Interned: a hundred objects of a tenant share one owner.
        return _shared_owner(cls(*(str(labels.get(label, "")) for label in wanted)))


@dataclass(slots=True)
class Entry:
    """One object. `content` (8 bytes) changes with anything but its status, and is the same in every process;
    `note` is what a reader of the body found out, carried along while the content stays the same."""

    namespace: str
    name: str
    uid: str
    version: int
    owner: Owner | None
    readiness: Readiness
    content: bytes
    body: Object | None
    note: Any = None

    @property
    def deleting(self) -> bool:
        return self.body is not None and "deletionTimestamp" in self.body["metadata"]


OnChange = Callable[[Entry | None, Entry | None], None]


@dataclass(slots=True)
class _Part:
    """One list and its watch. namespace: "" for all. version: where the watch goes on, "" before the list.
    told: whether it is known what there is, or that nobody tells us."""

    namespace: str
    heard: float
    tried: float
    version: str = ""
    told: bool = False
    refused: bool = False


class Reflector:
    """Follows `kind` in `namespaces`; `selector` limits it. `run` it as a task.

    Of a namespace that is named and refused (it is not there, or no Role of ours is) nothing is known, and it
    is tried again; the others do not wait for it.

    compact: what to keep of a body. on_change(old, new): new None = removed; not called for what changed
    neither content nor readiness, unless the `whole` object is asked for, its status included. optional: a kind
    that a cluster may lack (`installed`), which is looked for again only when somebody asks (`look`).
    """

    def __init__(
        self,
        kube: Kube,
        kind: str,
        *,
        namespaces: Iterable[str] = EVERYWHERE,
        selector: str = "",
        compact: Callable[[Object], Object] = lambda obj: obj,
        judge: Callable[[str, Object], Readiness] = readiness,
        on_change: OnChange = lambda old, new: None,
        silence: float = SILENCE,
        whole: bool = False,
        metadata_only: bool = False,
        optional: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.kind = kind
        self.synced = asyncio.Event()
        self.installed = True
        self._wanted = asyncio.Event()
        self._optional = optional
        self._kube = kube
        self._selector = selector
        self._compact = compact
        self._judge = judge
        self._on_change = on_change
        self._silence = silence
        self._clock = clock
        self._whole = whole
        self._metadata_only = metadata_only
        self._parts = {name: _Part(name, heard=clock(), tried=clock()) for name in namespaces}
        self._entries: dict[str, dict[str, Entry]] = {}

    @property
    def age(self) -> float:
        """Seconds since the API server last said anything, in the namespace where that is longest ago; 0 of a
        kind that it does not know."""
        return self._clock() - min(part.heard for part in self._parts.values()) if self.installed else 0.0

    @property
    def stalled(self) -> float:
        """Seconds in which it neither said anything nor was asked: above a few minutes we are stuck
        ourselves."""
        if not self.installed:
            return 0.0
        return self._clock() - min(max(part.heard, part.tried) for part in self._parts.values())

    def look(self) -> None:
        """Somebody wants to know of a kind that was not installed."""
        self._wanted.set()

    def __len__(self) -> int:
        return sum(map(len, self._entries.values()))

    def get(self, namespace: str, name: str) -> Entry | None:
        return self._entries.get(namespace, {}).get(name)

    def within(self, namespace: str) -> Iterator[Entry]:
        yield from self._entries.get(namespace, {}).values()

    async def run(self) -> None:
        """For ever. Only a bug ends it."""
        async with asyncio.TaskGroup() as group:
            for part in self.parts():
                group.create_task(part)

    def parts(self) -> Iterator[Coroutine[Any, Any, None]]:
        """What `run` consists of, for who makes the tasks: one for each namespace."""
        return map(self._follow, self._parts.values())

    async def _follow(self, part: _Part) -> None:
        failures = 0
        while True:
            began = part.tried = self._clock()
            try:
                if not part.version:
                    await self._list(part)
                await self._watch(part)
                failures = 0
            except Gone:
                part.version = ""
                failures += 1
            except NotFound:
                # The kind is not installed here (a CRD): nothing of it exists.
                part.heard = self._clock()
                part.version = ""
                self.installed = False
                self._told(part)
                self._wanted.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wanted.wait(), None if self._optional else _MISSING_KIND)
                continue
            except TargetError as error:
                failures = 1 if self._clock() - began > _PAUSE[1] else failures + 1
                if not part.refused:
                    log.warning("following %s: %s", self.kind, error.text)
                if isinstance(error, Forbidden) and part.namespace:
                    part.heard = self._clock()
                    part.refused = True
                    part.version = ""
                    self._told(part)
            if failures or self._clock() - began < _PAUSE[0]:
                pause = min(_PAUSE[1], _PAUSE[0] * 2 ** min(failures, 5))
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311

    def _told(self, part: _Part) -> None:
        part.told = True
        if all(each.told for each in self._parts.values()):
            self.synced.set()

    def _part(self, namespace: str) -> _Part | None:
        """Where news of that namespace comes from; None where nobody listens."""
        return self._parts.get("") or self._parts.get(namespace)

    def record(self, obj: Object, note: Any = None) -> Entry:
        """Take in the answer to our own write, so that its echo in the watch changes nothing.

        An answer that comes after the news of the object's end brings nothing back: it is not kept then.
        """
        entry = self._entry(obj)
        known = self.get(entry.namespace, entry.name)
        if known and known.uid == entry.uid and known.version > entry.version:
            return known
        part = self._part(entry.namespace)
        if part is None or (known is None and part.version and entry.version <= int(part.version)):
            return entry
        entry.note = note
        if note is not None and not entry.deleting:
            entry.body = None
        self._entries.setdefault(entry.namespace, {})[entry.name] = entry
        return entry

    def settle(self, entry: Entry, note: Any) -> None:
        """The body of `entry` was looked at: keep the finding instead."""
        entry.note = note
        if not entry.deleting:
            entry.body = None

    def forget(self, namespace: str, name: str, uid: str) -> None:
        """Somebody knows for certain that this object is gone."""
        entry = self.get(namespace, name)
        if entry and entry.uid == uid:
            self._remove(entry)

    async def _list(self, part: _Part) -> None:
        seen: set[tuple[str, str]] = set()
        version = ""
        pages = self._kube.pages(
            self.kind, part.namespace, selector=self._selector, metadata_only=self._metadata_only
        )
        async for page in pages:
            part.heard = self._clock()
            for item in page.items:
                seen.add((item["metadata"].get("namespace", ""), item["metadata"]["name"]))
                self._take(item)
            version = page.resource_version
        groups = [self._entries.get(part.namespace, {})] if part.namespace else self._entries.values()
        for entry in [entry for group in groups for entry in group.values()]:
            # What we wrote after the list was taken is not in it.
            if (entry.namespace, entry.name) not in seen and entry.version <= int(version):
                self._remove(entry)
                self._on_change(entry, None)
        part.version = version
        part.refused = False
        self.installed = True
        self._told(part)

    async def _watch(self, part: _Part) -> None:
        async for event in self._kube.watch(
            self.kind,
            part.version,
            part.namespace,
            selector=self._selector,
            silence=self._silence,
            metadata_only=self._metadata_only,
        ):
            part.heard = self._clock()
            if event.type == "DELETED":
                self._vanished(event.object)
            elif event.type != "BOOKMARK":
                self._take(event.object)
            part.version = event.object["metadata"]["resourceVersion"]

    def _take(self, obj: Object) -> None:
        metadata = obj["metadata"]
        old = self.get(metadata.get("namespace", ""), metadata["name"])
        # The echo of our own write is most of what comes by: before anything is made of it.
        version = int(metadata["resourceVersion"])
        if old and (version < old.version or (version == old.version and old.uid == metadata["uid"])):
            return
        new = self._entry(obj)
        self._entries.setdefault(new.namespace, {})[new.name] = new
        if old and old.uid == new.uid and old.content == new.content:
            new.note = old.note
            if old.body is None and not new.deleting:
                new.body = None
            if old.readiness == new.readiness and not self._whole:
                return
        self._on_change(old, new)

    def _vanished(self, obj: Object) -> None:
        """Deleted, or no longer selected."""
        metadata = obj["metadata"]
        old = self.get(metadata.get("namespace", ""), metadata["name"])
        if old and old.uid == metadata["uid"] and old.version <= int(metadata["resourceVersion"]):
            self._remove(old)
            self._on_change(old, None)

    def _remove(self, entry: Entry) -> None:
        group = self._entries[entry.namespace]
        del group[entry.name]
        if not group:
            del self._entries[entry.namespace]

    def _entry(self, obj: Object) -> Entry:
        metadata = obj["metadata"]
        metadata.pop("managedFields", None)
        return Entry(
            namespace=sys.intern(metadata.get("namespace", "")),
            name=metadata["name"],
            uid=metadata["uid"],
            version=int(metadata["resourceVersion"]),
            owner=Owner.of(metadata),
            readiness=_shared(self._judge(self.kind, obj)),
            content=_content(obj),
            body=self._compact(obj),
        )


@lru_cache(maxsize=1024)
def _shared_owner(owner: Owner) -> Owner:
    return owner


def _shared(found: Readiness) -> Readiness:
    return READY if found == READY else found


def _content(obj: Object) -> bytes:
    metadata = obj["metadata"]
    told = [metadata.get(key) for key in ("labels", "annotations", "deletionTimestamp", "finalizers")]
    rest = {key: value for key, value in obj.items() if key not in _NO_CONTENT}
    text = orjson.dumps([told, rest], option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(text, digest_size=8).digest()
