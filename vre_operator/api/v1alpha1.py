"""The VREEnvironment, version v1alpha1: the only source of the CRD's schema and of its documentation.

Attribute docstrings are what `kubectl explain` prints, so they are written for tenants.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from vre_operator.api.base import Hostname, Label, Model, ObjectName, Quantity
from vre_operator.api.catalogue import Catalogue, Entry
from vre_operator.api.data_lake import DataLake
from vre_operator.api.exposure import CertManager, Exposure, Gateway, IssuerKind, Tls
from vre_operator.api.identity import Identity, IdentityWish, ProviderKind
from vre_operator.api.notebooks import Culling, NotebookResources, Notebooks
from vre_operator.api.page import LandingPage
from vre_operator.api.references import SecretName
from vre_operator.api.rules import Rule, at_least, immutable_field, only_grows, stays
from vre_operator.api.status import VREEnvironmentStatus
from vre_operator.api.storage import Homes, Storage
from vre_operator.api.workflows import Workflows

__all__ = [
    "Catalogue",
    "CertManager",
    "Credentials",
    "Culling",
    "DataLake",
    "Database",
    "DeletionPolicy",
    "EmbeddedDatabase",
    "Entry",
    "Exposure",
    "ExternalDatabase",
    "Gateway",
    "Homes",
    "Identity",
    "IdentityWish",
    "IssuerKind",
    "LandingPage",
    "NotebookResources",
    "Notebooks",
    "ProviderKind",
    "SecretName",
    "Storage",
    "Tls",
    "VREEnvironment",
    "VREEnvironmentSpec",
    "VREEnvironmentStatus",
    "VREEnvironmentWish",
    "Workflows",
]

NAME = r"^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$"

# Of a wish without an issuer the API server does not know the provider: the operator has the last word then.
_BY_ADMIN = (
    "(!has(self.identity.issuer)"
    " || (has(self.identity.provider) && self.identity.provider == 'keycloak-admin'))"
)


def _by_admin(identity: IdentityWish) -> bool:
    return identity.issuer is None or identity.provider is ProviderKind.KEYCLOAK_ADMIN


class EmbeddedDatabase(Model):
    """A PostgreSQL server of the tenant's own."""

    cel_rules = (
        immutable_field(
            "storageClass",
            "set it back, as volumes cannot move between classes. For another class create a new VREEnvironment"
            " and move the data",
        ),
        only_grows("size"),
    )

    size: Annotated[Quantity, at_least("256Mi")] = "8Gi"
    """Size of its volume. It can grow where the StorageClass allows it, and never shrink."""
    storage_class: ObjectName | None = None
    """StorageClass of its volume; the cluster's default when absent. Cannot be changed later."""


class ExternalDatabase(Model):
    """A PostgreSQL server (12 or newer) that somebody else runs."""

    secret: SecretName
    """Secret with the keys host, port, username and password of a role that may create databases and roles."""


class Database(Model):
    """The PostgreSQL server behind the services: one of the tenant's own, or an existing one."""

    cel_rules = (
        stays(
            "external",
            "set it back, as the services' data would stay behind. For another server create a new"
            " VREEnvironment and move the data",
        ),
    )

    embedded: EmbeddedDatabase = EmbeddedDatabase()
    """The tenant's own server. Not used when external is given."""
    external: ExternalDatabase | None = None
    """An existing server in place of the tenant's own. Cannot be added or removed later."""


class Credentials(Model):
    """Passwords, keys, tokens and login clients' secrets that the operator makes."""

    rotate_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    """After how many days they are replaced by new ones; never by themselves when absent. At once:
    kubectl annotate vre NAME vre.science/rotate=WORD, with another word each time. status.rotation tells how
    far it is."""


class DeletionPolicy(StrEnum):
    RETAIN = "Retain"
    DELETE = "Delete"


class VREEnvironmentWish(Model):
    """What the tenant wants. Only identity is required, and hostname where the site gives none."""

    cel_rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.dataLake.hostname) || !has(self.hostname) || self.dataLake.hostname != self.hostname",
            "is the same as spec.hostname",
            "give Rucio a hostname of its own, such as rucio.example.org, or remove it",
            lambda self: self.hostname is None or self.data_lake.hostname != self.hostname,
            path=".dataLake.hostname",
        ),
        Rule(
            f"!self.dataLake.people.enabled || {_BY_ADMIN} || has(self.dataLake.people.scim)",
            "needs identity.provider keycloak-admin, or scim",
            "set one of them, or declare people's accounts in dataLake.accounts",
            lambda self: (
                not self.data_lake.people.enabled
                or _by_admin(self.identity)
                or self.data_lake.people.scim is not None
            ),
            path=".dataLake.people.enabled",
        ),
        Rule(
            "self.notebooks.namedSessions == 0"
            " || has(self.storage.homes.volume) || has(self.storage.homes.claim)",
            "needs homes in one volume",
            "set it to 0, as a home that is a volume of its own goes with one session. In a new VREEnvironment"
            " storage.homes.volume is another way",
            lambda self: not self.notebooks.named_sessions or self.storage.homes.in_one_volume,
            path=".notebooks.namedSessions",
        ),
        Rule(
            "!has(self.hostname) || !self.dataLake.storage.exists(one, one.hostname == self.hostname)",
            "has an item with spec.hostname",
            "give each storage a hostname of its own, such as disk.example.org",
            lambda self: self.hostname not in {one.hostname for one in self.data_lake.storage},
            path=".dataLake.storage",
        ),
        Rule(
            "!has(self.workflows.hostname)"
            " || ((!has(self.hostname) || self.workflows.hostname != self.hostname)"
            " && (!has(self.dataLake.hostname) || self.workflows.hostname != self.dataLake.hostname)"
            " && !self.dataLake.storage.exists(one, one.hostname == self.workflows.hostname))",
            "is the hostname of something else",
            "give REANA a hostname of its own, such as reana.example.org",
            lambda self: self.workflows.hostname is None or self.workflows.hostname not in self._others(),
            path=".workflows.hostname",
        ),
        Rule(
            "!self.workflows.enabled || !has(self.exposure.tls.certManager)"
            " || self.exposure.tls.certManager.kind == 'ClusterIssuer'",
            "is no ClusterIssuer",
            "name a ClusterIssuer: the certificate of workflows.hostname is made in another namespace, where an"
            " Issuer of this one is unknown",
            lambda self: (
                not self.workflows.enabled
                or self.exposure.tls.cert_manager is None
                or self.exposure.tls.cert_manager.kind is IssuerKind.CLUSTER_ISSUER
            ),
            path=".exposure.tls.certManager.kind",
        ),
        Rule(
            "!self.workflows.dataLake || (self.notebooks.enabled && self.dataLake.enabled"
            f" && self.dataLake.people.enabled && {_BY_ADMIN})",
            "needs notebooks, dataLake.people and identity.provider keycloak-admin",
            "set these, as it is the hub that has people's tokens, or set it to false",
            lambda self: (
                not self.workflows.data_lake
                or (
                    self.notebooks.enabled
                    and self.data_lake.enabled
                    and self.data_lake.people.enabled
                    and _by_admin(self.identity)
                )
            ),
            path=".workflows.dataLake",
        ),
        Rule(
            "!has(self.workflows.quotas) || !self.workflows.quotas.exists(one, one.group != '')"
            f" || {_BY_ADMIN} || self.dataLake.people.enabled",
            "has a group, and nobody tells who is in it",
            "remove group, or use identity.provider keycloak-admin, or dataLake.people with scim",
            lambda self: (
                not any(one.group for one in self.workflows.quotas)
                or _by_admin(self.identity)
                or self.data_lake.people.enabled
            ),
            path=".workflows.quotas",
        ),
    )

    hostname: Hostname | None = None
    """DNS name at which people open the VRE, such as vre.example.org. Its DNS record must lead to the ingress
    controller or the Gateway. One tenant per hostname: the first that claims it holds it. When absent a name in
    the site's domain, where the site has one for tenants; which one is in status.defaults."""
    identity: IdentityWish
    """The OpenID Connect provider at which people log in, and which of them are let in."""
    preset: Label | None = None
    """Sizes that the site has under this name (spec.presets of the VRESite), for what is not named here. The
    site's own choice when absent, where it has made one."""
    storage: Storage = Storage()
    """Where people's data lives."""
    catalogue: Catalogue = Catalogue()
    """The software environments that people choose from."""
    notebooks: Notebooks = Notebooks()
    """The JupyterHub: people log in, choose an environment and work in a notebook of their own."""
    data_lake: DataLake = DataLake()
    """The Rucio data lake."""
    workflows: Workflows = Workflows()
    """REANA: workflows of people, each with a workspace and a log."""
    database: Database = Database()
    """The PostgreSQL server behind the services: one of the tenant's own, or an existing one."""
    credentials: Credentials = Credentials()
    """Passwords, keys, tokens and login clients' secrets that the operator makes."""
    exposure: Exposure = Exposure()
    """How people reach the VRE: Ingress and TLS, or a Gateway."""
    page: LandingPage = LandingPage()
    """The page at the VRE's hostname: what there is, whether it works, where to ask, and one's own sessions."""
    suspend: bool = False
    """Stop all services and sessions. Everything is kept and comes back when false again."""
    deletion_policy: DeletionPolicy = DeletionPolicy.RETAIN
    """What becomes of data (homes, database volumes, and the Secrets that unlock them) when this object is
    deleted: Retain keeps it, and a VREEnvironment of the same name takes it over; Delete destroys it."""

    def _others(self) -> set[str | None]:
        """The hostnames of all but REANA."""
        return {self.hostname, self.data_lake.hostname, *(one.hostname for one in self.data_lake.storage)}


class VREEnvironmentSpec(VREEnvironmentWish):
    """The wish with what the site gives: what components see. See runtime/defaults.py."""

    cel_rules: ClassVar[tuple[Rule, ...]] = (
        *VREEnvironmentWish.cel_rules,
        Rule(
            None,
            "is missing",
            "give REANA a hostname of its own, such as reana.example.org, or ask the site's admin for a domain"
            " (spec.defaults.domain of the VRESite)",
            lambda self: not self.workflows.enabled or self.workflows.hostname is not None,
            path=".workflows.hostname",
        ),
    )

    hostname: Hostname
    """DNS name at which people open the VRE."""
    identity: Identity
    """The OpenID Connect provider at which people log in, and which of them are let in."""


class Metadata(Model):
    """The part of metadata that has rules of our own."""

    model_config = ConfigDict(extra="ignore")

    name: str
    """Name of the VREEnvironment."""
    namespace: str = ""
    """Namespace of the VREEnvironment; empty in a file that leaves it to kubectl."""


class VREEnvironment(Model):
    """A Virtual Research Environment: notebooks, a data lake and what they need, in this namespace and in two
    derived from it. One per namespace."""

    cel_rules = (
        Rule(
            f"self.metadata.name.matches(r'{NAME}')",
            "is no name for a VREEnvironment",
            "use at most 40 lower-case letters, digits and inner hyphens, beginning with a letter",
            lambda self: re.fullmatch(NAME, self.metadata.name) is not None,
            path=".metadata.name",
        ),
        Rule(
            None,  # CEL does not see the namespace
            "is longer than 50 characters",
            "use a namespace with a shorter name: NAMESPACE-notebooks and NAMESPACE-workflows must fit into 63",
            lambda self: len(self.metadata.namespace) <= 50,
            path=".metadata.namespace",
        ),
        Rule(
            "!has(self.spec.identity.issuer) || !has(oldSelf.status) || !has(oldSelf.status.defaults)"
            " || oldSelf.status.defaults.all(one,"
            " one.field != 'spec.identity.issuer' || one.value == self.spec.identity.issuer)",
            "cannot be changed",
            "remove it, or set it to the issuer in status.defaults, as people and login clients belong to one"
            " provider. For another one create a new VREEnvironment in a namespace of its own",
            path=".spec.identity.issuer",
        ),
    )

    api_version: Literal["vre.science/v1alpha1"]
    kind: Literal["VREEnvironment"]
    metadata: Metadata
    spec: VREEnvironmentWish
    """What the tenant wants. Only identity is required, and hostname where the site gives none."""
    status: VREEnvironmentStatus | None = None
    """What the operator found and did."""


class Effective(VREEnvironment):
    """With what the site gives."""

    spec: VREEnvironmentSpec
    """What the tenant wants."""
