"""Whether workflows do what they are for: a tiny one on a schedule."""

from __future__ import annotations

from collections.abc import Iterator

from vre_operator.components import ids, policies, workloads
from vre_operator.components.context import Environment
from vre_operator.components.policies import reach
from vre_operator.components.reana import settings
from vre_operator.components.reana.settings import Names
from vre_operator.components.reana.walls import HTTP_PORT
from vre_operator.components.workloads import User, config_volume, mount, secret_key, selector
from vre_operator.engine.resources import Resource, ResourceId

COMPONENT = "workflowProbe"
PERSON = "probe@reana.invalid"
"""Who it is at REANA, as its program says."""
_NOBODY = User(uid=65534, gid=65534)


def render(env: Environment, needs: set[ResourceId]) -> Iterator[Resource]:
    """needs: what REANA itself waits for, and it."""
    wish = env.spec.workflows.probe
    if not wish.enabled:
        return
    names = Names(env)
    wall = policies.policy(
        env,
        COMPONENT,
        ids.REANA_PROBE,
        selects=selector(env, ids.REANA_PROBE),
        egress=[reach([policies.pods(env, ids.REANA_SERVER, env.workflows)], HTTP_PORT, ids.REANA_PEOPLE_PORT)],
        namespace=env.workflows,
    )
    image = ids.reana_images(env).server
    container = workloads.container(
        env,
        "probe",
        image,
        cpu=("10m", "200m"),
        memory=("32Mi", "128Mi"),
        # The image of the step is one that is there already.
        command=["python3", f"{settings.PROGRAMS}/probe.py", image],
        environment={
            "REANA": f"http://{env.service_host(ids.REANA_SERVER, env.workflows)}",
            "PEOPLE": f"{ids.reana_people(env)}/people/",
            "HOSTNAME": env.spec.workflows.hostname or "",
            "TOKEN": secret_key(names.credentials, "probe"),
        },
        mounts=[mount("programs", settings.PROGRAMS)],
    )
    template = workloads.pod(
        env,
        COMPONENT,
        ids.REANA_PROBE,
        [container],
        user=_NOBODY,
        volumes=[config_volume("programs", names.programs)],
    )
    yield wall
    yield workloads.cron_job(
        env,
        COMPONENT,
        ids.REANA_PROBE,
        wish.schedule or f"{workloads.minute(env)} * * * *",
        template,
        needs=needs | {wall.id},
        origin="spec.workflows.probe",
        namespace=env.workflows,
    )
