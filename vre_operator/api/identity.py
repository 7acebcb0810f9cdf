"""spec.identity: who may log in, and how the login clients come to be."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import Field

from vre_operator.api.base import Model
from vre_operator.api.references import SecretName
from vre_operator.api.rules import Rule, Unique, matches

# No userinfo, query, fragment or IP address: the issuer is a tenant's text that the operator calls.
ISSUER = (
    r"^https://([A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?\.)*[A-Za-z]([-A-Za-z0-9]*[A-Za-z0-9])?"
    r"(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?(/[-A-Za-z0-9._~%!$&()*+,;=:]*)*$"
)
KEYCLOAK_REALM = r"/realms/[^/]+$"

Group = Annotated[str, Field(min_length=1, max_length=200)]
Claim = Annotated[
    str,
    Field(max_length=64),
    matches(
        r"^[A-Za-z0-9_.:/-]+$",
        "is no claim name",
        "use letters, digits and _ . : / - only, such as eduperson_id",
    ),
]
Scope = Annotated[
    str,
    Field(max_length=100),
    matches(
        r"^[\x21\x23-\x5B\x5D-\x7E]+$", "is no scope", "give each scope as an item of its own, without spaces"
    ),
]


class ProviderKind(StrEnum):
    KEYCLOAK_ADMIN = "keycloak-admin"
    KEYCLOAK_DCR = "keycloak-dcr"
    GENERIC_DCR = "generic-dcr"
    IAM_ADMIN = "iam-admin"
    IAM_DCR = "iam-dcr"
    OA4MP = "oa4mp"
    MANUAL = "manual"


_OPEN = (ProviderKind.GENERIC_DCR, ProviderKind.IAM_DCR)
"""At these anybody may register, as far as we know."""
_KEYCLOAK = (ProviderKind.KEYCLOAK_ADMIN, ProviderKind.KEYCLOAK_DCR)

Issuer = Annotated[
    str,
    Field(max_length=500),
    matches(
        ISSUER,
        "is no issuer URL",
        "give https://NAME with an optional port and path and nothing else (no user, query, fragment or"
        " IP address), exactly as the provider's discovery document spells it",
    ),
]
DEFAULT_SCOPES = ("openid", "profile", "email")
Scopes = Annotated[
    tuple[Scope, ...],
    Field(max_length=30),
    Unique(),
    Rule(
        "self.exists(scope, scope == 'openid')",
        "lacks openid",
        "add openid: without it a login is not OpenID Connect",
        lambda scopes: "openid" in scopes,
    ),
]

CREDENTIAL = Rule(
    "!has(self.issuer) || (has(self.provider) && self.provider in ['generic-dcr', 'iam-dcr'])"
    " || has(self.credentialsSecret)",
    "is required with this provider",
    "name the Secret with the registration credential (keycloak-admin, iam-admin, oa4mp: client_id and"
    " client_secret; keycloak-dcr: initial_access_token; manual: client_id and client_secret of the client"
    " itself)",
    lambda self: self.issuer is None or self.provider in _OPEN or self.credentials_secret is not None,
    path=".credentialsSecret",
)
REALM = Rule(
    "!has(self.issuer) || !has(self.provider) || !self.provider.startsWith('keycloak-')"
    " || self.issuer.matches(r'" + KEYCLOAK_REALM + "')",
    "is not the issuer of a Keycloak realm",
    "give https://HOST/realms/REALM without a trailing slash, or choose provider generic-dcr or manual",
    lambda self: (
        self.issuer is None
        or self.provider not in _KEYCLOAK
        or re.search(KEYCLOAK_REALM, self.issuer) is not None
    ),
    path=".issuer",
)


def _with_issuer(field: str, absent: Callable[[Any], bool]) -> Rule:
    """The site's issuer goes with the site's credential: a tenant has both from the site, or none."""
    return Rule(
        f"has(self.issuer) || !has(self.{field})",
        "is beside no issuer",
        "name the issuer that it is for, or remove it: without an issuer the site's provider is used, with the"
        " site's own registration",
        lambda self: self.issuer is not None or absent(self),
        path=f".{field}",
    )


class IdentityWish(Model):
    """The OpenID Connect provider at which people log in, and which of them are let in."""

    cel_rules: ClassVar[tuple[Rule, ...]] = (
        CREDENTIAL,
        REALM,
        _with_issuer("provider", lambda self: self.provider is None),
        _with_issuer("credentialsSecret", lambda self: self.credentials_secret is None),
        Rule(
            "!has(oldSelf.issuer) || (has(self.issuer) && self.issuer == oldSelf.issuer)",
            "cannot be changed",
            "set it back, as people and login clients belong to one provider. For another one create a new"
            " VREEnvironment in a namespace of its own",
            path=".issuer",
        ),
        Rule(
            "self.allowAll || size(self.allowedGroups) > 0",
            "nobody could log in",
            "list at least one group in allowedGroups, or set allowAll to true to let in everybody",
            lambda self: self.allow_all or bool(self.allowed_groups),
            path=".allowedGroups",
        ),
        Rule(
            "!self.allowAll || size(self.allowedGroups) == 0",
            "has no effect while allowAll is true",
            "remove allowedGroups to let in everybody, or remove allowAll to let in these groups only",
            lambda self: not self.allow_all or not self.allowed_groups,
            path=".allowedGroups",
        ),
    )

    issuer: Issuer | None = None
    """Issuer URL of the provider, exactly as "issuer" in its discovery document spells it (mind a trailing
    slash). The operator reads ISSUER/.well-known/openid-configuration. Cannot be changed later. The site's
    provider when absent, where the site has one: its login clients are made with the site's own credential."""
    provider: ProviderKind | None = None
    """How the login clients are made; manual when absent. Only with an issuer.

    keycloak-admin: by Keycloak's admin API. credentialsSecret holds client_id and client_secret of a service
    account with the role manage-clients in the realm.

    keycloak-dcr: by Keycloak's dynamic registration. credentialsSecret holds initial_access_token.

    generic-dcr: by OpenID Connect dynamic registration. credentialsSecret holds initial_access_token, and can
    be left out where the provider lets anybody register.

    iam-admin: by INDIGO IAM's management API. credentialsSecret holds client_id and client_secret of a client
    with the grant client_credentials and the scopes iam:admin.read and iam:admin.write.

    iam-dcr: by INDIGO IAM's dynamic registration. credentialsSecret can be left out; with client_id and
    client_secret of a client that has the scope iam:admin.read, a registration whose answer got lost is found
    again.

    oa4mp: by the client management of OA4MP, such as CILogon's. credentialsSecret holds client_id and
    client_secret of an approved admin client.

    manual: by a person, as EGI Check-in wants it. status.registration says what to enter at the provider;
    credentialsSecret holds client_id and client_secret of the client that came of it and, where that secret
    ends some day, client_secret_expires_at, a date. Whether it was entered so is tried there."""
    credentials_secret: SecretName | None = None
    """Secret with the credential that registers clients, or with the client itself when provider is manual.
    The keys that it must hold are listed under provider. Required with an issuer, unless provider is
    generic-dcr or iam-dcr."""
    allowed_groups: Annotated[tuple[Group, ...], Field(max_length=100), Unique()] = ()
    """Groups whose members may log in, spelled as in the claim groupsClaim. This or allowAll is needed."""
    allow_all: bool = False
    """Let in everybody whom the provider lets log in. Excludes allowedGroups."""
    admin_groups: Annotated[tuple[Group, ...], Field(max_length=100), Unique()] = ()
    """Groups whose members administer the hub: they may log in, and may see and stop the sessions of others."""
    username_claim: Claim = "preferred_username"
    """Claim that becomes the user name. It must be unique and never change or pass to somebody else: a person's
    home is found by it."""
    groups_claim: Claim = "groups"
    """Claim that lists a person's groups, in the ID token or in the answer of the userinfo endpoint."""
    scopes: Scopes = DEFAULT_SCOPES
    """Scopes asked for at login. Add the provider's scope for groups where it has one; a scope that the
    provider does not know makes every login fail."""


class Identity(IdentityWish):
    """With what the site gives. Whether there is a credential is asked of the wish alone: the site's is in no
    spec."""

    cel_rules: ClassVar[tuple[Rule, ...]] = tuple(
        rule for rule in IdentityWish.cel_rules if rule is not CREDENTIAL
    )

    issuer: Issuer
    """Issuer URL of the provider."""
    provider: ProviderKind = ProviderKind.MANUAL
    """How the login clients are made."""

    @property
    def groups(self) -> list[str]:
        """Those whose members may log in, sorted."""
        return sorted({*self.allowed_groups, *self.admin_groups})
