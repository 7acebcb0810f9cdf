"""spec.dataLake.attach: a Rucio that somebody else runs."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from vre_operator.api.base import Model
from vre_operator.api.references import SecretName
from vre_operator.api.rules import matches

ACCOUNT = r"^[-a-z0-9_]+$"
URL = r"^https://[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?(:[0-9]{1,5})?(/[-A-Za-z0-9._~/]*)?$"

AccountName = Annotated[
    str,
    Field(min_length=1, max_length=25),
    matches(
        ACCOUNT, "is no Rucio account", "use at most 25 lower-case letters, digits, - and _, as in production"
    ),
]
Url = Annotated[
    str,
    Field(max_length=300),
    matches(
        URL,
        "is no address of a Rucio",
        "give https://HOST or https://HOST:PORT, as in https://rucio.example.org",
    ),
]


class AuthType(StrEnum):
    OIDC = "oidc"
    USERPASS = "userpass"
    X509 = "x509"
    X509_PROXY = "x509_proxy"
    GSS = "gss"
    SSH = "ssh"


class Attach(Model):
    """An existing Rucio: nothing is deployed, and what is declared is kept there."""

    url: Url
    """Address of its REST API."""
    auth_url: Url | None = None
    """Address at which one logs in, where that is another."""
    credentials_secret: SecretName
    """Secret with username and password, by which the operator logs in."""
    account: AccountName = "root"
    """The account that this gives. It must be allowed to do what is declared."""
    auth_type: AuthType = AuthType.OIDC
    """How people's notebooks log in, in Rucio's words: oidc, userpass, x509, x509_proxy, gss or ssh."""
