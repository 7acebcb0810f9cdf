"""Kind Client: one login client, whatever the way in which it is registered."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import Conflict, NotReady, TargetError, Throttled, Unavailable
from vre_operator.engine.resources import Tenant
from vre_operator.engine.target import READY, Observation, Presence, Readiness, State
from vre_operator.targets.oidc import entry, expiry
from vre_operator.targets.oidc.dcr import GenericDcr
from vre_operator.targets.oidc.discovery import Connect
from vre_operator.targets.oidc.iam_admin import IamAdmin
from vre_operator.targets.oidc.iam_dcr import IamDcr
from vre_operator.targets.oidc.keycloak_admin import KeycloakAdmin
from vre_operator.targets.oidc.keycloak_dcr import KeycloakDcr
from vre_operator.targets.oidc.manual import Manual
from vre_operator.targets.oidc.model import (
    NO_PROBLEM,
    ClientSpec,
    ClientState,
    Owner,
    Problem,
    Provider,
)
from vre_operator.targets.oidc.oa4mp import Oa4mp
from vre_operator.targets.oidc.probe import Verdict, probe
from vre_operator.targets.oidc.registrar import Registrar, Work, new_secret
from vre_operator.targets.oidc.state import Record
from vre_operator.targets.store import StateKey, StateStore

_REGISTRARS: dict[Provider, Registrar] = {
    Provider.KEYCLOAK_ADMIN: KeycloakAdmin(),
    Provider.KEYCLOAK_DCR: KeycloakDcr(),
    Provider.GENERIC_DCR: GenericDcr(),
    Provider.IAM_ADMIN: IamAdmin(),
    Provider.IAM_DCR: IamDcr(),
    Provider.OA4MP: Oa4mp(),
    Provider.MANUAL: Manual(),
}

# What these made without our seeing the answer can't be put right: it is as the body of that attempt had it.
_ONCE = (Provider.KEYCLOAK_DCR, Provider.GENERIC_DCR, Provider.IAM_DCR)

# Whose secrets are ours to choose. Elsewhere a new one would be a new client, and the old one's end.
_OURS = (Provider.KEYCLOAK_ADMIN, Provider.KEYCLOAK_DCR, Provider.IAM_ADMIN)

_CHECK = (600.0, 1800.0)  # seconds between two readings of a settled client
_UNREACHED = 60.0
_PROBE = 6 * 3600.0  # a probe leaves an event in the provider's audit log
_PROBE_AGAIN = (20.0, 600.0)  # doubling: the parts of a provider may agree a moment later


class Clients:
    """The clients of all tenants. One process writes them (the Lease holder), so what was read stays true."""

    def __init__(self, store: StateStore, connect: Connect, clock: Callable[[], float]) -> None:
        self._store = store
        self._connect = connect
        self._clock = clock
        self._records: dict[StateKey, Record] = {}
        self._due: dict[StateKey, float] = {}
        self._probed: dict[StateKey, float] = {}
        self._doubts: dict[StateKey, int] = {}

    async def observe(self, tenant: Tenant, role: str, body: Mapping[str, Any]) -> Observation:
        """Compare with what is remembered; now and then with the provider."""
        record = self._record(tenant, role)
        state = await record.load()
        if state is None:
            return Observation(Presence.ABSENT)
        detail = _unsettled(state, Owner.of(tenant, role), body)
        if not detail and _outdated(state, tenant):
            detail = "credentials are to be new"
        if not detail and expiry.to_renew(state, self._clock()):
            detail = f"its secret ends at {expiry.iso(state.secret_ends)}"
        if not detail and self._clock() >= self._when(record.key):
            detail = await self._check(self._work(record, body))
        if detail:
            ends = record.state.secret_ends or None
            return Observation(Presence.DRIFTED, outputs=_outputs(record.state), detail=detail, expires=ends)
        return self._settled(record)

    def due(self, tenant: Tenant, role: str) -> float:
        """Seconds until the client has to be read again; 0 when it has to be now."""
        return max(self._when(StateKey.of(tenant, role)) - self._clock(), 0.0)

    async def apply(self, tenant: Tenant, role: str, body: Mapping[str, Any]) -> Observation:
        """Register, repair or take over the client."""
        ClientSpec.parse(body).check()
        record = self._record(tenant, role)
        try:
            await self._ensure(record, tenant, role, body)
        except TargetError:
            record.drop()
            raise
        self._plan_check(record.key)
        return self._settled(record)

    async def _ensure(self, record: Record, tenant: Tenant, role: str, body: Mapping[str, Any]) -> None:
        owner, spec, renew = Owner.of(tenant, role), ClientSpec.parse(body), False
        state = await record.load()
        if state and (state.deleting or _moved(state.spec, spec)):
            if not await self._remove(record):
                raise NotReady(f"Client {state.client_id} is still being removed", retry_after=_UNREACHED)
            state = None
        if state is None:
            await record.write(ClientState(owner, body, rotation=tenant.rotation))
        else:
            # the credential is needed to remove what a first attempt leaves; a lost answer keeps its own
            lost = state.spec.provider in _ONCE and (state.intent_at or state.stray_at)
            unconfirmed = not state.current and not lost
            await record.update(owner=owner, body=body if unconfirmed else state.body)
            renew = expiry.to_renew(state, self._clock())
            if _outdated(state, tenant) or (renew and spec.provider is Provider.KEYCLOAK_ADMIN):
                # One that is on its way already is new enough, and known to nobody else.
                await record.update(rotation=tenant.rotation, pending=state.pending or new_secret())
        before = record.state.current, NO_PROBLEM
        # whether a person changed it, too, only a probe can tell
        reworded = state is not None and spec.provider is Provider.MANUAL and not spec.same_client(state.spec)
        work = replace(self._work(record, body), renew=renew)
        had = record.state.problem
        problem = await _REGISTRARS[spec.provider].ensure(work)
        await record.update(body=body, problem=problem)
        if renew:
            await record.update(renew_at=expiry.again(record.state, self._clock()))
        await self._probe(work, fresh=reworded or (record.state.current, had) != before)

    async def delete(self, tenant: Tenant, role: str) -> bool:
        """Remove the client from the provider, then what is remembered of it."""
        record = self._record(tenant, role)
        state = await record.load()
        if state is None:
            return True
        if state.owner.uid != tenant.uid:
            raise Conflict(
                f"Client {state.client_id} belongs to another VREEnvironment of the same name",
                reason=Reason.OWNED_BY_OTHER,
            )
        try:
            return await self._remove(record)
        except TargetError as error:
            record.drop()
            if error.reason == Reason.CREDENTIALS_REFUSED:
                # What was remembered is used: the tenant's own Secret may be gone, or name another provider.
                error.remedy = (
                    "The credential of the last good pass is used: correcting the Secret now changes nothing. "
                    f"Make it work again at the provider; or see that client {state.client_id} is not there "
                    f"any more, and delete Secret {record.key.object_name} in the operator's namespace"
                )
            raise

    async def _remove(self, record: Record) -> bool:
        state = await record.update(deleting=True)
        if not await _REGISTRARS[state.spec.provider].remove(self._work(record, state.body)):
            return False
        await record.forget()
        self._records.pop(record.key, None)
        self._due.pop(record.key, None)
        self._probed.pop(record.key, None)
        self._doubts.pop(record.key, None)
        return True

    async def _check(self, work: Work) -> str:
        """What drifted (read again until it is repaired). A provider that can't be asked changes nothing."""
        try:
            detail, problem = await _REGISTRARS[work.spec.provider].differs(work)
        except (Unavailable, Throttled) as error:
            self._due[work.record.key] = self._clock() + (error.retry_after or _UNREACHED)
            return ""
        except TargetError as error:
            await work.record.update(problem=(str(error.reason), error.text))
        else:
            if detail:
                return detail
            await self._note(work, problem)
        self._plan_check(work.record.key)
        return ""

    async def _note(self, work: Work, problem: Problem) -> None:
        if problem != NO_PROBLEM or not _by_probe(work):
            await work.record.update(problem=problem)
        await self._probe(work, fresh=False)

    async def _probe(self, work: Work, *, fresh: bool) -> None:
        state = work.state
        if state.problem != NO_PROBLEM and not _by_probe(work):
            return
        interval = self._patience(work.record.key) if state.problem != NO_PROBLEM else _PROBE
        key = work.record.key
        # Not among what is remembered for good: a write for each probe would never let a tenant come to rest.
        probed = self._probed.setdefault(key, self._clock() - random.uniform(0, _PROBE))  # noqa: S311
        ended = probed < state.secret_ends <= self._clock()
        if not fresh and not ended and self._clock() - probed < interval:
            return
        doubts = self._doubts.get(key, 0)
        try:
            verdict = await probe(work.http, work.spec, state.client_id, state.current)
            problem = NO_PROBLEM
            if verdict in (Verdict.REFUSED, Verdict.WRONG_SECRET):
                problem = _refused(work)
            elif work.spec.provider is Provider.MANUAL:
                problem = await entry.check(work.http, work.spec, state.client_id)
        except (Unavailable, Throttled):
            return
        self._doubts.pop(key, None)
        if problem != NO_PROBLEM:
            self._doubts[key] = doubts + 1
        self._probed[key] = self._clock()
        await work.record.update(problem=problem)

    def _settled(self, record: Record) -> Observation:
        state = record.state
        reason, message = state.problem if state.problem[0] else expiry.problem(state, self._clock())
        working = reason in ("", Reason.REGISTRATION_TOKEN_LOST, Reason.SECRET_EXPIRES)
        readiness = Readiness(State.READY if working else State.FAILED, reason, message) if reason else READY
        after = max(self._when(record.key) - self._clock(), 0.0)
        ends = state.secret_ends or None
        return Observation(Presence.SYNCED, readiness, _outputs(state), recheck_after=after, expires=ends)

    def _work(self, record: Record, body: Mapping[str, Any]) -> Work:
        spec = ClientSpec.parse(body)
        http = self._connect(spec.issuer, spec.ca_bundle, spec.allowed_cidrs)
        return Work(http, body, spec, record, self._clock)

    def _record(self, tenant: Tenant, role: str) -> Record:
        key = StateKey.of(tenant, role)
        return self._records.setdefault(key, Record(self._store, key))

    def _when(self, key: StateKey) -> float:
        # after a restart the first readings are spread over the shortest interval
        return self._due.setdefault(key, self._clock() + random.uniform(0, _CHECK[0]))  # noqa: S311

    def _plan_check(self, key: StateKey) -> None:
        wait = random.uniform(*_CHECK)  # noqa: S311
        self._due[key] = self._clock() + (self._patience(key) if key in self._doubts else wait)

    def _patience(self, key: StateKey) -> float:
        """Seconds until a refused client is probed again; the longest when it is not known how often it was."""
        first, longest = _PROBE_AGAIN
        doubts = self._doubts.get(key)
        return longest if doubts is None else min(longest, first * 2.0 ** (doubts - 1))


def _unsettled(state: ClientState, owner: Owner, body: Mapping[str, Any]) -> str:
    """Why the provider is not known to have what is wanted."""
    if state.deleting:
        return "its removal was begun"
    if not state.current or state.pending or state.intent_at:
        return "its registration is not finished"
    if state.owner != owner:
        return "it was left by an earlier VREEnvironment"
    if dict(state.body) != dict(body):
        return "other settings are wanted"
    return ""


def _outdated(state: ClientState, tenant: Tenant) -> bool:
    """Whether a rotation asks for another secret, and the provider lets us set one."""
    lost = state.problem[0] == Reason.REGISTRATION_TOKEN_LOST
    asked = tenant.rotating and state.rotation != tenant.rotation
    return asked and state.spec.provider in _OURS and not lost


def _moved(old: ClientSpec, new: ClientSpec) -> bool:
    return (old.issuer, old.provider) != (new.issuer, new.provider)


def _outputs(state: ClientState) -> dict[str, str]:
    return {"client_id": state.client_id, "client_secret": state.current} if state.current else {}


def _by_probe(work: Work) -> bool:
    """Whether the remembered problem was found by a probe, so that only a probe can take it back."""
    reason = work.state.problem[0]
    manual = work.spec.provider is Provider.MANUAL
    return reason == Reason.PROBE_FAILED or (manual and reason == Reason.CREDENTIALS_REFUSED)


def _refused(work: Work) -> Problem:
    client_id, issuer = work.state.client_id, work.spec.issuer
    if work.spec.provider is Provider.MANUAL:
        return (
            Reason.CREDENTIALS_REFUSED.value,
            f"{issuer} refuses client {client_id} with the secret of {work.spec.credential_field}."
            " Write the client_id and client_secret that the provider shows into the Secret.",
        )
    ended = work.state.secret_ends
    over = f" Its secret ended at {expiry.iso(ended)}." if ended and work.clock() >= ended else ""
    return (
        Reason.PROBE_FAILED.value,
        f"{issuer} refuses client {client_id} although it was registered.{over}"
        " See the provider's log; it is probed again by itself.",
    )
