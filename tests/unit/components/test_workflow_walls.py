"""The flows of a tenant with workflows: every one that must work, and those that must not."""

from __future__ import annotations

import pytest

from tests.unit.components.network import Address, End, Network, Pod
from tests.unit.components.scenarios import FULL, FULL_SITE, environment, scenario
from vre_operator.components import ids, registry, workloads

ENV = scenario("full")
NET = Network.of(registry.render(ENV))


def service(name: str, namespace: str = ENV.namespace) -> Pod:
    return Pod(namespace, workloads.selector(ENV, name), "10.244.1.1")


def of_reana(name: str) -> Pod:
    return service(name, ENV.workflows)


SERVER, CONTROLLER, BROKER, CACHE = map(
    of_reana, (ids.REANA_SERVER, ids.REANA_CONTROLLER, ids.REANA_BROKER, ids.REANA_CACHE)
)
SCHEMA, CARE, CLOSING = map(of_reana, (ids.REANA_DATABASE, ids.REANA_CARE, ids.REANA_CLOSING))
PROBE, LOOK, PAGES = map(of_reana, (ids.REANA_PROBE, ids.REANA_BACKENDS, ids.REANA_UI))
HUB, DATABASE, RUCIO, PAGE = map(service, (ids.HUB, ids.DATABASE, ids.RUCIO, ids.PAGE))
NOTEBOOK = Pod(ENV.notebooks, ids.SESSION_LABELS, "10.244.1.2")
ENGINE = Pod(ENV.workflows, {"reana_workflow_mode": "batch", "user-uuid": "1"}, "10.244.1.3")
JOB = Pod(ENV.workflows, {"reana-run-job-workflow-uuid": "2", "user-uuid": "1"}, "10.244.1.4")
SESSION = Pod(ENV.workflows, {"reana_workflow_mode": "session", "app": "reana-run-session-1"}, "10.244.1.5")
STRAY = Pod(ENV.workflows, {"app": "stray"}, "10.244.1.6")
INGRESS = Pod("ingress-nginx", {"app": "ingress"}, "10.244.1.7")
OPERATOR = Pod("vre-system", {workloads.NAME_LABEL: "vre-operator"}, "10.244.1.8")
FOREIGN_ENGINE = Pod("lake-workflows", {"reana_workflow_mode": "batch"}, "10.244.1.9")
FOREIGN_JOB = Pod("lake-workflows", {"reana-run-job-workflow-uuid": "3"}, "10.244.1.10")
FOREIGN_SERVER = Pod("lake-workflows", {workloads.NAME_LABEL: ids.REANA_SERVER}, "10.244.1.11")
API_SERVER, PUBLIC, ISSUER = Address("192.168.1.10"), Address("93.184.216.34"), Address("198.51.100.5")
OFFICE, METADATA, FRONT_DOOR = Address("10.1.2.3"), Address("169.254.169.254"), Address("10.9.8.7")
LOGIN_NODE = Address("10.20.1.2")
KDC, KERBEROS = Address("10.20.1.3"), 88

NEEDED: list[tuple[str, End, End, int]] = [
    ("clients reach the server through the front door", INGRESS, SERVER, 5000),
    ("the hub asks for a person's token", HUB, SERVER, ids.REANA_PEOPLE_PORT),
    ("the operator keeps people", OPERATOR, SERVER, ids.REANA_PEOPLE_PORT),
    ("notebooks reach REANA at its hostname", NOTEBOOK, FRONT_DOOR, 443),
    ("the server has workflows started", SERVER, CONTROLLER, 5000),
    ("the server keeps what it knows", SERVER, DATABASE, 5432),
    ("the server queues", SERVER, BROKER, 5672),
    ("the server keeps sessions of its pages", SERVER, CACHE, 6379),
    ("the server keeps people's own Secrets", SERVER, API_SERVER, 6443),
    ("the server finishes a login", SERVER, ISSUER, 443),
    ("the controller starts engines", CONTROLLER, API_SERVER, 6443),
    ("the controller hears of jobs", CONTROLLER, BROKER, 5672),
    ("the controller keeps what it hears", CONTROLLER, DATABASE, 5432),
    ("tables are made", SCHEMA, DATABASE, 5432),
    ("use is counted", CARE, DATABASE, 5432),
    ("sessions that nobody uses are found", CLOSING, API_SERVER, 6443),
    ("sessions that nobody uses are closed", CLOSING, CONTROLLER, 5000),
    ("sessions are asked whether anybody uses them", CLOSING, SESSION, 8888),
    ("a probe asks for its token", PROBE, SERVER, ids.REANA_PEOPLE_PORT),
    ("a probe has its workflow run", PROBE, SERVER, 5000),
    ("people open REANA's pages", INGRESS, PAGES, 8080),
    ("the landing page asks how REANA is", PAGE, SERVER, 5000),
    ("an engine's jobs go to a batch system", ENGINE, LOGIN_NODE, 22),
    ("a batch system is looked at", LOOK, LOGIN_NODE, 22),
    ("a batch system elsewhere is looked at", LOOK, PUBLIC, 22),
    ("a job asks for a ticket", JOB, KDC, KERBEROS),
    ("a job asks a public KDC for a ticket", JOB, PUBLIC, KERBEROS),
    ("an engine asks for a ticket", ENGINE, KDC, KERBEROS),
    ("an engine starts jobs", ENGINE, API_SERVER, 6443),
    ("an engine tells how far it is", ENGINE, BROKER, 5672),
    ("the part beside an engine keeps its jobs", ENGINE, DATABASE, 5432),
    ("an engine fetches what a workflow names", ENGINE, PUBLIC, 443),
    ("a job reads data elsewhere", JOB, PUBLIC, 1094),
    ("a job asks for its person's token", JOB, HUB, ids.TOKENS_PORT),
    ("a job asks Rucio where data is", JOB, RUCIO, 80),
    ("a job reads data of the tenant's own storage", JOB, FRONT_DOOR, 443),
    ("a session is opened", INGRESS, SESSION, 8888),
    ("a session fetches packages", SESSION, PUBLIC, 443),
]

REFUSED: list[tuple[str, End, End, int]] = [
    ("a job and the controller, which believes everybody", JOB, CONTROLLER, 5000),
    ("an engine and the controller", ENGINE, CONTROLLER, 5000),
    ("a notebook and the controller", NOTEBOOK, CONTROLLER, 5000),
    ("a session and the controller", SESSION, CONTROLLER, 5000),
    ("the front door and the controller", INGRESS, CONTROLLER, 5000),
    ("the operator and the controller", OPERATOR, CONTROLLER, 5000),
    ("a job and the database", JOB, DATABASE, 5432),
    ("a job and the broker", JOB, BROKER, 5672),
    ("a job and the cache", JOB, CACHE, 6379),
    ("an engine and the cache", ENGINE, CACHE, 6379),
    ("a session and the database", SESSION, DATABASE, 5432),
    ("a session and the broker", SESSION, BROKER, 5672),
    ("a job and the API server", JOB, API_SERVER, 6443),
    ("a session and the API server", SESSION, API_SERVER, 6443),
    ("a job and people's tokens", JOB, SERVER, ids.REANA_PEOPLE_PORT),
    ("an engine and people's tokens", ENGINE, SERVER, ids.REANA_PEOPLE_PORT),
    ("a notebook and people's tokens", NOTEBOOK, SERVER, ids.REANA_PEOPLE_PORT),
    ("the front door and people's tokens", INGRESS, SERVER, ids.REANA_PEOPLE_PORT),
    ("a notebook and the server, past the front door", NOTEBOOK, SERVER, 5000),
    ("a job and an engine", JOB, ENGINE, 5000),
    ("a job and the hub", JOB, HUB, 8081),
    ("a job and a notebook", JOB, NOTEBOOK, 8888),
    ("a job and private networks", JOB, OFFICE, 443),
    ("a job and a node's credentials", JOB, METADATA, 80),
    ("an engine and a node's credentials", ENGINE, METADATA, 80),
    ("the server and a node's credentials", SERVER, METADATA, 80),
    ("the page and people's tokens", PAGE, SERVER, ids.REANA_PEOPLE_PORT),
    ("the page and the controller", PAGE, CONTROLLER, 5000),
    ("REANA's pages and the server, past the front door", PAGES, SERVER, 5000),
    ("REANA's pages and the world", PAGES, PUBLIC, 443),
    ("a notebook and REANA's pages, past the front door", NOTEBOOK, PAGES, 8080),
    ("a job and a batch system", JOB, LOGIN_NODE, 22),
    ("a job and a KDC's passwords", JOB, KDC, 464),
    ("a job and a KDC's principals", JOB, KDC, 749),
    ("a session and a KDC", SESSION, KDC, KERBEROS),
    ("the server and a KDC", SERVER, KDC, KERBEROS),
    ("a job and a KDC of another network", JOB, OFFICE, KERBEROS),
    ("the look at batch systems and private networks", LOOK, OFFICE, 22),
    ("the look at batch systems and the database", LOOK, DATABASE, 5432),
    ("the look at batch systems and the API server", LOOK, API_SERVER, 6443),
    ("the look at batch systems and a node's credentials", LOOK, METADATA, 80),
    ("a stray pod and the database", STRAY, DATABASE, 5432),
    ("a stray pod and the broker", STRAY, BROKER, 5672),
    ("a stray pod and the controller", STRAY, CONTROLLER, 5000),
    ("another tenant's engine and our database", FOREIGN_ENGINE, DATABASE, 5432),
    ("another tenant's engine and our broker", FOREIGN_ENGINE, BROKER, 5672),
    ("another tenant's job and our controller", FOREIGN_JOB, CONTROLLER, 5000),
    ("another tenant's job and our jobs", FOREIGN_JOB, JOB, 8000),
    ("another tenant's server and our controller", FOREIGN_SERVER, CONTROLLER, 5000),
    ("another tenant's server and our people", FOREIGN_SERVER, SERVER, ids.REANA_PEOPLE_PORT),
    ("an engine and the data lake past its hostname", ENGINE, RUCIO, 80),
    ("an engine and people's tokens at the hub", ENGINE, HUB, ids.TOKENS_PORT),
    ("a session on a workspace and people's tokens at the hub", SESSION, HUB, ids.TOKENS_PORT),
    ("another tenant's job and our people's tokens at the hub", FOREIGN_JOB, HUB, ids.TOKENS_PORT),
    ("another tenant's job and our data lake", FOREIGN_JOB, RUCIO, 80),
    ("a probe and the controller", PROBE, CONTROLLER, 5000),
    ("a probe and the database", PROBE, DATABASE, 5432),
    ("a probe and the world", PROBE, PUBLIC, 443),
    ("a job and a session", JOB, SESSION, 8888),
    ("what counts use and the API server", CARE, API_SERVER, 6443),
    ("the broker and the world", BROKER, PUBLIC, 443),
    ("the cache and the world", CACHE, PUBLIC, 443),
]


@pytest.mark.parametrize(
    ("source", "target", "port"), [each[1:] for each in NEEDED], ids=[n[0] for n in NEEDED]
)
def test_this_works(source: End, target: End, port: int) -> None:
    assert NET.allowed(source, target, port)


@pytest.mark.parametrize("source", [JOB, ENGINE], ids=["a job", "an engine"])
def test_a_ticket_is_asked_for_by_udp_too(source: Pod) -> None:
    assert NET.allowed(source, KDC, KERBEROS, "UDP")


def test_a_kdc_is_asked_for_tickets_alone() -> None:
    assert not NET.possible(JOB, KDC, 464, "UDP")


def test_no_kdc_is_reached_without_kerberos() -> None:
    flows = {key: value for key, value in FULL["workflows"].items() if key not in ("kerberos", "backends")}
    net = Network.of(registry.render(environment(FULL | {"workflows": flows}, FULL_SITE)))
    assert not net.possible(JOB, KDC, KERBEROS)
    assert not net.possible(ENGINE, KDC, KERBEROS)


@pytest.mark.attack("compromised workflow engine", "a path by network, as the policies say")
@pytest.mark.parametrize(
    ("source", "target", "port"), [each[1:] for each in REFUSED], ids=[n[0] for n in REFUSED]
)
def test_this_does_not(source: End, target: End, port: int) -> None:
    assert not NET.possible(source, target, port)
