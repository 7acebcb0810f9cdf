"""spec.dataLake.people: Rucio accounts that follow the identity provider."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from vre_operator.api.base import Model, Quantity
from vre_operator.api.references import SecretName
from vre_operator.api.rules import Unique

Group = Annotated[str, Field(max_length=200)]


class GroupQuota(Model):
    """How much each member of a group may place somewhere by rules."""

    group: Group = ""
    """Group whose members have it; everybody who has an account when empty. Of several the largest counts."""
    rse_expression: Annotated[str, Field(min_length=1, max_length=250)] = "*"
    """The RSEs concerned, as a Rucio RSE expression."""
    size: Quantity
    """Bytes for each person."""


class People(Model):
    """An account of Rucio for each person who may log in, with a scope user.NAME of the person's own.

    Who leaves is suspended, and comes back with all data when joining again; nothing is ever deleted.
    """

    enabled: bool = False
    """Keep the accounts. With identity.provider keycloak-admin; its service account needs the roles view-users
    and query-groups besides manage-clients."""
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
