"""A wish for a lake, a target that keeps it, and a way to Rucio that counts and fails on command."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any

from tests.rucio.lake import ROOT_PASSWORD
from tests.unit.components.scenarios import QUICKSTART, TENANT, environment
from vre_operator.components import rucio
from vre_operator.engine.errors import TargetError
from vre_operator.engine.executor import Outcome, Walk
from vre_operator.engine.plan import make_plan
from vre_operator.engine.refs import all_needs
from vre_operator.engine.resources import Policy, Resource, ResourceId
from vre_operator.engine.target import Observation, Presence
from vre_operator.targets.rucio import RucioTarget
from vre_operator.targets.rucio.http import SLOW, Login, RucioHttp
from vre_operator.targets.web import Answer, Unanswered

Lake = Mapping[str, Any]


class Killed(BaseException):
    """The process died here."""


@dataclass
class Wire:
    """What went to Rucio. at: the number of the change that `how` hits: "before" it, or "after" its effect.

    timeout: seconds until an exchange is given up, when that is sooner.
    """

    reads: int = 0
    changes: list[str] = field(default_factory=list)
    at: int = 0
    how: str = ""
    death: type[BaseException] = Killed
    timeout: float = inf

    def make(self, login: Login, *, clock: Callable[[], float], timeout: float = SLOW) -> RucioHttp:
        return _Http(self, login, clock=clock, timeout=min(timeout, self.timeout))


class _Http(RucioHttp):
    def __init__(self, wire: Wire, login: Login, *, clock: Callable[[], float], timeout: float) -> None:
        super().__init__(login, clock=clock, timeout=timeout)
        self._wire = wire

    async def send(self, method: str, url: str, **arguments: Any) -> Answer:
        if method == "GET":
            self._wire.reads += 1
            return await super().send(method, url, **arguments)
        self._wire.changes.append(f"{method} {url.split('/', 3)[-1]}")
        hit = self._wire.how if len(self._wire.changes) == self._wire.at else ""
        if hit == "before":
            raise self._wire.death("hit")
        answer = await super().send(method, url, **arguments)
        if hit == "after":
            raise self._wire.death("hit")
        if hit == "lost":
            raise Unanswered("the answer was lost", sent=True)
        return answer


class Person(RucioHttp):
    """Who works in Rucio by hand."""

    async def ask(self, method: str, *path: str, **arguments: Any) -> Any:
        """Whatever is answered."""
        return (await self._request(method, path, **arguments)).data


class _Kubernetes:
    """Everything of the cluster is as wanted; secrets hold what the real Rucio was made with."""

    name = "kubernetes"

    def __init__(self, password: str) -> None:
        self.password = password

    def observe(self, tenant: object, desired: object) -> Observation:
        del tenant, desired
        return Observation(Presence.SYNCED, outputs={"username": "root", "password": self.password})


class Provider:
    """Who may come in; tests change it."""

    name = "oidc"

    def __init__(self) -> None:
        self.people: list[dict[str, Any]] = []
        self.problems = ""

    def observe(self, tenant: object, desired: object) -> Observation:
        del tenant, desired
        people = json.dumps(sorted(self.people, key=lambda one: str(one["name"])))
        return Observation(Presence.SYNCED, outputs={"people": people, "problems": self.problems})


class Keeper:
    """An operator's process, as far as a lake goes. `clock` can be set forward.

    url: of the tenant's own Rucio. ca: who signed its certificate. site: its settings. password: what the
    Secret with the login holds. patience: with a reading of the distances, so that no pass ends before it.
    """

    def __init__(
        self,
        url: str,
        wire: Wire | None = None,
        *,
        ca: str = "",
        site: Mapping[str, Any] | None = None,
        password: str = ROOT_PASSWORD,
        patience: float = 100.0,
    ) -> None:
        self.wire = wire or Wire()
        self.ahead = 0.0
        self.target = RucioTarget(
            clock=lambda: time.monotonic() + self.ahead, http=self.wire.make, patience=patience
        )
        self.provider = Provider()
        self._url = url
        self._ca = ca
        self._site = dict(site or {})
        self._kubernetes = _Kubernetes(password)

    def resources(self, lake: Lake, **spec: Any) -> list[Resource]:
        """Those of the rucio target, and what they need."""
        wish = QUICKSTART | {"dataLake": {"enabled": True, **lake}} | spec
        rendered = list(rucio.render(environment(wish, self._site)))
        mine = [one for one in rendered if one.id.target == "rucio"]
        known = {need for one in mine for need in all_needs(one)} | _secrets(rendered)
        rest = [Resource(one, "dataLake") for one in known if one.target != "rucio"]
        return [*rest, *(self._here(one) for one in mine)]

    async def walk(self, lake: Lake, **spec: Any) -> dict[str, Outcome]:
        """One pass: outcomes by "Kind name"."""
        targets: Any = {"kubernetes": self._kubernetes, "oidc": self.provider, "rucio": self.target}
        plan = make_plan(self.resources(lake, **spec))
        outcomes = await Walk(TENANT, plan, targets).run()
        return {f"{one.kind} {one.name}": outcome for one, outcome in outcomes.items() if one.target == "rucio"}

    async def keep(self, lake: Lake, passes: int = 6, **spec: Any) -> dict[str, Outcome]:
        """Passes until nothing is on its way."""
        for _ in range(passes):
            outcomes = await self.walk(lake, **spec)
            if all(
                outcome.result in ("Ready", "Failed") and not outcome.change for outcome in outcomes.values()
            ):
                break
        return outcomes

    async def remove(self, kind: str, name: str, policy: Policy = Policy.DELETE) -> bool | TargetError:
        try:
            return await self.target.delete(TENANT, ResourceId("rucio", kind, "", name), policy, False)
        except TargetError as error:
            return error

    def look_again(self) -> None:
        """As much later as a settled lake is left alone."""
        self.ahead += 1000.0

    def person(self) -> Person:
        """Somebody who works in Rucio by hand."""
        return Person(Login(self._url, "root", "root", ROOT_PASSWORD, self._ca), clock=time.monotonic)

    def _here(self, resource: Resource) -> Resource:
        if resource.id.kind != "Server" or "auth_url" in resource.body:
            return resource
        body = {**resource.body, "url": self._url, "ca_bundle": self._ca}
        return Resource(resource.id, resource.component, body, resource.needs, resource.policy)


def _secrets(rendered: list[Resource]) -> set[ResourceId]:
    return {one.id for one in rendered if one.id.name == "rucio-root"}
