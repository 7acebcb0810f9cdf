"""OA4MP's client management and token endpoint, with its ways to refuse, and the same for wrong and for broken.

From its source of August 2026: OIDCCMServlet, OA2ExceptionHandler, HeaderUtils.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.oidc.standins.serving import Routes, credentials, serving

_GRANTS = (
    "authorization_code",
    "refresh_token",
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:grant-type:token-exchange",
)
_SCOPES = {"openid", "profile", "email", "org.cilogon.userinfo"}
_NOT_IN_AN_UPDATE = ("registration_access_token", "client_secret_expires_at", "client_id_issued_at")

Client = dict[str, Any]


@dataclass(slots=True)
class Oa4mp:
    """clients: by id; `hash` is all that is kept of a secret. admins: secrets of approved admin clients."""

    url: str = ""
    ca: str = ""
    clients: dict[str, Client] = field(default_factory=dict)
    admins: dict[str, str] = field(default_factory=dict)
    most: int = 50

    @property
    def routes(self) -> Routes:
        endpoint = "/oauth2/oidc-cm"
        return {
            ("POST", "/oauth2/token"): self._token,
            ("GET", endpoint): self._get,
            ("POST", endpoint): self._post,
            ("PUT", endpoint): self._put,
            ("DELETE", endpoint): self._delete,
        }

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        client = self.clients.get(str(form.get("client_id", "")))
        if not client:
            return _text(400, "unauthorized_client", "unknown client")
        if client["hash"] != _hash(str(form.get("client_secret", ""))):
            return _json(400, "unauthorized_client", "incorrect secret")
        if form.get("grant_type") == _GRANTS[2]:
            return _json(401, "access_denied", "Missing device_code parameter")
        return _text(500, "server_error", "Unparseable date")

    def _admin(self, request: web.Request) -> str:
        """The admin client, "" for one that is wrong."""
        client_id, secret = credentials(request, "Bearer")
        return client_id if self.admins.get(client_id, object()) == secret else ""

    async def _get(self, request: web.Request) -> web.Response:
        if not (admin := self._admin(request)):
            return _text(500, "server_error", "Null pointer")
        wanted = request.query.get("client_id", "")
        own = {key: one for key, one in self.clients.items() if one["admin"] == admin}
        if not wanted:
            listed = [{"client_id": key, "name": one["told"]["client_name"]} for key, one in own.items()]
            return web.json_response({"clients": listed})
        if wanted not in own:
            return _text(500, "server_error", "this admin client does not administer the client")
        return web.json_response(self._told(wanted, own[wanted]))

    async def _post(self, request: web.Request) -> web.Response:
        body = await request.json()
        if not (admin := self._admin(request)):
            return _text(500, "server_error", "Bad admin client: client and secret do not match")
        if len([one for one in self.clients.values() if one["admin"] == admin]) > self.most:
            return _text(500, "server_error", f"Max client count of {self.most} exceeded.")
        if wrong := _wrong(body):
            return wrong
        client_id = f"{self.url}/oauth2/client_id/{secrets.token_hex(16)}"
        secret = secrets.token_urlsafe(86)
        # an id of the caller's choice is passed over without a word, but kept as a member that is not known
        self.clients[client_id] = {"admin": admin, "hash": _hash(secret), "told": _kept(body)}
        answer = {
            "client_id": client_id,
            "client_secret": secret,
            "client_secret_expires_at": 0,
            "client_id_issued_at": 1_800_000_000,
            "registration_client_uri": self._uri(client_id),
            "scope": body.get("scope"),
        }
        return web.json_response(answer, status=201)

    async def _put(self, request: web.Request) -> web.Response:
        body = await request.json()
        if not (admin := self._admin(request)):
            return _text(400, "unauthorized_client", "unknown client")
        client_id = body.pop("client_id", "") or request.query.get("client_id", "")
        client = self.clients.get(client_id)
        if not client:
            return _json(400, "unauthorized_client", "unknown client")
        if wrong := self._wrong_update(admin, client, body) or _wrong(body):
            return wrong
        client["told"] = _kept(body)
        return web.json_response(self._told(client_id, client))

    def _wrong_update(self, admin: str, client: Client, body: Client) -> web.Response | None:
        if client["admin"] != admin:
            return _json(403, "access_denied", "access denied")
        if any(key in body for key in _NOT_IN_AN_UPDATE):
            return _json(400, "invalid_request", "invalid parameter")
        if not _items(body.get("scope")) <= _SCOPES:
            return _json(403, "invalid_scope", "invalid scope")
        if "client_secret" in body and _hash(body.pop("client_secret")) != client["hash"]:
            return _json(403, "invalid_request", "client id does not match")
        return None

    async def _delete(self, request: web.Request) -> web.Response:
        if not (admin := self._admin(request)):
            return _text(400, "unauthorized_client", "unknown client")
        client_id = request.query.get("client_id", "")
        if client_id in self.clients and self.clients[client_id]["admin"] != admin:
            return _json(403, "access_denied", "access denied")
        self.clients.pop(client_id, None)
        return web.Response(status=204)

    def _told(self, client_id: str, client: Client) -> Client:
        own = {"client_id": client_id, "registration_client_uri": self._uri(client_id)}
        rest = {
            "client_id_issued_at": 1_800_000_000,
            "error_uri": None,
            "ea_support": False,
            "rt_grace_period": -1,
        }
        told = {**client["told"], "scope": sorted(_items(client["told"].get("scope")))}
        return {**own, **rest, **told}

    def _uri(self, client_id: str) -> str:
        return f"{self.url}/oauth2/oidc-cm?client_id={client_id}"


def _kept(body: Client) -> Client:
    """An update replaces all; how a client proves itself is not told; members that are not known are kept."""
    return {key: value for key, value in body.items() if key not in ("client_id", "token_endpoint_auth_method")}


def _wrong(body: Client) -> web.Response | None:
    if not set(body.get("grant_types", ())) <= set(_GRANTS):
        return _json(400, "registration_not_supported", "unsupported grant type")
    if "*" in str(body.get("redirect_uris")):
        return _json(400, "invalid_request", "wildcards not allows in redirect uri")
    if not body.get("client_name"):
        return _json(400, "invalid_request", "no client name")
    return None


def _items(value: Any) -> set[str]:
    return set(value.split()) if isinstance(value, str) else set(value or ())


def _hash(secret: str) -> str:
    return hashlib.sha1(secret.encode()).hexdigest()  # noqa: S324  as the product does


def _json(status: int, error: str, words: str) -> web.Response:
    return web.json_response({"error": error, "error_description": words}, status=status)


def _text(status: int, error: str, words: str) -> web.Response:
    """Its general errors, a wrong admin client among them, are text."""
    return web.Response(status=status, text=f'error="{error}"\nerror_description="{words}"\n')


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Oa4mp]:
    """OA4MP until the block ends, with an admin client."""
    server = Oa4mp()
    server.admins["admin:/vre"] = secrets.token_urlsafe(32)
    async with serving(folder, server.routes) as (server.url, server.ca):
        yield server
