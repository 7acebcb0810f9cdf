"""What is declared in the tenant's Rucio, as resources of the rucio target (its modules tell the bodies)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vre_operator.api.data_lake import Protocol, Rse, Scheme
from vre_operator.api.lake_accounts import Account, Attribute
from vre_operator.api.lake_storage import LakeStorage
from vre_operator.api.lake_subscriptions import Filter, Subscription, SubscriptionRule
from vre_operator.api.rules import quantity
from vre_operator.components import ids
from vre_operator.components.context import Environment, rucio
from vre_operator.components.rucio import transfers
from vre_operator.engine.refs import Ref
from vre_operator.engine.resources import Policy, Resource, ResourceId

_CLASSES = "rucio.rse.protocols."


def render(env: Environment, component: str, entry: Resource, *before: Resource) -> Iterator[Resource]:
    """entry: where Rucio is and who the operator is there, of kind Server. before: what that needs."""
    lake = env.spec.data_lake
    yield from before
    yield entry
    needs = entry.needs | {entry.id}
    fts = transfers.address(env)
    rses = [(rse, f"spec.dataLake.rses[{index}]") for index, rse in enumerate(lake.rses)]
    rses += [(_own(env, one), f"spec.dataLake.storage[{index}]") for index, one in enumerate(lake.storage)]
    for rse, origin in rses:
        yield Resource(
            id=rucio("Rse", rse.name),
            component=component,
            body=_rse(rse, fts),
            needs=needs,
            # Never removed: whether an RSE is empty Rucio itself tells from a counter that lags (0011).
            policy=Policy.RELEASE,
            origin=origin,
        )
    if rses:
        yield Resource(
            id=rucio("Distances", "distances"),
            component=component,
            body={
                "rses": [rse.name for rse, _ in rses],
                "default": lake.distances.default,
                "links": [link.model_dump(mode="json") for link in lake.distances.links],
            },
            needs=needs,
            policy=Policy.RELEASE,
            origin="spec.dataLake.distances",
        )
    for index, account in enumerate(lake.accounts):
        yield Resource(
            id=rucio("Account", account.name),
            component=component,
            body=_account(account),
            needs=needs,
            origin=f"spec.dataLake.accounts[{index}]",
        )
    if ids.people_wanted(env):
        yield _people(env, component, needs)
    declared = {account.name for account in lake.accounts}
    for index, subscription in enumerate(lake.subscriptions):
        owner = {rucio("Account", subscription.account)} if subscription.account in declared else set()
        yield Resource(
            id=rucio("Subscription", f"{subscription.account}/{subscription.name}"),
            component=component,
            body=_subscription(subscription),
            needs=needs | owner,
            origin=f"spec.dataLake.subscriptions[{index}]",
        )
    for index, option in enumerate(lake.options):
        yield Resource(
            id=rucio("Option", f"{option.section}/{option.option}"),
            component=component,
            body={"value": option.value},
            needs=needs,
            origin=f"spec.dataLake.options[{index}]",
        )


def _people(env: Environment, component: str, needs: frozenset[ResourceId]) -> Resource:
    identity, lake = env.spec.identity, env.spec.data_lake
    paid = {one.group for one in lake.people.quotas if one.group}
    return Resource(
        id=rucio("People", "people"),
        component=component,
        body={
            "people": Ref(ids.people(env), "people"),
            "problems": Ref(ids.people(env), "problems"),
            "issuer": identity.issuer,
            "groups": sorted({*identity.allowed_groups, *paid}),
            "admins": list(identity.admin_groups),
            "quotas": [
                {"group": one.group, "rse_expression": one.rse_expression, "size": int(quantity(one.size))}
                for one in lake.people.quotas
            ],
            "declared": ["root", *(account.name for account in lake.accounts)],
            "share": lake.people.max_leavers,
            "word": lake.people.confirmed_leavers,
        },
        needs=needs,
        policy=Policy.RELEASE,
        origin="spec.dataLake.people",
    )


def _own(env: Environment, storage: LakeStorage) -> Rse:
    """The RSE that a storage of the lake's own is."""
    attributes = {"oidc_support": "true", "greedyDeletion": "true"}
    return Rse(
        name=storage.name,
        attributes=tuple(Attribute(name=name, value=value) for name, value in attributes.items()),
        protocols=(
            Protocol(
                scheme=Scheme.DAVS,
                hostname=storage.hostname,
                port=443,
                prefix=ids.storage_path(env, storage.name),
            ),
        ),
    )


def _rse(rse: Rse, fts: str) -> dict[str, Any]:
    """fts: for one that names none itself."""
    attributes = {attribute.name: attribute.value for attribute in rse.attributes}
    limits = {
        "MinFreeSpace": rse.limits.min_free_space,
        "MaxSpaceAvailable": rse.limits.max_space_available,
    }
    return {
        "settings": {
            "rse_type": rse.type.value,
            "deterministic": rse.deterministic,
            "volatile": rse.volatile,
            **{f"availability_{what}": value for what, value in rse.availability.model_dump().items()},
        },
        "attributes": ({"fts": fts} if fts else {}) | attributes,
        "protocols": [_protocol(protocol) for protocol in rse.protocols],
        "limits": {name: int(quantity(size)) for name, size in limits.items() if size is not None},
        "unmanaged": [aspect.value for aspect in rse.unmanaged],
    }


def _protocol(protocol: Protocol) -> dict[str, Any]:
    def access(domain: Any) -> dict[str, int | None]:
        return {name: getattr(domain, name) for name in ("read", "write", "delete")}

    return {
        "scheme": protocol.scheme.value,
        "hostname": protocol.hostname,
        "port": protocol.port,
        "prefix": protocol.prefix,
        "impl": f"{_CLASSES}{protocol.implementation.value}",
        "domains": {
            "lan": access(protocol.lan),
            "wan": access(protocol.wan)
            | {
                "third_party_copy_read": protocol.wan.third_party_read,
                "third_party_copy_write": protocol.wan.third_party_write,
            },
        },
        "extended_attributes": {one.name: one.value for one in protocol.extended} or None,
    }


def _account(account: Account) -> dict[str, Any]:
    attributes = {attribute.name: attribute.value for attribute in account.attributes}
    return {
        "type": account.type.value.upper(),
        "email": account.email,
        "attributes": attributes | ({"admin": "true"} if account.admin else {}),
        "identities": [
            {"type": one.type.value, "identity": one.identity, "email": one.email} for one in account.identities
        ],
        "quotas": {quota.rse_expression: int(quantity(quota.size)) for quota in account.quotas},
        "scopes": list(account.scopes),
    }


def _subscription(subscription: Subscription) -> dict[str, Any]:
    return {
        "filter": _filter(subscription.filter),
        "replication_rules": [_rule(rule) for rule in subscription.rules],
        "comments": subscription.comments,
        "priority": subscription.priority,
    }


def _filter(wanted: Filter) -> dict[str, Any]:
    said = {
        "scope": list(wanted.scopes),
        "account": list(wanted.accounts),
        "pattern": wanted.pattern,
        "excluded_pattern": wanted.excluded_pattern,
        "did_type": [one.value.upper() for one in wanted.types],
        **{one.name: list(one.values) for one in wanted.metadata},
    }
    return {name: value for name, value in said.items() if value}


def _rule(rule: SubscriptionRule) -> dict[str, Any]:
    said = {
        "rse_expression": rule.rse_expression,
        "copies": rule.copies,
        "activity": rule.activity.value,
        "lifetime": rule.lifetime_days and rule.lifetime_days * 86400,
        "grouping": rule.grouping.value.upper(),
        "source_replica_expression": rule.source_expression,
    }
    return {name: value for name, value in said.items() if value}
