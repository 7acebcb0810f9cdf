"""The flows of REANA: docs/network.md has the table.

The controller and the cache of generation 0.9 believe whoever reaches them, so who reaches them is decided
here.
"""

from __future__ import annotations

from collections.abc import Iterator

from vre_operator.components import ids, policies
from vre_operator.components.context import Environment
from vre_operator.components.policies import Peer, Rule, accept, reach
from vre_operator.components.reana import backends
from vre_operator.components.reana.store import BROKER_PORT, CACHE_PORT
from vre_operator.components.workloads import selector
from vre_operator.engine.resources import Resource

HTTP_PORT = ids.REANA_PORT
SESSION_PORT = 8888


def render(env: Environment, component: str) -> Iterator[Resource]:
    """One policy for each kind of pod."""

    def wall(name: str, ingress: list[Rule], egress: list[Rule]) -> Resource:
        return policies.policy(
            env,
            component,
            name,
            selects=selector(env, name),
            ingress=ingress,
            egress=egress,
            namespace=env.workflows,
        )

    def inside(name: str) -> Peer:
        return policies.pods(env, name, env.workflows)

    server, controller, closing = map(inside, (ids.REANA_SERVER, ids.REANA_CONTROLLER, ids.REANA_CLOSING))
    probed = env.spec.workflows.probe.enabled
    probe = [accept([inside(ids.REANA_PROBE)], HTTP_PORT, ids.REANA_PEOPLE_PORT)] if probed else []
    page = [accept([policies.pods(env, ids.PAGE)], HTTP_PORT)] if ids.page_wanted(env) else []
    engines = policies.engines(env)
    database, api = policies.database(env), policies.api_server()
    broker = reach([inside(ids.REANA_BROKER)], BROKER_PORT)
    yield wall(
        ids.REANA_SERVER,
        [
            accept(policies.front_door(env), HTTP_PORT),
            *page,
            accept([policies.pods(env, ids.HUB), policies.operator(env)], ids.REANA_PEOPLE_PORT),
            *probe,
        ],
        [
            database,
            broker,
            reach([inside(ids.REANA_CACHE)], CACHE_PORT),
            reach([controller], HTTP_PORT),
            api,
            *policies.issuer(env),
        ],
    )
    yield wall(ids.REANA_CONTROLLER, [accept([server, closing], HTTP_PORT)], [database, broker, api])
    yield wall(ids.REANA_BROKER, [accept([server, controller, engines], BROKER_PORT)], [])
    yield wall(ids.REANA_CACHE, [accept([server], CACHE_PORT)], [])
    yield wall(ids.REANA_DATABASE, [], [database])
    yield wall(ids.REANA_CARE, [], [database])
    sessions = policies.workspace_sessions(env)
    yield wall(
        ids.REANA_CLOSING,
        [],
        [database, reach([controller], HTTP_PORT), reach([sessions], SESSION_PORT), api],
    )
    yield from _people(env, component, [database, broker, api], closing)


def _people(env: Environment, component: str, engine: list[Rule], closing: Peer) -> Iterator[Resource]:
    """What people bring: engines, jobs, and sessions on a workspace."""
    outside = [policies.internet(), *policies.front_doors(env)]
    # What stands beside an engine submits to batch systems.
    submitting = policies.compute(env) if backends.places(env) else []
    # Of a workflow whose resources say so, the engine has tickets, too.
    tickets = policies.kdcs(env) if env.spec.workflows.kerberos else []
    selects: dict[str, tuple[dict[str, str | None], list[Rule], list[Rule]]] = {
        "reana-engines": (dict(ids.RUN_LABELS), [], [*engine, *outside, *submitting, *tickets]),
        "reana-jobs": ({ids.STEP_LABEL: None}, [], [*outside, *tickets, *_lake(env)]),
        "reana-sessions": (
            dict(ids.WORKSPACE_SESSION_LABELS),
            [accept(policies.front_door(env), SESSION_PORT), accept([closing], SESSION_PORT)],
            outside,
        ),
    }
    for name, (labels, ingress, egress) in selects.items():
        yield policies.policy(
            env,
            component,
            name,
            selects=labels,
            ingress=ingress,
            egress=egress,
            namespace=env.workflows,
        )


def _lake(env: Environment) -> list[Rule]:
    """Jobs that are their person at the data lake."""
    if not ids.lake_in_jobs(env):
        return []
    hub, rucio = policies.pods(env, ids.HUB), policies.pods(env, ids.RUCIO)
    return [reach([hub], ids.TOKENS_PORT), *([reach([rucio], 80)] if ids.own_lake(env) else [])]
