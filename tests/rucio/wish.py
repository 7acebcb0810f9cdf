"""A small lake as it is declared, and what a real Rucio has of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.rucio.declared import Keeper
from vre_operator.engine.executor import Outcome
from vre_operator.targets.rucio.http import RucioHttp

DAVS: Mapping[str, Any] = {"scheme": "davs", "hostname": "disk.example.org", "port": 443, "prefix": "/data/"}


def storage(name: str, **fields: Any) -> dict[str, Any]:
    attributes = [{"name": "country", "value": "FR"}, {"name": "greedyDeletion", "value": "true"}]
    limits = {"minFreeSpace": "1Ti", "maxSpaceAvailable": "10Ti"}
    return {"name": name, "attributes": attributes, "protocols": [DAVS], "limits": limits, **fields}


def account(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "name": name,
        "email": "a@example.org",
        "admin": True,
        "attributes": [{"name": "team", "value": "7"}],
        "identities": [
            {"type": "OIDC", "identity": f"SUB={name}, ISS=https://sso.example.org/"},
            {"type": "X509", "identity": f"/C=CH/CN={name}", "email": "b@example.org"},
        ],
        "quotas": [{"rseExpression": "*", "size": "1Ti"}],
        "scopes": [name, f"{name}.test"],
        **fields,
    }


def subscription(account: str, **fields: Any) -> dict[str, Any]:
    return {
        "name": "raw",
        "account": account,
        "filter": {
            "scopes": [account],
            "types": ["Dataset"],
            "metadata": [{"name": "datatype", "values": ["R.*"]}],
        },
        "rules": [{"rseExpression": "*", "lifetimeDays": 30}],
        "comments": "raw data",
        **fields,
    }


HOME = "SHARED-HOME"
"""An RSE for tests that make many accounts: a quota on "*" is a write for each RSE of all tests."""


def lake(prefix: str) -> dict[str, Any]:
    """Two RSEs, an account with a subscription, and an option, of names that no other test uses."""
    upper = prefix.upper()
    return {
        "rses": [storage(f"{upper}-A"), storage(f"{upper}-B", type="TAPE", limits={})],
        "accounts": [account(prefix)],
        "daemons": {"groups": ["Rules", "Subscriptions"]},
        "subscriptions": [subscription(prefix)],
        "options": [{"section": prefix, "option": "text", "value": "50% / $x"}],
    }


def modest_lake(prefix: str) -> dict[str, Any]:
    """The same with a quota for HOME alone, which has to be there."""
    return lake(prefix) | {"accounts": [account(prefix, quotas=[{"rseExpression": HOME, "size": "1Ti"}])]}


async def make_home(url: str) -> None:
    assert unready(await Keeper(url).keep({"rses": [storage(HOME)]})) == {}


def unready(outcomes: Mapping[str, Outcome]) -> dict[str, str]:
    return {name: f"{one.result}: {one.message}" for name, one in outcomes.items() if not one.ready}


async def state(keeper: Keeper, prefix: str) -> dict[str, Any]:
    """What Rucio has of what `lake(prefix)` declares."""
    person, upper = keeper.person(), prefix.upper()
    export = await person.get("export")
    rses = {name: rse for name, rse in export["rses"].items() if name.startswith(f"{upper}-")}
    for name, rse in rses.items():
        rse["limits"] = await person.get("rses", name, "limits")
        for volatile in ("id", "updated_at", "created_at"):
            rse.pop(volatile, None)
    pairs = {
        (source, destination): one["distance"]
        for source, row in export["distances"].items()
        for destination, one in row.items()
        if source.startswith(f"{upper}-")
    }
    return {
        "rses": rses,
        "distances": dict(sorted(pairs.items())),
        "account": await _account(person, prefix),
        "subscription": await _subscription(person, prefix),
    } | {"options": (await person.get("config")).get(prefix)}


async def _account(person: RucioHttp, name: str) -> dict[str, Any]:
    found = await person.get("accounts", name)
    kept = {key: found[key] for key in ("status", "email", "account_type")}
    if found["status"] != "ACTIVE":
        return kept
    limits = await person.get("accounts", name, "limits", "global")
    return kept | {
        "attributes": sorted(
            (one["key"], str(one["value"])) for one in await person.get("accounts", name, "attr", "")
        ),
        "identities": sorted(one["identity"] for one in await person.get("accounts", name, "identities")),
        "limits": {expression: one["limit"] for expression, one in limits.items()},
        "local": sorted(
            rse
            for rse, size in (await person.get("accounts", name, "limits", "local")).items()
            if rse.startswith((name.upper(), HOME))
        ),
        "scopes": sorted(await person.get("scopes", name, "scopes")),
    }


async def _subscription(person: RucioHttp, account: str) -> dict[str, Any] | None:
    found = [one for one in await person.get("subscriptions", "") if one["account"] == account]
    return {key: found[0][key] for key in ("filter", "replication_rules", "comments", "policyid")} | {
        "on": found[0]["state"] != "INACTIVE"
    }
