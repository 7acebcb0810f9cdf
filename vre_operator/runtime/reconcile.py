"""reconcile(key): read the wish, read the world, do what can be done now, say when to come back.

Level-triggered: nothing is remembered between passes that a pass could not find again, except caches. A pass
may die after any step.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from vre_operator import telemetry
from vre_operator.api import names
from vre_operator.api.conditions import Reason
from vre_operator.api.site import Site
from vre_operator.api.v1alpha1 import DeletionPolicy, VREEnvironmentSpec
from vre_operator.api.validate import SpecError
from vre_operator.components import registry
from vre_operator.components.context import Environment
from vre_operator.engine import status
from vre_operator.engine.errors import Forbidden, Invalid, TargetError
from vre_operator.engine.executor import Outcome, Result, Walk, prune, removable
from vre_operator.engine.plan import NameTakenError, Plan
from vre_operator.engine.resources import Resource, ResourceId, Tenant
from vre_operator.engine.target import Target, Voucher
from vre_operator.runtime.backoff import Backoff
from vre_operator.runtime.defaults import Wish
from vre_operator.runtime.plans import Plans
from vre_operator.runtime.publish import Publisher, Report
from vre_operator.runtime.seal import Sealer
from vre_operator.runtime.sites import SiteRules
from vre_operator.runtime.tenants import TenantKey, Tenants, wanted

log = logging.getLogger(__name__)

# While something is on its way its own events wake the tenant; this is for the event that never comes.
SAFETY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Everything a pass needs; `targets` by name."""

    tenants: Tenants
    targets: Mapping[str, Target]
    publisher: Publisher
    sealer: Sealer
    cluster_id: str
    backoff: Backoff
    render: Callable[[Environment], Iterable[Resource]] = registry.render
    rules: SiteRules = field(default_factory=SiteRules)
    plans: Plans = field(init=False)
    _seals: dict[TenantKey, tuple[str, float]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "plans", Plans(self.render, self.site))

    @property
    def site(self) -> Site:
        return self.sealer.site

    async def reconcile(self, key: TenantKey) -> float | None:
        """One pass. Returns the seconds until the next one, None when only an event brings it."""
        obj = self.tenants.get(key)
        if obj is None:
            self.forget(key)
            return None
        tenant = Tenant(key[0], key[1], obj["metadata"]["uid"], self.cluster_id)
        report = self.publisher.open(obj)
        if "deletionTimestamp" in obj["metadata"]:
            return await self._tear_down(tenant, obj, report)
        if collision := self.tenants.collision(key):
            await self._halt(report, collision.reason, collision.message)
            return SAFETY_SECONDS
        if not report.inventory and (why := self.rules.full(partial(self.tenants.older, key))):
            await self._halt(report, Reason.SITE_FULL, why)
            return SAFETY_SECONDS
        wish = self.rules.wish(obj)
        if wish.moved:
            await self._halt(report, Reason.ISSUER_MOVED, wish.moved)
            return None
        tenant = replace(tenant, lent=wish.lent)
        now, end = datetime.now(UTC), self.rules.ends(key[0])
        report.bounds = self.rules.verdict(key[0], wish.obj.get("spec") or {}, now)
        if end is not None and end <= now:
            wish = replace(wish, obj={**wish.obj, "spec": {**(wish.obj.get("spec") or {}), "suspend": True}})
        rest = await self._pass(tenant, wish, report)
        return rest if end is None or end <= now else _sooner(rest, (end - now).total_seconds())

    async def _pass(self, tenant: Tenant, wish: Wish, report: Report) -> float | None:
        """Over a tenant that has its place."""
        report.rotation = report.rotation.next(wish.obj, self.publisher.clock())
        tenant = replace(tenant, rotation=report.rotation.started, rotating=report.rotation.running)
        if (rest := self._untouched(tenant, wish, report)) is not None:
            return rest
        try:
            spec, plan = self.plans.of(tenant, wish)
        except (SpecError, NameTakenError) as error:
            await self._halt(report, Reason.INVALID_SPEC, str(error))
            return None
        return await self._converge(tenant, wish, spec, plan, report)

    def forget(self, key: TenantKey) -> None:
        """The tenant is no more, or another one by the same name."""
        self.backoff.forget(key)
        self.publisher.forget(key)
        self.plans.forget(key)
        self._seals.pop(key, None)

    def _untouched(self, tenant: Tenant, wish: Wish, report: Report) -> float | None:
        """Seconds to rest when all is as a walk left it, and the next walk is not due yet."""
        if not report.ready or not report.has_finalizer or report.rotation.running or report.bounds_moved:
            return None
        now = time.monotonic()
        known, walked = self._seals.get(tenant.key, (report.seal, None))
        if walked is None:
            # After a restart the walks are spread, so that a thousand tenants are not looked over at once.
            walked = now - self.site.resync_seconds * random.uniform(0.0, 0.9)  # noqa: S311
        rest = walked + self.site.resync_seconds - now
        if not known or rest <= 0:
            return None
        found = self._found(tenant, wish, report, walked=False)
        if found is None or found.digest != known:
            return None
        found.accept()
        self._seals[tenant.key] = (known, walked)
        return min(rest, found.recheck_after or rest)

    async def _converge(
        self, tenant: Tenant, wish: Wish, spec: VREEnvironmentSpec, plan: Plan, report: Report
    ) -> float | None:
        obj = wish.obj
        await report.ensure_finalizer()
        report.hostnames = sorted(set(report.hostnames) | wanted(obj))
        report.inventory = report.inventory.merged(plan)
        report.defaults = list(wish.kept)
        report.given = wish.followed
        await report.save()

        outcomes = await Walk(tenant, plan, self.targets).run()
        report.note_changes(outcomes.values())
        report.note_credentials(outcomes.values())
        report.note_catalogue(outcomes.values())
        report.note_workflows(outcomes.values())
        kept = {one.resource.replaces for one in outcomes.values() if one.result is Result.BLOCKED}
        pruned = await self._prune(tenant, obj, plan, report, kept)

        summary = status.summarize(outcomes.values(), registry.CONDITIONS, suspended=spec.suspend)
        if report.bounds is not None:
            summary = summary.beside(report.bounds)
        if pruned and summary.ready:
            summary = pruned
        if summary.ready:
            report.hostnames = sorted(wanted(obj))
            report.rotation = report.rotation.done(self.publisher.clock())
        report.endpoints(spec, plan)
        fresh = self._seal(tenant, wish, report, ready=summary.ready)
        later = await report.finish(summary, fresh=fresh)
        rest = self._next(tenant.key, outcomes.values(), settled=pruned is None)
        return rest if later is None else min(rest, later)

    def _found(self, tenant: Tenant, wish: Wish, report: Report, *, walked: bool) -> Voucher | None:
        """Of what stands."""
        return self.sealer.seal(
            tenant, wish.obj, report.inventory, self.targets, walked=walked, given=wish.given
        )

    def _seal(self, tenant: Tenant, wish: Wish, report: Report, *, ready: bool) -> bool:
        """Seal what was just walked over. Whether it alone is worth a write: the first, and at resyncs."""
        known = self._seals.pop(tenant.key, None)
        found = self._found(tenant, wish, report, walked=True) if ready else None
        if found is None:
            return False
        first, report.seal = not report.seal, found.digest
        now = time.monotonic()
        self._seals[tenant.key] = (found.digest, now)
        return first or (known is not None and now - known[1] > 0.9 * self.site.resync_seconds)

    async def _prune(
        self,
        tenant: Tenant,
        obj: Mapping[str, Any],
        plan: Plan,
        report: Report,
        kept: Collection[ResourceId | None],
    ) -> status.Summary | None:
        """Remove what the plan no longer wants, but for `kept`. A summary when that is not done yet."""
        stale = [entry for entry in report.inventory.stale(plan) if entry.id not in kept]
        doomed = removable(stale, data=False)
        if not doomed:
            return None
        word = (obj["metadata"].get("annotations") or {}).get(names.ALLOW_PRUNE_ANNOTATION)
        generation = str(obj["metadata"]["generation"])
        if 2 * len(doomed) > len(report.inventory) and word != generation:
            return status.whole(
                Reason.PRUNE_HELD,
                f"this would remove {len(doomed)} of {len(report.inventory)} resources. If that is meant: "
                f"kubectl -n {tenant.namespace} annotate vre {tenant.name} "
                f"{names.ALLOW_PRUNE_ANNOTATION}={generation} --overwrite",
                stalled=True,
            )
        left = frozenset(self.targets) - {resource.id.target for resource in plan.resources}
        result = await prune(replace(tenant, left=left), doomed, self.targets, data=False)
        telemetry.PRUNED.inc(len(result.gone))
        report.inventory = report.inventory.without(result.gone)
        report.note_pruned(result.gone)
        if result.failures:
            resource, error = result.failures[0]
            message = f"{resource.short} can't be removed: {error.text}"
            return status.whole(error.reason, message, stalled=False)
        if result.pending:
            pending = ", ".join(resource.short for resource in result.pending[:3])
            return status.whole(Reason.PROGRESSING, f"removing {pending}", stalled=False)
        return None

    async def _tear_down(self, tenant: Tenant, obj: Mapping[str, Any], report: Report) -> float | None:
        if not report.has_finalizer:
            return None
        data = (obj.get("spec") or {}).get("deletionPolicy") == DeletionPolicy.DELETE
        gone = replace(tenant, left=frozenset(self.targets))
        result = await prune(gone, report.inventory.stale(None), self.targets, data=data)
        report.inventory = report.inventory.without(result.gone)
        left = removable(report.inventory.stale(None), data=data)
        if not left:
            await report.drop_finalizer()
            self.forget(tenant.key)
            return None
        if result.failures:
            resource, error = result.failures[0]
            message = f"{resource.short} can't be removed: {error.text}"
            await report.finish(
                status.whole(Reason.DELETION_BLOCKED, message, stalled=error.terminal), keep=True
            )
            return self.backoff.next(tenant.key, error.retry_after)
        now = ", ".join(resource.short for resource in result.pending[:3])
        message = f"{len(left)} resources left, now {now}"
        await report.finish(status.whole(Reason.DELETING, message, stalled=False), keep=True)
        return min(SAFETY_SECONDS, self.backoff.next(tenant.key))

    async def _halt(self, report: Report, reason: Reason, message: str) -> None:
        """End a pass before its plan: what stands goes on standing, untouched."""
        await report.finish(status.whole(reason, message, stalled=True), keep=True)

    def _next(self, key: TenantKey, outcomes: Iterable[Outcome], *, settled: bool) -> float:
        everything = list(outcomes)
        rechecks = [outcome.recheck_after for outcome in everything if outcome.recheck_after is not None]
        if failed := [outcome for outcome in everything if outcome.result is Result.FAILED]:
            asked = [outcome.recheck_after for outcome in failed if outcome.recheck_after is not None]
            # When others want to be looked at again is no reason to leave what failed alone until then.
            return min([self.backoff.next(key, min(asked, default=None)), *rechecks])
        self.backoff.forget(key)
        if not settled or any(not outcome.ready for outcome in everything):
            return min([SAFETY_SECONDS, *rechecks])
        return min([self.backoff.jittered(self.site.resync_seconds), *rechecks])


def _sooner(rest: float | None, seconds: float) -> float:
    return seconds if rest is None else min(rest, seconds)


async def guarded(reconciler: Reconciler, key: TenantKey) -> float | None:
    """A pass that never raises: the unexpected is a bug, logged with its traceback and retried slowly."""
    try:
        return await reconciler.reconcile(key)
    except TargetError as error:
        log.warning("pass ended early: %s", error.text, extra={"tenant": "/".join(key)})
        if isinstance(error, (Forbidden, Invalid)):
            await reconciler.publisher.refusal(key, error)
        return reconciler.backoff.next(key, error.retry_after)
    except Exception:
        log.exception("pass failed", extra={"tenant": "/".join(key)})
        await reconciler.publisher.internal_error(key)
        return reconciler.backoff.next(key)
