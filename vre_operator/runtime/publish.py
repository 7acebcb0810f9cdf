"""What the operator tells about a tenant: its status, its events, its finalizer. The only writer of these.

Status is applied whole by server-side apply and only when it differs from what stands there, so a settled
tenant costs nothing. The answer to each write goes into the cache at once, which would lag behind our own
writes. What is on its way and needs nobody's attention is told after two seconds, then ever less often.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Protocol

from vre_operator.api import names
from vre_operator.api.conditions import Condition, Reason
from vre_operator.api.v1alpha1 import VREEnvironmentSpec
from vre_operator.engine import status
from vre_operator.engine.errors import Conflict, NotFound, TargetError
from vre_operator.engine.executor import Outcome
from vre_operator.engine.inventory import Inventory
from vre_operator.engine.plan import Plan
from vre_operator.engine.refs import printable
from vre_operator.engine.resources import OIDC, REANA, REGISTRY, Policy, ResourceId
from vre_operator.runtime.rotation import Rotation
from vre_operator.runtime.tenants import Object, TenantKey, Tenants

OPERATOR_VERSION = version("vre-operator")

# Reasons for not being ready that need nobody's attention.
_CALM = (Reason.READY, Reason.PROGRESSING, Reason.WAITING, Reason.SUSPENDED, Reason.DELETING)
# All works, and somebody has to do something before it does not: worth a word beside the condition's.
_SOON = (Reason.SECRET_EXPIRES, Reason.CERTIFICATE_EXPIRES, Reason.RENEWAL_FAILED)
_PASSING = (Reason.PROGRESSING, Reason.WAITING)
QUIET_SECONDS = 2.0
# Doublings of it: a write of a VREEnvironment costs the API server as much as four of its objects.
_QUIETER = 2


class Writer(Protocol):
    """Server-side apply of VREEnvironments. What was written is what the next pass finds among the tenants."""

    async def apply(self, obj: Mapping[str, Any], *, subresource: str = "") -> dict[str, Any]: ...


class Announcer(Protocol):
    """Posts Kubernetes events; repeated ones are folded by it."""

    async def post(self, obj: Mapping[str, Any], *, warning: bool, reason: str, message: str) -> None: ...


def utc(seconds: float) -> str:
    """A time since the epoch as the API writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def utc_now() -> str:
    return utc(time.time())


class Publisher:
    """Writes for all tenants."""

    def __init__(
        self,
        writer: Writer,
        announcer: Announcer,
        tenants: Tenants,
        clock: Callable[[], str] = utc_now,
        quiet: float = QUIET_SECONDS,
    ) -> None:
        self.writer = writer
        self.announcer = announcer
        self.clock = clock
        self._tenants = tenants
        self._quiet = quiet
        self._told: dict[TenantKey, tuple[float, int]] = {}

    def open(self, obj: Object) -> Report:
        return Report(self, obj)

    def patience(self, key: TenantKey) -> float:
        """Seconds for which what is passing need not be told yet."""
        now = time.monotonic()
        at, times = self._told.setdefault(key, (now, 0))
        return at + self._quiet * (1 << min(times, _QUIETER)) - now

    def told(self, key: TenantKey, *, passing: bool) -> None:
        _, times = self._told.get(key, (0.0, 0))
        self._told[key] = (time.monotonic(), times + 1 if passing else 0)

    def forget(self, key: TenantKey) -> None:
        """Nothing is under way any more."""
        self._told.pop(key, None)

    async def refusal(self, key: TenantKey, error: TargetError) -> None:
        """Tell why a pass could not begin. It may be the telling that is refused: then the log alone has it."""
        if obj := self._tenants.get(key):
            said = status.whole(error.reason, error.text, stalled=error.terminal)
            with suppress(TargetError):
                await self.open(obj).finish(said, keep=True)

    async def internal_error(self, key: TenantKey) -> None:
        """Tell of a bug without its text, which nobody has looked over for secrets."""
        if obj := self._tenants.get(key):
            message = "the operator met an unexpected error and will try again. Its log has the details."
            await self.open(obj).finish(status.whole(Reason.INTERNAL_ERROR, message, stalled=False), keep=True)


class Report:
    """One pass's view of a tenant's status. Its parts are replaced, never changed: the cache holds them,
    too."""

    def __init__(self, publisher: Publisher, obj: Object) -> None:
        self._publisher = publisher
        self._obj = obj
        self._saved: Mapping[str, Any] = obj.get("status") or {}
        self._draft = dict(self._saved)
        self.inventory = Inventory.load(self._saved.get("inventory") or ())
        self.hostnames: list[str] = list(self._saved.get("hostnames") or ())
        self.seal: str = self._saved.get("seal") or ""
        self.rotation = Rotation.of(obj)
        self.defaults: list[Mapping[str, str]] = list(self._saved.get("defaults") or ())
        self.given: list[Mapping[str, str]] = list(self._saved.get("given") or ())
        self.bounds: status.Verdict | None = None
        self._repairs: list[Outcome] = []
        self._pruned: list[ResourceId] = []

    @property
    def has_finalizer(self) -> bool:
        return names.FINALIZER in (self._obj["metadata"].get("finalizers") or ())

    @property
    def ready(self) -> bool:
        """Whether all was well at the end of the last pass over this very wish."""
        ready = self._condition(Condition.READY)
        same_wish = self._saved.get("observedGeneration") == self._obj["metadata"]["generation"]
        return bool(ready and ready["status"] == "True" and same_wish)

    @property
    def bounds_moved(self) -> bool:
        """Whether the site says something else of it than is told."""
        told = self._condition(Condition.WITHIN_BOUNDS)
        if told is None or self.bounds is None:
            return (told is None) != (self.bounds is None)
        return (told["reason"], told["message"]) != (self.bounds.reason, self.bounds.message[:1024])

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
        if spec.workflows.enabled:
            endpoints["reana"] = f"https://{spec.workflows.hostname}"
        if spec.data_lake.enabled and spec.data_lake.attach:
            endpoints["rucio"] = spec.data_lake.attach.url
        # Left out when empty: an apply that empties a map of ours makes it null, which the schema refuses.
        self._draft.pop("endpoints", None)
        if endpoints:
            self._draft["endpoints"] = endpoints
        self._draft["registration"] = [
            {
                "role": resource.id.name,
                "name": body["display_name"],
                "redirectUris": list(body["redirect_uris"]),
                "postLogoutRedirectUris": list(body["post_logout_redirect_uris"]),
                "scopes": list(body["scopes"]),
                "grantTypes": list(body["grant_types"]),
                "tokenEndpointAuthMethod": body["token_endpoint_auth_method"],
                "pkce": "S256" if body["pkce"] else "none",
                "groupsClaim": body["groups_claim"],
            }
            for resource in plan.resources
            if resource.id.target == OIDC
            and resource.id.kind == "Client"
            and (body := printable(resource.body))["provider"] == "manual"
        ]
        self._draft["version"] = OPERATOR_VERSION

    def note_changes(self, outcomes: Iterable[Outcome]) -> None:
        """Remember what was repaired, for an event: drift in a tenant that had been ready."""
        self._repairs = [outcome for outcome in outcomes if outcome.change] if self.ready else []

    def note_credentials(self, outcomes: Iterable[Outcome]) -> None:
        """What ends by itself, and when; as it was of what can't be told just now."""
        known, told = self._expiries(), {}
        for outcome in outcomes:
            name = _credential(outcome)
            if outcome.expires is not None:
                told[name] = utc(outcome.expires)
            elif not outcome.ready and name in known:
                told[name] = known[name]
        self._draft["credentials"] = [{"name": name, "expires": expires} for name, expires in told.items()]

    def note_catalogue(self, outcomes: Iterable[Outcome]) -> None:
        """Which images are offered; as it was while that cannot be told."""
        offers = [one for one in outcomes if one.resource.id.target == REGISTRY]
        told = next((one.report for one in offers if one.report is not None), None)
        if told is not None or not offers:
            self._draft["catalogue"] = told or []

    def note_workflows(self, outcomes: Iterable[Outcome]) -> None:
        """What REANA says of itself; as it was while it says nothing."""
        known = [one for one in outcomes if one.resource.id.target == REANA]
        told = next((one.report for one in known if one.report is not None), None)
        if not known:
            self._draft.pop("workflows", None)
        elif told is not None:
            self._draft["workflows"] = told

    def note_pruned(self, gone: Iterable[ResourceId]) -> None:
        self._pruned = list(gone)

    async def save(self) -> None:
        """The write-ahead part: inventory and claims, before anything is made."""
        if self._condition(Condition.READY) is None:
            began = status.whole(Reason.PROGRESSING, f"making {len(self.inventory)} resources", stalled=False)
            self._draft["conditions"] = self._stamped(began, keep=False)
        await self._write()

    async def finish(self, summary: status.Summary, *, keep: bool = False, fresh: bool = True) -> float | None:
        """The result of the pass. Seconds after which it has to be told, when it need not be told now.

        keep: conditions that it says nothing about stay as they were. fresh: whether a new seal alone is
        worth a write; it grows old with every change that others make, and costs a restarted operator one
        walk then.
        """
        await self._announce_acts()
        soon = [one for one in summary.verdicts[1:] if one.true and one.reason in _SOON and self._is_news(one)]
        before = self._condition(Condition.READY)
        ready = summary.verdicts[0]
        key = self._key
        passing = ready.reason in _PASSING and not summary.stalled and before is not None and self._kept
        if passing and (patience := self._publisher.patience(key)) > 0:
            return patience
        self._draft["observedGeneration"] = self._obj["metadata"]["generation"]
        self._draft["conditions"] = self._stamped(summary, keep=keep)
        if self.seal and (fresh or not self._same()):
            self._draft["seal"] = self.seal
        await self._write(passing=passing)
        if summary.ready:
            self._publisher.forget(key)
        told = before is not None and (before["reason"], before["status"]) == (
            str(ready.reason),
            _word(ready.true),
        )
        if not told and ready.reason not in _PASSING:
            await self._post(str(ready.reason), ready.message, warning=ready.reason not in _CALM)
        for one in soon:
            await self._post(str(one.reason), one.message, warning=True)
        return None

    @property
    def _key(self) -> TenantKey:
        return (self._obj["metadata"]["namespace"], self._obj["metadata"]["name"])

    @property
    def _kept(self) -> bool:
        return (self._saved.get("inventory") or []) == self.inventory.dump()

    def _stamped(self, summary: status.Summary, *, keep: bool) -> list[dict[str, Any]]:
        return status.stamp(
            summary.verdicts,
            self._saved.get("conditions") or (),
            generation=self._obj["metadata"]["generation"],
            now=self._publisher.clock(),
            keep=keep,
        )

    def _same(self) -> bool:
        # The API server writes out what is empty, and drops it.
        return all((self._saved.get(key) or None) == (value or None) for key, value in self._draft.items())

    async def _write(self, *, passing: bool = False) -> None:
        self._draft["inventory"] = self.inventory.dump()
        self._draft["hostnames"] = self.hostnames
        if self.defaults:
            self._draft["defaults"] = self.defaults
        self._draft["given"] = self.given
        if rotation := self.rotation.dump():
            self._draft["rotation"] = rotation
        if self._same():
            return
        self._publisher.told(self._key, passing=passing)
        written = await self._publisher.writer.apply(
            {**self._identity(), "status": self._draft}, subresource="status"
        )
        self._saved = written.get("status") or {}
        self._draft = dict(self._saved)

    async def _announce_acts(self) -> None:
        if self.rotation.finished and Rotation.of({"status": self._saved}).running:
            await self._post("Rotated", "credentials that the operator makes are new, and in use")
        known = self._expiries()
        for outcome in self._repairs:
            # Times that the API writes are in the order of their texts.
            longer = outcome.expires and utc(outcome.expires) > known.get(_credential(outcome), "9999")
            act = "Renewed" if longer else "Repaired"
            await self._post(act, f"{outcome.resource.id.short} {outcome.change}")
        if self._pruned:
            await self._post("Pruned", f"removed {', '.join(resource.short for resource in self._pruned)}")

    async def _post(self, reason: str, message: str, *, warning: bool = False) -> None:
        await self._publisher.announcer.post(self._obj, warning=warning, reason=reason, message=message)

    def _expiries(self) -> dict[str, str]:
        """When each credential ends, by name, as it was told last."""
        return {item["name"]: item["expires"] for item in self._saved.get("credentials") or ()}

    def _is_news(self, verdict: status.Verdict) -> bool:
        return (self._condition(verdict.type) or {}).get("reason") != str(verdict.reason)

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


def _credential(outcome: Outcome) -> str:
    """Of what somebody else made its place in the spec: its own name would be a tenant's words in a metric."""
    resource = outcome.resource
    return resource.origin if resource.policy is Policy.EXTERNAL and resource.origin else resource.id.short


def _word(true: bool) -> str:
    return "True" if true else "False"
