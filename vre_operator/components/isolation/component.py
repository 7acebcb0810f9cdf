"""Whether the tenant's walls hold: tried on a schedule by pods that policies take for a notebook and for a job.

A cluster whose network plugin enforces no policies takes them in silence, so they prove nothing. The canary is
what is known to listen: beside a port for nobody it has one that the trial must reach, of the same process, so
that a dead network is not taken for a wall.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from vre_operator.api.conditions import Reason
from vre_operator.components import ids, policies, workloads
from vre_operator.components.context import Environment
from vre_operator.components.isolation.attempts import (
    CANARY,
    CANARY_PORT,
    CONTROL_PORT,
    ISOLATION,
    Place,
    document,
    places,
)
from vre_operator.components.package import config_map, data_file, json_file
from vre_operator.components.policies import accept, pods, reach
from vre_operator.components.workloads import Body, User, mount, selector
from vre_operator.engine.resources import Resource, ResourceId

COMPONENT = "isolation"
ORIGIN = "site.isolation"
PROGRAM = "isolation.py"
_DIRECTORY = "/etc/vre/isolation"
_NOBODY = User(uid=65534, gid=65534)
# As its program says.
_EXITS = {
    2: Reason.WALLS_OPEN,
    3: Reason.NETWORK_POLICY_NOT_ENFORCED,
    4: Reason.PROBE_FAILED,
}


def render(env: Environment) -> Iterable[Resource]:
    """Nothing where the site does not want it, or nobody's programs run."""
    if not env.site.isolation.enabled or not list(places(env)):
        return
    canary = list(_canary(env))
    yield from canary
    for place in places(env):
        yield from _trial(env, place, canary[-1].id)


def _program() -> dict[str, str]:
    return {PROGRAM: data_file("vre_operator.components.isolation", PROGRAM)}


def _canary(env: Environment) -> Iterator[Resource]:
    ports = (CONTROL_PORT, CANARY_PORT)
    program = config_map(env, COMPONENT, CANARY, _program(), origin=ORIGIN)
    wall = policies.policy(
        env,
        COMPONENT,
        CANARY,
        selects=selector(env, CANARY),
        ingress=[accept([pods(env, ISOLATION, place.namespace) for place in places(env)], ports[0])],
    )
    yield program
    yield wall
    yield workloads.service(
        env, COMPONENT, CANARY, {"control": (ports[0], ports[0]), "canary": (ports[1], ports[1])}
    )
    container = workloads.container(
        env,
        "canary",
        env.site.images.hub,
        cpu=("1m", "50m"),
        memory=("16Mi", "48Mi"),
        command=["python3", "-B", f"{_DIRECTORY}/{PROGRAM}", "listen", *map(str, ports)],
        ports={"control": ports[0], "canary": ports[1]},
        mounts=[mount("program", _DIRECTORY)],
        readinessProbe={"tcpSocket": {"port": ports[0]}, "periodSeconds": 10, "timeoutSeconds": 5},
    )
    template = workloads.pod(
        env,
        COMPONENT,
        CANARY,
        [container],
        user=_NOBODY,
        volumes=[workloads.config_volume("program", program.id)],
        config=[program.id],
        grace_seconds=5,
    )
    yield workloads.deployment(env, COMPONENT, CANARY, template, needs={program.id, wall.id}, origin=ORIGIN)


def _trial(env: Environment, place: Place, canary: ResourceId) -> Iterator[Resource]:
    told = {**_program(), "attempts.json": json_file(document(env, place))}
    program = config_map(env, COMPONENT, ISOLATION, told, namespace=place.namespace, origin=ORIGIN)
    # On top of what the pods of people have, which knows them by the labels below.
    way = policies.policy(
        env,
        COMPONENT,
        ISOLATION,
        selects=selector(env, ISOLATION),
        egress=[reach([pods(env, CANARY)], CONTROL_PORT)],
        namespace=place.namespace,
    )
    yield program
    yield way
    hours = env.site.isolation.hours
    trial = workloads.cron_job(
        env,
        COMPONENT,
        ISOLATION,
        f"{workloads.minute(env)} {'*' if hours == 1 else f'*/{hours}'} * * *",
        _template(env, place, program.id),
        needs={program.id, way.id, canary, ids.network_policy(env, place.namespace, place.policy)},
        origin=ORIGIN,
        namespace=place.namespace,
    )
    # Else a Job has its pod's labels, and passes for one of REANA's.
    trial.body["spec"]["jobTemplate"]["metadata"] = {"labels": selector(env, ISOLATION)}
    yield replace(trial, exits=_EXITS, failure=Reason.PROBE_FAILED, advisory=not env.site.isolation.required)


def _template(env: Environment, place: Place, program: ResourceId) -> Body:
    """Where the services run, not on nodes kept for sessions: every hour one would be started for it."""
    container = workloads.container(
        env,
        "trial",
        env.site.images.hub,
        cpu=("10m", "200m"),
        memory=("32Mi", "96Mi"),
        command=["python3", "-B", f"{_DIRECTORY}/{PROGRAM}", "try", f"{_DIRECTORY}/attempts.json"],
        environment={"NODE": {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.hostIP"}}},
        mounts=[mount("program", _DIRECTORY)],
    )
    template = workloads.pod(
        env,
        COMPONENT,
        ISOLATION,
        [container],
        user=_NOBODY,
        volumes=[workloads.config_volume("program", program)],
        grace_seconds=5,
    )
    template["metadata"]["labels"] |= place.labels
    return template
