"""What comes on a schedule: a probe of the lake, and the end of what its database keeps of the past."""

from __future__ import annotations

from collections.abc import Iterator

from vre_operator.api.data_lake import DaemonGroup
from vre_operator.components import ids, policies, workloads
from vre_operator.components.context import Environment
from vre_operator.components.rucio.fts import Certified
from vre_operator.components.rucio.pods import NOBODY, QUIET, SCRIPT_DIRECTORY, Files, Provider, policy
from vre_operator.components.workloads import mount, scratch, selector
from vre_operator.engine.resources import Resource, ResourceId

PROBE = "lakeProbe"


def render(env: Environment, component: str, files: Files, needs: set[ResourceId]) -> Iterator[Resource]:
    """needs: what every program of Rucio waits for."""
    lake = env.spec.data_lake
    if lake.probe.enabled and probed(env):
        yield from _probe(env, files, needs)
    if lake.history.keep_days is not None:
        yield from _history(env, component, files, needs, lake.history.keep_days)


def probed(env: Environment) -> tuple[str, ...]:
    """The RSEs that a probe goes to."""
    lake = env.spec.data_lake
    return lake.probe.rses or tuple(one.name for one in lake.storage)


def _probe(env: Environment, files: Files, needs: set[ResourceId]) -> Iterator[Resource]:
    lake = env.spec.data_lake
    provider, certified = Provider(env), Certified(env)
    wall = policies.policy(
        env,
        PROBE,
        ids.RUCIO_PROBE,
        selects=selector(env, ids.RUCIO_PROBE),
        egress=[
            policies.database(env),
            policies.storage(),
            *(policies.issuer(env) if ids.rucio_logs_people_in(env) else ()),
        ],
    )
    groups = {DaemonGroup.TRANSFERS: "--copy", DaemonGroup.DELETION: "--delete"}
    options = [option for group, option in groups.items() if group in lake.daemons.groups]
    container = workloads.container(
        env,
        "probe",
        env.site.images.rucio_daemons,
        cpu=("10m", "1"),
        memory=("160Mi", "1Gi"),
        command=["python3", f"{SCRIPT_DIRECTORY}/probe.py", *options, *probed(env)],
        environment={**QUIET, **policy(env), **provider.environment, **certified.environment},
        mounts=[
            *files.mounts,
            *provider.mounts,
            *certified.mounts,
            mount("tmp", "/tmp", writable=True),  # noqa: S108
        ],
    )
    template = workloads.pod(
        env,
        PROBE,
        ids.RUCIO_PROBE,
        [container],
        init=provider.init,
        user=NOBODY,
        volumes=[*files.volumes, *provider.volumes, *certified.volumes, scratch("tmp", "256Mi")],
    )
    yield wall
    yield workloads.cron_job(
        env,
        PROBE,
        ids.RUCIO_PROBE,
        lake.probe.schedule or f"{workloads.minute(env)} * * * *",
        template,
        needs=needs | {wall.id} | provider.needs,
        origin="spec.dataLake.probe",
    )


def _history(
    env: Environment, component: str, files: Files, needs: set[ResourceId], days: int
) -> Iterator[Resource]:
    wall = policies.policy(
        env,
        component,
        ids.RUCIO_HISTORY,
        selects=selector(env, ids.RUCIO_HISTORY),
        egress=[policies.database(env)],
    )
    container = workloads.container(
        env,
        "history",
        env.site.images.rucio_server,
        cpu=("10m", "1"),
        memory=("64Mi", "256Mi"),
        command=["python3", f"{SCRIPT_DIRECTORY}/history.py", str(days)],
        environment={**QUIET, **policy(env)},
        mounts=[*files.mounts, mount("tmp", "/tmp", writable=True)],  # noqa: S108
    )
    template = workloads.pod(
        env,
        component,
        ids.RUCIO_HISTORY,
        [container],
        user=NOBODY,
        volumes=[*files.volumes, scratch("tmp", "64Mi")],
    )
    yield wall
    yield workloads.cron_job(
        env,
        component,
        ids.RUCIO_HISTORY,
        env.spec.data_lake.history.schedule or f"{workloads.minute(env)} 3 * * *",
        template,
        needs=needs | {wall.id},
        origin="spec.dataLake.history",
    )
