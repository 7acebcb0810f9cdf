"""INDIGO IAM, as far as clients go: management API, dynamic registration, search, and the token endpoint.

From its source at 1.12 (May 2025): iam-login-service, packages api.client.management, .registration, .search.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.oidc.standins.serving import Routes, bearer, credentials, serving

_FORBIDDEN = ("client_credentials", "password", "urn:ietf:params:oauth:grant-type:token-exchange")
_PAGE = 100

Client = dict[str, Any]


@dataclass(slots=True)
class Iam:
    """services: secret and scopes of clients that may get tokens, by id. restricted: scopes that a registration
    is not given, without a word. open: whether anybody may register."""

    url: str = ""
    ca: str = ""
    clients: dict[str, Client] = field(default_factory=dict)
    services: dict[str, tuple[str, str]] = field(default_factory=dict)
    restricted: set[str] = field(default_factory=set)
    open: bool = True
    _tokens: dict[str, str] = field(default_factory=dict)
    _rats: dict[str, str] = field(default_factory=dict)

    @property
    def issuer(self) -> str:
        return f"{self.url}/"

    @property
    def routes(self) -> Routes:
        management, registration = "/iam/api/clients", "/iam/api/client-registration"
        return {
            ("GET", "/.well-known/openid-configuration"): self._discover,
            ("POST", "/token"): self._token,
            ("POST", management): self._create,
            ("GET", management + "/{id}"): self._show,
            ("PUT", management + "/{id}"): self._replace,
            ("DELETE", management + "/{id}"): self._delete,
            ("GET", "/iam/api/search/clients"): self._search,
            ("POST", registration): self._register,
            ("GET", registration + "/{id}"): self._registered,
            ("PUT", registration + "/{id}"): self._update,
            ("DELETE", registration + "/{id}"): self._unregister,
        }

    async def _discover(self, _: web.Request) -> web.Response:
        names = {
            "authorization_endpoint": "authorize",
            "token_endpoint": "token",
            "jwks_uri": "jwk",
            "registration_endpoint": "iam/api/client-registration",
        }
        return web.json_response(
            {"issuer": self.issuer, **{key: self.issuer + end for key, end in names.items()}}
        )

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        client_id, secret = credentials(request, "Basic")
        method = "client_secret_basic" if client_id else "client_secret_post"
        client_id, secret = (
            client_id or str(form.get("client_id", "")),
            secret or str(form.get("client_secret")),
        )
        if client_id in self.services:
            held, allowed = self.services[client_id]
            if held != secret:
                return _error(401, "invalid_client")
            asked = str(form.get("scope", ""))
            if not {*asked.split()} <= {*allowed.split()}:
                return _error(400, "invalid_scope")
            token = secrets.token_urlsafe(16)
            self._tokens[token] = asked
            return web.json_response({"access_token": token, "token_type": "Bearer"})
        client = self.clients.get(client_id)
        right = client and client["client_secret"] == secret and client["token_endpoint_auth_method"] == method
        if client and client["active"] and right:
            return _error(400, "invalid_grant")
        return _error(401, "invalid_client")

    def _denied(self, request: web.Request, scope: str) -> web.Response | None:
        held = self._tokens.get(bearer(request))
        if held is None:
            return _error(401, "unauthorized")
        return None if scope in held.split() else _error(403, "access_denied")

    async def _create(self, request: web.Request) -> web.Response:
        body = await request.json()
        if denied := self._denied(request, "iam:admin.write"):
            return denied
        if body.get("client_id") in self.clients:
            return _error(400, "saveNewClient.client.clientId: Client id not available")
        if wrong := _invalid(body):
            return _error(400, f"saveNewClient.client.{wrong}")
        client = self._made(
            {"client_id": secrets.token_hex(16), "client_secret": _secret(), **body}, dynamic=False
        )
        return web.json_response(_managed(client), status=201)

    async def _show(self, request: web.Request) -> web.Response:
        if denied := self._denied(request, "iam:admin.read"):
            return denied
        client = self.clients.get(request.match_info["id"])
        return web.json_response(_managed(client)) if client else _gone(request)

    async def _replace(self, request: web.Request) -> web.Response:
        body = await request.json()
        if denied := self._denied(request, "iam:admin.write"):
            return denied
        client = self.clients.get(request.match_info["id"])
        if not client:
            return _gone(request)
        if wrong := _invalid(body):
            return _error(400, f"updateClient.client.{wrong}")
        # the secret that is generated for an absent one comes too late in 1.12
        kept = {key: client[key] for key in ("client_id", "active", "created_at", "dynamically_registered")}
        self.clients[client["client_id"]] = _whole({"client_secret": "", **body}) | kept
        return web.json_response(_managed(self.clients[client["client_id"]]))

    async def _delete(self, request: web.Request) -> web.Response:
        if denied := self._denied(request, "iam:admin.write"):
            return denied
        found = self.clients.pop(request.match_info["id"], None)
        return web.Response(status=204) if found else _gone(request)

    async def _search(self, request: web.Request) -> web.Response:
        if denied := self._denied(request, "iam:admin.read"):
            return denied
        text, dynamic = request.query.get("search", ""), request.query.get("drOnly") == "true"
        if not text:
            return _error(400, "Invalid find client request: Please provide a non-blank search string")
        found = [
            _managed(one)
            for one in self.clients.values()
            if (text in one["client_name"] or text in one["client_id"])
            and (one["dynamically_registered"] or not dynamic)
        ]
        page = found[:_PAGE]
        numbers = {"totalResults": len(found), "itemsPerPage": len(page), "startIndex": 1}
        return web.json_response({**numbers, "Resources": page})

    async def _register(self, request: web.Request) -> web.Response:
        body = await request.json()
        if not self.open:
            return _error(403, "You do not have enough privileges to access this client registration API")
        if wrong := _invalid(body) or next(
            (key for key in ("client_id", "client_secret") if body.get(key)), ""
        ):
            return _error(400, f"registerClient.request.{wrong}: must be null in client registration requests")
        if forbidden := [grant for grant in body["grant_types"] if grant in _FORBIDDEN]:
            return _error(400, f"Grant type not allowed: {forbidden[0]}")
        granted = [scope for scope in body.get("scope", "").split() if scope not in self.restricted]
        own = {"client_id": secrets.token_hex(16), "client_secret": _secret(), "scope": " ".join(granted)}
        client = self._made({**body, **own}, dynamic=True)
        rat = secrets.token_urlsafe(24)
        self._rats[rat] = client["client_id"]
        return web.json_response({**self._told(client), "registration_access_token": rat}, status=201)

    async def _registered(self, request: web.Request) -> web.Response:
        return self._barred(request) or web.json_response(self._told(self.clients[request.match_info["id"]]))

    async def _update(self, request: web.Request) -> web.Response:
        body = await request.json()
        if barred := self._barred(request):
            return barred
        client = self.clients[request.match_info["id"]]
        if not client["active"]:
            return _error(403, f"Client {client['client_id']} is suspended!")
        if wrong := _invalid(body) or ("clientId" * (body.get("client_id") != client["client_id"])):
            return _error(400, f"updateClient.request.{wrong}")
        held = client["scope"].split()
        scopes = [one for one in body.get("scope", "").split() if one not in self.restricted or one in held]
        kept = {key: client[key] for key in ("client_id", "client_secret", "active", "created_at")}
        changed = _whole({**body, "scope": " ".join(scopes), "dynamically_registered": True}) | kept
        self.clients[client["client_id"]] = changed
        return web.json_response(self._told(changed))

    async def _unregister(self, request: web.Request) -> web.Response:
        if barred := self._barred(request):
            return barred
        del self.clients[request.match_info["id"]]
        return web.Response(status=204)

    def _barred(self, request: web.Request) -> web.Response | None:
        owner = self._rats.get(bearer(request))
        if bearer(request) and owner is None:
            return _error(401, "invalid_token")
        if owner != request.match_info["id"]:
            return _error(400, "Invalid registration access token")
        return None if owner in self.clients else _gone(request)

    def lose_tokens(self, to: str = "") -> None:
        """As an admin does who makes new ones. to: they are this client's from now on."""
        self._rats = dict.fromkeys(self._rats, to) if to else {}

    def _made(self, body: Client, *, dynamic: bool) -> Client:
        fixed = {"active": True, "created_at": 1_800_000_000_000, "dynamically_registered": dynamic}
        self.clients[body["client_id"]] = made = _whole(body) | fixed
        return made

    def _told(self, client: Client) -> Client:
        uri = f"{self.url}/iam/api/client-registration/{client['client_id']}"
        lifetimes = ("access_token_validity_seconds", "refresh_token_validity_seconds", "allow_introspection")
        shown = {key: value for key, value in client.items() if key not in lifetimes}
        return {**shown, "registration_client_uri": uri}


def _whole(body: Client) -> Client:
    """All that IAM keeps of a client: an update without a member empties it, and others are left out."""
    grants = [*body["grant_types"]]
    if "offline_access" in body.get("scope", "").split() and "refresh_token" not in grants:
        grants.append("refresh_token")
    return {
        "client_id": body.get("client_id"),
        "client_secret": body.get("client_secret"),
        "client_name": body.get("client_name"),
        "client_description": body.get("client_description"),
        "contacts": [*body.get("contacts", ())],
        "redirect_uris": [*body.get("redirect_uris", ())][::-1],
        "grant_types": grants,
        "response_types": [*body.get("response_types", ())],
        "token_endpoint_auth_method": body.get("token_endpoint_auth_method", "client_secret_basic"),
        "scope": body.get("scope", ""),
        "code_challenge_method": body.get("code_challenge_method") or None,
        "reuse_refresh_token": bool(body.get("reuse_refresh_token")),
        "access_token_validity_seconds": body.get("access_token_validity_seconds") or 3600,
        "refresh_token_validity_seconds": body.get("refresh_token_validity_seconds") or 108000,
        "allow_introspection": bool(body.get("allow_introspection")),
        "dynamically_registered": bool(body.get("dynamically_registered")),
    }


def _invalid(body: Client) -> str:
    name = body.get("client_name") or ""
    if not 4 <= len(name) <= 256:
        return "clientName: Invalid length: must be between 4 and 256 characters"
    if not body.get("grant_types"):
        return "grantTypes: Invalid client: empty grant type"
    if "authorization_code" in body["grant_types"] and not body.get("redirect_uris"):
        return "redirectUris: Authorization code requires a valid redirect uri"
    if (body.get("code_challenge_method") or "") not in ("", "none", "plain", "S256"):
        return "codeChallengeMethod: must be either an empty string, none, plain or S256"
    return ""


def _managed(client: Client) -> Client:
    return {**client, "last_used": "2026-11-30"}


def _gone(request: web.Request) -> web.Response:
    return _error(404, f"Client not found: {request.match_info['id']}")


def _error(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status)


def _secret() -> str:
    return secrets.token_urlsafe(64)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Iam]:
    """IAM until the block ends, with a client that manages clients and one that lists them."""
    iam = Iam()
    iam.services["manager"] = _secret(), "iam:admin.read iam:admin.write"
    iam.services["reader"] = _secret(), "iam:admin.read"
    async with serving(folder, iam.routes) as (iam.url, iam.ca):
        yield iam
