"""VRESite: what the site's admin decides for all tenants while they come and go. One object, named `site`.

What the installation itself is made of (images, networks, certificates) is in the chart's values: api/site.py.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, ConfigDict, Field

from vre_operator.api.base import DNS_LABEL, DNS_NAME, Hostname, Label, Model, ObjectName
from vre_operator.api.exposure import SiteExposure
from vre_operator.api.identity import CREDENTIAL, DEFAULT_SCOPES, REALM, Issuer, ProviderKind, Scopes
from vre_operator.api.presets import Maximum, Preset
from vre_operator.api.rules import Rule, Unique, matches

NAME = "site"

NamespacePattern = Annotated[
    str,
    Field(max_length=63),
    matches(
        r"^[a-z0-9*]([-a-z0-9*]*[a-z0-9*])?$",
        "is no pattern of namespaces",
        "write a namespace, with * for any part of it, such as school-*",
    ),
]
Domain = Annotated[
    str,
    Field(max_length=200),
    matches(
        r"^([-a-z0-9]|\{namespace\})+(\.([-a-z0-9]|\{namespace\})+)+$",
        "is no domain",
        "write a DNS name, with {namespace} for the tenant's namespace, such as {namespace}.example.org",
    ),
]
GatewayName = Annotated[
    str,
    Field(max_length=317),
    matches(
        rf"{DNS_LABEL[:-1]}/{DNS_NAME[1:]}",
        "is no Gateway",
        "write NAMESPACE/NAME, such as infra/public",
    ),
]
Registry = Annotated[
    str,
    Field(max_length=300),
    matches(
        r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$",
        "is no registry",
        "write a registry's host with an optional port and path, such as registry.example.org/vre",
    ),
]


class Grant(Model):
    """Who may have a VREEnvironment, where people find it, and for how long."""

    namespaces: Annotated[tuple[NamespacePattern, ...], Field(min_length=1, max_length=100), Unique()]
    """Namespaces, with * for any part of a name."""
    domains: Annotated[tuple[Domain, ...], Field(max_length=20), Unique()] = ()
    """Domains of which, or below which, all hostnames of these tenants are; {namespace} stands for the tenant's
    own. Any hostname when empty."""
    expires: AwareDatetime | None = None
    """From then on these tenants are suspended: everything is kept, nothing runs. For schools and guests."""


class Bounds(Model):
    """What tenants may ask for. A list that is empty bounds nothing. Whom a new bound leaves outside goes on as
    before, and is told in the condition WithinBounds."""

    grants: Annotated[tuple[Grant, ...], Field(max_length=200)] = ()
    """Who may have a VREEnvironment; everybody who can create one when empty."""
    tenants: Annotated[int, Field(ge=0, le=100_000)] | None = None
    """How many VREEnvironments there may be. The oldest ones stay; a later one waits."""
    issuers: Annotated[tuple[Issuer, ...], Field(max_length=50), Unique()] = ()
    """Identity providers that tenants may use, by issuer URL."""
    registries: Annotated[tuple[Registry, ...], Field(max_length=50), Unique()] = ()
    """Registries, or paths in them, from which images of sessions and workflows come."""
    digests: bool = False
    """Images of catalogues are named by digest, so that what runs is what was looked at."""
    storage_classes: Annotated[tuple[ObjectName, ...], Field(max_length=50), Unique()] = ()
    """StorageClasses that tenants may name; the cluster's default may always be had by naming none."""
    ingress_classes: Annotated[tuple[ObjectName, ...], Field(max_length=50), Unique()] = ()
    """IngressClasses that tenants may name."""
    gateways: Annotated[tuple[GatewayName, ...], Field(max_length=50), Unique()] = ()
    """Gateways that tenants may name, as NAMESPACE/NAME."""
    certificate_issuers: Annotated[tuple[ObjectName, ...], Field(max_length=50), Unique()] = ()
    """ClusterIssuers that tenants may name."""
    rse_hosts: Annotated[tuple[Hostname, ...], Field(max_length=200), Unique()] = ()
    """Domains of storage that tenants may declare as RSEs, and all names below them."""
    service_hosts: Annotated[tuple[Hostname, ...], Field(max_length=200), Unique()] = ()
    """Domains of what tenants attach by URL (an existing Rucio, FTS, VOMS, S3, SCIM), and all names below."""
    maximum: Maximum = Maximum()
    """The most that a field may ask for."""


class SiteSecret(Model):
    """A Secret in the operator's namespace."""

    name: ObjectName
    """Name of the Secret, in the namespace of the operator."""


class SiteIdentity(Model):
    """An identity provider, and the site's way to make login clients there. One does not go without the other:
    a tenant that names an issuer has to bring its own credential, and gets nothing of this."""

    cel_rules = (
        CREDENTIAL,
        REALM,
        Rule(
            "self.provider != 'manual'",
            "makes no clients",
            "choose another provider: with manual the Secret is the login client itself, and each tenant would"
            " hold it",
            lambda self: self.provider is not ProviderKind.MANUAL,
            path=".provider",
        ),
    )

    issuer: Issuer
    """Issuer URL, as in a tenant's spec.identity.issuer. Another one is for new tenants: those that stand wait
    until it is set back, or until they name theirs."""
    provider: ProviderKind
    """How the login clients are made, as in a tenant's spec.identity.provider; not manual."""
    credentials_secret: SiteSecret | None = None
    """Secret in the operator's namespace with the credential that registers clients; its keys as in a tenant's
    spec.identity. No tenant sees it."""
    scopes: Scopes = DEFAULT_SCOPES
    """Scopes that tenants ask for at login with this provider. A tenant may ask for fewer, and for no others:
    a scope may be another tenant's, and would open that one's data lake."""


class StorageClasses(Model):
    """StorageClasses by what is in the volume; the cluster's default where absent."""

    homes: ObjectName | None = None
    """Of homes: of each person's, and of the one volume of those who have all homes in one."""
    database: ObjectName | None = None
    """Of the tenant's own PostgreSQL."""
    volumes: ObjectName | None = None
    """Of shares, of the lake's own storage and of workflows' workspaces."""


class Defaults(Model):
    """What tenants get where they name nothing."""

    domain: (
        Annotated[
            Domain,
            Rule(
                "self.contains('{namespace}')",
                "is the same name for all tenants",
                "write {namespace} where the tenant's namespace goes, such as {namespace}.vre.example.org",
                lambda domain: "{namespace}" in domain,
            ),
        ]
        | None
    ) = None
    """Hostname of a tenant, with {namespace} for its namespace. REANA is at reana. and this name."""
    identity: SiteIdentity | None = None
    """Provider of tenants that name no issuer, and the credential with which their clients are made."""
    exposure: SiteExposure = SiteExposure()
    """How people reach a VRE."""
    storage_classes: StorageClasses = StorageClasses()
    """Classes of volumes."""
    preset: Label | None = None
    """Preset of tenants that name none."""


class VRESiteSpec(Model):
    """What the site's admin decides for all tenants."""

    cel_rules = (
        Rule(
            "!has(self.defaults.preset) || self.presets.exists(one, one.name == self.defaults.preset)",
            "is no preset of this VRESite",
            "name one of spec.presets, or add it there",
            lambda self: self.defaults.preset in (None, *(one.name for one in self.presets)),
            path=".defaults.preset",
        ),
    )

    bounds: Bounds = Bounds()
    """What tenants may ask for."""
    defaults: Defaults = Defaults()
    """What tenants get where they name nothing. A change reaches standing tenants in exposure, sizes, new homes
    and how clients are made; it leaves their hostnames, their issuer and their volumes as they are."""
    presets: Annotated[tuple[Preset, ...], Field(max_length=20), Unique("name")] = ()
    """Sizes by name, which tenants choose with spec.preset. A change reaches those who have it at once."""


class SiteMetadata(Model):
    """The part of metadata that has rules of our own."""

    model_config = ConfigDict(extra="ignore")

    name: str
    """Name of the VRESite."""


class VRESite(Model):
    """What the site's admin decides for all tenants: what they may ask for, and what they get where they name
    nothing. There is one, named site."""

    cel_rules = (
        Rule(
            f"self.metadata.name == '{NAME}'",
            "is not the name of the VRESite",
            f"name it {NAME}: there is one for the whole cluster",
            lambda self: self.metadata.name == NAME,
            path=".metadata.name",
        ),
    )

    api_version: Literal["vre.science/v1alpha1"]
    kind: Literal["VRESite"]
    metadata: SiteMetadata
    spec: VRESiteSpec = VRESiteSpec()
    """What the site's admin decides."""
