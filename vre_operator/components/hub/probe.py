"""Whether people get sessions: each environment is started now and then, as a person would."""

from __future__ import annotations

from collections.abc import Iterable

from vre_operator.api.catalogue import Stage
from vre_operator.components import ids, policies, workloads
from vre_operator.components.context import Environment
from vre_operator.components.hub.settings import PROBE_USER
from vre_operator.components.package import config_map, data_file
from vre_operator.components.policies import pods, reach
from vre_operator.components.workloads import User, mount, selector
from vre_operator.engine.resources import Resource

COMPONENT = "spawnProbe"
_DIRECTORY = "/etc/vre/spawn-probe"
_FILE = "spawn_probe.py"
_USER = User(uid=1000, gid=1000)


def render(env: Environment) -> Iterable[Resource]:
    if not ids.spawn_probe_wanted(env):
        return
    files = {_FILE: data_file("vre_operator.components.hub", _FILE)}
    program = config_map(env, COMPONENT, ids.SPAWN_PROBE, files, origin="spec.notebooks.probe")
    wall = policies.policy(
        env,
        COMPONENT,
        ids.SPAWN_PROBE,
        selects=selector(env, ids.SPAWN_PROBE),
        egress=[reach([pods(env, ids.HUB)], 8081), reach([pods(env, ids.PROXY)], 8000)],
    )
    container = workloads.container(
        env,
        "probe",
        env.site.images.hub,
        cpu=("10m", "200m"),
        memory=("32Mi", "128Mi"),
        command=["python3", f"{_DIRECTORY}/{_FILE}", *probed(env)],
        environment={
            "HUB": f"http://{env.service_host(ids.HUB)}:8081",
            "PROXY": f"http://{env.service_host(ids.proxy_service(env).name)}",
            "PERSON": PROBE_USER,
            "TOKEN": workloads.secret_key(ids.hub_secrets(env), f"{ids.SPAWN_PROBE}-token"),
        },
        mounts=[mount("program", _DIRECTORY)],
    )
    template = workloads.pod(
        env,
        COMPONENT,
        ids.SPAWN_PROBE,
        [container],
        user=_USER,
        volumes=[workloads.config_volume("program", program.id)],
    )
    yield program
    yield wall
    yield workloads.cron_job(
        env,
        COMPONENT,
        ids.SPAWN_PROBE,
        env.spec.notebooks.probe.schedule or f"{workloads.minute(env)} 4 * * *",
        template,
        needs={program.id, wall.id, ids.hub_ready(env)},
        origin="spec.notebooks.probe",
    )


def probed(env: Environment) -> tuple[str, ...]:
    """The names of entries."""
    offered = (entry.name for entry, _ in ids.entries(env) if entry.lifecycle.stage is not Stage.HIDDEN)
    return env.spec.notebooks.probe.entries or tuple(offered)
