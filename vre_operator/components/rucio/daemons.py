"""Rucio's daemons: what makes rules true, counts, deletes. A Deployment for each group that is asked for.

Sources: contracts/rucio.md sections 1.4 (image) and 3 (daemons, arguments, heartbeats). Several of the same
may run at once: they share the work by their heartbeats. Each gets one thread, so that a thread that died is a
heartbeat that is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vre_operator.api.data_lake import DaemonGroup, DaemonSize
from vre_operator.components import ids, policies, workloads
from vre_operator.components.context import Environment
from vre_operator.components.policies import Rule
from vre_operator.components.rucio.fts import Certified
from vre_operator.components.rucio.pods import NOBODY, QUIET, SCRIPT_DIRECTORY, Files, Provider, policy
from vre_operator.components.workloads import Body, mount, selector
from vre_operator.engine.resources import Resource, ResourceId

# A cycle is work and sleep: the reaper's deletes a hundred files before it gives a sign again.
SILENT_SECONDS = 900
# A reaper ends what it has begun.
_GRACE_SECONDS = 90


@dataclass(frozen=True, slots=True)
class Daemon:
    """sleep: seconds between two cycles. threads: the argument that sets their number, which differs."""

    name: str
    sleep: int = 10
    threads: str = "--threads"
    more: tuple[str, ...] = ()

    @property
    def command(self) -> list[str]:
        """Without the image's start script, which wants to be root and makes what is mounted here."""
        return [f"rucio-{self.name}", self.threads, "1", "--sleep-time", str(self.sleep), *self.more]


GROUPS: Mapping[DaemonGroup, tuple[Daemon, ...]] = {
    DaemonGroup.RULES: (
        Daemon("abacus-account"),
        Daemon("abacus-rse"),
        Daemon("abacus-collection-replica"),
        Daemon("judge-evaluator", 10),
        Daemon("judge-cleaner", 30),
        Daemon("judge-repairer", 60),
        Daemon("judge-injector", 30),
        Daemon("undertaker", 60, "--total-workers"),
    ),
    # Without memcached (decision 0013) each cycle logs in at the provider for each RSE with tokens.
    DaemonGroup.DELETION: (Daemon("reaper", 60),),
    DaemonGroup.SUBSCRIPTIONS: (Daemon("transmogrifier", 60),),
    DaemonGroup.TRANSFERS: (
        Daemon("conveyor-submitter", 10, "--total-threads"),
        Daemon("conveyor-poller", 10, "--total-threads", ("--older-than", "5")),
        Daemon("conveyor-finisher", 10, "--total-threads"),
    ),
}

# Those that go to storages, with tokens for them or by certificate.
ABROAD = frozenset({DaemonGroup.DELETION, DaemonGroup.TRANSFERS})

# CPU and memory of one daemon, (request, limit). Idle, each takes 140 MB.
_SIZES: Mapping[DaemonSize, tuple[tuple[str, str], tuple[str, str]]] = {
    DaemonSize.SMALL: (("10m", "1"), ("160Mi", "1Gi")),
    DaemonSize.MEDIUM: (("50m", "2"), ("256Mi", "3Gi")),
    DaemonSize.LARGE: (("100m", "4"), ("512Mi", "6Gi")),
}


def walls(env: Environment, component: str) -> Iterator[Resource]:
    """They call and are not called."""
    for group in env.spec.data_lake.daemons.groups:
        egress: list[Rule] = [policies.database(env)]
        if group is DaemonGroup.DELETION:
            egress.append(policies.storage())
        if group is DaemonGroup.TRANSFERS:
            own = [policies.pods(env, ids.TRANSFERS)] if ids.own_transfers(env) else []
            egress.append(policies.reach(own, ids.TRANSFERS_PORT) if own else policies.storage())
        if group in ABROAD and ids.rucio_logs_people_in(env):
            egress += policies.issuer(env)
        yield policies.policy(
            env,
            component,
            ids.rucio_daemon(group),
            selects=selector(env, ids.rucio_daemon(group)),
            egress=egress,
        )


def render(env: Environment, component: str, files: Files, needs: set[ResourceId]) -> Iterator[Resource]:
    """needs: what every program of Rucio waits for."""
    for group in env.spec.data_lake.daemons.groups:
        provider, certified = Provider(env, group in ABROAD), Certified(env, group in ABROAD)
        template = workloads.pod(
            env,
            component,
            ids.rucio_daemon(group),
            [_container(env, daemon, files, provider, certified) for daemon in GROUPS[group]],
            init=provider.init,
            user=NOBODY,
            volumes=[
                *files.volumes,
                *provider.volumes,
                *certified.volumes,
                workloads.scratch("tmp", "1Gi"),
            ],
            config=[files.configuration, *provider.config],
            grace_seconds=_GRACE_SECONDS,
        )
        yield workloads.deployment(
            env,
            component,
            ids.rucio_daemon(group),
            template,
            rolling=True,
            needs=needs | provider.needs,
            origin="spec.dataLake.daemons",
        )


def _container(
    env: Environment, daemon: Daemon, files: Files, provider: Provider, certified: Certified
) -> Body:
    cpu, memory = _SIZES[env.spec.data_lake.daemons.size]
    alive: Body = {
        "exec": {"command": ["python3", f"{SCRIPT_DIRECTORY}/alive.py", daemon.name, str(SILENT_SECONDS)]},
        "timeoutSeconds": 20,
    }
    return workloads.container(
        env,
        daemon.name,
        env.site.images.rucio_daemons,
        cpu=cpu,
        memory=memory,
        command=daemon.command,
        environment={**QUIET, **policy(env), **provider.environment, **certified.environment},
        mounts=[
            *files.mounts,
            *provider.mounts,
            *certified.mounts,
            mount("tmp", "/tmp", writable=True),  # noqa: S108
        ],
        # Its first heartbeat comes after the imports and up to ten seconds of finding its place.
        startupProbe=alive | {"periodSeconds": 10, "failureThreshold": 60},
        # A look takes half a second of a core, and there are nine of them.
        livenessProbe=alive | {"periodSeconds": 180, "failureThreshold": 2},
    )
