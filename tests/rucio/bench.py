"""How long a large lake takes: `python -m tests.rucio.bench [RSES [PEOPLE]]` prints a table. A real Rucio.

RSEs with a full mesh of distances, and accounts of people with a quota at two of them; then readings that
change nothing, by the same operator and by one that has just started, and a change made by hand.

The yardstick is the same Rucio under bare parallel requests for a part of it, before and after: so much an RSE,
a distance and an account, times as many.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from collections.abc import Coroutine, Iterable
from typing import Any

import aiohttp

from tests.rucio.declared import Keeper
from tests.rucio.lake import ROOT_PASSWORD, at_work
from tests.unit.components.scenarios import TENANT
from vre_operator.targets.rucio.mesh import PATIENCE

_PASSES = 5000
_HOMES = 2
_IDENTITY = {
    "issuer": "https://login.example.org/realms/vre",
    "provider": "keycloak-admin",
    "credentialsSecret": {"name": "login"},
    "allowedGroups": ["/ocean"],
}
_LATER = 8_000.0
"""Seconds after which distances are read again, and people are not yet read as a whole."""

_YARD_RSES = 30
_YARD_PEOPLE = 150
_YARD_CHUNK = 145
_AT_ONCE = 12


def rse(number: int) -> dict[str, Any]:
    name = f"SITE-{number:04}"
    protocol = {"scheme": "davs", "hostname": f"disk{number}.example.org", "port": 443, "prefix": "/data/"}
    home = "true" if number < _HOMES else "false"
    attributes = [{"name": "country", "value": "FR"}, {"name": "home", "value": home}]
    return {"name": name, "attributes": attributes, "protocols": [protocol]}


def person(number: int) -> dict[str, Any]:
    name = f"person{number:05}"
    return {"name": name, "sub": f"sub-{number}", "email": f"{name}@example.org", "groups": ["/ocean"]}


class Yard:
    """Bare requests on kept connections."""

    def __init__(self, url: str, session: aiohttp.ClientSession, token: str, name: str) -> None:
        self._url = url
        self._session = session
        self._headers = {"X-Rucio-Auth-Token": token}
        self._name = name

    async def costs(self) -> tuple[float, float, float]:
        """Seconds for an RSE, a distance and an account."""
        names = [f"{self._name}-{number}" for number in range(_YARD_RSES)]
        pairs = [(one, other) for one in names for other in names if one != other]
        parts = [pairs[start : start + _YARD_CHUNK] for start in range(0, len(pairs), _YARD_CHUNK)]
        people = [f"{self._name.lower()}{number}" for number in range(_YARD_PEOPLE)]
        rses = await self._timed(self._make_rse(name) for name in names)
        distances = await self._timed(self._link(part) for part in parts)
        accounts = await self._timed(self._make_account(name, names[0]) for name in people)
        return rses / len(names), distances / len(pairs), accounts / len(people)

    async def _timed(self, work: Iterable[Coroutine[Any, Any, None]]) -> float:
        bound = asyncio.Semaphore(_AT_ONCE)

        async def one(piece: Coroutine[Any, Any, None]) -> None:
            async with bound:
                await piece

        began = time.monotonic()
        await asyncio.gather(*map(one, work))
        return time.monotonic() - began

    async def _post(self, path: str, body: Any = None) -> None:
        async with self._session.post(self._url + path, json=body, headers=self._headers) as answer:
            assert answer.status == 201, (path, answer.status, await answer.text())

    async def _make_rse(self, name: str) -> None:
        way = {"scheme": "davs", "hostname": f"{name}.example.org".lower(), "port": 443, "prefix": "/data/"}
        access = {"read": 1, "write": 1, "delete": 1}
        protocol = way | {"impl": "rucio.rse.protocols.gfal.Default", "domains": {"lan": access, "wan": access}}
        content = {"attributes": {"country": "FR", "home": "no"}, "protocols": [protocol]}
        await self._post("/import", {"rses": {name: content}})

    async def _link(self, pairs: list[tuple[str, str]]) -> None:
        rows: dict[str, dict[str, Any]] = {}
        for source, destination in pairs:
            rows.setdefault(source, {})[destination] = {"distance": 1}
        await self._post("/import", {"distances": rows})

    async def _make_account(self, name: str, home: str) -> None:
        account, email = f"/accounts/{name}", f"{name}@example.org"
        await self._post(account, {"type": "USER", "email": email})
        identity = {"identity": f"SUB={name}, ISS=x", "authtype": "OIDC", "email": email, "default": False}
        for attribute in ("ocean", "one", "two"):
            await self._post(f"{account}/attr/{attribute}", {"key": attribute, "value": "true"})
        await self._post(f"{account}/identities", identity)
        await self._post(f"{account}/limits/global/{home}", {"bytes": 1 << 40})
        for _ in range(_HOMES):
            await self._post(f"{account}/limits/local/{home}", {"bytes": -1})
        await self._post(f"{account}/scopes/user.{name}")


async def yardstick(url: str, name: str) -> tuple[float, float, float]:
    login = {"X-Rucio-Account": "root", "X-Rucio-Username": "root", "X-Rucio-Password": ROOT_PASSWORD}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(keepalive_timeout=1)) as session:
        async with session.get(f"{url}/auth/userpass", headers=login) as answer:
            token = answer.headers["X-Rucio-Auth-Token"]
        costs = await Yard(url, session, token, name).costs()
    told = ", ".join(f"{1000 * cost:.2f} ms {what}" for cost, what in zip(costs, _WHATS, strict=True))
    print(f"  by bare requests: {told}", flush=True)
    return costs


_WHATS = ("an RSE", "a distance", "an account")


async def measured(keeper: Keeper, wish: dict[str, Any], what: str) -> float:
    reads, changes = keeper.wire.reads, len(keeper.wire.changes)
    began, cpu = time.monotonic(), own_cpu()
    outcomes = await keeper.keep(wish, passes=_PASSES, identity=_IDENTITY)
    seconds = time.monotonic() - began
    wrong = [f"{name}: {one.message}" for name, one in outcomes.items() if not one.ready]
    reads, changes = keeper.wire.reads - reads, len(keeper.wire.changes) - changes
    row(what, seconds, reads, changes, own_cpu() - cpu)
    assert not wrong, wrong[:3]
    return seconds


async def told(keeper: Keeper, wish: dict[str, Any], what: str) -> None:
    """Passes until the distances are read that a pass has begun to read."""
    reads, changes = keeper.wire.reads, len(keeper.wire.changes)
    began, cpu = time.monotonic(), own_cpu()
    while keeper.target.vouch(TENANT, [], walked=False) is None:
        await keeper.keep(wish, passes=_PASSES, identity=_IDENTITY)
    seconds = time.monotonic() - began
    row(what, seconds, keeper.wire.reads - reads, len(keeper.wire.changes) - changes, own_cpu() - cpu)


def row(what: str, seconds: float, reads: int, changes: int, cpu: float) -> None:
    print(f"{what:<50}{seconds:>8.1f} s{reads:>8} reads{changes:>8} writes{cpu:>8.1f} s own CPU", flush=True)


def own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def bench(url: str, rses: int, people: int) -> None:
    wish = {
        "rses": [rse(number) for number in range(rses)],
        "people": {"enabled": True, "quotas": [{"rseExpression": "home=true", "size": "1Ti"}]},
    }
    before = await yardstick(url, "EARLY")
    first = Keeper(url, patience=PATIENCE)
    first.provider.people = [person(number) for number in range(people)]
    pairs = rses * (rses - 1)
    took = await measured(first, wish, f"{rses} RSEs, {pairs} distances, {people} people")
    after = await yardstick(url, "LATE")
    least = sum((a + b) / 2 * n for a, b, n in zip(before, after, (rses, pairs, people), strict=True))
    print(f"  yardstick for as much: {least:.1f} s; ours {took / least:.2f} of it", flush=True)
    hand, began = first.person(), time.monotonic()
    await hand.get("export")
    print(f"  one export of it, by itself: {time.monotonic() - began:.1f} s", flush=True)

    first.look_again()
    await measured(first, wish, "nothing changed, read again")
    await told(first, wish, "  until the distances are told, when they were due")
    await measured(first, wish, "nothing changed, not due")
    first.ahead += _LATER
    await measured(first, wish, "nothing changed, distances due, too")
    await told(first, wish, "  until they are told")
    link = ("rses", "SITE-0000", "distances", "SITE-0001")
    await hand.change("PUT", *link, body={"distance": 9})
    first.ahead += _LATER
    await measured(first, wish, "a distance changed by hand: the pass")
    await told(first, wish, "  until it is as before")
    assert (await hand.get(*link))[0]["distance"] == 1
    second = Keeper(url, patience=PATIENCE)
    second.provider.people = first.provider.people
    await measured(second, wish, "nothing changed, by another operator")


def main(rses: str = "300", people: str = "5000") -> None:
    with at_work("large") as work:
        asyncio.run(bench(work.url, int(rses), int(people)))


if __name__ == "__main__":
    main(*sys.argv[1:])
