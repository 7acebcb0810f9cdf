"""What the operator tells about a tenant: its status, its events, its finalizer. The only writer of these.

Status is applied whole by server-side apply and only when it differs from what was written last, so a settled
tenant costs nothing. What was written last wins over the cache, which may lag behind our own writes.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Protocol

from vre_operator.api import names
from vre_operator.api.conditions import Condition, Reason
from vre_operator.api.v1alpha1 import VREEnvironmentSpec
from vre_operator.engine import status
from vre_operator.engine.errors import Conflict, NotFound
from vre_operator.engine.executor import Outcome
from vre_operator.engine.inventory import Inventory
from vre_operator.engine.plan import Plan
from vre_operator.engine.refs import printable
from vre_operator.engine.resources import OIDC, ResourceId
from vre_operator.runtime.tenants import Object, TenantKey, Tenants

OPERATOR_VERSION = version("vre-operator")

# Reasons for not being ready that need nobody's attention.
_CALM = (Reason.READY, Reason.PROGRESSING, Reason.WAITING, Reason.SUSPENDED, Reason.DELETING)


class Writer(Protocol):
    """What is needed of the Kubernetes client."""

    async def apply(self, obj: Mapping[str, Any], *, subresource: str = "") -> dict[str, Any]: ...


class Announcer(Protocol):
    """Posts Kubernetes events; repeated ones are folded by it."""

    async def post(self, obj: Mapping[str, Any], *, warning: bool, reason: str, message: str) -> None: ...


def utc_now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Publisher:
    """Remembers what it wrote for each tenant."""

    def __init__(
        self, writer: Writer, announcer: Announcer, tenants: Tenants, clock: Callable[[], str] = utc_now
    ) -> None:
        self.writer = writer
        self.announcer = announcer
        self.clock = clock
        self._tenants = tenants
        self._written: dict[TenantKey, tuple[str, dict[str, Any]]] = {}

    def open(self, obj: Object) -> Report:
        key = (obj["metadata"]["namespace"], obj["metadata"]["name"])
        uid, written = self._written.get(key, ("", {}))
        seen = written if uid == obj["metadata"]["uid"] else dict(obj.get("status") or {})
        return Report(self, obj, seen)

    def remember(self, obj: Object, written: dict[str, Any]) -> None:
        key = (obj["metadata"]["namespace"], obj["metadata"]["name"])
        self._written[key] = (obj["metadata"]["uid"], written)

    def forget(self, key: TenantKey) -> None:
        self._written.pop(key, None)

    async def internal_error(self, key: TenantKey) -> None:
        """Tell of a bug without its text, which nobody has looked over for secrets."""
        if obj := self._tenants.get(key):
            message = "the operator met an unexpected error and will try again. Its log has the details."
            await self.open(obj).finish(status.whole(Reason.INTERNAL_ERROR, message, stalled=False), keep=True)


class Report:
    """One pass's view of a tenant's status, saved in at most two writes."""

    def __init__(self, publisher: Publisher, obj: Object, seen: dict[str, Any]) -> None:
        self._publisher = publisher
        self._obj = obj
        self._saved = seen
        self._draft = copy.deepcopy(seen)
        self.inventory = Inventory.load(seen.get("inventory") or ())
        self.hostnames: list[str] = list(seen.get("hostnames") or ())
        self._repairs: list[Outcome] = []
        self._pruned: list[ResourceId] = []

    @property
    def has_finalizer(self) -> bool:
        return names.FINALIZER in (self._obj["metadata"].get("finalizers") or ())

    async def ensure_finalizer(self) -> None:
        """Before the first thing is made: from here on a deletion waits for us."""
        if not self.has_finalizer:
            await self._publisher.writer.apply(self._identity(finalizers=[names.FINALIZER]))

    async def drop_finalizer(self) -> None:
        """Everything is gone: let the object go. Repeatable."""
        try:
            await self._publisher.writer.apply(self._identity())
        except (NotFound, Conflict):
            # Gone, or even made anew under another uid: the next event tells.
            return

    def endpoints(self, spec: VREEnvironmentSpec, plan: Plan) -> None:
        """Where people find what the plan makes, and what a person has to enter at a manual provider."""
        endpoints = {}
        if spec.notebooks.enabled:
            endpoints["url"] = f"https://{spec.hostname}"
        if spec.data_lake.enabled and spec.data_lake.hostname:
            endpoints["rucio"] = f"https://{spec.data_lake.hostname}"
        self._draft["endpoints"] = endpoints
        self._draft["registration"] = [
            {
                "role": resource.id.name,
                "redirectUris": list(body["redirect_uris"]),
                "scopes": list(body["scopes"]),
                "grantTypes": list(body["grant_types"]),
                "tokenEndpointAuthMethod": body["token_endpoint_auth_method"],
            }
            for resource in plan.resources
            if resource.id.target == OIDC
            and resource.id.kind == "Client"
            and (body := printable(resource.body))["provider"] == "manual"
        ]
        self._draft["version"] = OPERATOR_VERSION

    def note_changes(self, outcomes: Iterable[Outcome]) -> None:
        """Remember what was repaired, for an event: drift in a tenant that had been ready."""
        self._repairs = [outcome for outcome in outcomes if outcome.change] if self._was_ready() else []

    def note_pruned(self, gone: Iterable[ResourceId]) -> None:
        self._pruned = list(gone)

    async def save(self) -> None:
        """The write-ahead part: inventory and claims, before anything is made."""
        await self._write()

    async def finish(self, summary: status.Summary, *, keep: bool = False) -> None:
        """The result of the pass. `keep`: conditions that it says nothing about stay as they were."""
        before = self._condition(Condition.READY)
        generation = self._obj["metadata"]["generation"]
        self._draft["observedGeneration"] = generation
        self._draft["conditions"] = status.stamp(
            summary.verdicts,
            self._saved.get("conditions") or (),
            generation=generation,
            now=self._publisher.clock(),
            keep=keep,
        )
        await self._write()
        await self._announce(before, summary)

    async def _write(self) -> None:
        self._draft["inventory"] = self.inventory.dump()
        self._draft["hostnames"] = self.hostnames
        if self._draft == self._saved:
            return
        draft = copy.deepcopy(self._draft)
        await self._publisher.writer.apply({**self._identity(), "status": draft}, subresource="status")
        self._saved = draft
        self._publisher.remember(self._obj, draft)

    async def _announce(self, before: Mapping[str, Any] | None, summary: status.Summary) -> None:
        ready = summary.verdicts[0]
        post = self._publisher.announcer.post
        if before is None or (before["reason"], before["status"]) != (str(ready.reason), _word(ready.true)):
            warning = ready.reason not in _CALM
            await post(self._obj, warning=warning, reason=str(ready.reason), message=ready.message)
        for outcome in self._repairs:
            message = f"{outcome.resource.id.short} {outcome.change}"
            await post(self._obj, warning=False, reason="Repaired", message=message)
        if self._pruned:
            message = f"removed {', '.join(resource.short for resource in self._pruned)}"
            await post(self._obj, warning=False, reason="Pruned", message=message)

    def _was_ready(self) -> bool:
        ready = self._condition(Condition.READY)
        same_wish = self._saved.get("observedGeneration") == self._obj["metadata"]["generation"]
        return bool(ready and ready["status"] == "True" and same_wish)

    def _condition(self, which: Condition) -> Mapping[str, Any] | None:
        return next((item for item in self._saved.get("conditions") or () if item["type"] == which), None)

    def _identity(self, **metadata: Any) -> dict[str, Any]:
        meta = self._obj["metadata"]
        return {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "metadata": {
                "namespace": meta["namespace"],
                "name": meta["name"],
                "uid": meta["uid"],
                **metadata,
            },
        }


def _word(true: bool) -> str:
    return "True" if true else "False"
