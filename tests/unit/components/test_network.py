"""The table of docs/network.md: every flow that must work, and those that must not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.components.network import Address, End, Network, Pod
from tests.unit.components.scenarios import QUICKSTART as PLAIN
from tests.unit.components.scenarios import environment, scenario
from vre_operator.components import ids, registry, workloads
from vre_operator.components.context import Environment
from vre_operator.engine.resources import Policy

QUICKSTART, FULL, EXTERNAL = (scenario(name) for name in ("quickstart", "full", "external-database"))


def service(name: str, env: Environment = QUICKSTART) -> Pod:
    return Pod(env.namespace, workloads.selector(env, name), "10.244.0.1")


HUB, PROXY, RUCIO, SCHEMA, DATABASE, SETUP = map(
    service, (ids.HUB, ids.PROXY, ids.RUCIO, ids.RUCIO_SCHEMA, ids.DATABASE, ids.DATABASE_SETUP)
)
SESSION = Pod(QUICKSTART.notebooks, ids.SESSION_LABELS | {"hub.jupyter.org/username": "alice"}, "10.244.0.2")
CHECK = Pod(QUICKSTART.notebooks, workloads.selector(QUICKSTART, "image-check"), "10.244.0.13")
OTHER_SESSION = Pod(QUICKSTART.notebooks, ids.SESSION_LABELS, "10.244.0.3")
STRAY = Pod(QUICKSTART.namespace, {"app": "stray"}, "10.244.0.4")
FOREIGN_SESSION = Pod("lake-notebooks", ids.SESSION_LABELS, "10.244.0.5")
FOREIGN_HUB = Pod("lake", {workloads.NAME_LABEL: "hub", workloads.INSTANCE_LABEL: "lake"}, "10.244.0.6")
DNS = Pod("kube-system", {"k8s-app": "kube-dns"}, "10.244.0.8")
LOCAL_DNS = Address("169.254.20.10")
DATA_PLANE = Pod("envoy-gateway-system", {"app": "envoy"}, "10.244.0.15")
CONTROLLER = Pod("ingress-nginx", {"app": "ingress"}, "10.244.0.9")
WORKFLOW = Pod(QUICKSTART.tenant.workflows_namespace, {}, "10.244.0.10")
API_SERVER = Address("192.168.1.10")  # a node: what is behind the Service `kubernetes`
BROWSER = Address("203.0.113.9")
ISSUER = Address("198.51.100.5")
IN_CLUSTER_ISSUER = Pod("keycloak", {"app": "keycloak"}, "10.244.0.11")
METADATA, METADATA_V6 = Address("169.254.169.254"), Address("fd00:ec2::254")
OFFICE = Address("10.1.2.3")
PUBLIC, PUBLIC_V6 = Address("93.184.216.34"), Address("2a00:1450:4001::1")

PAGE = service(ids.PAGE)
RULES, DELETION = map(service, ids.rucio_daemons(QUICKSTART))
# Of the tenant with everything.
STORAGE, TRANSFERS, CONVEYOR = (
    service(name, FULL) for name in (ids.storage("OCEAN-LAKE"), ids.TRANSFERS, "rucio-transfers")
)
PROBE, HISTORY, SPAWNS = (service(name, FULL) for name in (ids.RUCIO_PROBE, ids.RUCIO_HISTORY, ids.SPAWN_PROBE))
ATTACHED = scenario("attached")
INGRESS_VIP = Address("10.9.8.7")
OPERATOR = Pod("vre-system", {workloads.NAME_LABEL: "vre-operator"}, "10.244.0.14")

TENANT = {
    "hub": HUB,
    "proxy": PROXY,
    "page": PAGE,
    "rucio": RUCIO,
    "rucio-schema": SCHEMA,
    "rucio-rules": RULES,
    "rucio-deletion": DELETION,
    "database-setup": SETUP,
    "session": SESSION,
    "image-check": CHECK,
    "workflow": WORKFLOW,
}

NEEDED: list[tuple[str, End, End, int]] = [
    ("people reach the proxy through an ingress controller anywhere", CONTROLLER, PROXY, 8000),
    ("also one on the host's network", BROWSER, PROXY, 8000),
    ("people reach the landing page", CONTROLLER, PAGE, 8080),
    ("the landing page asks how the hub is, as people ask", PAGE, PROXY, 8000),
    ("the landing page asks how rucio is", PAGE, RUCIO, 80),
    ("the proxy hands requests to the hub", PROXY, HUB, 8081),
    ("the proxy hands requests to notebooks", PROXY, SESSION, 8888),
    ("the hub tells the proxy its routes", HUB, PROXY, 8001),
    ("the hub looks after notebooks", HUB, SESSION, 8888),
    ("notebooks report to the hub", SESSION, HUB, 8081),
    ("the hub makes pods", HUB, API_SERVER, 6443),
    ("the hub makes pods, elsewhere", HUB, API_SERVER, 443),
    ("the hub finishes a login", HUB, ISSUER, 443),
    ("the hub finishes a login at a provider in the cluster", HUB, IN_CLUSTER_ISSUER, 443),
    ("the hub keeps its state", HUB, DATABASE, 5432),
    ("rucio keeps its catalogue", RUCIO, DATABASE, 5432),
    ("rules are made true", RULES, DATABASE, 5432),
    ("files are found that nobody needs", DELETION, DATABASE, 5432),
    ("files are deleted at a grid site", DELETION, PUBLIC, 1094),
    ("files are deleted at storage in the site's own networks", DELETION, OFFICE, 443),
    ("the operator keeps what is declared in rucio", OPERATOR, RUCIO, 80),
    ("rucio's schema is made", SCHEMA, DATABASE, 5432),
    ("roles are made", SETUP, DATABASE, 5432),
    ("notebooks use the data lake", SESSION, RUCIO, 80),
    ("notebooks fetch packages", SESSION, PUBLIC, 443),
    ("notebooks fetch packages by IPv6", SESSION, PUBLIC_V6, 443),
    ("notebooks move data on any port", SESSION, PUBLIC, 1094),
]

REFUSED: list[tuple[str, End, End, int]] = [
    ("a notebook and another's", SESSION, OTHER_SESSION, 8888),
    ("a notebook and another tenant's notebook", SESSION, FOREIGN_SESSION, 8888),
    ("another tenant's notebook and ours", FOREIGN_SESSION, SESSION, 8888),
    ("another tenant's hub and our notebooks", FOREIGN_HUB, SESSION, 8888),
    ("another tenant's notebook and our hub", FOREIGN_SESSION, HUB, 8081),
    ("another tenant's notebook and our data lake", FOREIGN_SESSION, RUCIO, 80),
    ("the check of an image and the world", CHECK, PUBLIC, 443),
    ("the check of an image and the hub", CHECK, HUB, 8081),
    ("the landing page and the hub itself", PAGE, HUB, 8081),
    ("the landing page and the proxy's API", PAGE, PROXY, 8001),
    ("the landing page and the database", PAGE, DATABASE, 5432),
    ("the landing page and the world", PAGE, PUBLIC, 443),
    ("the landing page and the API server", PAGE, API_SERVER, 6443),
    ("a notebook and the landing page's server", SESSION, PAGE, 8001),
    ("a notebook and the database", SESSION, DATABASE, 5432),
    ("a notebook and the proxy's API", SESSION, PROXY, 8001),
    ("a notebook and the API server", SESSION, API_SERVER, 6443),
    ("a notebook and the site's own networks", SESSION, OFFICE, 443),
    ("a notebook and the node's agent", SESSION, API_SERVER, 10250),
    ("daemons that only count and the world", RULES, PUBLIC, 443),
    ("daemons that delete and a node's credentials", DELETION, METADATA, 443),
    ("a notebook and the daemons", SESSION, RULES, 8080),
    ("the operator and the database", OPERATOR, DATABASE, 5432),
    ("a stray pod beside the services and the database", STRAY, DATABASE, 5432),
    ("a stray pod beside the services and the world", STRAY, PUBLIC, 443),
    ("the world and the hub", BROWSER, HUB, 8081),
    ("the world and the proxy's API", BROWSER, PROXY, 8001),
    ("the world and the database", BROWSER, DATABASE, 5432),
    ("the world and a notebook", BROWSER, SESSION, 8888),
    ("the world and a data lake without a hostname", BROWSER, RUCIO, 80),
    ("the proxy and the database", PROXY, DATABASE, 5432),
    ("the proxy and the world", PROXY, PUBLIC, 443),
    ("the database and the world", DATABASE, PUBLIC, 443),
    ("the database and the hub", DATABASE, HUB, 8081),
    ("a workflow and the world", WORKFLOW, PUBLIC, 443),
    ("the hub and plain HTTP elsewhere", HUB, PUBLIC, 80),
]


def network(env: Environment) -> Network:
    return Network.of(registry.render(env))


@pytest.mark.parametrize(
    ("source", "target", "port"), [each[1:] for each in NEEDED], ids=[n[0] for n in NEEDED]
)
def test_this_works(source: End, target: End, port: int) -> None:
    assert network(QUICKSTART).allowed(source, target, port)


@pytest.mark.attack("compromised notebook or service", "a path by network, as the policies say")
@pytest.mark.parametrize(
    ("source", "target", "port"), [each[1:] for each in REFUSED], ids=[n[0] for n in REFUSED]
)
def test_this_does_not(source: End, target: End, port: int) -> None:
    assert not network(QUICKSTART).possible(source, target, port)


@pytest.mark.parametrize("name", TENANT)
@pytest.mark.parametrize("server", [DNS, LOCAL_DNS], ids=["cluster", "node-local"])
def test_everybody_resolves_names_and_nothing_else_there(name: str, server: End) -> None:
    net = network(QUICKSTART)
    assert net.allowed(TENANT[name], server, 53, "UDP")
    assert net.allowed(TENANT[name], server, 53, "TCP")
    assert not net.possible(TENANT[name], server, 22)


@pytest.mark.attack("compromised notebook or service", "a path by network, as the policies say")
@pytest.mark.parametrize("name", TENANT)
@pytest.mark.parametrize("env", [QUICKSTART, FULL, EXTERNAL], ids=["quickstart", "full", "external"])
def test_nobody_gets_at_a_nodes_credentials(name: str, env: Environment) -> None:
    net = network(env)
    for port in (80, 8080, 5432):
        assert not net.possible(TENANT[name], METADATA, port)
        assert not net.possible(TENANT[name], METADATA_V6, port)


def test_a_site_that_knows_its_ingress_controller_lets_in_nobody_else() -> None:
    net = network(FULL)
    for target, port in ((PROXY, 8000), (RUCIO, 80)):
        assert net.allowed(CONTROLLER, target, port)
        assert not net.possible(BROWSER, target, port)
        assert not net.possible(FOREIGN_HUB, target, port)


def test_the_pods_of_gateways_are_let_in_as_an_ingress_controller_is() -> None:
    env = scenario("gateway")
    net = network(env)
    for target, port in ((PROXY, 8000), (RUCIO, 80), (PAGE, 8080)):
        for door in (DATA_PLANE, CONTROLLER):
            assert net.allowed(door, target, port), "and who moves from one to the other is not cut off"
        assert not net.possible(BROWSER, target, port)
        assert not net.possible(FOREIGN_HUB, target, port)
    assert net.allowed(HUB, DATA_PLANE, 8443), "a provider may be behind it"
    assert not net.possible(PROXY, DATA_PLANE, 8443)


@pytest.mark.parametrize("known", ["ingressNamespace", "gatewayNamespace"])
@pytest.mark.parametrize("exposure", [{}, {"gateway": {"name": "public", "namespace": "infra"}}])
def test_who_carries_a_tenants_requests_is_let_in_wherever_it_is(exposure: dict[str, Any], known: str) -> None:
    """A site that names one of the two does not close out the other."""
    net = network(environment(PLAIN | {"exposure": exposure}, {known: "ingress-nginx"}))
    named = "gatewayNamespace" if exposure else "ingressNamespace"
    assert net.allowed(CONTROLLER, PROXY, 8000)
    assert net.possible(BROWSER, PROXY, 8000) is (named != known)


def test_a_provider_behind_the_sites_ingress_controller_is_reached_on_the_controllers_own_port() -> None:
    assert network(FULL).allowed(HUB, CONTROLLER, 8443)


def test_a_database_elsewhere_is_reached_by_those_who_need_it_alone() -> None:
    net = network(EXTERNAL)
    for consumer in (HUB, RUCIO, SCHEMA, SETUP):
        assert net.allowed(consumer, OFFICE, 25060)
        assert net.allowed(consumer, Pod("databases", {}, "10.244.0.12"), 5432)
    for other in (PROXY, SESSION, STRAY, WORKFLOW):
        assert not net.possible(other, OFFICE, 5432)


def test_an_fts_elsewhere_is_reached_by_those_who_need_it_alone() -> None:
    env = scenario("foreign-fts")
    net = network(env)
    for consumer in (RUCIO, service("rucio-transfers", env)):
        assert net.allowed(consumer, OFFICE, 8446)
    for other in (PROXY, SESSION, STRAY, service("rucio-rules", env)):
        assert not net.possible(other, OFFICE, 8446)
    assert not network(QUICKSTART).possible(RUCIO, OFFICE, 8446)


def test_the_policies_of_a_pod_stand_before_it_starts() -> None:
    """A hub that cannot reach a running notebook at its start ends it."""
    resources = {resource.id: resource for resource in registry.render(FULL)}
    policies = [each for each in resources.values() if each.id.kind.endswith("/NetworkPolicy")]
    for resource in resources.values():
        spec = resource.body.get("spec", {})
        template = spec.get("template") or spec.get("jobTemplate", {}).get("spec", {}).get("template")
        if not template:
            continue
        assert resource.policy is Policy.DELETE
        own = {
            policy.id
            for policy in policies
            if policy.id.namespace == resource.id.namespace
            and (selected := policy.body["spec"]["podSelector"].get("matchLabels"))
            and selected.items() <= template["metadata"]["labels"].items()
        }
        # These speak to nobody.
        silent = template["metadata"]["labels"][workloads.NAME_LABEL].startswith(
            ("image-check", "image-puller")
        )
        assert own or silent, resource.id
        assert own <= resource.needs, resource.id


LAKE_NEEDED: list[tuple[str, End, End, int]] = [
    ("storage answers at its hostname", CONTROLLER, STORAGE, ids.STORAGE_PORT),
    ("storage fetches from storage of this tenant", STORAGE, INGRESS_VIP, 443),
    ("storage fetches from storage elsewhere", STORAGE, PUBLIC, 1094),
    ("storage checks tokens", STORAGE, ISSUER, 443),
    ("Rucio checks tokens", RUCIO, ISSUER, 443),
    ("the daemon that deletes gets tokens", DELETION, IN_CLUSTER_ISSUER, 443),
    ("the daemons that have files copied get tokens", CONVEYOR, ISSUER, 443),
    ("they tell the transfer service", CONVEYOR, TRANSFERS, ids.TRANSFERS_PORT),
    ("it speaks to storage", TRANSFERS, PUBLIC, 443),
    ("notebooks reach storage at a private address", SESSION, INGRESS_VIP, 443),
    ("a probe makes its rules", PROBE, DATABASE, 5432),
    ("a probe writes to storage", PROBE, INGRESS_VIP, 443),
    ("a probe gets tokens", PROBE, ISSUER, 443),
    ("history is deleted", HISTORY, DATABASE, 5432),
    ("the probe of sessions asks the hub for one", SPAWNS, HUB, 8081),
    ("it asks the session by the proxy", SPAWNS, PROXY, 8000),
]
LAKE_REFUSED: list[tuple[str, End, End, int]] = [
    ("a notebook and storage, past the front door", SESSION, STORAGE, ids.STORAGE_PORT),
    ("a notebook and the transfer service", SESSION, TRANSFERS, ids.TRANSFERS_PORT),
    ("a notebook and other private addresses", SESSION, OFFICE, 443),
    ("a notebook and other ports of the front door", SESSION, INGRESS_VIP, 22),
    ("another tenant and the transfer service", FOREIGN_HUB, TRANSFERS, ids.TRANSFERS_PORT),
    ("the world and the transfer service", BROWSER, TRANSFERS, ids.TRANSFERS_PORT),
    ("the server and the transfer service", RUCIO, TRANSFERS, ids.TRANSFERS_PORT),
    ("storage and a node's credentials", STORAGE, METADATA, 443),
    ("the transfer service and a node's credentials", TRANSFERS, METADATA_V6, 443),
    ("storage and the database", STORAGE, DATABASE, 5432),
    ("a probe and a node's credentials", PROBE, METADATA, 443),
    ("what deletes history and the world", HISTORY, PUBLIC, 443),
    ("the probe of sessions and sessions past the proxy", SPAWNS, SESSION, 8888),
    ("the probe of sessions and the proxy's orders", SPAWNS, PROXY, 8001),
    ("the probe of sessions and the world", SPAWNS, PUBLIC, 443),
]


@pytest.mark.parametrize(
    ("source", "target", "port"), [each[1:] for each in LAKE_NEEDED], ids=[n[0] for n in LAKE_NEEDED]
)
def test_this_works_in_a_lake_with_storage(source: End, target: End, port: int) -> None:
    assert network(FULL).allowed(source, target, port)


@pytest.mark.attack("compromised notebook or service", "a path by network, as the policies say")
@pytest.mark.parametrize(
    ("source", "target", "port"), [each[1:] for each in LAKE_REFUSED], ids=[n[0] for n in LAKE_REFUSED]
)
def test_this_does_not_in_a_lake_with_storage(source: End, target: End, port: int) -> None:
    assert not network(FULL).possible(source, target, port)


def test_an_attached_rucio_is_reached_from_notebooks_and_nothing_else_is_opened() -> None:
    net = network(ATTACHED)
    assert net.allowed(SESSION, PUBLIC, 443)
    assert net.allowed(SESSION, INGRESS_VIP, 443)
    assert not net.possible(SESSION, OFFICE, 443)
    assert not net.possible(SESSION, RUCIO, 80)
    assert not net.possible(RUCIO, DATABASE, 5432)
