"""What is asked for, what is remembered and who it belongs to, as data."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, Self
from urllib.parse import urlsplit

from vre_operator.engine.errors import Invalid
from vre_operator.engine.refs import digest
from vre_operator.engine.resources import Tenant

Problem = tuple[str, str]
"""Reason and message for a condition."""

NO_PROBLEM: Problem = ("", "")

_CLIENT_ID_LIMIT = 200
_UUID_SPACE = uuid.UUID("5c0b8e0c-6e0f-5b6e-9f63-7a1d0f7f2f51")


class Provider(StrEnum):
    """How clients are registered (see api.v1alpha1.ProviderKind)."""

    KEYCLOAK_ADMIN = "keycloak-admin"
    KEYCLOAK_DCR = "keycloak-dcr"
    GENERIC_DCR = "generic-dcr"
    IAM_ADMIN = "iam-admin"
    IAM_DCR = "iam-dcr"
    OA4MP = "oa4mp"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a client is. `role` tells the clients of one tenant apart."""

    cluster_id: str
    namespace: str
    name: str
    uid: str
    role: str

    @classmethod
    def of(cls, tenant: Tenant, role: str) -> Self:
        return cls(tenant.cluster_id, tenant.namespace, tenant.name, tenant.uid, role)

    @property
    def client_id(self) -> str:
        """The clientId where we may choose it; the same after any restart."""
        text = f"vre.{self.cluster_id}.{self.namespace}.{self.name}.{self.role}"
        if len(text) <= _CLIENT_ID_LIMIT:
            return text
        return f"{text[: _CLIENT_ID_LIMIT - 17]}.{digest(text)}"

    @property
    def internal_id(self) -> str:
        """Keycloak's own id of the client: a second lock against duplicates. At IAM the clientId itself, as its
        own ids are UUIDs, too, and stand in paths."""
        return str(uuid.uuid5(_UUID_SPACE, self.client_id))

    @property
    def marker(self) -> str:
        """Written on the client at the provider."""
        return f"{self.cluster_id}/{self.namespace}/{self.name}/{self.uid}"

    def owns(self, marker: str) -> bool:
        """Whether `marker` names this tenant, in this or an earlier life (another uid)."""
        return marker.rpartition("/")[0] == self.marker.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class OwnScope:
    """A scope that the provider has to be told of: what a token has that was asked for with it.

    audiences: who takes the token. wlcg: it is a token of the WLCG profile, as storage wants it. groups: it
    lists the person's groups as that profile does. shared: only its name matters, and all tenants of a realm
    have it together: made when it is missing, and never touched again.
    """

    name: str
    audiences: tuple[str, ...]
    wlcg: bool = False
    groups: bool = False
    shared: bool = False

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> Self:
        return cls(**{**body, "audiences": tuple(body["audiences"])})


@dataclass(frozen=True, slots=True)
class ClientSpec:
    """A Client's body. `credential` registers it (or is the client itself for provider manual), and
    credential_field, for messages, is the field that names its Secret.

    own_scopes: made with the client where its provider lets us (keycloak-admin); elsewhere they must be there.
    """

    provider: Provider
    issuer: str
    token_endpoint: str = ""
    registration_endpoint: str = ""
    authorization_endpoint: str = ""
    ca_bundle: str = field(default="", repr=False)
    allowed_cidrs: tuple[str, ...] = ()
    credential: Mapping[str, str] = field(default_factory=dict, repr=False)
    credential_field: str = "spec.identity.credentialsSecret"
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    grant_types: tuple[str, ...] = ("authorization_code", "refresh_token")
    token_endpoint_auth_method: str = "client_secret_post"  # noqa: S105  a method's name
    groups_claim: str = "groups"
    pkce: bool = True
    display_name: str = ""
    own_scopes: tuple[OwnScope, ...] = ()

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> Self:
        """Read a resolved body; absent keys take their defaults, unknown ones are left alone."""
        endpoints = body.get("endpoints", {})
        known = {one.name for one in fields(cls)} & body.keys()
        values: dict[str, Any] = {
            key: tuple(body[key]) if isinstance(body[key], list) else body[key] for key in known
        }
        values["provider"] = Provider(body["provider"])
        values["own_scopes"] = tuple(OwnScope.parse(one) for one in body.get("own_scopes", ()))
        values["token_endpoint"] = endpoints.get("token_endpoint", "")
        values["registration_endpoint"] = endpoints.get("registration_endpoint", "")
        values["authorization_endpoint"] = endpoints.get("authorization_endpoint", "")
        return cls(**values)

    def check(self) -> None:
        """Raise Invalid for a redirect URI that would let codes go astray."""
        for uri in (*self.redirect_uris, *self.post_logout_redirect_uris):
            parts = urlsplit(uri)
            if parts.scheme != "https" or not parts.hostname or "*" in uri or parts.fragment or parts.username:
                raise Invalid(
                    f"The redirect URI {uri} is not an exact https address", remedy="Correct spec.hostname."
                )

    @property
    def asked_scopes(self) -> tuple[str, ...]:
        """Without `openid`, which is not a scope to register."""
        return tuple(scope for scope in self.scopes if scope != "openid")

    def same_client(self, other: ClientSpec) -> bool:
        """Whether both ask for the same registration; how it is reached and paid for does not count."""
        endpoints = ("token_endpoint", "registration_endpoint", "authorization_endpoint")
        means = ("credential", "credential_field", "ca_bundle", "allowed_cidrs", *endpoints)
        return replace(other, **{name: getattr(self, name) for name in means}) == self

    def secrets(self) -> tuple[str, ...]:
        """What must never appear in a message."""
        told = ("client_id", "client_secret_expires_at")
        return tuple(value for key, value in self.credential.items() if key not in told and value)


@dataclass(frozen=True, slots=True)
class ClientState:
    """What the operator remembers of one client: enough to finish, repair or remove it with nothing else left.

    body: the Client's body as last agreed with the provider (or about to be), credential included.
    pending, current: the secret on its way to the provider, and the one that the provider has.
    intent_at: when a creation that is not confirmed yet was begun; 0 when there is none.
    stray_at: before when a request was sent that may still arrive although the client was confirmed since.
    mapper: whether the provider let us add the groups mapper.
    problem: what a person should look at although the client is registered.
    rotation: of the tenant's rotations, the last that this client has seen.
    secret_ends, secret_seen, renew_at: when the provider ends the secret by itself (0: never, as far as it
    tells), when that was heard first, and before when a renewal need not be tried again; see expiry.py.
    """

    owner: Owner
    body: Mapping[str, Any] = field(repr=False)
    client_id: str = ""
    current: str = field(default="", repr=False)
    pending: str = field(default="", repr=False)
    rat: str = field(default="", repr=False)
    registration_uri: str = ""
    nonce: str = ""
    intent_at: float = 0.0
    stray_at: float = 0.0
    mapper: bool = True
    deleting: bool = False
    problem: Problem = NO_PROBLEM
    rotation: str = ""
    secret_ends: float = 0.0
    secret_seen: float = 0.0
    renew_at: float = 0.0

    @property
    def spec(self) -> ClientSpec:
        return ClientSpec.parse(self.body)

    @property
    def secret(self) -> str:
        """The secret that the provider should have."""
        return self.pending or self.current

    def dump(self) -> dict[str, Any]:
        """As JSON data, secrets included."""
        data = {one.name: getattr(self, one.name) for one in fields(self)}
        data["owner"] = {one.name: getattr(self.owner, one.name) for one in fields(Owner)}
        data["problem"] = list(self.problem)
        return data

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `dump`; keys of a newer operator are ignored."""
        known = {one.name for one in fields(cls)}
        values = {key: value for key, value in data.items() if key in known}
        values["owner"] = Owner(**data["owner"])
        values["problem"] = tuple(data.get("problem", NO_PROBLEM))
        return cls(**values)
