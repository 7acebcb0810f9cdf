"""The notebooks' images: what their tags stand for, each tried once, and which are offered.

A Job starts an image as a session would and asks for its version, so one that does not pull, does not start as
this user, or holds no jupyterhub-singleuser is found before a person meets it. A new digest is offered when its
Job has ended well; until then the old one is, and the tenant is well. The hub waits for none of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from vre_operator.api.conditions import Reason
from vre_operator.components import ids, workloads
from vre_operator.components.context import Environment, kube, registry
from vre_operator.components.hub import settings
from vre_operator.components.workloads import Body, User
from vre_operator.engine.refs import OutcomeOf, Ref, digest
from vre_operator.engine.resources import Resource, ResourceId

COMPONENT = "notebooks"
CHECK = "image-check"
PULLER = "image-puller"
_PULL_SECRET = ".dockerconfigjson"  # noqa: S105 a key
_IMAGES = registry("Images", "catalogue")


def render(env: Environment) -> Iterable[Resource]:
    """One Job for each distinct image."""
    if not env.spec.notebooks.enabled:
        return
    first: dict[str, str] = {}
    for entry, origin in ids.entries(env):
        first.setdefault(entry.image, origin)
    yield from _pull_secrets(env)
    for image, origin in first.items():
        yield _check(env, image, origin)
    for image in _kept_on_nodes(env):
        yield _puller(env, image, first[image])
    if env.site.resolve_tags:
        yield _images(env, [image for image in first if _by_tag(image)])
        yield _offers(env)


def _by_tag(image: str) -> bool:
    return "@" not in image


def _reference(env: Environment, image: str) -> Ref | str:
    return Ref(_IMAGES, image) if env.site.resolve_tags and _by_tag(image) else image


def _images(env: Environment, images: list[str]) -> Resource:
    site = env.site
    secrets = [
        *(kube("v1/Secret", env.notebooks, name) for name in site.image_pull_secrets),
        *(kube("v1/Secret", env.namespace, one.name) for one in env.spec.catalogue.pull_secrets),
    ]
    return Resource(
        id=_IMAGES,
        component=COMPONENT,
        body={
            "images": images,
            # Who has none is nobody to the registry, which is enough for public images.
            "credentials": [Ref(secret, _PULL_SECRET, otherwise="") for secret in secrets],
            "every": site.resolve_seconds,
            "ca_bundle": site.ca_bundle,
            "allowed_cidrs": list(site.issuer_cidrs),
        },
        origin="spec.catalogue",
    )


def _offers(env: Environment) -> Resource:
    kept = _kept_on_nodes(env)
    entries = {
        entry.name: {
            "image": entry.image,
            "reference": _reference(env, entry.image),
            "check": OutcomeOf(_check_id(env, entry.image)),
            "nodes": OutcomeOf(_puller_id(env, entry.image)) if entry.image in kept else None,
            "origin": origin,
        }
        for entry, origin in ids.entries(env)
    }
    body = {"entries": entries, "asleep": env.spec.suspend}
    return Resource(id=ids.offers(env), component=COMPONENT, body=body)


def _pull_secrets(env: Environment) -> Iterator[Resource]:
    """The tenant's, and their copies where sessions run."""
    for name in env.site.image_pull_secrets if env.site.resolve_tags else ():
        site = kube("v1/Secret", env.notebooks, name)
        yield workloads.external(COMPONENT, site, "site.imagePullSecrets", _PULL_SECRET)
    for index, one in enumerate(env.spec.catalogue.pull_secrets):
        origin = f"spec.catalogue.pullSecrets[{index}]"
        theirs = kube("v1/Secret", env.namespace, one.name)
        yield workloads.external(COMPONENT, theirs, origin, _PULL_SECRET)
        yield Resource(
            id=kube("v1/Secret", env.notebooks, ids.pull_secret(one.name)),
            component=COMPONENT,
            body={
                "type": "kubernetes.io/dockerconfigjson",
                "stringData": {_PULL_SECRET: Ref(theirs, _PULL_SECRET)},
            },
            needs=frozenset({ids.notebooks_namespace(env)}),
            origin=origin,
        )


def _kept_on_nodes(env: Environment) -> list[str]:
    """Images. Nobody waits for sessions of a tenant that is suspended."""
    entries = () if env.spec.suspend else env.spec.catalogue.entries
    return sorted({entry.image for entry in entries if entry.pre_pull})


def _puller_id(env: Environment, image: str) -> ResourceId:
    # Not among the sessions, whose quota is for people.
    return kube("apps/v1/DaemonSet", env.namespace, f"{PULLER}-{digest(image)[:8]}")


def _puller(env: Environment, image: str, origin: str) -> Resource:
    """A pod on each node that does nothing: an image in use stays where it is."""
    identity = _puller_id(env, image)
    container = workloads.container(
        env,
        "notebook",
        _reference(env, image),
        cpu=("1m", "50m"),
        memory=("8Mi", "32Mi"),
        command=["sleep", "infinity"],
    )
    secrets = (*env.site.image_pull_secrets, *(one.name for one in env.spec.catalogue.pull_secrets))
    # Nothing in it hears a signal.
    template = _pod(env, identity.name, container, secrets, terminationGracePeriodSeconds=0)
    return Resource(
        id=identity,
        component=COMPONENT,
        body={
            "spec": {
                "selector": {"matchLabels": workloads.selector(env, identity.name)},
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}},
                "template": template,
            }
        },
        # An image that is no good is not brought to every node.
        needs=frozenset({_check_id(env, image), ids.default_deny(env, env.namespace)}),
        origin=origin,
        # The offers tell.
        counts=not env.site.resolve_tags,
    )


def _pod(env: Environment, name: str, container: Body, secrets: Sequence[str], **spec: Any) -> Body:
    """As a session is: its user, its nodes. secrets: by which its own namespace pulls. spec: more of it."""
    user = User(uid=settings.NOTEBOOK_UID, gid=settings.NOTEBOOK_GID)
    template: Body = workloads.pod(env, COMPONENT, name, [container], user=user)
    template["spec"] |= spec | settings.placement(env)
    if secrets:
        template["spec"]["imagePullSecrets"] = [{"name": secret} for secret in secrets]
    return template


def _check_id(env: Environment, image: str) -> ResourceId:
    return kube("batch/v1/Job", env.notebooks, f"{CHECK}-{digest(image)[:8]}")


def _check(env: Environment, image: str, origin: str) -> Resource:
    container = workloads.container(
        env,
        "notebook",
        _reference(env, image),
        cpu=("50m", "1"),
        memory=("64Mi", "512Mi"),
        # Arguments to the image's own entry point, as KubeSpawner gives them.
        args=["jupyterhub-singleuser", "--version"],
        read_only=False,
    )
    template = _pod(env, CHECK, container, ids.pull_secrets(env), restartPolicy="Never")
    return Resource(
        id=_check_id(env, image),
        component=COMPONENT,
        # One more try, for a node that died: what an image is does not change. Pulling has no limit of tries.
        body={"spec": {"suspend": env.spec.suspend, "backoffLimit": 1, "template": template}},
        needs=frozenset({ids.default_deny(env, env.notebooks)}),
        origin=origin,
        recreate=True,
        failure=Reason.IMAGE_UNFIT,
        # The offers tell of it: a new version that is being tried is nobody's trouble.
        counts=not env.site.resolve_tags,
    )
