"""How long a large lake takes: `python -m tests.rucio.bench [RSES [PEOPLE]]` prints a table. A real Rucio.

RSEs with a full mesh of distances, and accounts of people with a quota at two of them; then a reading that
changes nothing, by the same operator and by one that has just started. The yardstick is one export of the same
Rucio, which holds all RSEs.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

from tests.rucio.declared import Keeper
from tests.rucio.lake import at_work

_PASSES = 2000
_HOMES = 2
_IDENTITY = {
    "issuer": "https://login.example.org/realms/vre",
    "provider": "keycloak-admin",
    "credentialsSecret": {"name": "login"},
    "allowedGroups": ["/ocean"],
}


def rse(number: int) -> dict[str, Any]:
    name = f"SITE-{number:04}"
    protocol = {"scheme": "davs", "hostname": f"disk{number}.example.org", "port": 443, "prefix": "/data/"}
    home = "true" if number < _HOMES else "false"
    attributes = [{"name": "country", "value": "FR"}, {"name": "home", "value": home}]
    return {"name": name, "attributes": attributes, "protocols": [protocol]}


def person(number: int) -> dict[str, Any]:
    name = f"person{number:05}"
    return {"name": name, "sub": f"sub-{number}", "email": f"{name}@example.org", "groups": ["/ocean"]}


async def measured(keeper: Keeper, wish: dict[str, Any], what: str) -> None:
    reads, changes, began = keeper.wire.reads, len(keeper.wire.changes), time.monotonic()
    outcomes = await keeper.keep(wish, passes=_PASSES, identity=_IDENTITY)
    seconds = time.monotonic() - began
    wrong = [f"{name}: {one.message}" for name, one in outcomes.items() if not one.ready]
    reads, changes = keeper.wire.reads - reads, len(keeper.wire.changes) - changes
    print(f"{what:<44}{seconds:>9.1f} s{reads:>9} reads{changes:>9} writes", flush=True)
    assert not wrong, wrong[:3]


async def bench(url: str, rses: int, people: int) -> None:
    wish = {
        "rses": [rse(number) for number in range(rses)],
        "people": {"enabled": True, "quotas": [{"rseExpression": "home=true", "size": "1Ti"}]},
    }
    first = Keeper(url)
    first.provider.people = [person(number) for number in range(people)]
    await measured(first, wish, f"{rses} RSEs, {rses * (rses - 1)} distances, {people} people")
    hand, began = first.person(), time.monotonic()
    await hand.get("export")
    print(f"{'one export of it, by itself':<44}{time.monotonic() - began:>9.1f} s", flush=True)
    first.look_again()
    await measured(first, wish, "nothing changed, read again")
    await measured(first, wish, "nothing changed, not due")
    second = Keeper(url)
    second.provider.people = first.provider.people
    await measured(second, wish, "nothing changed, by another operator")


def main(rses: str = "300", people: str = "5000") -> None:
    with at_work("large") as work:
        asyncio.run(bench(work.url, int(rses), int(people)))


if __name__ == "__main__":
    main(*sys.argv[1:])
