"""Batch systems outside the cluster: what REANA is told of them, and whether they work.

Names and environment: contracts/reana.md section 4. What submits is the job controller beside each engine, in
an image that has the libraries for it.
"""

from __future__ import annotations

from collections.abc import Iterator

from vre_operator.components import ids, policies, workloads
from vre_operator.components.context import Environment
from vre_operator.components.reana import settings
from vre_operator.components.reana.settings import Names
from vre_operator.components.workloads import config_volume, mount, selector
from vre_operator.engine.resources import Resource, ResourceId

COMPONENT = "workflowBackends"
_DIRECTORY, _FILE = "vre", "backends.json"
_STATES = "/run/vre/states"
_OWN = "kubernetes"


def places(env: Environment) -> dict[str, str]:
    """Where each is, HOST:PORT, by REANA's name for it; ":" where the image knows it."""
    wish = env.spec.workflows.backends
    found: dict[str, str] = {}
    if wish.slurm:
        found["slurmcern"] = f"{wish.slurm.host}:{wish.slurm.port}"
    if wish.htcondor:
        found["htcondorcern"] = ":"
    if wish.compute4punch:
        found["compute4punch"] = f"{wish.compute4punch.host}:{wish.compute4punch.port}"
    return found


def offered(env: Environment) -> list[str]:
    """All that jobs may name."""
    return [_OWN, *places(env)]


def image(env: Environment) -> str:
    """Of the job controller: the larger one only where it is needed."""
    images = ids.reana_images(env)
    return (places(env) and images.remote_job_controller) or images.job_controller


def submission(env: Environment) -> dict[str, str]:
    """Environment of the job controller."""
    wish = env.spec.workflows.backends
    told = {"COMPUTE_BACKENDS": ",".join(offered(env))}
    if wish.slurm:
        told |= {
            "SLURM_HOSTNAME": wish.slurm.host,
            "SLURM_CLUSTER_PORT": str(wish.slurm.port),
            "SLURM_PARTITION": wish.slurm.partition,
            "SLURM_JOB_TIMELIMIT": str(wish.slurm.minutes),
            "SLURM_HOME_PATH": wish.slurm.home or "",
        }
    if wish.compute4punch:
        told |= {
            "C4P_LOGIN_NODE": wish.compute4punch.host,
            "C4P_LOGIN_NODE_PORT": str(wish.compute4punch.port),
            "C4P_CPU_CORES": str(wish.compute4punch.cores),
            "C4P_MEMORY_LIMIT": str(wish.compute4punch.memory_megabytes),
        }
    return told


def gate(env: Environment) -> dict[str, str]:
    """Environment of files/gate.py."""
    engines = env.spec.workflows.engines
    return {
        "VRE_ENGINES": " ".join(engine.value.lower() for engine in engines),
        "VRE_BACKENDS": " ".join(places(env)),
        "VRE_STATES": f"{settings.SHARED}/{_DIRECTORY}/{_FILE}",
        **({"VRE_CVMFS": "1"} if ids.workflow_cvmfs(env) else {}),
    }


def render(env: Environment, needs: set[ResourceId]) -> Iterator[Resource]:
    """The look at them, every ten minutes. needs: what REANA itself waits for."""
    wanted = places(env)
    if not wanted:
        return
    wall = policies.policy(
        env,
        COMPONENT,
        ids.REANA_BACKENDS,
        selects=selector(env, ids.REANA_BACKENDS),
        egress=[policies.internet(), *policies.compute(env)],
        namespace=env.workflows,
    )
    names = Names(env)
    told = [f"{name}={place}" for name, place in wanted.items()]
    container = workloads.container(
        env,
        "look",
        image(env),
        cpu=("10m", "500m"),
        memory=("64Mi", "256Mi"),
        command=["python3", f"{settings.PROGRAMS}/backends.py", f"{_STATES}/{_FILE}", *told],
        # Of the shared volume that directory alone: nothing of people's.
        mounts=[
            mount("programs", settings.PROGRAMS),
            mount("shared", _STATES, writable=True) | {"subPath": _DIRECTORY},
        ],
    )
    template = workloads.pod(
        env,
        COMPONENT,
        ids.REANA_BACKENDS,
        [container],
        user=settings.ROOT,
        volumes=[workloads.claim_volume("shared", names.volume), config_volume("programs", names.programs)],
    )
    yield wall
    yield workloads.cron_job(
        env,
        COMPONENT,
        ids.REANA_BACKENDS,
        "*/10 * * * *",
        template,
        needs=needs | {wall.id},
        origin="spec.workflows.backends",
        namespace=env.workflows,
    )
