"""Data lakes that must be refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.manifests.base import ATTACH, SUBSCRIPTION, Bad, bad, lake, protocol, rse, storage, subscribed

FTS = "https://fts.example.org:8446"
X509: dict[str, Any] = {"certificateSecret": {"name": "robot"}}


def _voms(**fields: Any) -> Mapping[str, Any]:
    voms = {"url": "https://voms.example.org:15000", **fields}
    return {"transfers": {"fts": FTS, "x509": X509 | {"voms": voms}}}


BAD_LAKES: tuple[Bad, ...] = (
    bad(
        "one hostname for two", {"dataLake": {"hostname": "vre.example.org"}}, "dataLake.hostname", "of its own"
    ),
    lake("RSE in lower case", rse(name="site-disk"), "rses[0].name", "upper-case"),
    lake("RSE with a dash at the end", rse(name="SITE-"), "rses[0].name", "single - or _ between"),
    lake(
        "RSEs of one name", {"rses": [{"name": "A"}, {"name": "A"}]}, "rses[1]", "a different name", "Duplicate"
    ),
    lake("RSE of no type", rse(type="Disk"), "rses[0].type", "DISK", "DISK"),
    lake(
        "attribute with a slash",
        rse(attributes=[{"name": "a/b", "value": "c"}]),
        "rses[0].attributes[0].name",
        "letters, digits",
    ),
    lake(
        "attribute without value",
        rse(attributes=[{"name": "a"}]),
        "rses[0].attributes[0].value",
        "add it",
        "Required",
    ),
    lake(
        "protocol that Rucio has no class for",
        rse(protocols=[protocol(implementation="gsiftp.Default")]),
        "rses[0].protocols[0].implementation",
        "gfal.Default",
        "gfal.Default",
    ),
    lake(
        "scheme that Rucio forgot",
        rse(protocols=[protocol(scheme="srm")]),
        "rses[0].protocols[0].scheme",
        "davs",
        "davs",
    ),
    lake(
        "davs by webdav",
        rse(protocols=[protocol(implementation="webdav.Default")]),
        "rses[0].protocols[0].implementation",
        "gfal.Default with davs",
    ),
    lake(
        "storage by URL",
        rse(protocols=[protocol(hostname="davs://eos.example.org")]),
        "rses[0].protocols[0].hostname",
        "without scheme",
    ),
    lake(
        "prefix without slash",
        rse(protocols=[protocol(prefix="eos/")]),
        "rses[0].protocols[0].prefix",
        "with a slash",
    ),
    lake(
        "priority below zero",
        rse(protocols=[protocol(lan={"read": -1})]),
        "rses[0].protocols[0].lan.read",
        "minimum 0",
        "greater than or equal to 0",
    ),
    lake(
        "one way twice",
        rse(protocols=[protocol(), protocol(prefix="/other/")]),
        "rses[0].protocols[1]",
        "scheme or hostname or port",
        "Duplicate",
    ),
    lake("storage in lower case", storage(name="disk"), "storage[0].name", "single hyphens"),
    lake("storage with an underscore", storage(name="MY_DISK"), "storage[0].name", "single hyphens"),
    lake("storage too small", storage(size="512Mi"), "storage[0].size", "1Gi or more"),
    lake("storage at the VRE", storage(hostname="vre.example.org"), "storage", "disk.example.org"),
    lake(
        "storage at Rucio",
        {"hostname": "disk.example.org", **storage(hostname="disk.example.org")},
        "storage",
        "a hostname of its own",
    ),
    lake(
        "two storages at one hostname",
        {"storage": [{"name": name, "hostname": "disk.example.org"} for name in ("A", "B")]},
        "storage",
        "a hostname of its own",
    ),
    lake("storage and RSE of one name", {**storage(), **rse(name="SITE-LAKE")}, "rses", "another name"),
    lake(
        "attached by http",
        {"attach": ATTACH | {"url": "http://rucio.example.org"}},
        "attach.url",
        "https://HOST",
    ),
    lake("attached with a user", {"attach": ATTACH | {"url": "https://a@b.org"}}, "attach.url", "https://HOST"),
    lake("attached and of one's own", {"attach": ATTACH, **storage()}, "attach", "remove attach, or"),
    lake("probe of nothing", {"probe": {"enabled": True}}, "probe", "name RSEs in probe.rses"),
    lake("probe of no RSE", {"probe": {"rses": ["site-disk"]}}, "probe.rses[0]", "upper-case"),
    lake("probe in words", {"probe": {"schedule": "@hourly"}}, "probe.schedule", "30 */6 * * *"),
    lake("certificate for no FTS", {"transfers": {"x509": X509}}, "transfers.x509", "address in fts"),
    lake(
        "certificate over http",
        {"transfers": {"fts": "http://fts.example.org:8446", "x509": X509}},
        "transfers.x509",
        "https address",
    ),
    lake(
        "VOMS server without a port",
        _voms(url="https://voms.example.org"),
        "transfers.x509.voms.url",
        "https://HOST:PORT",
    ),
    lake("role of nobody", _voms(attributes=["production"]), "transfers.x509.voms.attributes[0]", "/Role="),
    lake(
        "proxy of an hour",
        {"transfers": {"fts": FTS, "x509": X509 | {"hours": 1}}},
        "transfers.x509.hours",
        "minimum 12",
        "12",
    ),
    lake("history too short", {"history": {"keepDays": 7}}, "history.keepDays", "minimum 30", "30"),
    lake(
        "FTS without a scheme", {"transfers": {"fts": "fts.example.org"}}, "transfers.fts", "https://HOST:PORT"
    ),
    bad(
        "people of a provider that is not asked",
        {
            "identity": {"provider": "generic-dcr"},
            "dataLake": {"enabled": True, "people": {"enabled": True}},
        },
        "dataLake.people.enabled",
        "keycloak-admin",
    ),
    lake("account too long", {"accounts": [{"name": "a" * 26}]}, "accounts[0].name", "maxLength 25", "25"),
    lake("account with a dot", {"accounts": [{"name": "a.b"}]}, "accounts[0].name", "lower-case"),
    lake(
        "scope with a colon",
        {"accounts": [{"name": "a", "scopes": ["survey:2026"]}]},
        "accounts[0].scopes[0]",
        "survey.2026",
    ),
    lake(
        "quota without unit",
        {"accounts": [{"name": "a", "quotas": [{"rseExpression": "*", "size": "much"}]}]},
        "accounts[0].quotas[0].size",
        "10Gi",
    ),
    lake(
        "password of an account",
        {"accounts": [{"name": "a", "identities": [{"type": "USERPASS", "identity": "x"}]}]},
        "accounts[0].identities[0].type",
        "OIDC",
        "OIDC",
    ),
    lake(
        "SCIM without a service account",
        {"people": {"scim": {"url": "https://iam.example.org/scim"}}},
        "people.scim",
        "name its Secret in credentialsSecret",
    ),
    lake("policies by file", {"policyPackage": "policy.py/x"}, "policyPackage", "atlas_rucio_policy_package"),
    lake(
        "subscription that nobody reads",
        {"subscriptions": [SUBSCRIPTION]},
        "subscriptions",
        "add Subscriptions to daemons.groups",
    ),
    lake(
        "subscription to everything",
        subscribed(filter={"types": ["Dataset"]}),
        "subscriptions[0].filter.scopes",
        "name scopes, accounts",
    ),
    lake("subscription to nowhere", subscribed(rules=[]), "subscriptions[0].rules", "minItems 1", "at least 1"),
    lake("subscription with a slash", subscribed(name="raw/tape"), "subscriptions[0].name", "raw-to-tape"),
    lake(
        "subscription of another activity",
        subscribed(rules=[{"rseExpression": "*", "activity": "Fun"}]),
        "subscriptions[0].rules[0].activity",
        "T0 Tape",
        "T0 Tape",
    ),
)
