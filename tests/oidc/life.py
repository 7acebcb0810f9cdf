"""A tenant's client at a real provider, through any number of operator lives."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from dev.oidc.faults import Fuse, FusedStore, Killed, deaf_http, fused_http, late_http
from vre_operator.engine.resources import OIDC, Policy, Resource, ResourceId, Tenant
from vre_operator.engine.target import Desired, Observation, Presence
from vre_operator.targets.oidc import OidcTarget
from vre_operator.targets.oidc.http import Answer, IssuerHttp
from vre_operator.targets.oidc.model import ClientSpec, ClientState
from vre_operator.targets.oidc.probe import Verdict, probe
from vre_operator.targets.store import MemoryStateStore

LOOPBACK = ["127.0.0.0/8", "::1/128"]
CLUSTER = "11111111-2222-3333-4444-555555555555"


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def issuer_body(issuer: str, ca: str) -> dict[str, Any]:
    return {"issuer": issuer, "ca_bundle": ca, "allowed_cidrs": LOOPBACK}


def desired(kind: str, body: dict[str, Any]) -> Desired:
    policy = Policy.EXTERNAL if kind == "Issuer" else Policy.DELETE
    name = "issuer" if kind == "Issuer" else "hub"
    resource = Resource(ResourceId(OIDC, kind, "", name), "identity", body, policy=policy)
    return Desired(resource, body)


@dataclass(slots=True)
class Life:
    """One client of one tenant. `restart` forgets everything but the store."""

    provider: str
    issuer: str
    ca: str
    endpoints: dict[str, str]
    credential: dict[str, str]
    name: str = "ocean"
    uid: str = "uid-1"
    rotation: str = ""
    changes: dict[str, Any] = field(default_factory=dict)
    store: MemoryStateStore = field(default_factory=MemoryStateStore)
    clock: Clock = field(default_factory=Clock)
    fuse: Fuse = field(default_factory=Fuse)
    target: OidcTarget = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self, at: int = 0) -> None:
        """A new process, which will be killed at step `at`."""
        self.fuse = Fuse(at)
        http: Callable[..., IssuerHttp] = fused_http(self.fuse)
        self.target = OidcTarget(FusedStore(self.store, self.fuse), clock=self.clock, http=http)

    @property
    def tenant(self) -> Tenant:
        """rotation: one that is under way."""
        return Tenant(self.name, "vre", self.uid, CLUSTER, rotation=self.rotation, rotating=bool(self.rotation))

    @property
    def body(self) -> dict[str, Any]:
        host = f"{self.name}.example.org"
        return {
            **issuer_body(self.issuer, self.ca),
            "provider": self.provider,
            "endpoints": dict(self.endpoints),
            "credential": dict(self.credential),
            "credential_field": "spec.of.this.test",
            "redirect_uris": [f"https://{host}/hub/oauth_callback"],
            "post_logout_redirect_uris": [f"https://{host}/"],
            "scopes": ["openid", "profile", "email"],
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "client_secret_post",
            "groups_claim": "groups",
            "pkce": True,
            "display_name": f"Notebooks at {host}",
            **self.changes,
        }

    @property
    def client(self) -> Desired:
        return desired("Client", self.body)

    @property
    def state(self) -> ClientState:
        ((text, _),) = self.store.texts.values()
        return ClientState.load(json.loads(text))

    async def observe(self) -> Observation:
        return await self.target.observe(self.tenant, self.client)

    async def converge(self) -> Observation:
        """One pass as the engine makes it."""
        seen = await self.observe()
        if seen.presence in (Presence.ABSENT, Presence.DRIFTED):
            seen = await self.target.apply(self.tenant, self.client)
        return seen

    async def delete(self) -> bool:
        return await self.target.delete(self.tenant, self.client.id, Policy.DELETE, data=False)

    async def killed(self, at: int, act: Callable[[], Any]) -> bool:
        """Whether `act` was killed at step `at`; False when it has fewer steps."""
        self.restart(at)
        try:
            await act()
        except Killed:
            return True
        return False

    async def killed_with_a_letter(
        self, method: str, end: str, act: Callable[[], Any]
    ) -> Callable[[], Awaitable[Answer]]:
        """`act` until it sends `method` to a path that ends in `end`; that request, still on its way."""
        letters: list[Callable[[], Awaitable[Answer]]] = []
        self.target = OidcTarget(self.store, clock=self.clock, http=late_http(method, end, letters))
        try:
            await act()
        except Killed:
            self.restart()
        (letter,) = letters
        return letter

    def deafened(self, method: str, end: str) -> list[Answer]:
        """A new process, to which the answer to its first `method` to a path that ends in `end` gets lost."""
        heard: list[Answer] = []
        self.target = OidcTarget(self.store, clock=self.clock, http=deaf_http(method, end, heard))
        return heard

    def check_time(self) -> None:
        """Move the clock to where every settled client is read again."""
        self.clock.now += 3600

    async def verdict(self, outputs: Any) -> Verdict:
        """Whether the provider takes the id and secret that were published."""
        spec = ClientSpec.parse(self.body)
        http = IssuerHttp(self.issuer, self.ca, tuple(LOOPBACK), clock=self.clock)
        return await probe(http, spec, outputs["client_id"], outputs["client_secret"])
