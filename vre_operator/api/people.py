"""spec.dataLake.people: Rucio accounts that follow the identity provider."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from vre_operator.api.base import Model, Quantity
from vre_operator.api.lake_attach import Url
from vre_operator.api.references import SecretName
from vre_operator.api.rules import Rule, Unique

Group = Annotated[str, Field(max_length=200)]


class GroupQuota(Model):
    """How much each member of a group may place somewhere by rules."""

    group: Group = ""
    """Group whose members have it; everybody who has an account when empty. Of several the largest counts."""
    rse_expression: Annotated[str, Field(min_length=1, max_length=250)] = "*"
    """The RSEs concerned, as a Rucio RSE expression."""
    size: Quantity
    """Bytes for each person."""


class Scim(Model):
    """People are read by SCIM 2.0."""

    url: Url
    """Address of the API, on the issuer's own host: https://HOST/scim at INDIGO IAM, ISSUER/scim/v2 at
    Keycloak."""
    scope: Annotated[str, Field(max_length=100)] = "scim:read"
    """Scope of the token that the API wants; none when empty, as at Keycloak."""


class People(Model):
    """An account of Rucio for each person who may log in, with a scope user.NAME of the person's own.

    Who leaves is suspended, and comes back with all data when joining again; nothing is ever deleted.
    """

    cel_rules = (
        Rule(
            "!has(self.scim) || has(self.credentialsSecret)",
            "needs a service account",
            "name its Secret in credentialsSecret",
            lambda self: self.scim is None or self.credentials_secret is not None,
            path=".scim",
        ),
    )

    enabled: bool = False
    """Keep the accounts. With identity.provider keycloak-admin, whose service account needs the roles
    view-users and query-groups besides manage-clients; with another provider by scim."""
    scim: Scim | None = None
    """How people are read where there is no Keycloak, or one whose admin API is closed."""
    credentials_secret: SecretName | None = None
    """Secret with client_id and client_secret of another service account, which may read users and groups, so
    that the one that registers clients need not."""
    quotas: Annotated[tuple[GroupQuota, ...], Field(max_length=50), Unique("group", "rse_expression")] = ()
    """Who may place how much. Nobody may place anything by a rule where there is none."""
    max_leavers: Annotated[int, Field(ge=0, le=100)] = 10
    """Percent of the accounts that may be suspended at once; three may in any case. When more would be, none
    is, and the condition DataLakeReady says what to do."""
    confirmed_leavers: Annotated[str, Field(max_length=16)] = ""
    """The word that the condition gives: these people and no others are suspended although they are many."""
