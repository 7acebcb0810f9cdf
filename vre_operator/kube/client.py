"""A small async client of the API server: plain dicts in and out, the engine's errors, nothing cached.

Kinds are written `apiVersion/Kind` (kinds.py). Only what may be repeated is repeated: reads and server-side
applies, a few times, after a lost connection or an overload; everything else fails at once and the next
pass finds out what it did.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from vre_operator.api import names
from vre_operator.kube import access as access_module
from vre_operator.kube.access import Access
from vre_operator.kube.kinds import kind_of
from vre_operator.kube.transport import Object, Request, Transport, refusal

PAGE = 500
# Bookmarks come every 60 s, on a busy machine ten seconds later: 70 s ended every watch of a kind at rest.
SILENCE = 100.0
ABSENT = "1"
"""As metadata.resourceVersion of an apply: create only. No object can be at version 1, so any is a Conflict,
while a create ignores the version. Proved in tests/cluster/test_kube_apply.py."""

_WRITE = {"fieldManager": names.FIELD_MANAGER, "fieldValidation": "Strict"}


class WatchEvent(NamedTuple):
    """`type` is ADDED, MODIFIED, DELETED or BOOKMARK (then `object` holds the resource version only)."""

    type: str
    object: Object


class Page(NamedTuple):
    """A piece of a list; a watch continues from the last piece's `resource_version`."""

    items: Sequence[Object]
    resource_version: str


class Kube:
    """One API server. Use `async with`, or `close()` at the end."""

    def __init__(self, access: Access) -> None:
        self._transport = Transport(access)

    @classmethod
    def from_environment(cls) -> Kube:
        """In a pod its service account, elsewhere the kubeconfig."""
        return cls(access_module.from_environment())

    @classmethod
    def from_kubeconfig(cls, path: str | None = None, context: str | None = None) -> Kube:
        """A person's kubeconfig (None: the usual place) and one of its contexts (None: the current one)."""
        return cls(access_module.from_kubeconfig(path, context))

    async def __aenter__(self) -> Kube:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._transport.close()

    def fence(self, may_write: Callable[[], bool]) -> None:
        """Ask before each write is sent; Fenced when the answer is no."""
        self._transport.may_write = may_write

    @property
    def requests(self) -> int:
        """Requests sent so far, repeats and watches included: settled means that this stands still."""
        return self._transport.sent

    async def get(self, kind: str, namespace: str, name: str) -> Object:
        """The object as it is now (a quorum read). NotFound when there is none."""
        return await self._transport.call(Request("get", kind, namespace, name, repeat=True))

    async def log(self, namespace: str, pod: str) -> str:
        """What the only container of a pod has written so far."""
        request = Request("get", "v1/Pod", namespace, pod, "log", repeat=True, text=True)
        return str((await self._transport.call(request))["text"])

    async def create(self, obj: Mapping[str, Any]) -> Object:
        """POST: AlreadyExists (a Conflict) when the name is taken, so one of two creators wins."""
        kind, namespace, _ = address(obj)
        return await self._transport.call(Request("create", kind, namespace, body=obj, query=_WRITE))

    async def replace(self, obj: Mapping[str, Any], *, subresource: str = "") -> Object:
        """PUT: Conflict unless the object is still at `obj`'s metadata.resourceVersion."""
        kind, namespace, name = address(obj)
        return await self._transport.call(
            Request("update", kind, namespace, name, subresource, body=obj, query=_WRITE)
        )

    async def apply(
        self, obj: Mapping[str, Any], *, subresource: str = "", manager: str = names.FIELD_MANAGER
    ) -> Object:
        """Server-side apply with force: exactly `obj`'s fields become ours, creating the object if need be.

        Guards, each a Conflict when it does not hold: metadata.uid (only that very object, never create),
        metadata.resourceVersion of a read (only if unchanged since), or `ABSENT` (only create).
        """
        kind, namespace, name = address(obj)
        # Of a built-in kind an apply refuses unknown fields in any case; to be strict means that the server
        # parses it twice. Of a custom resource unknown fields would be dropped in silence.
        validation = "Strict" if obj["apiVersion"] == names.API_VERSION else "Ignore"
        query = {"fieldManager": manager, "force": "true", "fieldValidation": validation}
        return await self._transport.call(
            Request("apply", kind, namespace, name, subresource, body=obj, query=query, repeat=True)
        )

    async def patch_json(
        self, kind: str, namespace: str, name: str, patch: Sequence[Mapping[str, Any]]
    ) -> Object:
        """JSON patch. Begin with a `test` of /metadata/resourceVersion to make it a compare-and-swap (a failed
        test is Invalid)."""
        return await self._transport.call(
            Request("patch", kind, namespace, name, body=list(patch), query=_WRITE)
        )

    async def delete(
        self,
        kind: str,
        namespace: str,
        name: str,
        *,
        uid: str = "",
        resource_version: str = "",
        propagation: str = "Background",
    ) -> bool:
        """Ask for deletion; Conflict unless the object still has that uid and version, NotFound when gone.

        True when it is gone with the answer, False while finalizers or a grace period hold it.
        """
        wanted = {"uid": uid, "resourceVersion": resource_version}
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        if preconditions := {key: value for key, value in wanted.items() if value}:
            options["preconditions"] = preconditions
        answer = await self._transport.call(Request("delete", kind, namespace, name, body=options))
        return bool(answer.get("kind") == "Status")

    async def pages(
        self, kind: str, namespace: str = "", *, selector: str = "", metadata_only: bool = False
    ) -> AsyncIterator[Page]:
        """The list of one namespace or ("") of all, in pieces. Gone if the reader is too slow."""
        what = kind_of(kind)
        query = {"limit": str(PAGE), **({"labelSelector": selector} if selector else {})}
        while True:
            request = Request("list", kind, namespace, query=query, repeat=True, metadata_only=metadata_only)
            answer = await self._transport.call(request)
            items: list[Object] = answer.get("items") or []
            for item in items:
                item.setdefault("apiVersion", what.api_version)
                item.setdefault("kind", what.name)
            metadata = answer["metadata"]
            yield Page(items, metadata["resourceVersion"])
            if not (token := metadata.get("continue")):
                return
            query = {**query, "continue": token}

    async def watch(
        self,
        kind: str,
        resource_version: str,
        namespace: str = "",
        *,
        selector: str = "",
        silence: float = SILENCE,
        metadata_only: bool = False,
    ) -> AsyncIterator[WatchEvent]:
        """Changes after `resource_version`. Ends when the server closes it or is silent; Gone: list again."""
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            # Spread, so that a restart does not make all watches end together for ever after.
            "timeoutSeconds": str(random.randint(240, 360)),  # noqa: S311
            **({"labelSelector": selector} if selector else {}),
        }
        request = Request("watch", kind, namespace, query=query, metadata_only=metadata_only)
        async for event in self._transport.stream(request, silence):
            if event["type"] == "ERROR":
                status: Object = event["object"]
                raise refusal(int(status.get("code") or 500), status, request)
            yield WatchEvent(event["type"], event["object"])

    async def list(self, kind: str, namespace: str = "", *, selector: str = "") -> Sequence[Object]:
        """Every object of the kind, in one namespace or ("") in all."""
        return [item async for page in self.pages(kind, namespace, selector=selector) for item in page.items]


def address(obj: Mapping[str, Any]) -> tuple[str, str, str]:
    """(kind, namespace, name) of a manifest."""
    metadata = obj["metadata"]
    return f"{obj['apiVersion']}/{obj['kind']}", metadata.get("namespace", ""), metadata["name"]
