"""What the site's admin sets once for all tenants: a YAML file that the Helm chart renders from its values."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vre_operator.api.base import Model, ObjectName
from vre_operator.api.catalogue import Entry
from vre_operator.api.isolation import Isolation
from vre_operator.api.rules import Rule, Unique
from vre_operator.api.versions import Versions
from vre_operator.api.vresite import VRESiteSpec

_DEFAULTS = Versions.read().defaults()


class ReanaImages(Model):
    """The images of one generation of REANA."""

    server: str
    """REST API and scheduler; also runs the Jobs."""
    workflow_controller: str
    """What starts and stops workflows."""
    job_controller: str
    """Beside each workflow's engine: it starts the jobs."""
    serial: str
    """Engine of serial workflows."""
    snakemake: str
    """Engine of Snakemake workflows."""
    cwl: str
    """Engine of CWL workflows."""
    yadage: str
    """Engine of Yadage workflows."""
    remote_job_controller: str = ""
    """In the place of jobController where jobs may run on batch systems outside the cluster, with what that
    takes; jobController when empty."""
    kerberos: str = ""
    """Beside steps that say `kerberos: true`; REANA's own choice when empty."""
    ui: str = ""
    """Its pages; none are served when empty."""


class Reana(Model):
    """REANA's images, by generation."""

    v0_9: ReanaImages = ReanaImages(**_DEFAULTS["reana"]["v09"])
    """Generation 0.9."""
    v0_95: ReanaImages = ReanaImages(**_DEFAULTS["reana"]["v095"])
    """Generation 0.95."""
    message_broker: str = _DEFAULTS["reana"]["messageBroker"]
    """RabbitMQ."""
    cache: str = _DEFAULTS["reana"]["cache"]
    """Redis."""


class Images(Model):
    """The container images of the services. Defaults are the official ones, of vre_operator/versions.yaml."""

    hub: str = _DEFAULTS["hub"]
    """JupyterHub."""
    proxy: str = _DEFAULTS["proxy"]
    """configurable-http-proxy."""
    notebook: str = _DEFAULTS["notebook"]
    """The notebook offered where neither the tenant's catalogue nor the site's has an entry."""
    rucio_server: str = _DEFAULTS["rucioServer"]
    """Rucio's server; also runs the schema Job."""
    rucio_daemons: str = _DEFAULTS["rucioDaemons"]
    """Rucio's daemons, of the same version as the server."""
    xrootd: str = _DEFAULTS["xrootd"]
    """XRootD with its SciTokens plug-in, for storage of the lake's own."""
    transfers: str = _DEFAULTS["transfers"]
    """The operator's own image, which has the transfer service in it. The Helm chart fills it in."""
    postgres: str = _DEFAULTS["postgres"]
    """PostgreSQL; also runs the Jobs that make roles and databases."""
    reana: Reana = Reana()
    """REANA, and what it stands on."""


class Toleration(Model):
    """A taint of nodes that pods do not mind, as in Kubernetes."""

    key: str = ""
    """Of the taint; every key when empty, with operator Exists."""
    operator: Literal["Exists", "Equal"] = "Equal"
    """Exists: whatever its value is."""
    value: str = ""
    """Of the taint."""
    effect: Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"] = ""
    """Of the taint; all of them when empty."""


class Sessions(Model):
    """Where people's sessions run, of all tenants."""

    node_selector: dict[str, str] = Field(default_factory=dict)
    """Labels that their nodes have."""
    tolerations: tuple[Toleration, ...] = ()
    """Taints that they do not mind: of nodes kept for sessions, or for accelerators."""
    priority_class: ObjectName | None = None
    """PriorityClass of their pods."""


class Site(Model):
    """The site."""

    images: Images = Images()
    """Images of the services."""
    catalogue: Annotated[
        tuple[Entry, ...],
        Field(max_length=200),
        Unique("name"),
        Rule(
            None,
            "has an entry with prePull",
            "remove it: each tenant would keep a pod of its own on each node. Tenants ask for it in theirs",
            lambda entries: not any(entry.pre_pull for entry in entries),
        ),
    ] = ()
    """Software environments that every tenant offers who inherits them; entries as in spec.catalogue."""
    resolve_tags: bool = True
    """Ask the registries what the tags of catalogues stand for, and offer images by digest. Without it nodes
    start whatever they have by that tag."""
    resolve_seconds: int = Field(default=600, ge=10)
    """How often a registry is asked for each tag, however many tenants offer it."""
    sessions: Sessions = Sessions()
    """Where people's sessions run."""
    image_pull_policy: str = "IfNotPresent"
    """Pull policy of every container."""
    image_pull_secrets: tuple[ObjectName, ...] = ()
    """Names of pull Secrets that the admin puts into each tenant's namespaces."""
    ingress_class: ObjectName = "nginx"
    """IngressClass of tenants that name none."""
    ingress_namespace: ObjectName | None = None
    """Namespace of the ingress controller; traffic to the tenants' front doors is let in from there only.
    From everywhere when absent (a controller on the host network cannot be selected)."""
    gateway_namespace: ObjectName | None = None
    """Namespace of the pods that carry the traffic of Gateways, as ingressNamespace for tenants with a
    gateway."""
    ingress_cidrs: tuple[str, ...] = ()
    """Networks with the addresses at which tenants' hostnames answer, where these are private ones: notebooks
    reach the public internet, and of private networks nothing else."""
    operator_namespace: ObjectName = "vre-system"
    """Namespace of the operator, which the tenants' services let in. The Helm chart fills it in."""
    cluster_domain: str = "cluster.local"
    """DNS domain of the cluster."""
    ca_bundle: str = ""
    """PEM certificates trusted beside the public ones by the operator and by the tenants' services."""
    issuer_cidrs: tuple[str, ...] = ()
    """Networks in which an identity provider, an attached Rucio or a registry may live although they are not
    public."""
    compute_cidrs: tuple[str, ...] = ()
    """Networks in which batch systems of spec.workflows.backends, and KDCs of spec.workflows.kerberos, live
    although they are not public."""
    isolation: Isolation = Isolation()
    """Whether tenants' walls hold, tried from inside."""
    vresite: VRESiteSpec | None = None
    """The spec of a VRESite, for an operator that cannot read one: with the chart's watchNamespaces and without
    cluster rights."""
    resync_seconds: float = Field(default=600, ge=10)
    """How often a settled tenant is looked over again."""
    people_seconds: int = Field(default=300, ge=10)
    """How often the provider is asked who is in a tenant's groups: who leaves keeps an account for so long."""
