"""The notebooks' images, each tried once: a Job starts it as a session would and asks for its version.

So an image that does not pull, does not start as this user, or holds no jupyterhub-singleuser is found before
a person meets it. The hub does not wait for these: a new bad image must not stop what works.
"""

from __future__ import annotations

from collections.abc import Iterable

from vre_operator.api.conditions import Reason
from vre_operator.components import ids, workloads
from vre_operator.components.context import Environment, kube
from vre_operator.components.hub import settings
from vre_operator.components.workloads import Body, User
from vre_operator.engine.refs import digest
from vre_operator.engine.resources import Resource

COMPONENT = "notebooks"
CHECK = "image-check"


def render(env: Environment) -> Iterable[Resource]:
    """One Job for each distinct image."""
    if not env.spec.notebooks.enabled:
        return
    first: dict[str, str] = {}
    for entry, origin in ids.entries(env):
        first.setdefault(entry.image, origin)
    for image, origin in first.items():
        yield _check(env, image, origin)


def _check(env: Environment, image: str, origin: str) -> Resource:
    container = workloads.container(
        env,
        "notebook",
        image,
        cpu=("50m", "1"),
        memory=("64Mi", "512Mi"),
        # Arguments to the image's own entry point, as KubeSpawner gives them.
        args=["jupyterhub-singleuser", "--version"],
        read_only=False,
    )
    user = User(uid=settings.NOTEBOOK_UID, gid=settings.NOTEBOOK_GID)
    template: Body = workloads.pod(env, COMPONENT, CHECK, [container], user=user)
    template["spec"]["restartPolicy"] = "Never"
    return Resource(
        id=kube("batch/v1/Job", env.notebooks, f"{CHECK}-{digest(image)[:8]}"),
        component=COMPONENT,
        # One more try, for a node that died: what an image is does not change. Pulling has no limit of tries.
        body={"spec": {"suspend": env.spec.suspend, "backoffLimit": 1, "template": template}},
        needs=frozenset({ids.default_deny(env, env.notebooks)}),
        origin=origin,
        recreate=True,
        failure=Reason.IMAGE_UNFIT,
    )
