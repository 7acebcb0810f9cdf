"""Manifests that must be refused and what a person must be told, by `vre validate` and by an API server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

GOOD: Mapping[str, Any] = {
    "apiVersion": "vre.science/v1alpha1",
    "kind": "VREEnvironment",
    "metadata": {"name": "good", "namespace": "default"},
    "spec": {
        "hostname": "vre.example.org",
        "identity": {
            "issuer": "https://sso.example.org/realms/vre",
            "provider": "keycloak-admin",
            "credentialsSecret": {"name": "registration"},
            "allowedGroups": ["researchers"],
        },
    },
}


@dataclass(frozen=True)
class Bad:
    """patch: a merge patch on GOOD. says: words of the remedy. server: its words where they are its own."""

    name: str
    patch: Mapping[str, Any]
    path: str
    says: str
    server: str = ""

    @property
    def document(self) -> dict[str, Any]:
        return dict(merge(GOOD, self.patch))


@dataclass(frozen=True)
class BadChange:
    """A change of `before` (a patch on GOOD) by `patch` that only the API server can refuse."""

    name: str
    before: Mapping[str, Any]
    patch: Mapping[str, Any]
    path: str
    says: str


def merge(base: Any, patch: Any) -> Any:
    """A JSON merge patch (RFC 7386), where Ellipsis removes so that null can be a value."""
    if not isinstance(patch, Mapping) or not isinstance(base, Mapping):
        return patch
    merged = {key: value for key, value in base.items() if patch.get(key) is not ...}
    for key, value in patch.items():
        if value is not ...:
            merged[key] = merge(merged.get(key, {} if isinstance(value, Mapping) else None), value)
    return merged


def _bad(name: str, spec: Mapping[str, Any], path: str, says: str, server: str = "") -> Bad:
    return Bad(name, {"spec": spec}, f"spec.{path}", says, server)


def _identity(name: str, identity: Mapping[str, Any], path: str, says: str, server: str = "") -> Bad:
    return _bad(name, {"identity": identity}, f"identity.{path}", says, server)


def _notebooks(name: str, notebooks: Mapping[str, Any], path: str, says: str, server: str = "") -> Bad:
    return _bad(name, {"notebooks": notebooks}, f"notebooks.{path}", says, server)


def _lake(name: str, lake: Mapping[str, Any], path: str, says: str, server: str = "") -> Bad:
    return _bad(name, {"dataLake": {"enabled": True, **lake}}, f"dataLake.{path}", says, server)


def _subscribed(**fields: Any) -> Mapping[str, Any]:
    return {"daemons": {"groups": ["Subscriptions"]}, "subscriptions": [{**_SUBSCRIPTION, **fields}]}


def _storage(**fields: Any) -> Mapping[str, Any]:
    return {"storage": [{"name": "SITE-LAKE", "hostname": "lake.example.org", **fields}]}


_ATTACH = {"url": "https://rucio.example.org", "credentialsSecret": {"name": "rucio-login"}}
_SUBSCRIPTION = {
    "name": "raw-to-tape",
    "account": "production",
    "filter": {"scopes": ["survey"]},
    "rules": [{"rseExpression": "*"}],
}


def _rse(**fields: Any) -> Mapping[str, Any]:
    return {"rses": [{"name": "SITE-DISK", **fields}]}


def _protocol(**fields: Any) -> Mapping[str, Any]:
    return {"scheme": "davs", "hostname": "eos.example.org", "port": 443, "prefix": "/eos/", **fields}


def _image(**fields: str) -> Mapping[str, Any]:
    return {"images": [{"name": "base", "image": "quay.io/jupyter/base-notebook:latest", **fields}]}


_TLS = {"secret": {"name": "a"}, "certManager": {"issuer": "b"}}
_ONE = {"name": "a", "image": "b"}

BAD: tuple[Bad, ...] = (
    # the hostname
    _bad("no hostname", {"hostname": ...}, "hostname", "add it", "Required value"),
    _bad("hostname null", {"hostname": None}, "hostname", "add it", "Required value"),
    _bad("hostname with scheme", {"hostname": "https://vre.example.org"}, "hostname", "without scheme"),
    _bad("hostname with port", {"hostname": "vre.example.org:8443"}, "hostname", "without scheme, port"),
    _bad("hostname with path", {"hostname": "vre.example.org/hub"}, "hostname", "port, path"),
    _bad("hostname in upper case", {"hostname": "VRE.example.org"}, "hostname", "in lower case"),
    _bad("hostname of one label", {"hostname": "localhost"}, "hostname", "a full DNS name"),
    _bad("hostname wildcard", {"hostname": "*.example.org"}, "hostname", "wildcard"),
    _bad("hostname an address", {"hostname": "192.0.2.10"}, "hostname", "a full DNS name"),
    _bad("hostname with newline", {"hostname": "vre.example.org\n"}, "hostname", "a full DNS name"),
    _bad("hostname with dot at the end", {"hostname": "vre.example.org."}, "hostname", "a full DNS name"),
    _bad("hostname too long", {"hostname": f"{'a' * 60}." * 4 + "org"}, "hostname", "maxLength 200", "200"),
    _bad("hostname a list", {"hostname": ["vre.example.org"]}, "hostname", "kubectl explain", "string"),
    # identity
    _bad("no identity", {"identity": ...}, "identity", "add it", "Required value"),
    _identity("no issuer", {"issuer": ...}, "issuer", "add it", "Required value"),
    _identity("issuer by http", {"issuer": "http://sso.example.org/realms/vre"}, "issuer", "give https://"),
    _identity("issuer with user", {"issuer": "https://a:b@sso.example.org/realms/vre"}, "issuer", "no user"),
    _identity("issuer with query", {"issuer": "https://sso.example.org/realms/vre?x=1"}, "issuer", "query"),
    _identity("issuer with fragment", {"issuer": "https://sso.example.org/realms/vre#x"}, "issuer", "fragment"),
    _identity(
        "issuer with a port beyond all ports", {"issuer": "https://a.org:65536/realms/vre"}, "issuer", "port"
    ),
    _identity("issuer an address", {"issuer": "https://10.0.0.1/realms/vre"}, "issuer", "IP address"),
    _identity("issuer an IPv6 address", {"issuer": "https://[fd00::1]/realms/vre"}, "issuer", "IP address"),
    _identity(
        "issuer with spaces", {"issuer": "https://sso.example.org/realms/my vre"}, "issuer", "give https://"
    ),
    _identity("issuer no realm", {"issuer": "https://sso.example.org/auth"}, "issuer", "/realms/REALM"),
    _identity(
        "issuer realm with slash", {"issuer": "https://sso.example.org/realms/vre/"}, "issuer", "trailing slash"
    ),
    _identity("unknown provider", {"provider": "keycloak"}, "provider", "keycloak-admin", "keycloak-admin"),
    _identity("no credential", {"credentialsSecret": ...}, "credentialsSecret", "client_id and client_secret"),
    _identity(
        "manual without client", {"provider": ..., "credentialsSecret": ...}, "credentialsSecret", "name the"
    ),
    _identity("secret as a string", {"credentialsSecret": "x"}, "credentialsSecret", "explain", "object"),
    _identity(
        "secret without name",
        {"credentialsSecret": {"name": ...}},
        "credentialsSecret.name",
        "add it",
        "Required",
    ),
    _identity(
        "secret of another namespace",
        {"credentialsSecret": {"namespace": "kube-system"}},
        "credentialsSecret.namespace",
        "the fields here are name",
        "unknown field",
    ),
    _identity(
        "bad secret name", {"credentialsSecret": {"name": "Reg_1"}}, "credentialsSecret.name", "lower-case"
    ),
    _identity("nobody let in", {"allowedGroups": ...}, "allowedGroups", "set allowAll to true"),
    _identity("nobody let in, in words", {"allowedGroups": []}, "allowedGroups", "list at least one group"),
    _identity("groups and everybody", {"allowAll": True}, "allowedGroups", "remove allowedGroups"),
    _identity("groups as a string", {"allowedGroups": "researchers"}, "allowedGroups", "explain", "array"),
    _identity(
        "group twice", {"allowedGroups": ["a", "a"]}, "allowedGroups[1]", "different value", "Duplicate value"
    ),
    _identity("group empty", {"allowedGroups": [""]}, "allowedGroups[0]", "minLength 1", "at least 1"),
    _identity("truth as a string", {"allowAll": "no"}, "allowAll", "without quotes", "boolean"),
    _identity("scopes without openid", {"scopes": ["profile"]}, "scopes", "add openid"),
    _identity(
        "scopes in one string", {"scopes": ["openid profile", "openid"]}, "scopes[0]", "an item of its own"
    ),
    _identity("claim with spaces", {"usernameClaim": "user name"}, "usernameClaim", "eduperson_id"),
    # notebooks
    _notebooks(
        "image without image", {"images": [{"name": "a"}]}, "images[0].image", "add it", "Required value"
    ),
    _notebooks("image with spaces", _image(image="a b"), "images[0].image", "REGISTRY/REPOSITORY:TAG"),
    _notebooks("image by URL", _image(image="https://quay.io/a"), "images[0].image", "REGISTRY/REPOSITORY:TAG"),
    _notebooks("image name in upper case", _image(name="Base"), "images[0].name", "lower-case"),
    _notebooks(
        "images of one name", {"images": [_ONE, _ONE]}, "images[1]", "different name", "Duplicate value"
    ),
    _notebooks("images as a string", {"images": "base"}, "images", "kubectl explain", "array"),
    _notebooks("pod template", {"podTemplate": {}}, "podTemplate", "remove it", "unknown field"),
    _notebooks("no sessions", {"maxSessions": 0}, "maxSessions", "minimum 1", "greater than or equal to 1"),
    _notebooks("sessions as a string", {"maxSessions": "50"}, "maxSessions", "without quotes", "integer"),
    _notebooks("sessions in halves", {"maxSessions": 1.5}, "maxSessions", "explain", "integer"),
    _notebooks("culled at once", {"culling": {"idleSeconds": 5}}, "culling.idleSeconds", "minimum 120", "120"),
    _notebooks(
        "more CPU promised than there is",
        {"resources": {"cpuGuarantee": 4}},
        "resources.cpuGuarantee",
        "raise cpuLimit",
    ),
    _notebooks(
        "more memory promised than there is",
        {"resources": {"memoryGuarantee": "4Gi"}},
        "resources.memoryGuarantee",
        "raise memoryLimit",
    ),
    _notebooks(
        "the same in other units",
        {"resources": {"memoryGuarantee": "2.2G", "memoryLimit": "2048Mi"}},
        "resources.memoryGuarantee",
        "lower memoryGuarantee",
    ),
    _notebooks(
        "memory in no unit there is",
        {"resources": {"memoryLimit": "2GB"}},
        "resources.memoryLimit",
        "512Mi or 10Gi",
    ),
    _notebooks(
        "memory in bytes",
        {"resources": {"memoryLimit": "8", "memoryGuarantee": "1"}},
        "resources.memoryLimit",
        "mind the unit",
    ),
    _notebooks(
        "memory as a number", {"resources": {"memoryLimit": 2}}, "resources.memoryLimit", "in quotes", "string"
    ),
    # storage, database, data lake, exposure
    _bad("home of nothing", {"storage": {"homes": {"size": "0Gi"}}}, "storage.homes.size", "64Mi or more"),
    _bad("home of minus", {"storage": {"homes": {"size": "-1Gi"}}}, "storage.homes.size", "with a unit"),
    _bad(
        "small database",
        {"database": {"embedded": {"size": "10Mi"}}},
        "database.embedded.size",
        "256Mi or more",
    ),
    _bad(
        "external without secret",
        {"database": {"external": {}}},
        "database.external.secret",
        "add it",
        "Required",
    ),
    _bad(
        "one hostname for two", {"dataLake": {"hostname": "vre.example.org"}}, "dataLake.hostname", "of its own"
    ),
    _lake("RSE in lower case", _rse(name="site-disk"), "rses[0].name", "upper-case"),
    _lake("RSE with a dash at the end", _rse(name="SITE-"), "rses[0].name", "single - or _ between"),
    _lake(
        "RSEs of one name", {"rses": [{"name": "A"}, {"name": "A"}]}, "rses[1]", "a different name", "Duplicate"
    ),
    _lake("RSE of no type", _rse(type="Disk"), "rses[0].type", "DISK", "DISK"),
    _lake(
        "attribute with a slash",
        _rse(attributes=[{"name": "a/b", "value": "c"}]),
        "rses[0].attributes[0].name",
        "letters, digits",
    ),
    _lake(
        "attribute without value",
        _rse(attributes=[{"name": "a"}]),
        "rses[0].attributes[0].value",
        "add it",
        "Required",
    ),
    _lake(
        "protocol that Rucio has no class for",
        _rse(protocols=[_protocol(implementation="gsiftp.Default")]),
        "rses[0].protocols[0].implementation",
        "gfal.Default",
        "gfal.Default",
    ),
    _lake(
        "scheme that Rucio forgot",
        _rse(protocols=[_protocol(scheme="srm")]),
        "rses[0].protocols[0].scheme",
        "davs",
        "davs",
    ),
    _lake(
        "davs by webdav",
        _rse(protocols=[_protocol(implementation="webdav.Default")]),
        "rses[0].protocols[0].implementation",
        "gfal.Default with davs",
    ),
    _lake(
        "storage by URL",
        _rse(protocols=[_protocol(hostname="davs://eos.example.org")]),
        "rses[0].protocols[0].hostname",
        "without scheme",
    ),
    _lake(
        "prefix without slash",
        _rse(protocols=[_protocol(prefix="eos/")]),
        "rses[0].protocols[0].prefix",
        "with a slash",
    ),
    _lake(
        "priority below zero",
        _rse(protocols=[_protocol(lan={"read": -1})]),
        "rses[0].protocols[0].lan.read",
        "minimum 0",
        "greater than or equal to 0",
    ),
    _lake(
        "one way twice",
        _rse(protocols=[_protocol(), _protocol(prefix="/other/")]),
        "rses[0].protocols[1]",
        "scheme or hostname or port",
        "Duplicate",
    ),
    _lake("storage in lower case", _storage(name="disk"), "storage[0].name", "single hyphens"),
    _lake("storage with an underscore", _storage(name="MY_DISK"), "storage[0].name", "single hyphens"),
    _lake("storage too small", _storage(size="512Mi"), "storage[0].size", "1Gi or more"),
    _lake("storage at the VRE", _storage(hostname="vre.example.org"), "storage", "disk.example.org"),
    _lake(
        "storage at Rucio",
        {"hostname": "disk.example.org", **_storage(hostname="disk.example.org")},
        "storage",
        "a hostname of its own",
    ),
    _lake(
        "two storages at one hostname",
        {"storage": [{"name": name, "hostname": "disk.example.org"} for name in ("A", "B")]},
        "storage",
        "a hostname of its own",
    ),
    _lake("storage and RSE of one name", {**_storage(), **_rse(name="SITE-LAKE")}, "rses", "another name"),
    _lake(
        "attached by http",
        {"attach": _ATTACH | {"url": "http://rucio.example.org"}},
        "attach.url",
        "https://HOST",
    ),
    _lake(
        "attached with a user", {"attach": _ATTACH | {"url": "https://a@b.org"}}, "attach.url", "https://HOST"
    ),
    _lake("attached and of one's own", {"attach": _ATTACH, **_storage()}, "attach", "remove attach, or"),
    _lake("probe of nothing", {"probe": {"enabled": True}}, "probe", "name RSEs in probe.rses"),
    _lake("probe of no RSE", {"probe": {"rses": ["site-disk"]}}, "probe.rses[0]", "upper-case"),
    _lake("probe in words", {"probe": {"schedule": "@hourly"}}, "probe.schedule", "30 */6 * * *"),
    _lake("history too short", {"history": {"keepDays": 7}}, "history.keepDays", "minimum 30", "30"),
    _lake(
        "FTS without a scheme", {"transfers": {"fts": "fts.example.org"}}, "transfers.fts", "https://HOST:PORT"
    ),
    _bad(
        "people of a provider that is not asked",
        {
            "identity": {"provider": "generic-dcr"},
            "dataLake": {"enabled": True, "people": {"enabled": True}},
        },
        "dataLake.people.enabled",
        "keycloak-admin",
    ),
    _lake("account too long", {"accounts": [{"name": "a" * 26}]}, "accounts[0].name", "maxLength 25", "25"),
    _lake("account with a dot", {"accounts": [{"name": "a.b"}]}, "accounts[0].name", "lower-case"),
    _lake(
        "scope with a colon",
        {"accounts": [{"name": "a", "scopes": ["survey:2026"]}]},
        "accounts[0].scopes[0]",
        "survey.2026",
    ),
    _lake(
        "quota without unit",
        {"accounts": [{"name": "a", "quotas": [{"rseExpression": "*", "size": "much"}]}]},
        "accounts[0].quotas[0].size",
        "10Gi",
    ),
    _lake(
        "password of an account",
        {"accounts": [{"name": "a", "identities": [{"type": "USERPASS", "identity": "x"}]}]},
        "accounts[0].identities[0].type",
        "OIDC",
        "OIDC",
    ),
    _lake(
        "SCIM without a service account",
        {"people": {"scim": {"url": "https://iam.example.org/scim"}}},
        "people.scim",
        "name its Secret in credentialsSecret",
    ),
    _lake("policies by file", {"policyPackage": "policy.py/x"}, "policyPackage", "atlas_rucio_policy_package"),
    _lake(
        "subscription that nobody reads",
        {"subscriptions": [_SUBSCRIPTION]},
        "subscriptions",
        "add Subscriptions to daemons.groups",
    ),
    _lake(
        "subscription to everything",
        _subscribed(filter={"types": ["Dataset"]}),
        "subscriptions[0].filter.scopes",
        "name scopes, accounts",
    ),
    _lake(
        "subscription to nowhere", _subscribed(rules=[]), "subscriptions[0].rules", "minItems 1", "at least 1"
    ),
    _lake("subscription with a slash", _subscribed(name="raw/tape"), "subscriptions[0].name", "raw-to-tape"),
    _lake(
        "subscription of another activity",
        _subscribed(rules=[{"rseExpression": "*", "activity": "Fun"}]),
        "subscriptions[0].rules[0].activity",
        "T0 Tape",
        "T0 Tape",
    ),
    _bad("two certificates", {"exposure": {"tls": _TLS}}, "exposure.tls.certManager", "not both"),
    _bad(
        "unknown issuer kind",
        {"exposure": {"tls": {"certManager": {"issuer": "a", "kind": "issuer"}}}},
        "exposure.tls.certManager.kind",
        "ClusterIssuer",
        "ClusterIssuer",
    ),
    # the rest
    _bad("unknown field", {"colour": "blue"}, "colour", "the fields here are hostname", "unknown field"),
    _bad(
        "slip of the pen",
        {"datalake": {"enabled": True}},
        "datalake",
        "did you mean dataLake?",
        "unknown field",
    ),
    _bad(
        "snake case", {"data_lake": {"enabled": True}}, "data_lake", "did you mean dataLake?", "unknown field"
    ),
    _bad("unknown policy", {"deletionPolicy": "Keep"}, "deletionPolicy", "Retain", "Retain"),
    Bad("no spec", {"spec": ...}, "spec", "add it", "Required value"),
    Bad("spec a list", {"spec": []}, "spec", "kubectl explain", "object"),
    Bad("long name", {"metadata": {"name": "a" * 41}}, "metadata.name", "at most 40"),
    Bad("name with dots", {"metadata": {"name": "a.b"}}, "metadata.name", "inner hyphens"),
)

# Only here: the API server sees no namespace in its rules, and asks another group for another version.
BAD_OFFLINE: tuple[Bad, ...] = (
    Bad("long namespace", {"metadata": {"namespace": "a" * 51}}, "metadata.namespace", "a shorter name"),
    Bad("other version", {"apiVersion": "vre.science/v1"}, "apiVersion", "vre.science/v1alpha1"),
    Bad("other kind", {"kind": "VREEnviroment"}, "kind", "VREEnvironment"),
)

_EMBEDDED = {"spec": {"database": {"embedded": {"size": "8Gi", "storageClass": "slow"}}}}
_EXTERNAL = {"spec": {"database": {"external": {"secret": {"name": "postgres"}}}}}


def _lake_of(**fields: Any) -> Mapping[str, Any]:
    return {"spec": {"dataLake": {"enabled": True, **_storage(**{"size": "2Gi", **fields})}}}


_LAKE = _lake_of()

BAD_CHANGES: tuple[BadChange, ...] = (
    BadChange(
        "issuer",
        {},
        {"spec": {"identity": {"issuer": "https://other.example.org/realms/vre"}}},
        "spec.identity.issuer",
        "create a new VREEnvironment",
    ),
    BadChange(
        "to an external database", {}, _EXTERNAL, "spec.database.external", "create a new VREEnvironment"
    ),
    BadChange(
        "to an own database",
        _EXTERNAL,
        {"spec": {"database": {"external": ...}}},
        "spec.database.external",
        "set it back",
    ),
    BadChange(
        "volume shrinks",
        _EMBEDDED,
        {"spec": {"database": {"embedded": {"size": "8191Mi"}}}},
        "spec.database.embedded.size",
        "former size or to more",
    ),
    BadChange(
        "storage class",
        _EMBEDDED,
        {"spec": {"database": {"embedded": {"storageClass": "fast"}}}},
        "spec.database.embedded.storageClass",
        "set it back",
    ),
    BadChange(
        "storage class taken away",
        _EMBEDDED,
        {"spec": {"database": {"embedded": {"storageClass": ...}}}},
        "spec.database.embedded.storageClass",
        "set it back",
    ),
    BadChange("storage class given", {}, _EMBEDDED, "spec.database.embedded.storageClass", "set it back"),
    BadChange(
        "lake's volume shrinks", _LAKE, _lake_of(size="1Gi"), "spec.dataLake.storage[0].size", "only grow"
    ),
    BadChange(
        "lake's volume moves",
        _LAKE,
        _lake_of(storageClass="fast"),
        "spec.dataLake.storage[0].storageClass",
        "set it back",
    ),
    BadChange(
        "lake's storage at another hostname",
        _LAKE,
        _lake_of(hostname="other.example.org"),
        "spec.dataLake.storage[0].hostname",
        "set it back",
    ),
    BadChange(
        "database forgotten",
        _EMBEDDED,
        {"spec": {"database": ...}},
        "spec.database.embedded.storageClass",
        "set it back",
    ),
)

# What must go through, so that no rule is too strict: patches on GOOD, and changes of it.
FINE: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("as it is", {}),
    (
        "issuer with port and slash",
        {"spec": {"identity": {"issuer": "https://sso.example.org:8443/a/", "provider": "manual"}}},
    ),
    ("issuer of one label", {"spec": {"identity": {"issuer": "https://localhost", "provider": "manual"}}}),
    ("registration open to all", {"spec": {"identity": {"provider": "generic-dcr", "credentialsSecret": ...}}}),
    ("everybody", {"spec": {"identity": {"allowedGroups": ..., "allowAll": True}}}),
    (
        "nulls and empty objects",
        {
            "spec": {
                "notebooks": None,
                "storage": {"homes": None},
                "database": {},
                "exposure": {"tls": {"secret": None}},
            }
        },
    ),
    ("image by digest", {"spec": {"notebooks": _image(image=f"localhost:5000/a/b_c@sha256:{'0' * 64}")}}),
    ("image of one word", {"spec": {"notebooks": _image(image="debian")}}),
    ("hostname in punycode", {"spec": {"hostname": "vre.xn--bcher-kva.example"}}),
    ("hostname under localhost", {"spec": {"hostname": "quickstart.vre.localhost"}}),
    (
        "guarantee equals limit",
        {"spec": {"notebooks": {"resources": {"memoryGuarantee": "2048Mi", "cpuGuarantee": 2}}}},
    ),
    (
        "a lake with storage",
        {"spec": {"dataLake": {"enabled": True, **_rse(protocols=[_protocol(), _protocol(port=8443)])}}},
    ),
    (
        "a lake with storage of its own",
        {
            "spec": {
                "dataLake": {
                    "enabled": True,
                    "hostname": "rucio.example.org",
                    "daemons": {"groups": ["Rules", "Transfers"]},
                    **_storage(storageClass="fast"),
                }
            }
        },
    ),
    ("size with fraction", {"spec": {"storage": {"homes": {"size": "0.5Gi"}}}}),
    ("size in bytes", {"spec": {"storage": {"homes": {"size": "10737418240"}}}}),
    ("name of 40", {"metadata": {"name": "a" * 40}}),
)
GOOD_CHANGES: tuple[tuple[str, Mapping[str, Any], Mapping[str, Any]], ...] = (
    ("volume grows", _EMBEDDED, {"spec": {"database": {"embedded": {"size": "8193Mi"}}}}),
    ("same size in other words", _EMBEDDED, {"spec": {"database": {"embedded": {"size": "8192Mi"}}}}),
    ("other hostname", {}, {"spec": {"hostname": "new.example.org"}}),
    ("other credential", {}, {"spec": {"identity": {"credentialsSecret": {"name": "b"}}}}),
    ("other external secret", _EXTERNAL, {"spec": {"database": {"external": {"secret": {"name": "b"}}}}}),
)
