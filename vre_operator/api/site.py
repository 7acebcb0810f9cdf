"""What the site's admin sets once for all tenants: a YAML file that the Helm chart renders from its values."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vre_operator.api.base import Model, ObjectName
from vre_operator.api.catalogue import Entry
from vre_operator.api.rules import Rule, Unique


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


def _official(
    version: str, *, kerberos: str, server: str = "", controller: str = "", yadage: str = "", ui: str = ""
) -> ReanaImages:
    """All of one version, but for those that say another."""
    base = "docker.io/reanahub/reana"
    return ReanaImages(
        server=f"{base}-server:{server or version}",
        workflow_controller=f"{base}-workflow-controller:{controller or version}",
        job_controller=f"{base}-job-controller:{version}",
        remote_job_controller=f"{base}-job-controller-htcondorcern-slurmcern:{version}",
        kerberos=f"{base}-auth-krb5:{kerberos}",
        serial=f"{base}-workflow-engine-serial:{version}",
        snakemake=f"{base}-workflow-engine-snakemake:{version}",
        cwl=f"{base}-workflow-engine-cwl:{version}",
        yadage=f"{base}-workflow-engine-yadage:{yadage or version}",
        ui=f"{base}-ui:{ui or version}",
    )


class Reana(Model):
    """REANA's images, by generation."""

    v0_9: ReanaImages = _official("0.9.4", yadage="0.9.5", kerberos="1.0.1")
    """Generation 0.9."""
    v0_95: ReanaImages = _official(
        "0.95.0-alpha.5",
        server="0.95.0-alpha.6",
        controller="0.95.0-alpha.7",
        ui="0.95.0-alpha.4",
        kerberos="1.0.3",
    )
    """Generation 0.95."""
    message_broker: str = "docker.io/library/rabbitmq:3.13"
    """RabbitMQ."""
    cache: str = "docker.io/library/redis:8.6.3"
    """Redis."""


class Images(Model):
    """The container images of the services. Defaults are the official ones."""

    hub: str = "quay.io/jupyterhub/k8s-hub:4.4.0"
    """JupyterHub."""
    proxy: str = "quay.io/jupyterhub/configurable-http-proxy:5.3.0"
    """configurable-http-proxy."""
    notebook: str = "quay.io/jupyterhub/k8s-singleuser-sample:4.4.0"
    """The notebook offered where neither the tenant's catalogue nor the site's has an entry."""
    rucio_server: str = "docker.io/rucio/rucio-server:release-41.0.0"
    """Rucio's server; also runs the schema Job."""
    rucio_daemons: str = "docker.io/rucio/rucio-daemons:release-41.0.0"
    """Rucio's daemons, of the same version as the server."""
    xrootd: str = "docker.io/rucio/test-xrootd:latest"
    """XRootD with its SciTokens plug-in, for storage of the lake's own."""
    transfers: str = "vre-operator:0.1.0"
    """The operator's own image, which has the transfer service in it. The Helm chart fills it in."""
    postgres: str = "docker.io/library/postgres:17"
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
    resync_seconds: float = Field(default=600, ge=10)
    """How often a settled tenant is looked over again."""
    people_seconds: int = Field(default=300, ge=10)
    """How often the provider is asked who is in a tenant's groups: who leaves keeps an account for so long."""
