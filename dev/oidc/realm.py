"""A realm for one test: made, looked into and broken with the rights of Keycloak's own admin."""

from __future__ import annotations

import asyncio
import secrets
import ssl
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import aiohttp

from dev.oidc.keycloak import Server

_REGISTRAR = "vre-registrar"


@dataclass(slots=True)
class Realm:
    """An async context manager: the realm exists inside the block."""

    server: Server
    name: str = field(default_factory=lambda: f"test-{secrets.token_hex(4)}")
    _session: aiohttp.ClientSession = field(init=False, repr=False)
    _token: str = field(default="", init=False, repr=False)

    @property
    def issuer(self) -> str:
        return f"{self.server.url}/realms/{self.name}"

    async def __aenter__(self) -> Self:
        tls = ssl.create_default_context(cadata=self.server.ca)
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls))
        await self.admin("POST", "/admin/realms", {"realm": self.name, "enabled": True})
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.admin("DELETE", f"/admin/realms/{self.name}")
        await self._session.close()
        await asyncio.sleep(0)  # the closed TLS connection is let go one turn of the loop later

    async def admin(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the admin REST API; `path` from the server's root."""
        for _ in range(2):
            headers = {"Authorization": f"Bearer {self._token}"}
            async with self._session.request(
                method, self.server.url + path, json=body, headers=headers
            ) as answer:
                if answer.status == 401:
                    await self._log_in()
                    continue
                if answer.status >= 400:
                    raise RuntimeError(f"{method} {path}: {answer.status} {await answer.text()}")
                text = await answer.text()
                return await answer.json() if text else answer.headers.get("Location", "")
        raise RuntimeError("Keycloak refuses its own admin")

    async def _log_in(self) -> None:
        form = {
            "grant_type": "password",
            "client_id": "admin-cli",
            "username": self.server.admin,
            "password": self.server.password,
        }
        url = f"{self.server.url}/realms/master/protocol/openid-connect/token"
        async with self._session.post(url, data=form) as answer:
            self._token = (await answer.json())["access_token"]

    async def of_realm(self, method: str, path: str, body: Any = None) -> Any:
        """As `admin`, below this realm."""
        return await self.admin(method, f"/admin/realms/{self.name}{path}", body)

    async def registrar(self, method: str = "") -> dict[str, str]:
        """A service account with manage-clients and nothing else: credential of provider keycloak-admin."""
        secret = secrets.token_hex(24)
        attributes = {"token.endpoint.auth.method": method} if method else {}
        client = {
            "clientId": _REGISTRAR,
            "secret": secret,
            "serviceAccountsEnabled": True,
            "standardFlowEnabled": False,
            "attributes": attributes,
        }
        await self.of_realm("POST", "/clients", client)
        own = (await self.of_realm("GET", f"/clients?clientId={_REGISTRAR}"))[0]
        management = (await self.of_realm("GET", "/clients?clientId=realm-management"))[0]
        user = await self.of_realm("GET", f"/clients/{own['id']}/service-account-user")
        role = await self.of_realm("GET", f"/clients/{management['id']}/roles/manage-clients")
        await self.of_realm("POST", f"/users/{user['id']}/role-mappings/clients/{management['id']}", [role])
        return {"client_id": _REGISTRAR, "client_secret": secret}

    async def initial_access_token(self, count: int = 1, expiration: int = 600) -> str:
        """A token that registers `count` clients."""
        made = await self.of_realm(
            "POST", "/clients-initial-access", {"count": count, "expiration": expiration}
        )
        return str(made["token"])

    async def end_secrets(self, seconds: int, *, before: int, former: int = 0) -> None:
        """Of clients that are made or log in from now on. before: in the last so many seconds an update of a
        client that registered itself gives a new one. former: for how long the one before is still taken."""
        periods = {
            "expiration-period": seconds,
            "remaining-rotation-period": before,
            "rotated-expiration-period": former,
        }
        executor = {"executor": "secret-rotation", "configuration": periods}
        profile = {"name": "ends", "executors": [executor]}
        condition = {"condition": "client-access-type", "configuration": {"type": ["confidential"]}}
        policy = {"name": "ends", "enabled": True, "conditions": [condition], "profiles": ["ends"]}
        await self.of_realm("PUT", "/client-policies/profiles", {"profiles": [profile]})
        await self.of_realm("PUT", "/client-policies/policies", {"policies": [policy]})

    async def clients(self, prefix: str = "vre.") -> list[dict[str, Any]]:
        """The realm's clients whose clientId starts with `prefix`."""
        return [one for one in await self.of_realm("GET", "/clients") if one["clientId"].startswith(prefix)]

    async def all_registered(self) -> list[dict[str, Any]]:
        """The clients that do not come with every realm, without the registrar."""
        builtin = {"account", "account-console", "admin-cli", "broker", "realm-management"}
        builtin |= {"security-admin-console", _REGISTRAR}
        return [one for one in await self.of_realm("GET", "/clients") if one["clientId"] not in builtin]
