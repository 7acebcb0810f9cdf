"""A site that gives its tenants what they do not name."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

ISSUER = "https://login.example.org/realms/vre"
IDENTITY: Json = {
    "issuer": ISSUER,
    "provider": "keycloak-admin",
    "credentialsSecret": {"name": "registration"},
    "scopes": ["openid", "profile", "email", "entitlements"],
}
DEFAULTS: Json = {
    "domain": "{namespace}.vre.example.org",
    "identity": IDENTITY,
    "exposure": {"ingressClass": "traefik", "tls": {"certManager": {"issuer": "letsencrypt"}}},
    "storageClasses": {"homes": "cephfs", "database": "fast", "volumes": "large"},
}
SHORT: Json = {"identity": {"allowedGroups": ["/atlas"]}}
EVIL = "https://evil.example.net"


def site(**defaults: Any) -> Json:
    return {"metadata": {"name": "site"}, "spec": {"defaults": defaults}}
