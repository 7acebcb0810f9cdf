"""One account: what is wanted, what Rucio says of it, and the requests that lead from one to the other. Pure.

Wanted (a resource's body): {type, email, attributes: {name: text}, identities: [{type, identity, email}],
quotas: {RSE expression: bytes}, rses: [name], those that the quotas are for, scopes: [name]}.

A quota is Rucio's global limit, which bounds and gives nothing: without a local limit at an RSE, too, all rules
for it are refused (core/rse_selector.py). So each of the quotas' RSEs has an endless one.

Seen, as Rucio answers: {account: {status, account_type, email}, attributes: [{key, value}],
identities: [{type, identity}], limits: {expression: {limit}}, local: {RSE: bytes}, scopes: [name]}; of an
account that is not active Rucio tells the first alone. Sources: contracts/rucio.md section 6.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import inf
from typing import Any

from vre_operator.targets.rucio.change import Change, same

Body = Mapping[str, Any]

_ENDLESS = -1


def changes(name: str, wanted: Body, seen: Body | None) -> list[Change]:
    """What leads from `seen` to `wanted`. One that was deleted comes back: Rucio never forgets a name."""
    if seen is None:
        body = {"type": wanted["type"], "email": wanted["email"]}
        made = Change("it is not there", "POST", ("accounts", name), body, done=("Duplicate",))
        return [made, *_belongings(name, wanted, {})]
    itself = list(_account(name, wanted, seen["account"]))
    active = seen["account"].get("status") == "ACTIVE"
    return [*itself, *_belongings(name, wanted, seen)] if active else itself


def suspension(name: str, identities: Iterable[Body]) -> list[Change]:
    """What closes an active account, whose data and name stay. identities: all that Rucio tells of it.

    Rucio asks whose identity a provider's token is, and not whether the account is active (41.5: core/oidc.py
    validate_jwt): without its identities of OIDC no new token leads into it.
    """
    path = ("accounts", name, "identities")
    gone = sorted(one["identity"] for one in identities if one["type"] == "OIDC")
    status = Change("status", "PUT", ("accounts", name), {"status": "SUSPENDED"}, done=("AccountNotFound",))
    return [*(_no_identity(path, "OIDC", identity) for identity in gone), status]


def _no_identity(path: tuple[str, ...], kind: str, identity: str) -> Change:
    body = {"identity": identity, "authtype": kind}
    return Change(f"identities.{identity}", "DELETE", path, body, done=("IdentityError", "AccountNotFound"))


def _account(name: str, wanted: Body, seen: Body) -> Iterator[Change]:
    for what, key, value in (
        ("status", "status", "ACTIVE"),
        ("type", "account_type", wanted["type"]),
        ("email", "email", wanted["email"]),
    ):
        if (seen.get(key) or "") != value:
            yield Change(what, "PUT", ("accounts", name), {key: value})


def _belongings(name: str, wanted: Body, seen: Body) -> Iterator[Change]:
    yield from _attributes(
        name, wanted["attributes"], {one["key"]: one["value"] for one in seen.get("attributes", ())}
    )
    yield from _identities(name, wanted, seen.get("identities", ()))
    limits = {expression: one["limit"] for expression, one in seen.get("limits", {}).items()}
    for expression, size in sorted(wanted["quotas"].items()):
        if limits.get(expression) != size:
            path = ("accounts", name, "limits", "global", expression)
            yield Change(f"quotas.{expression}", "POST", path, {"bytes": size})
    for expression in sorted(limits.keys() - wanted["quotas"].keys()):
        yield Change(f"quotas.{expression}", "DELETE", ("accounts", name, "limits", "global", expression))
    local = seen.get("local", {})
    for rse in sorted(rse for rse in wanted["rses"] if local.get(rse) != inf):
        path = ("accounts", name, "limits", "local", rse)
        yield Change(f"quotas at {rse}", "POST", path, {"bytes": _ENDLESS})
    for rse in sorted(local.keys() - set(wanted["rses"])):
        yield Change(f"no quotas at {rse}", "DELETE", ("accounts", name, "limits", "local", rse))
    for scope in sorted(set(wanted["scopes"]) - set(seen.get("scopes", ()))):
        yield Change(f"scopes.{scope}", "POST", ("accounts", name, "scopes", scope))


def _attributes(name: str, wanted: Mapping[str, str], seen: Mapping[str, Any]) -> Iterator[Change]:
    for key in sorted(seen.keys() | wanted.keys()):
        what, path = f"attributes.{key}", ("accounts", name, "attr", key)
        if key in seen and key in wanted and same(wanted[key], seen[key]):
            continue
        if key in seen:  # Rucio has no way to change one
            yield Change(what, "DELETE", path, done=("AccountNotFound",))
        if key in wanted:
            yield Change(what, "POST", path, {"key": key, "value": wanted[key]}, done=("Duplicate",))


def _identities(name: str, wanted: Body, seen: Any) -> Iterator[Change]:
    """Only of the kinds that can be declared: what a person added of another kind stays."""
    path = ("accounts", name, "identities")
    has = {(one["type"], one["identity"]) for one in seen}
    wants = {(one["type"], one["identity"]): one["email"] for one in wanted["identities"]}
    for kind, identity in sorted(wants.keys() - has):
        body = {
            "identity": identity,
            "authtype": kind,
            "email": wants[kind, identity] or wanted["email"],
            "default": False,
        }
        yield Change(f"identities.{identity}", "POST", path, body, done=("Duplicate",))
    for kind, identity in sorted(has - wants.keys()):
        if kind in ("OIDC", "X509"):
            yield _no_identity(path, kind, identity)
