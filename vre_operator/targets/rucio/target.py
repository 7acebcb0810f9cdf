"""The port engine.target.Target for a tenant's Rucio.

Nothing is remembered of what was declared: an account, an RSE, an option is whatever is declared by its name,
and what stands there by that name is taken over. What Rucio cannot undo is checked by reading it back.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeGuard

from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import Invalid, NotReady
from vre_operator.engine.resources import RUCIO, Policy, ResourceId, Tenant
from vre_operator.engine.target import Desired, Observation, Presence, Promise, Readiness, State, Voucher
from vre_operator.targets.rucio import accounts, rses, subscriptions
from vre_operator.targets.rucio.change import Change, same
from vre_operator.targets.rucio.crowd import Crowd, unmatched
from vre_operator.targets.rucio.http import Login, RucioHttp
from vre_operator.targets.rucio.lake import AGAIN, Lake
from vre_operator.targets.rucio.mesh import PATIENCE, READING, Mesh

SERVER = "Server"
RSE = "Rse"
DISTANCES = "Distances"
ACCOUNT = "Account"
SUBSCRIPTION = "Subscription"
OPTION = "Option"
PEOPLE = "People"

# Soon: what was changed is read back, all of it in one request.
_READ_BACK = 1.0


class HttpFactory(Protocol):
    """Makes the way to one Rucio; tests put faults there."""

    def __call__(self, login: Login, *, clock: Callable[[], float], timeout: float = ...) -> RucioHttp: ...


@dataclass(frozen=True, slots=True)
class _Rucio:
    """One tenant's, and who goes through what it has by the thousand."""

    login: Login
    lake: Lake
    crowd: Crowd
    mesh: Mesh

    def many(self, kind: str) -> Crowd | Mesh | None:
        return self.crowd if kind == PEOPLE else self.mesh if kind == DISTANCES else None


class RucioTarget:
    """Kinds: Server (External, where a Rucio is), Rse, Distances, Account, Subscription (account/name),
    Option (section/option), People.

    clock: seconds, of any epoch, for tests. patience: see mesh.PATIENCE.
    """

    name = RUCIO

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        http: HttpFactory = RucioHttp,
        patience: float = PATIENCE,
    ) -> None:
        self._clock = clock
        self._http = http
        self._patience = patience
        self._known: dict[tuple[str, str], _Rucio] = {}

    def observe(self, tenant: Tenant, desired: Desired) -> Observation | Awaitable[Observation]:
        """Settled: no request; everything is read again about every ten minutes."""
        if desired.id.kind == SERVER:
            return self._meet(tenant, desired)
        rucio = self._rucio(tenant)
        lake = rucio.lake
        if lake.asleep:
            return Observation(Presence.SYNCED)
        digest = desired.memo.setdefault("digest", desired.digest)
        if lake.is_settled(_key(desired.id), digest):
            return Observation(Presence.SYNCED, recheck_after=lake.until_due)
        many = rucio.many(desired.id.kind)
        compare = many.compare if many else partial(_compare, lake)
        return Promise(partial(compare, desired, _key(desired.id), digest))

    def vouch(self, tenant: Tenant, resources: Sequence[ResourceId], *, walked: bool) -> Voucher | None:
        """Trusted until the next reading, also by an operator that has just started."""
        known = self._known.get(tenant.key)
        if known is None:
            return Voucher("")
        lake = known.lake
        if walked:
            lake.rest()
        if known.mesh.is_reading and not lake.asleep:
            return None
        return Voucher("", lake.until_due) if lake.until_due else None

    async def apply(self, tenant: Tenant, desired: Desired) -> Observation:
        """Send what differs; whether it helped is told by the next reading."""
        rucio = self._rucio(tenant)
        if many := rucio.many(desired.id.kind):
            return await many.apply(desired)
        lake, key = rucio.lake, _key(desired.id)
        # Of the observation just before: to read again after each change would be an export for each RSE.
        changes = lake.differing.pop(key, None)
        if changes is None:
            _, changes = await _differences(lake, desired)
        await lake.make(key, _pieces(desired.id), changes)
        readiness = Readiness(State.PROGRESSING, Reason.PROGRESSING, "to be read back")
        return Observation(Presence.SYNCED, readiness, recheck_after=_READ_BACK)

    async def delete(self, tenant: Tenant, resource: ResourceId, policy: Policy, data: bool) -> bool:
        """Take it out of Rucio where that was asked for; everything else stays there as it is.

        When the whole Rucio goes, nothing is taken out: it may come back with the same database.
        """
        del data
        if self.name in tenant.left or policy is not Policy.DELETE:
            return True
        lake = self._rucio(tenant).lake
        if lake.asleep:
            raise NotReady("The tenant is suspended, and so is its Rucio", remedy="Set spec.suspend to false.")
        await lake.make(_key(resource), _pieces(resource), await _removal(lake, resource))
        # What takes it out may be the same fields as what brings it back.
        lake.tried.pop(_key(resource), None)
        return True

    def forget(self, tenant: tuple[str, str]) -> None:
        """The tenant is no more."""
        self._known.pop(tenant, None)

    def _meet(self, tenant: Tenant, desired: Desired) -> Observation:
        told = {name: value for name, value in desired.body.items() if name != "asleep"}
        if "allowed_cidrs" in told:
            told["allowed_cidrs"] = tuple(told["allowed_cidrs"])
        login = Login(**told)
        known = self._known.get(tenant.key)
        if known is None or known.login != login:
            known = self._known[tenant.key] = self._meeting(login)
        known.lake.asleep = desired.body["asleep"]
        return Observation(Presence.SYNCED)

    def _meeting(self, login: Login) -> _Rucio:
        lake = Lake(self._http(login, clock=self._clock), self._clock)
        aside = self._http(login, clock=self._clock, timeout=READING)
        return _Rucio(login, lake, Crowd(lake), Mesh(lake, aside, self._patience))

    def _rucio(self, tenant: Tenant) -> _Rucio:
        known = self._known.get(tenant.key)
        if known is None:
            raise NotReady("The tenant's Rucio is not known yet")
        return known


async def _compare(lake: Lake, desired: Desired, key: str, digest: str) -> Observation:
    present, changes = await _differences(lake, desired)
    lacks = await _lacks(lake, desired)
    if not changes and not lacks:
        lake.tried.pop(key, None)
        return lake.settle(key, digest)
    if not changes and lacks:
        return Observation(Presence.SYNCED, lacks, recheck_after=AGAIN)
    detail = ", ".join(change.what for change in changes[:5])
    if lake.tried.get(key) == tuple(change.what for change in changes):
        message = (
            f"Rucio took the change of {detail} and shows it unchanged. See its server's log; "
            "it is tried again at the next reading."
        )
        return Observation(Presence.SYNCED, Readiness(State.FAILED, Reason.REJECTED, message))
    lake.differing[key] = changes
    return Observation(Presence.DRIFTED if present else Presence.ABSENT, detail=detail)


async def _differences(lake: Lake, desired: Desired) -> tuple[bool, list[Change]]:
    """Whether it is there, and what would set it right."""
    name, body = desired.id.name, desired.body
    match desired.id.kind:
        case "Rse":
            seen = (await lake.rses(name)).get(name)
            if seen is not None and _compares_limits(body):
                seen = {**seen, "limits": await lake.limits(name)}
            return seen is not None, rses.changes(name, body, seen)
        case "Account":
            quotas = body["quotas"]
            account = await lake.account(name, quotas)
            matching = await lake.matching(quotas)
            places = sorted(frozenset().union(*matching.values()))
            possible = {**body, "quotas": {one: quotas[one] for one in matching}, "rses": places}
            return account is not None, accounts.changes(name, possible, account)
        case "Subscription":
            seen = (await lake.subscriptions()).get(name)
            able = seen is not None or await _owner(lake, name) is not None
            return seen is not None, subscriptions.changes(name, body, seen) if able else []
        case "Option":
            return _option(name, body, await lake.options())
        case kind:
            raise Invalid(f"The rucio target has no kind {kind}")


def _compares_limits(body: Mapping[str, Any]) -> bool:
    return "Limits" not in body["unmanaged"]


def _option(
    name: str, body: Mapping[str, Any], seen: Mapping[str, Mapping[str, Any]]
) -> tuple[bool, list[Change]]:
    section, _, option = name.partition("/")
    value = seen.get(section, {}).get(option)
    if value is not None and same(body["value"], value):
        return True, []
    change = Change("value", "POST", ("config",), {section: {option: body["value"]}})
    return value is not None, [change]


async def _lacks(lake: Lake, desired: Desired) -> Readiness | None:
    """What else has to be there before all of a resource can be."""
    match desired.id.kind:
        case "Account":
            quotas = desired.body["quotas"]
            return unmatched(quotas.keys() - (await lake.matching(quotas)).keys())
        case "Subscription":
            return await _lacks_of_subscription(lake, desired)
        case _:
            return None


async def _lacks_of_subscription(lake: Lake, desired: Desired) -> Readiness | None:
    if await _owner(lake, desired.id.name) is None:
        message = "Its account is not in Rucio. Declare it in spec.dataLake.accounts, or correct account"
        return Readiness(State.FAILED, Reason.NOT_FOUND, message)
    expressions = {rule["rse_expression"] for rule in desired.body["replication_rules"]}
    if nowhere := sorted(expressions - (await lake.matching(expressions)).keys()):
        message = (
            f"No RSE matches {', '.join(nowhere)}, so Rucio leaves the whole subscription out. Declare such an"
            " RSE, or correct rseExpression"
        )
        return Readiness(State.PROGRESSING, Reason.WAITING, message)
    return None


async def _owner(lake: Lake, subscription: str) -> Mapping[str, Any] | None:
    return await lake.account(subscription.partition("/")[0])


async def _removal(lake: Lake, resource: ResourceId) -> list[Change]:
    match resource.kind:
        case "Option":
            path = ("config", *resource.name.split("/", 1))
            return [Change("it", "DELETE", path, done=("ConfigNotFound",))]
        case "Subscription":
            return [subscriptions.removal(resource.name)]
        case "Account":
            account = await lake.read_account(resource.name)
            return accounts.suspension(resource.name, account["identities"]) if _is_active(account) else []
        case _:
            return []


def _is_active(account: Mapping[str, Any] | None) -> TypeGuard[Mapping[str, Any]]:
    return account is not None and "identities" in account


def _key(resource: ResourceId) -> str:
    return f"{resource.kind} {resource.name}"


def _pieces(resource: ResourceId) -> tuple[str, ...]:
    """What was read and is old when the resource was changed."""
    match resource.kind:
        case "Rse":
            return ("export", f"rse {resource.name}", f"limits {resource.name}")
        case "Account":
            return (f"account {resource.name}",)
        case "Subscription":
            return ("subscriptions",)
        case _:
            return ("options",)
