"""A Rucio in memory, as far as distances and people go. Its clock goes on with each request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, cast

from vre_operator.engine.errors import Unavailable
from vre_operator.engine.resources import Resource, ResourceId
from vre_operator.engine.target import Desired
from vre_operator.targets.rucio.http import Login, Refused, RucioHttp
from vre_operator.targets.web import Dropped


class Rucio:
    """telling: cleared, an export with distances gets no answer. seconds: what a request takes. deaf: it takes
    changes and makes none. fails: number of the change from which on there is no answer. drops: one in so many
    requests loses its connection, every other one after its effect."""

    def __init__(self, rses: Iterable[str] = ()) -> None:
        self.rses = list(rses)
        self.distances: dict[str, dict[str, int]] = {}
        self.accounts: dict[str, dict[str, Any]] = {}
        self.now = 0.0
        self.seconds = {"GET": 0.0, "export": 0.0, "change": 0.0}
        self.telling = asyncio.Event()
        self.telling.set()
        self.deaf = False
        self.fails = 0
        self.drops = 0
        self._requests = 0
        self._many = 0
        self.asked: list[str] = []
        self.changes: list[str] = []

    def clock(self) -> float:
        return self.now

    def http(self, login: Login | None = None, **others: Any) -> RucioHttp:
        del login, others
        return cast(RucioHttp, self)

    @asynccontextmanager
    async def many(self) -> AsyncIterator[None]:
        self._many += 1
        yield
        self._many -= 1

    def asked_for(self, what: str) -> int:
        return sum(one == what for one in self.asked)

    async def get(self, *path: str, query: dict[str, str] | None = None) -> Any:
        whole = path == ("export",) and not query
        self.asked.append("distances" if whole else "/".join(path))
        await asyncio.sleep(0)
        self.now += self.seconds["export" if whole else "GET"]
        self._drop(self._drops())
        if whole:
            await self.telling.wait()
        match path:
            case ("export",):
                return {"rses": {name: {} for name in self.rses}, "distances": self._told() if whole else {}}
            case ("rses", ""):
                return [{"rse": name} for name in self.rses]
            case ("accounts", ""):
                wanted = (query or {}).items()
                return [
                    {"account": name} for name, one in self.accounts.items() if wanted <= one["attr"].items()
                ]
            case ("accounts" | "scopes", name, *what):
                return self._of_account(name, *what)
        raise AssertionError(path)

    async def rows(self, *path: str, query: dict[str, str] | None = None) -> Any:
        return await self.get(*path, query=query)

    def _drops(self) -> bool:
        self._requests += 1
        return self._many > 0 and self.drops > 0 and self._requests % self.drops == 0

    def _drop(self, drops: bool) -> None:
        if drops:
            raise Dropped("dropped", sent=True)

    def _told(self) -> dict[str, Any]:
        return {a: {b: {"distance": one} for b, one in row.items()} for a, row in self.distances.items()}

    def _of_account(self, name: str, *what: str) -> Any:
        if name not in self.accounts:
            raise Refused("AccountNotFound", "")
        account = self.accounts[name]
        if not what:
            return {"status": "ACTIVE", "account_type": "USER", "email": account["email"]}
        if what == ("attr", ""):
            return [{"key": key, "value": value} for key, value in account["attr"].items()]
        return account[what[-1]]

    async def change(self, method: str, *path: str, body: Any = None, but: Iterable[str] = ()) -> None:
        del but
        self.changes.append(f"{method} {'/'.join(path)}")
        fails = 0 < self.fails <= len(self.changes)
        await asyncio.sleep(0)
        self.now += self.seconds["change"]
        if fails:
            raise Unavailable("away")
        if self.deaf:
            return
        drops = self._drops()
        self._drop(drops and len(self.changes) % 2 == 0)
        self._make(method, path, body)
        self._drop(drops)

    def _make(self, method: str, path: tuple[str, ...], body: Any) -> None:
        match (method, *path):
            case ("POST", "import"):
                self.rses += body.get("rses", ())
                for source, row in body.get("distances", {}).items():
                    for destination, one in row.items():
                        self.distances.setdefault(source, {})[destination] = one["distance"]
            case ("DELETE", "rses", source, "distances", destination):
                del self.distances[source][destination]
            case ("POST", "accounts", name):
                assert name not in self.accounts
                self.accounts[name] = {"email": body["email"], "attr": {}, "identities": [], "scopes": []}
                self.accounts[name] |= {"global": {}, "local": {}}
            case (_, "accounts", name, *what):
                self._change_account(method, self.accounts[name], what, body)

    def _change_account(self, method: str, account: dict[str, Any], what: list[str], body: Any) -> None:
        match (method, *what):
            case ("POST", "attr", key):
                account["attr"][key] = body["value"]
            case ("DELETE", "attr", key):
                del account["attr"][key]
            case ("POST", "identities"):
                account["identities"].append({"type": body["authtype"], "identity": body["identity"]})
            case ("DELETE", "identities"):
                account["identities"].clear()
            case ("PUT",):
                account["status"] = body["status"]
            case ("POST", "scopes", scope):
                if scope in account["scopes"]:
                    raise Refused("Duplicate", "")
                account["scopes"].append(scope)
            case ("POST", "limits", "global", expression):
                account["global"][expression] = {"limit": body["bytes"]}
            case ("POST", "limits", "local", rse):
                account["local"][rse] = float("inf")
            case _:
                raise AssertionError(what)


def distances(rses: list[str], links: Iterable[tuple[str, str, int]] = ()) -> Resource:
    told = [{"source": a, "destination": b, "distance": distance} for a, b, distance in links]
    body = {"rses": rses, "default": 1, "links": told}
    return Resource(ResourceId("rucio", "Distances", "", "distances"), "dataLake", body)


def rse(name: str) -> Resource:
    body = {"settings": {}, "attributes": {}, "protocols": [], "limits": {}, "unmanaged": ["Limits"]}
    return Resource(ResourceId("rucio", "Rse", "", name), "dataLake", body)


def people(names: Iterable[str], expression: str = "*") -> Resource:
    persons = [{"name": name, "sub": name, "email": f"{name}@example.org", "groups": ["g"]} for name in names]
    body = {
        "people": json.dumps(persons),
        "problems": "",
        "issuer": "https://sso.example.org/",
        "groups": ["g"],
        "admins": [],
        "quotas": [{"group": "", "rse_expression": expression, "size": 5}],
        "declared": ["root"],
        "share": 10,
        "word": "",
    }
    return Resource(ResourceId("rucio", "People", "", "people"), "dataLake", body)


def desired(resource: Resource) -> Desired:
    return Desired(resource, resource.body)
