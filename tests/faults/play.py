"""Run a workload under faults, gather the evidence, and take the tenant away again."""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

from tests.faults.rig.api import KINDS
from tests.faults.rig.calls import Call
from tests.faults.rig.identity import CREDENTIAL, Provider
from tests.faults.rig.normalise import secrets_of
from tests.faults.rig.oracle import DATA_KINDS, Evidence, leaks, untrue
from tests.faults.rig.proxy import Fault, Proxy, Rule
from tests.faults.rig.recorders import Change, Name, counted, spoken
from tests.faults.rig.stage import USER, Hung, Stage
from tests.faults.rig.tenant import Tenant
from tests.faults.workloads import GONE, Workload
from tests.site import SYSTEM

AMBIGUOUS, TOKEN_LOST = "RegistrationAmbiguous", "RegistrationTokenLost"
# Where only the answer tells what was made; Keycloak's admin can be asked again.
REGISTRATION = ("/reg", "/clients-registrations/default")
DOOR, ISSUER = "kubernetes", "provider"
Placing = Callable[[Tenant], tuple[str, Rule]]
"""Where a rule belongs, and the rule, once the tenant is known."""

_REST = 0.6
_READS = ("get", "list", "watch")
# Once, at the first resync: a seal that had grown old (decision 0007).
_SEALED = "patch vreenvironments $tenant vre"
_WINDOWS = 3
# Requests to the provider after which whoever still asks for help means it.
_TRIES = 5
_MEMORY = f"Secret/{SYSTEM}/oidc-client-$hub"
_READING = (f"get secrets $tenant {CREDENTIAL}", "watch ")


@dataclass(frozen=True, slots=True)
class Hit:
    """One fault: the nth call with this key (names normalised) through the door or to the issuer.

    Without a key: the nth change of what is the tenant's by an operator that was started again.
    """

    where: str
    key: str
    nth: int
    name: str
    fault: Fault = field(compare=False)

    def placed(self, tenant: Tenant) -> tuple[str, Rule]:
        stage = tenant.stage
        life, passed = stage.operator.starts, 0

        def match(call: Call) -> bool:
            nonlocal passed
            if self.key:
                return call.nth == self.nth and tenant.plain(call.key) == self.key
            passed += stage.operator.starts > life and call.changing and tenant.owns(call)
            return passed == self.nth

        return self.where, Rule(match, self.fault, self.name)

    def __str__(self) -> str:
        if not self.key:
            return f"{self.name} at change {self.nth} of the next life"
        return f"{self.name} at {self.where} {self.key} #{self.nth}"


@dataclass(slots=True)
class Played:
    """`asked`: all calls as (where, key, nth); trace: those that change something.

    reached: whether every fault was done. explained: the reason with which a person was asked for help.
    """

    evidence: Evidence
    asked: list[tuple[str, str, int]] = field(default_factory=list)
    trace: list[tuple[str, str, int]] = field(default_factory=list)
    reached: bool = True
    explained: str = ""


@dataclass(slots=True)
class Standing:
    """Who has been played with. born, heard, said: where recorder, audit log and the log were before."""

    tenant: Tenant
    seen: Evidence
    born: int
    heard: int
    said: int


@dataclass(slots=True)
class Player:
    """`issuer`: the proxy in front of the provider. standing: who has been played with, until `settle`.

    dying: tenants on their way out. asked_since: where the issuer's journal was without a call for help.
    """

    stage: Stage
    provider: Provider
    issuer: Proxy
    standing: list[Standing] = field(default_factory=list)
    dying: list[tuple[Tenant, Evidence]] = field(default_factory=list)
    asked_since: int = 0

    def play(self, workload: Workload, rules: Sequence[Placing] = ()) -> Played:
        """One run from its begin to its end."""
        played = self.begin(workload, rules)
        self.settle()
        return played

    def begin(self, workload: Workload, rules: Sequence[Placing] = ()) -> Played:
        """One run in a namespace of its own, whose tenant stands on. Whatever is wrong is in the evidence."""
        stage = self.stage
        born = stage.recorder.mark()
        heard = stage.audit.mark()
        said = stage.operator.log_size
        tenant = Tenant.new(stage, self.provider)
        played = Played(Evidence())
        seen = played.evidence
        self.standing.append(Standing(tenant, seen, born, heard, said))
        try:
            if workload.before is not None:
                tenant.make(**workload.before)
                stage.until(lambda: tenant.condition()[1] == _settled(workload.before), "never settled")
                workload.prepare(tenant)
                stage.at_rest(_REST, tenant.owns)
            self._act(tenant, workload, rules, played)
            self._look(tenant, workload, born, played)
        except Hung as hung:
            seen.trouble.append(f"{hung}; conditions: {tenant.reasons()}")
        seen.trouble += stage.deaths
        stage.deaths.clear()
        return played

    def settle(self, quiet: float = 0.0) -> None:
        """Look for so many seconds whether all who stand stay as they are, and end them."""
        self._stay(quiet)
        for one in self.standing:
            self._end(one.tenant, one.seen)
        for one in self.standing:
            self._gone(one.tenant, one.seen)
        for one in self.standing:
            one.seen.log = self.stage.operator.log(one.said)
            one.seen.leaks = self._leaks(one)
        self.standing.clear()

    def _act(
        self,
        tenant: Tenant,
        workload: Workload,
        rules: Sequence[Placing],
        played: Played,
    ) -> None:
        stage = self.stage
        marks = stage.door.mark(), self.issuer.mark()
        placed = [make(tenant) for make in rules]
        with ExitStack() as failing:
            for where, rule in placed:
                failing.enter_context((stage.door if where == DOOR else self.issuer).failing(rule))
            workload.act(tenant)
            stage.until(lambda: _through(tenant, workload) or self._needs_help(tenant), f"not {workload.until}")
            if (asks := _asks(tenant)) and not _through(tenant, workload):
                played.explained = asks
                _help(tenant)
                stage.until(lambda: _through(tenant, workload), f"not {workload.until} after help")
            stage.at_rest(_REST, tenant.owns)
            stage.until(lambda: _through(tenant, workload), f"not {workload.until} any more")
            # The service works, and goes on doing so: only its next change will need help.
            played.explained = played.explained or _asks(tenant)
        played.reached = all(rule.hit for _, rule in placed)
        for where, proxy, mark in zip((DOOR, ISSUER), (stage.door, self.issuer), marks, strict=True):
            for call in proxy.journal[mark:]:
                step = (where, tenant.plain(call.key), call.nth)
                played.asked.append(step)
                if call.changing and "/leases/" not in call.path:
                    played.trace.append(step)
        played.evidence.registered = sum(
            call.done for call in self.issuer.journal[marks[1] :] if call.changing and _registers(call)
        )

    def _needs_help(self, tenant: Tenant) -> bool:
        """Whether the operator goes on asking: it may think better of a token that it held for lost."""
        if (tried := len(self.issuer.journal)) and not _asks(tenant):
            self.asked_since = tried
        return _asks(tenant) == AMBIGUOUS or tried - self.asked_since >= _TRIES

    def _look(self, tenant: Tenant, workload: Workload, born: int, played: Played) -> None:
        stage, seen = self.stage, played.evidence
        # A pass that a timer brings after the first good one may still have a word to add.
        for _ in range(_WINDOWS):
            seen.restless = self._restless(tenant)
            if not seen.restless:
                break
        changes = self._changes(tenant, born)
        seen.created = _plainly(tenant, counted(changes, "ADDED"))
        seen.deleted = _plainly(tenant, counted(changes, "DELETED"))
        kept = tenant.kept(born)
        gone = {change.name for change in changes if change.type == "DELETED"}
        seen.lost = {name for name in gone if name in kept or name.kind in DATA_KINDS}
        seen.state = tenant.state()
        if played.explained == AMBIGUOUS:
            # Removed by the person who helped, and made again.
            seen.created[_MEMORY] -= 1
            seen.deleted[_MEMORY] -= 1
        seen.conditions = tenant.reasons()
        seen.untrue = untrue(tenant.vre, stage.recorder.within(tenant.namespaces))
        seen.clients = tenant.clients()
        seen.logs_in = _logs_in(tenant)

    def _stay(self, seconds: float) -> None:
        """Nobody who stands changes anything any more: a retry may come late. Reading is allowed."""
        mark, calls = self.stage.audit.mark(), len(self.issuer.journal)
        time.sleep(seconds)
        changes = [event for event in self.stage.audit.since(mark, USER) if event["verb"] not in _READS]
        told = [
            call
            for call in self.issuer.journal[calls:]
            if call.changing and call.method != "DELETE" and not call.path.endswith("/token")
        ]
        for one in self.standing:
            words = [text for event in changes if "$" in (text := one.tenant.plain(spoken(event)))]
            if _SEALED in words:
                words.remove(_SEALED)
            one.seen.restless += [f"{text}, later" for text in words]
            one.seen.restless += [f"{call}, later, by somebody" for call in told]

    def _restless(self, tenant: Tenant) -> list[str]:
        mark, calls = self.stage.audit.mark(), len(self.issuer.journal)
        time.sleep(_REST)
        # The person's Secret is read again now and then: nothing else could tell that it changed.
        return [
            words
            for event in self.stage.audit.since(mark, USER)
            if "$" in (words := tenant.plain(spoken(event))) and not words.startswith(_READING)
        ] + [
            # Other tenants are on their way out.
            str(call)
            for call in self.issuer.journal[calls:]
            if call.method != "DELETE"
        ]

    def _changes(self, tenant: Tenant, born: int) -> list[Change]:
        return [
            change
            for change in self.stage.recorder.since(born, (*tenant.namespaces, SYSTEM), set(KINDS) - {"Event"})
            if change.name.namespace != SYSTEM or change.name.name == tenant.state_secret
        ]

    def _end(self, tenant: Tenant, seen: Evidence) -> None:
        """The end of the tenant, without faults: nothing of it may be left at the provider or remembered.

        Its namespaces take the cluster's own controller five seconds, which `bury` waits for.
        """
        tenant.delete()
        self.dying.append((tenant, seen))

    def _gone(self, tenant: Tenant, seen: Evidence) -> None:
        if _asks(tenant) == TOKEN_LOST:
            self.stage.until(
                lambda: tenant.condition()[1] == "DeletionBlocked", "the deletion asks nobody for help"
            )
            _help(tenant)
        with suppress(Hung):
            self.stage.until(lambda: not tenant.memory(), "its client is still remembered")
        seen.leftovers = tenant.clients()
        for other, _ in self.dying:
            other.remove()

    def bury(self) -> None:
        """Wait for the end of all tenants; whoever does not end has it in its evidence."""
        for tenant, seen in self.dying:
            try:
                self.stage.until(lambda it=tenant: it.vre is None, "its deletion does not end")  # type: ignore[misc]
            except Hung as hung:
                seen.trouble.append(f"{hung}; conditions: {tenant.reasons()}")
            seen.leftovers = tenant.clients()
            tenant.remove()
        self.dying.clear()

    def _leaks(self, one: Standing) -> list[str]:
        changes = self._changes(one.tenant, one.born)
        events = self.stage.recorder.since(one.born, one.tenant.namespaces, {"Event"})
        objects = [change.object for change in changes if change.name.kind == "Secret"]
        objects += [obj for name, obj in self.stage.recorder.within([SYSTEM]).items() if name.kind == "Secret"]
        secrets = secrets_of(objects)
        places = {"the log": "\n".join(json.dumps(line) for line in one.seen.log)}
        places["the audit log"] = self.stage.audit.text(one.heard)
        for change in (*changes, *events):
            if change.name.kind != "Secret":
                place = f"the {change.name.kind}s"
                places[place] = places.get(place, "") + json.dumps(change.object)
        return leaks(secrets, places)


def _settled(before: object) -> str:
    return "Suspended" if isinstance(before, dict) and before.get("suspend") else "Ready"


def _through(tenant: Tenant, workload: Workload) -> bool:
    return tenant.vre is None if workload.until == GONE else tenant.condition()[1] == workload.until


def _asks(tenant: Tenant) -> str:
    """The reason with which the operator asks a person for help: an answer was lost for good. Else empty."""
    reason = tenant.reasons().get("IdentityReady", "")
    return reason if reason in (AMBIGUOUS, TOKEN_LOST) else ""


def _help(tenant: Tenant) -> None:
    """What the condition's message tells a person to do."""
    for client in tenant.clients():
        tenant.provider.remove(client)
    if _asks(tenant) == AMBIGUOUS:
        tenant.stage.api.delete("Secret", SYSTEM, tenant.state_secret)


def _registers(call: Call) -> bool:
    return call.method == "POST" and call.path.endswith((*REGISTRATION, "/clients"))


def _plainly(tenant: Tenant, found: Counter[Name]) -> Counter[str]:
    return Counter({tenant.plain(str(name)): count for name, count in found.items()})


def _logs_in(tenant: Tenant) -> bool | None:
    """Whether the pair that the operator remembers works at the provider."""
    for secret in tenant.memory().values():
        state = json.loads(base64.b64decode(secret["data"]["state.json"]))
        return tenant.provider.knows(state["client_id"], state["current"])
    return None
