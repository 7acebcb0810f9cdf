"""The providers as the rig sees them: what a tenant writes to use one, and what it really holds."""

from __future__ import annotations

import json
import secrets
import ssl
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import Any, Protocol

from dev.oidc.keycloak import Server
from dev.oidc.provider import Registry
from dev.oidc.realm import Realm
from tests.faults.rig.background import Background

CREDENTIAL = "registration"


class Provider(Protocol):
    """One way to register, at one real provider behind the proxy."""

    kind: str

    @property
    def issuer(self) -> str:
        """As it calls itself: the proxy's address."""
        ...

    def credential(self) -> dict[str, str]:
        """What the tenant's Secret holds: a new one each time."""
        ...

    def clients(self, host: str) -> list[str]:
        """The ids of the clients that lead back to `host`."""
        ...

    def remove(self, client_id: str) -> None:
        """As the provider's admin does it."""
        ...

    def knows(self, client_id: str, secret: str) -> bool:
        """Whether the pair logs in."""
        ...


@dataclass
class Strict:
    """generic-dcr at oidc-provider."""

    registry: Registry
    kind: str = "generic-dcr"

    @property
    def issuer(self) -> str:
        return self.registry.issuer

    def credential(self) -> dict[str, str]:
        token = secrets.token_hex(16)
        self.registry.admit(token)
        return {"initial_access_token": token}

    def clients(self, host: str) -> list[str]:
        return [one["client_id"] for one in self.registry.clients() if _leads_to(one["redirect_uris"], host)]

    def remove(self, client_id: str) -> None:
        self.registry.remove(client_id)

    def knows(self, client_id: str, secret: str) -> bool:
        return _logs_in(f"{self.registry.url}/token", self.registry.ca, client_id, secret)


@dataclass
class Keycloak:
    """keycloak-admin or keycloak-dcr at a realm. `public`: the proxy's address."""

    background: Background
    server: Server
    realm: Realm
    kind: str
    public: str
    _registrar: dict[str, str] = field(default_factory=dict)

    @property
    def issuer(self) -> str:
        return f"{self.public}/realms/{self.realm.name}"

    def credential(self) -> dict[str, str]:
        if self.kind == "keycloak-dcr":
            token = self.background.run(self.realm.initial_access_token(count=20))
            return {"initial_access_token": token}
        if not self._registrar:
            self._registrar = self.background.run(self.realm.registrar())
        return dict(self._registrar)

    def clients(self, host: str) -> list[str]:
        held = self.background.run(self.realm.all_registered())
        return [one["clientId"] for one in held if _leads_to(one.get("redirectUris", []), host)]

    def remove(self, client_id: str) -> None:
        for one in self.background.run(self.realm.clients(client_id)):
            self.background.run(self.realm.of_realm("DELETE", f"/clients/{one['id']}"))

    def knows(self, client_id: str, secret: str) -> bool:
        url = f"{self.server.url}/realms/{self.realm.name}/protocol/openid-connect/token"
        return _logs_in(url, self.server.ca, client_id, secret)


def _leads_to(uris: list[str], host: str) -> bool:
    return any(urllib.parse.urlsplit(uri).hostname == host for uri in uris)


def _logs_in(url: str, ca: str, client_id: str, secret: str) -> bool:
    """Ask with a code that was never issued: a known client is told so, an unknown one is not let in."""
    form = {"grant_type": "authorization_code", "code": "none", "redirect_uri": "https://none.example.org/"}
    form |= {"client_id": client_id, "client_secret": secret}
    request = urllib.request.Request(url, urllib.parse.urlencode(form).encode(), method="POST")  # noqa: S310
    handlers: list[Any] = [
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=ssl.create_default_context(cadata=ca)),
    ]
    try:
        urllib.request.build_opener(*handlers).open(request, timeout=20)
    except urllib.error.HTTPError as refused:
        with refused:
            return bool(json.load(refused)["error"] == "invalid_grant")
    raise AssertionError("the provider took a code that it never issued")
