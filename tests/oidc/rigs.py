"""The kinds of provider, each at a provider of its own: what the contract suite asks of all of them."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from dev.oidc.provider import Registry
from dev.oidc.realm import Realm
from tests.oidc.conftest import keycloak_life, strict_life
from tests.oidc.life import Life
from tests.oidc.standins import iam as iam_standin
from tests.oidc.standins import oa4mp as oa4mp_standin
from tests.oidc.standins.iam import Iam
from tests.oidc.standins.oa4mp import Oa4mp


class Lost(StrEnum):
    """What becomes of a registration whose answer got lost."""

    HEALED = "healed"  # one client, ours to change, and nobody is needed
    UNMANAGED = (
        "unmanaged"  # one client, which works; RegistrationTokenLost says that an admin has to remove it
    )
    TOLD = "told"  # RegistrationAmbiguous says where to look; there is no second client


@dataclass(frozen=True, slots=True)
class Kind:
    """creation: how the path of a registration ends. lost: what is promised. real: at the real product."""

    provider: str
    creation: str
    lost: Lost
    real: bool = True
    listed: bool = False
    """iam-dcr: with a credential that lists clients."""

    def __str__(self) -> str:
        return self.provider + "-with-listing" * self.listed


KINDS = (
    Kind("keycloak-admin", "/clients", Lost.HEALED),
    Kind("keycloak-dcr", "/default", Lost.UNMANAGED),
    Kind("generic-dcr", "/reg", Lost.TOLD),
    Kind("iam-admin", "/iam/api/clients", Lost.HEALED, real=False),
    Kind("iam-dcr", "/client-registration", Lost.TOLD, real=False),
    Kind("iam-dcr", "/client-registration", Lost.UNMANAGED, real=False, listed=True),
    Kind("oa4mp", "/oidc-cm", Lost.HEALED, real=False),
)


class Rig(Protocol):
    """One provider with any number of tenants; `life` begins one. The others do as the provider's admin."""

    kind: Kind

    def life(self, name: str, **options: Any) -> Life: ...

    def wrong(self) -> dict[str, str]:
        """A credential that does not work; {} where none is needed."""
        ...

    async def clients(self, life: Life) -> dict[str, list[str]]:
        """The redirect URIs of the tenant's clients, by client id."""
        ...

    async def spoil(self, life: Life) -> bool:
        """Set other redirect URIs; False where no admin can."""
        ...

    async def discard(self, life: Life) -> None:
        """Remove the tenant's clients."""
        ...


class KeycloakRig:
    def __init__(self, kind: Kind, realm: Realm, credential: dict[str, str]) -> None:
        self.kind, self._realm, self._credential = kind, realm, credential

    def life(self, name: str, **options: Any) -> Life:
        return keycloak_life(self._realm, self.kind.provider, dict(self._credential), name=name, **options)

    def wrong(self) -> dict[str, str]:
        return {key: "canary-wrong" if key != "client_id" else text for key, text in self._credential.items()}

    async def clients(self, life: Life) -> dict[str, list[str]]:
        return {one["clientId"]: one["redirectUris"] for one in await self._of(life)}

    async def spoil(self, life: Life) -> bool:
        for one in await self._of(life):
            changed = {"redirectUris": ["https://other.example.org/cb"]}
            await self._realm.of_realm("PUT", f"/clients/{one['id']}", changed)
        return True

    async def discard(self, life: Life) -> None:
        for one in await self._of(life):
            await self._realm.of_realm("DELETE", f"/clients/{one['id']}")

    async def _of(self, life: Life) -> list[dict[str, Any]]:
        return [one for one in await self._realm.all_registered() if f".{life.name}." in one["clientId"]]


class StrictRig:
    def __init__(self, kind: Kind, registry: Registry) -> None:
        self.kind, self._registry = kind, registry
        registry.drop(0)
        registry.rotate(True)

    def life(self, name: str, **options: Any) -> Life:
        return strict_life(self._registry, name=name, **options)

    def wrong(self) -> dict[str, str]:
        return {"initial_access_token": "canary-wrong"}

    async def clients(self, life: Life) -> dict[str, list[str]]:
        found = [one for one in self._registry.clients() if f"[{life.name}/vre " in one["client_name"]]
        return {one["client_id"]: one["redirect_uris"] for one in found}

    async def spoil(self, life: Life) -> bool:
        del life
        return False

    async def discard(self, life: Life) -> None:
        for client_id in await self.clients(life):
            self._registry.remove(client_id)


class IamRig:
    def __init__(self, kind: Kind, iam: Iam) -> None:
        self.kind, self.iam = kind, iam

    def life(self, name: str, **options: Any) -> Life:
        endpoints = {
            "token_endpoint": f"{self.iam.url}/token",
            "registration_endpoint": f"{self.iam.url}/iam/api/client-registration",
        }
        who = "manager" if self.kind.provider == "iam-admin" else "reader" if self.kind.listed else ""
        credential = {"client_id": who, "client_secret": self.iam.services[who][0]} if who else {}
        kind = self.kind.provider
        return Life(kind, self.iam.issuer, self.iam.ca, endpoints, credential, name=name, **options)

    def wrong(self) -> dict[str, str]:
        known = self.kind.provider == "iam-admin" or self.kind.listed
        return {"client_id": "manager", "client_secret": "canary-wrong"} if known else {}

    async def clients(self, life: Life) -> dict[str, list[str]]:
        return {one["client_id"]: one["redirect_uris"] for one in self._of(life)}

    async def spoil(self, life: Life) -> bool:
        for one in self._of(life):
            one["redirect_uris"] = ["https://other.example.org/cb"]
        return True

    async def discard(self, life: Life) -> None:
        for one in self._of(life):
            del self.iam.clients[one["client_id"]]

    def _of(self, life: Life) -> list[dict[str, Any]]:
        host = f"{life.name}.example.org"
        return [one for one in self.iam.clients.values() if host in one["client_name"]]


class Oa4mpRig:
    def __init__(self, kind: Kind, server: Oa4mp) -> None:
        self.kind, self.server = kind, server

    def life(self, name: str, **options: Any) -> Life:
        base = f"{self.server.url}/oauth2"
        endpoints = {"token_endpoint": f"{base}/token", "registration_endpoint": f"{base}/oidc-cm"}
        ((client_id, secret),) = self.server.admins.items()
        credential = {"client_id": client_id, "client_secret": secret}
        return Life("oa4mp", self.server.url, self.server.ca, endpoints, credential, name=name, **options)

    def wrong(self) -> dict[str, str]:
        return {"client_id": "admin:/vre", "client_secret": "canary-wrong"}

    async def clients(self, life: Life) -> dict[str, list[str]]:
        return {key: one["told"]["redirect_uris"] for key, one in self._of(life).items()}

    async def spoil(self, life: Life) -> bool:
        for one in self._of(life).values():
            one["told"]["redirect_uris"] = ["https://other.example.org/cb"]
        return True

    async def discard(self, life: Life) -> None:
        for client_id in self._of(life):
            del self.server.clients[client_id]

    def _of(self, life: Life) -> dict[str, dict[str, Any]]:
        host = f"{life.name}.example.org"
        return {key: one for key, one in self.server.clients.items() if host in one["told"]["client_name"]}


@asynccontextmanager
async def rigged(kind: Kind, fixture: Callable[[str], Any]) -> AsyncIterator[Rig]:
    """fixture: gives the session's servers, which are started at their first use."""
    with tempfile.TemporaryDirectory() as scratch:
        if kind.provider == "generic-dcr":
            yield StrictRig(kind, fixture("strict"))
        elif kind.provider == "oa4mp":
            async with oa4mp_standin.running(Path(scratch)) as server:
                yield Oa4mpRig(kind, server)
        elif kind.provider.startswith("iam-"):
            async with iam_standin.running(Path(scratch)) as iam:
                yield IamRig(kind, iam)
        else:
            async with Realm(fixture("server")) as realm:
                if kind.provider == "keycloak-admin":
                    credential = await realm.registrar()
                else:
                    credential = {"initial_access_token": await realm.initial_access_token(count=200)}
                yield KeycloakRig(kind, realm, credential)
