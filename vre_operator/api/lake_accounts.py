"""spec.dataLake.accounts: accounts of services and groups in Rucio, and the words that other parts share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from vre_operator.api.base import Model, Quantity
from vre_operator.api.lake_attach import AccountName
from vre_operator.api.rules import Unique, matches

SCOPE = r"^[-a-zA-Z_.0-9]+$"

ScopeName = Annotated[
    str,
    Field(min_length=1, max_length=25),
    matches(SCOPE, "is no Rucio scope", "use at most 25 letters, digits, - . and _, as in survey.2026"),
]
Key = Annotated[
    str,
    Field(min_length=1, max_length=30),
    matches(r"^[-a-zA-Z0-9_.]+$", "is no name of an attribute", "use at most 30 letters, digits, - . and _"),
]


class Attribute(Model):
    """A name and a value, both as text."""

    name: Key
    """Name of the attribute, such as country or greedyDeletion."""
    value: Annotated[str, Field(max_length=250)]
    """Its value. Rucio reads true and false as such, and whole numbers as numbers where it wants one."""


class AccountType(StrEnum):
    USER = "User"
    GROUP = "Group"
    SERVICE = "Service"


class IdentityType(StrEnum):
    OIDC = "OIDC"
    X509 = "X509"


class AccountIdentity(Model):
    """How somebody proves to be an account."""

    type: IdentityType
    """OIDC or X509."""
    identity: Annotated[str, Field(min_length=1, max_length=500)]
    """For OIDC `SUB=<sub>, ISS=<issuer>`, for X509 the subject with slashes."""
    email: Annotated[str, Field(max_length=250)] = ""
    """E-mail address of whoever it is; the account's when empty."""


class Quota(Model):
    """How much an account may place somewhere by rules."""

    rse_expression: Annotated[str, Field(min_length=1, max_length=250)]
    """The RSEs concerned, as a Rucio RSE expression: a name, tier=1, or *."""
    size: Quantity
    """Bytes in all."""


class Account(Model):
    """A Rucio account of a service or a group. People's accounts come from the identity provider."""

    name: AccountName
    """Name of the account."""
    type: AccountType = AccountType.SERVICE
    """Service, Group or User."""
    email: Annotated[str, Field(max_length=250)] = ""
    """E-mail address for notices."""
    admin: bool = False
    """May do nearly everything in this Rucio."""
    attributes: Annotated[tuple[Attribute, ...], Field(max_length=20), Unique("name")] = ()
    """Attributes, for permissions and policies."""
    identities: Annotated[tuple[AccountIdentity, ...], Field(max_length=20), Unique("type", "identity")] = ()
    """Who may act as this account."""
    quotas: Annotated[tuple[Quota, ...], Field(max_length=50), Unique("rse_expression")] = ()
    """How much it may place by rules; nothing where there is none."""
    scopes: Annotated[tuple[ScopeName, ...], Field(max_length=50), Unique()] = ()
    """Scopes that it owns. Rucio never removes a scope."""
