"""What is tried from a notebook and from a job of a workflow, and must fail: docs/network.md, turned round.

Of other tenants nothing is named, as a tenant must not learn of them here: the canary stands for whatever no
policy of this tenant opens. `vre selftest isolation --neighbour` tries at a real one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from vre_operator.components import ids, policies
from vre_operator.components.context import Environment

# Workloads.
ISOLATION, CANARY = "isolation", "isolation-canary"
# Of the canary: the one must be reached by the trial, the other by nobody.
CONTROL_PORT, CANARY_PORT = 8090, 8091


class Attempt(NamedTuple):
    """A connection that is tried. what: for people."""

    what: str
    host: str
    port: int

    def plain(self) -> dict[str, Any]:
        return self._asdict()


class Place(NamedTuple):
    """Where from. policy: the one that the pods of people there have."""

    who: str
    namespace: str
    labels: dict[str, str]
    policy: str


NODE = (
    ("node: kubelet", 10250),
    ("node: kubelet for reading", 10255),
    ("node: kube-proxy", 10256),
    ("node: API server", 6443),
    ("node: etcd", 2379),
    ("node: ssh", 22),
    ("node: metrics", 9100),
)


def places(env: Environment) -> Iterator[Place]:
    """Where people's own programs run."""
    if env.spec.notebooks.enabled:
        yield Place("a notebook", env.notebooks, ids.SESSION_LABELS, "notebooks")
    if env.spec.workflows.enabled:
        yield Place("a job of a workflow", env.workflows, {ids.STEP_LABEL: ISOLATION}, "reana-jobs")


def document(env: Environment, place: Place) -> dict[str, Any]:
    """What the program reads."""
    canary = env.service_host(CANARY)
    alive = [Attempt("hub", env.service_host(ids.HUB), 8081)] if place.namespace == env.notebooks else []
    return {
        "who": place.who,
        "control": Attempt("canary's open port", canary, CONTROL_PORT).plain(),
        "alive": [one.plain() for one in alive],
        "canary": Attempt("canary that no policy opens", canary, CANARY_PORT).plain(),
        "walls": [one.plain() for one in walls(env, place)],
        # Only the pod knows its node.
        "node": [{"what": what, "port": port} for what, port in NODE],
        "routes": "/proc/net/route",
        "secrets": ["/var/run/secrets"],
    }


def walls(env: Environment, place: Place) -> Iterator[Attempt]:
    """Everything with a name or an address of its own."""
    yield Attempt("API server", f"kubernetes.default.svc.{env.site.cluster_domain}", 443)
    yield Attempt("metrics of the cluster's DNS", f"kube-dns.kube-system.svc.{env.site.cluster_domain}", 9153)
    for address in ("169.254.169.254", *_single(*policies.METADATA_V4, *policies.METADATA_V6)):
        yield Attempt("node's credentials at the cloud", address, 80)
    yield from _services(env, place)
    if env.spec.workflows.enabled:
        for name, port in (
            (ids.REANA_SERVER, 80),
            (ids.REANA_SERVER, ids.REANA_PEOPLE_PORT),
            (ids.REANA_CONTROLLER, 80),
            (ids.REANA_BROKER, 5672),
            (ids.REANA_CACHE, 6379),
        ):
            yield Attempt(name, env.service_host(name, env.workflows), port)


def _services(env: Environment, place: Place) -> Iterator[Attempt]:
    """In the tenant's own namespace."""
    job = place.namespace == env.workflows
    if env.spec.notebooks.enabled:
        yield Attempt("proxy past the front door", env.service_host(ids.proxy_service(env).name), 80)
        yield Attempt("proxy's orders", env.service_host("proxy-api"), 8001)
        if job:
            yield Attempt("hub", env.service_host(ids.HUB), 8081)
    if ids.page_wanted(env):
        yield Attempt("page past the front door", env.service_host(ids.PAGE), 80)
    if ids.embedded_database(env):
        yield Attempt("database", env.service_host(ids.DATABASE), ids.DATABASE_PORT)
    if ids.own_lake(env):
        for one in env.spec.data_lake.storage:
            yield Attempt(
                f"storage {one.name} past the front door", env.service_host(ids.storage(one.name)), 80
            )
        if job and not ids.lake_in_jobs(env):
            yield Attempt("rucio", env.service_host(ids.RUCIO), 80)
    if ids.own_transfers(env):
        yield Attempt("transfers", env.service_host(ids.TRANSFERS), ids.TRANSFERS_PORT)


def _single(*networks: str) -> Iterator[str]:
    """The networks of one address."""
    for network in networks:
        address, _, bits = network.partition("/")
        if bits == ("128" if ":" in address else "32"):
            yield address
