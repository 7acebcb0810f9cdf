"""What the manifests of the tests are made of."""

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


def bad(name: str, spec: Mapping[str, Any], path: str, says: str, server: str = "") -> Bad:
    return Bad(name, {"spec": spec}, f"spec.{path}", says, server)


def identity(name: str, identity: Mapping[str, Any], path: str, says: str, server: str = "") -> Bad:
    return bad(name, {"identity": identity}, f"identity.{path}", says, server)


def notebooks(name: str, notebooks: Mapping[str, Any], path: str, says: str, server: str = "") -> Bad:
    return bad(name, {"notebooks": notebooks}, f"notebooks.{path}", says, server)


def catalogue(name: str, catalogue: Mapping[str, Any], path: str, says: str, server: str = "") -> Bad:
    return bad(name, {"catalogue": catalogue}, f"catalogue.{path}", says, server)


def lake(name: str, lake: Mapping[str, Any], path: str, says: str, server: str = "") -> Bad:
    return bad(name, {"dataLake": {"enabled": True, **lake}}, f"dataLake.{path}", says, server)


def subscribed(**fields: Any) -> Mapping[str, Any]:
    return {"daemons": {"groups": ["Subscriptions"]}, "subscriptions": [{**SUBSCRIPTION, **fields}]}


def storage(**fields: Any) -> Mapping[str, Any]:
    return {"storage": [{"name": "SITE-LAKE", "hostname": "lake.example.org", **fields}]}


ATTACH = {"url": "https://rucio.example.org", "credentialsSecret": {"name": "rucio-login"}}
SUBSCRIPTION = {
    "name": "raw-to-tape",
    "account": "production",
    "filter": {"scopes": ["survey"]},
    "rules": [{"rseExpression": "*"}],
}


def rse(**fields: Any) -> Mapping[str, Any]:
    return {"rses": [{"name": "SITE-DISK", **fields}]}


def protocol(**fields: Any) -> Mapping[str, Any]:
    return {"scheme": "davs", "hostname": "eos.example.org", "port": 443, "prefix": "/eos/", **fields}


def entry(**fields: Any) -> Mapping[str, Any]:
    return {"entries": [{"name": "base", "image": "quay.io/jupyter/base-notebook:latest", **fields}]}


TLS = {"secret": {"name": "a"}, "certManager": {"issuer": "b"}}
GATEWAY = {"name": "public", "namespace": "infra"}
ONE = {"name": "a", "image": "b"}
