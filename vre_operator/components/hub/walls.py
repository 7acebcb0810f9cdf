"""The flows between browsers, proxy, hub and notebooks (contracts/jupyterhub.md section 6)."""

from __future__ import annotations

from collections.abc import Iterator

from vre_operator.components import ids, policies
from vre_operator.components.context import Environment
from vre_operator.components.policies import accept, pods, reach
from vre_operator.components.workloads import selector
from vre_operator.engine.resources import Resource


def render(env: Environment, component: str) -> Iterator[Resource]:
    """Three policies; the hub needs them, and they never change while sessions run."""
    hub, proxy, sessions = pods(env, ids.HUB), pods(env, ids.PROXY), policies.sessions(env)
    tokens, reana = ids.tokens_served(env), ids.reana_in_sessions(env)
    jobs = [policies.jobs(env)] if ids.lake_in_jobs(env) else []
    probe = [pods(env, ids.SPAWN_PROBE)] if ids.spawn_probe_wanted(env) else []
    watched = [accept([pods(env, ids.PAGE)], 8000)] if ids.page_wanted(env) else []
    watched += [accept(probe, 8000)] if probe else []
    yield policies.policy(
        env,
        component,
        ids.HUB,
        selects=selector(env, ids.HUB),
        ingress=[
            accept([proxy, sessions, *probe], 8081),
            *([accept([sessions, *jobs], ids.TOKENS_PORT)] if tokens else []),
        ],
        egress=[
            reach([proxy], 8001),
            reach([sessions], 8888),
            policies.api_server(),
            policies.database(env),
            *([reach([pods(env, ids.REANA_SERVER, env.workflows)], ids.REANA_PEOPLE_PORT)] if reana else []),
            *policies.issuer(env),
        ],
    )
    yield policies.policy(
        env,
        component,
        ids.PROXY,
        selects=selector(env, ids.PROXY),
        ingress=[accept(policies.front_door(env), 8000), *watched, accept([hub], 8001)],
        egress=[reach([hub], 8081), reach([sessions], 8888)],
    )
    lake = [reach([pods(env, ids.RUCIO)], 80)] if ids.own_lake(env) else []
    if tokens:
        lake.append(reach([hub], ids.TOKENS_PORT))
    outside = env.spec.data_lake.enabled and (env.spec.data_lake.storage or env.spec.data_lake.attach)
    if outside or reana:
        lake += policies.front_doors(env)  # where storages and REANA answer, or a Rucio of this cluster
    yield policies.policy(
        env,
        component,
        "notebooks",
        namespace=env.notebooks,
        selects=ids.SESSION_LABELS,
        ingress=[accept([hub, proxy], 8888)],
        egress=[reach([hub], 8081), *lake, policies.internet()],
    )
