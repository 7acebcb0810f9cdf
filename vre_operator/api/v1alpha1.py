"""The VREEnvironment, version v1alpha1: the only source of the CRD's schema and of its documentation.

Attribute docstrings are what `kubectl explain` prints. References to Secrets and ConfigMaps carry a name and
never a namespace: the tenant's namespace is the boundary.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from vre_operator.api.base import Hostname, Label, Model, ObjectName, Quantity


class SecretName(Model):
    """A Secret in the tenant's namespace."""

    name: ObjectName
    """Name of the Secret."""


class ConfigMapName(Model):
    """A ConfigMap in the tenant's namespace."""

    name: ObjectName
    """Name of the ConfigMap."""


class ProviderKind(StrEnum):
    KEYCLOAK_ADMIN = "keycloak-admin"
    KEYCLOAK_DCR = "keycloak-dcr"
    GENERIC_DCR = "generic-dcr"
    MANUAL = "manual"


class Identity(Model):
    """The OpenID Connect provider at which the tenant's people log in."""

    issuer: Annotated[str, Field(pattern=r"^https://[^\s?#@]+$", max_length=500)]
    """The provider's issuer URL, exactly as its discovery document spells it (mind a trailing slash)."""
    provider: ProviderKind = ProviderKind.MANUAL
    """How login clients are made: keycloak-admin (admin REST API, Secret keys client_id and client_secret of a
    service account with manage-clients), keycloak-dcr and generic-dcr (dynamic registration, Secret key
    initial_access_token; optional for generic-dcr), manual (a person enters the client and writes its
    client_id and client_secret into the Secret; status.registration says what to enter)."""
    credentials_secret: SecretName | None = None
    """The Secret with the registration credential, or with the client itself when provider is manual."""
    allowed_groups: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=200)], ...], Field(max_length=100)
    ] = ()
    """Groups whose members may log in. Empty lets nobody in, unless allowAll is true."""
    allow_all: bool = False
    """Let in everybody whom the provider lets log in."""
    admin_groups: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=200)], ...], Field(max_length=100)
    ] = ()
    """Groups whose members administer the hub."""
    username_claim: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=64)] = "preferred_username"
    """The claim that becomes the user name."""
    groups_claim: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=64)] = "groups"
    """The claim that lists a person's groups."""
    scopes: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[\x21\x23-\x5B\x5D-\x7E]+$", max_length=100)], ...],
        Field(max_length=30),
    ] = (
        "openid",
        "profile",
        "email",
    )
    """The scopes asked for at login."""


class Homes(Model):
    """The home directories of people: one volume each, kept when people and even the tenant go."""

    size: Quantity = "10Gi"
    """Size of a new home."""
    storage_class: ObjectName | None = None
    """StorageClass of new homes; the cluster's default when absent."""


class Storage(Model):
    """Where people's data lives."""

    homes: Homes = Homes()
    """Home directories."""


class Image(Model):
    """An environment that people may choose for their notebook."""

    name: Label
    """Stable short name; never reuse one for something else."""
    image: Annotated[str, Field(pattern=r"^[^\s]+$", min_length=1, max_length=500)]
    """Container image. It must hold the hub's major version of jupyterhub-singleuser and run as uid 1000."""
    display_name: Annotated[str, Field(max_length=100)] = ""
    """What people read in the list; the name when empty."""
    description: Annotated[str, Field(max_length=500)] = ""
    """One or two sentences under the display name, as plain text."""


class NotebookResources(Model):
    """What one notebook may use and what it is promised."""

    cpu_guarantee: Annotated[float, Field(ge=0, le=256)] = 0.1
    """CPUs promised to each notebook."""
    cpu_limit: Annotated[float, Field(gt=0, le=256)] = 2
    """CPUs that a notebook can use at most."""
    memory_guarantee: Quantity = "512Mi"
    """Memory promised to each notebook."""
    memory_limit: Quantity = "2Gi"
    """Memory at which a notebook is ended."""


class Culling(Model):
    """When idle notebooks are stopped. Homes stay."""

    enabled: bool = True
    """Stop idle notebooks."""
    idle_seconds: Annotated[int, Field(ge=120, le=31_536_000)] = 3600
    """Seconds without activity after which a notebook is stopped."""
    max_age_seconds: Annotated[int, Field(ge=0, le=31_536_000)] = 0
    """Seconds after which a notebook is stopped even when in use; 0 is never."""


class Notebooks(Model):
    """The JupyterHub: log in, choose an environment, work."""

    enabled: bool = True
    """Deploy the hub."""
    images: Annotated[tuple[Image, ...], Field(max_length=200)] = ()
    """The environments to choose from, the first is preselected. The site's default image when empty."""
    resources: NotebookResources = NotebookResources()
    """CPU and memory of a notebook."""
    culling: Culling = Culling()
    """When idle notebooks are stopped."""
    max_sessions: Annotated[int, Field(ge=1, le=10_000)] = 50
    """Notebooks that can run at once; also sizes the quota of the notebooks' namespace."""


class DataLake(Model):
    """The Rucio data lake."""

    enabled: bool = False
    """Deploy a Rucio server with its own database schema."""
    hostname: Hostname | None = None
    """Hostname at which Rucio answers outside the cluster; inside only when absent."""


class EmbeddedDatabase(Model):
    """A PostgreSQL server of the tenant's own."""

    size: Quantity = "8Gi"
    """Size of its volume; it can't shrink."""
    storage_class: ObjectName | None = None
    """StorageClass of its volume; the cluster's default when absent."""


class ExternalDatabase(Model):
    """A PostgreSQL server that somebody else runs."""

    secret: SecretName
    """Secret with keys host, port, username and password of a role that may create databases and roles."""


class Database(Model):
    """The PostgreSQL server behind the tenant's services: embedded, or external when given."""

    embedded: EmbeddedDatabase = EmbeddedDatabase()
    """The tenant's own server; used when external is absent."""
    external: ExternalDatabase | None = None
    """An existing server."""


class IssuerKind(StrEnum):
    ISSUER = "Issuer"
    CLUSTER_ISSUER = "ClusterIssuer"


class CertManager(Model):
    """Have cert-manager issue the certificate."""

    issuer: ObjectName
    """Name of the issuer."""
    kind: IssuerKind = IssuerKind.CLUSTER_ISSUER
    """Kind of the issuer."""


class Tls(Model):
    """Where the certificate comes from. The ingress controller's default certificate when both are absent."""

    secret: SecretName | None = None
    """A Secret of type kubernetes.io/tls."""
    cert_manager: CertManager | None = None
    """Issue by cert-manager."""


class Exposure(Model):
    """How people reach the tenant."""

    ingress_class: ObjectName | None = None
    """IngressClass; the site's default when absent."""
    tls: Tls = Tls()
    """The certificate."""


class DeletionPolicy(StrEnum):
    RETAIN = "Retain"
    DELETE = "Delete"


class VREEnvironmentSpec(Model):
    """What the tenant wants."""

    hostname: Hostname
    """The name at which people open the VRE, e.g. vre.example.org. One tenant per hostname."""
    identity: Identity
    """Where people log in."""
    storage: Storage = Storage()
    """Where people's data lives."""
    notebooks: Notebooks = Notebooks()
    """The JupyterHub."""
    data_lake: DataLake = DataLake()
    """The Rucio data lake."""
    database: Database = Database()
    """PostgreSQL."""
    exposure: Exposure = Exposure()
    """Ingress and TLS."""
    suspend: bool = False
    """Stop all services and sessions; everything is kept and comes back when false."""
    deletion_policy: DeletionPolicy = DeletionPolicy.RETAIN
    """What becomes of data (homes, database volumes, secrets that unlock them) when this object is deleted."""
