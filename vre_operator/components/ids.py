"""The seams between components: ids that one makes and another refers to. No component imports another."""

from __future__ import annotations

from vre_operator.api.catalogue import Entry
from vre_operator.api.data_lake import DaemonGroup
from vre_operator.api.shares import Cvmfs
from vre_operator.api.site import ReanaImages
from vre_operator.api.v1alpha1 import EmbeddedDatabase, ProviderKind
from vre_operator.api.workflows import Generation
from vre_operator.components.context import Environment, kube, oidc, registry
from vre_operator.engine.refs import digest
from vre_operator.engine.resources import ResourceId

# Workloads: the names of controllers, of the label app.kubernetes.io/name of their pods, and of Services.
HUB = "hub"
SPAWN_PROBE = "spawn-probe"
PROXY = "proxy"
PAGE = "page"
RUCIO = "rucio"
RUCIO_SCHEMA = "rucio-schema"
RUCIO_PROBE = "rucio-probe"
RUCIO_HISTORY = "rucio-history"
TRANSFERS = "transfers"
REANA = "reana"
REANA_SERVER = "reana-server"
REANA_CONTROLLER = "reana-workflow-controller"
REANA_BROKER = "reana-message-broker"
REANA_CACHE = "reana-cache"
REANA_DATABASE = "reana-database"
REANA_CARE = "reana-care"
REANA_CLOSING = "reana-closing"
REANA_PROBE = "reana-probe"
REANA_BACKENDS = "reana-backends"
REANA_UI = "reana-ui"
DATABASE = "database"
DATABASE_SETUP = "database-setup"

DATABASE_PORT = 5432
STORAGE_PORT = 8000
TOKENS_PORT = 8082
TRANSFERS_PORT = 8446
PAGE_PORT = 8080
REANA_UI_PORT = 8080
REANA_PORT = 5000
KERBEROS_PORT = 88
REANA_PEOPLE_PORT = 8081
REANA_REALM = f"http://localhost:{REANA_PEOPLE_PORT}/realm"

# How KubeSpawner marks the pods that it makes.
SESSION_LABELS = {"component": "singleuser-server"}

# How REANA marks the pods of a workflow's engine, and those of its steps (any value).
RUN_LABELS = {"reana_workflow_mode": "batch"}
STEP_LABEL = "reana-run-job-workflow-uuid"
WORKSPACE_SESSION_LABELS = {"reana_workflow_mode": "session"}


def page_wanted(env: Environment) -> bool:
    """Whether there is a landing page: where somebody wants one, and it has something to lead to."""
    spec = env.spec
    return spec.page.enabled and (spec.notebooks.enabled or spec.data_lake.enabled or spec.workflows.enabled)


def page_service(env: Environment) -> ResourceId:
    """Service, port 80: the landing page, at / and below /page/."""
    return kube("v1/Service", env.namespace, PAGE)


def spawn_probe_wanted(env: Environment) -> bool:
    """Whether sessions are tried on a schedule."""
    return env.spec.notebooks.enabled and env.spec.notebooks.probe.enabled


def hub_ready(env: Environment) -> ResourceId:
    """The Deployment of the hub."""
    return kube("apps/v1/Deployment", env.namespace, HUB)


def hub_secrets(env: Environment) -> ResourceId:
    """What the hub and its helpers know each other by. Outputs: HELPER-token, and the hub's own."""
    return kube("v1/Secret", env.namespace, "hub-secrets")


def own_lake(env: Environment) -> bool:
    """Whether the tenant has a Rucio of its own; otherwise none, or an attached one."""
    return env.spec.data_lake.enabled and env.spec.data_lake.attach is None


def rucio_pods(env: Environment) -> tuple[str, ...]:
    """The workloads that speak to Rucio's database."""
    if not own_lake(env):
        return ()
    return (RUCIO, RUCIO_SCHEMA, RUCIO_PROBE, RUCIO_HISTORY, *rucio_daemons(env))


def rucio_daemons(env: Environment) -> tuple[str, ...]:
    """The workloads of Rucio's daemons."""
    groups = env.spec.data_lake.daemons.groups
    return tuple(rucio_daemon(group) for group in groups) if own_lake(env) else ()


def rucio_daemon(group: DaemonGroup) -> str:
    """The workload of a group of daemons."""
    return f"{RUCIO}-{group.value.lower()}"


def storage(name: str) -> str:
    """The workload, Service and volume of a storage of the lake's own, by the name of its RSE."""
    return f"storage-{name.lower()}"


def storage_path(env: Environment, name: str) -> str:
    """Where it keeps its files. Part of the name of a scope, so it tells tenants of one realm apart."""
    return f"/{env.namespace}/{name.lower()}/"


def storage_service(env: Environment, name: str) -> ResourceId:
    """Service, port 80: a storage, for the front door alone."""
    return kube("v1/Service", env.namespace, storage(name))


def rucio_logs_people_in(env: Environment) -> bool:
    """Whether Rucio is known to the identity provider: where somebody logs in to it, or has a token for it."""
    lake = env.spec.data_lake
    by_hand = env.spec.identity.provider is ProviderKind.MANUAL
    wanted = bool(lake.hostname or lake.storage or lake.people.enabled)
    return own_lake(env) and wanted and (not by_hand or lake.client_secret is not None)


def rucio_audience(env: Environment) -> str:
    """For whom a token must be that this Rucio takes: no other tenant's will do, of the same realm or not."""
    return f"rucio.{env.spec.hostname}"


def rucio_scope(env: Environment) -> str:
    """The scope that gives a person's token the audiences of this Rucio and of its storages."""
    return f"rucio.{env.namespace}"


def own_transfers(env: Environment) -> bool:
    """Whether the transfer service of the operator's own is wanted."""
    lake = env.spec.data_lake
    return own_lake(env) and DaemonGroup.TRANSFERS in lake.daemons.groups and lake.transfers.fts is None


def named_fts(env: Environment) -> str:
    """The FTS that the tenant names; "" where there is none."""
    lake = env.spec.data_lake
    wanted = own_lake(env) and DaemonGroup.TRANSFERS in lake.daemons.groups
    return (lake.transfers.fts or "") if wanted else ""


def entries(env: Environment) -> list[tuple[Entry, str]]:
    """What is in the catalogue, each with the field that it is from: the tenant's, the site's that it inherits,
    or else the site's default."""
    wish = env.spec.catalogue
    found = [(entry, f"spec.catalogue.entries[{index}]") for index, entry in enumerate(wish.entries)]
    own = {entry.name for entry in wish.entries}
    inherited = [
        (entry, "spec.catalogue.inherit")
        for entry in (env.site.catalogue if wish.inherit else ())
        if entry.name not in own and (not wish.only or entry.name in wish.only)
    ]
    default = Entry(name="default", image=env.site.images.notebook, display_name="JupyterLab")
    return [*found, *inherited] or [(default, "spec.catalogue")]


def offers(env: Environment) -> ResourceId:
    """Which image each entry starts. Output pinned: a JSON map of names to references. Only where tags are
    resolved."""
    return registry("Offers", "catalogue")


def pull_secrets(env: Environment) -> tuple[str, ...]:
    """The pull Secrets of the sessions' namespace: the site's, and copies of the tenant's."""
    return (*env.site.image_pull_secrets, *(pull_secret(one.name) for one in env.spec.catalogue.pull_secrets))


def pull_secret(name: str) -> str:
    """The copy of the tenant's, whose own name may be longer than what the operator gives."""
    return f"catalogue-{digest(name)[:8]}"


def homes(env: Environment) -> ResourceId | None:
    """The claim of the volume in which all homes are; None where each has its own."""
    wish = env.spec.storage.homes
    if not wish.in_one_volume:
        return None
    return kube("v1/PersistentVolumeClaim", env.notebooks, wish.claim.name if wish.claim else "homes")


def tenant_namespace(env: Environment) -> ResourceId:
    return kube("v1/Namespace", "", env.namespace)


def notebooks_namespace(env: Environment) -> ResourceId:
    return kube("v1/Namespace", "", env.notebooks)


def workflows_namespace(env: Environment) -> ResourceId:
    return kube("v1/Namespace", "", env.tenant.workflows_namespace)


def default_deny(env: Environment, namespace: str) -> ResourceId:
    """The NetworkPolicy that closes a namespace: whatever runs there needs it first."""
    return network_policy(env, namespace, "default-deny")


def network_policy(env: Environment, namespace: str, name: str) -> ResourceId:
    return kube("networking.k8s.io/v1/NetworkPolicy", namespace, name)


def sessions(env: Environment) -> ResourceId:
    """The user pods, which KubeSpawner owns: ended on suspension and deletion. With notebooks enabled only."""
    return kube("vre.science/Sessions", env.notebooks, "sessions")


def runs(env: Environment) -> ResourceId:
    """What workflows have started, which REANA owns: ended on suspension and deletion. With workflows only."""
    return kube("vre.science/Runs", env.workflows, "runs")


def proxy_service(env: Environment) -> ResourceId:
    """Service, port 80: where people's browsers enter the hub and their notebooks."""
    return kube("v1/Service", env.namespace, "proxy-public")


def rucio_server(env: Environment) -> ResourceId:
    """The Deployment of Rucio's REST API."""
    return kube("apps/v1/Deployment", env.namespace, RUCIO)


def rucio_service(env: Environment) -> ResourceId:
    """Service, port 80: Rucio's REST API."""
    return kube("v1/Service", env.namespace, RUCIO)


def reana_pods(env: Environment) -> tuple[str, ...]:
    """The workloads that speak to REANA's database; engines of workflows do, too."""
    if not env.spec.workflows.enabled:
        return ()
    return (REANA_DATABASE, REANA_SERVER, REANA_CONTROLLER, REANA_CARE, REANA_CLOSING)


def reana_images(env: Environment) -> ReanaImages:
    """Of the generation that is wanted."""
    reana = env.site.images.reana
    return reana.v0_95 if env.spec.workflows.generation is Generation.V0_95 else reana.v0_9


def workflow_cvmfs(env: Environment) -> Cvmfs | None:
    """CVMFS for jobs of workflows: what everybody's sessions have of it."""
    shares = env.spec.storage.shares
    return next((share.cvmfs for share in shares if share.cvmfs and not share.allowed_groups), None)


def reana_pages(env: Environment) -> ResourceId | None:
    """Service, port 80: REANA's own pages; None where the site has no image of them."""
    return kube("v1/Service", env.workflows, REANA_UI) if reana_images(env).ui else None


def reana_service(env: Environment) -> ResourceId:
    """Service, port 80: REANA's REST API; port 8081: its people, for hub and operator."""
    return kube("v1/Service", env.workflows, REANA_SERVER)


def reana_server(env: Environment) -> ResourceId:
    """The Deployment of REANA's REST API, with its people beside it."""
    return kube("apps/v1/Deployment", env.workflows, REANA_SERVER)


def reana_people(env: Environment) -> str:
    """The URL at which REANA's people are asked for."""
    return f"http://{env.service_host(REANA_SERVER, env.workflows)}:{REANA_PEOPLE_PORT}"


def reana_credentials(env: Environment) -> ResourceId:
    """Who may ask for REANA's people. Outputs: hub, operator, probe; jobs, by which the hub knows a job."""
    return kube("v1/Secret", env.namespace, "reana-people")


def reana_logs_people_in(env: Environment) -> bool:
    """Whether REANA is known to the identity provider: people log in to its own pages with it."""
    by_hand = env.spec.identity.provider is ProviderKind.MANUAL
    return env.spec.workflows.enabled and (not by_hand or env.spec.workflows.client_secret is not None)


def by_keycloak(env: Environment) -> bool:
    """Whether the provider is known to be one."""
    return env.spec.identity.provider in (ProviderKind.KEYCLOAK_ADMIN, ProviderKind.KEYCLOAK_DCR)


def ingress_class(env: Environment) -> ResourceId:
    """The IngressClass of the tenant's hostnames."""
    named = env.spec.exposure.ingress_class
    return kube("networking.k8s.io/v1/IngressClass", "", named or env.site.ingress_class)


def storage_class(name: str) -> ResourceId:
    """A StorageClass that the spec names."""
    return kube("storage.k8s.io/v1/StorageClass", "", name)


def database_roles(env: Environment) -> tuple[str, ...]:
    """The services with a role and a database of their own."""
    wanted = (
        (HUB, env.spec.notebooks.enabled),
        (RUCIO, own_lake(env)),
        (REANA, env.spec.workflows.enabled),
    )
    return tuple(role for role, enabled in wanted if enabled)


def embedded_database(env: Environment) -> EmbeddedDatabase | None:
    """The tenant's own server, when there is anybody to serve and no external one."""
    wanted = database_roles(env) and env.spec.database.external is None
    return env.spec.database.embedded if wanted else None


def database_credentials(env: Environment, role: str) -> ResourceId:
    """Secret of a service's own role and database. Outputs: host, port, database, username, password."""
    return kube("v1/Secret", env.namespace, f"database-{role}")


def database_ready(env: Environment, role: str) -> ResourceId:
    """Ready once that role and its database exist: the Deployment-independent gate for consumers."""
    from vre_operator.components.naming import database_job_name

    return kube("batch/v1/Job", env.namespace, database_job_name(env, role))


def issuer(env: Environment) -> ResourceId:
    """The provider's discovery document. Outputs: issuer, authorization_endpoint, token_endpoint,
    userinfo_endpoint, jwks_uri, end_session_endpoint ("" where the provider has none)."""
    return oidc("Issuer", "issuer")


def client(env: Environment, role: str) -> ResourceId:
    """A login client at the provider. Outputs: client_id, client_secret. Roles: hub, rucio, reana."""
    return oidc("Client", role)


def people(env: Environment) -> ResourceId:
    """Who may come in, as the provider knows them. Outputs: people, storage, problems."""
    return oidc("People", "people")


def people_wanted(env: Environment) -> bool:
    """Whether accounts follow the provider."""
    return rucio_logs_people_in(env) and env.spec.data_lake.people.enabled


def people_known(env: Environment) -> bool:
    """Whether the provider is asked who may come in."""
    told = env.spec.identity.provider is ProviderKind.KEYCLOAK_ADMIN or env.spec.data_lake.people.enabled
    return people_wanted(env) or (env.spec.workflows.enabled and told)


def tokens_wanted(env: Environment) -> bool:
    """Whether sessions hold a token of their person, for Rucio and the storages: only Keycloak can be told by
    us for whom it is to be."""
    told = env.spec.identity.provider is ProviderKind.KEYCLOAK_ADMIN
    return env.spec.notebooks.enabled and people_wanted(env) and told


def reana_in_sessions(env: Environment) -> bool:
    """Whether sessions hold a token of their person for REANA."""
    return env.spec.notebooks.enabled and env.spec.workflows.enabled


def lake_in_jobs(env: Environment) -> bool:
    """Whether jobs of workflows can be their person at the data lake."""
    workflows = env.spec.workflows
    return workflows.enabled and workflows.data_lake and tokens_wanted(env)


def tokens_served(env: Environment) -> bool:
    """Whether sessions ask the hub for something that is their person's."""
    return tokens_wanted(env) or reana_in_sessions(env)


def notebooks_scope(env: Environment) -> str:
    """As `rucio_scope`, for the login to the hub."""
    return f"notebooks.{env.namespace}"


# What keeps a session's token fresh beside it: CPU and memory, (request, limit).
TOKENS_CPU, TOKENS_MEMORY = (0.01, 0.2), ("32Mi", "96Mi")


def ca_bundle(env: Environment, namespace: str) -> ResourceId:
    """ConfigMap with key ca.crt: the site's extra CAs. Exists only when site.ca_bundle is set."""
    return kube("v1/ConfigMap", namespace, "ca-bundle")
