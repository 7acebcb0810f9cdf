"""A Rucio that somebody else runs: the operator's way there."""

from __future__ import annotations

from vre_operator.api.lake_attach import Attach
from vre_operator.components import workloads
from vre_operator.components.context import Environment, kube, rucio
from vre_operator.engine.refs import Ref
from vre_operator.engine.resources import Policy, Resource

_ORIGIN = "spec.dataLake.attach"


def render(env: Environment, component: str, attach: Attach) -> tuple[Resource, Resource]:
    """Where it is, and the Secret with the login."""
    secret = kube("v1/Secret", env.namespace, attach.credentials_secret.name)
    login = workloads.external(component, secret, f"{_ORIGIN}.credentialsSecret", "username", "password")
    entry = Resource(
        id=rucio("Server", "server"),
        component=component,
        body={
            "url": attach.url,
            "auth_url": attach.auth_url or "",
            "account": attach.account,
            "username": Ref(secret, "username"),
            "password": Ref(secret, "password"),
            "ca_bundle": env.site.ca_bundle,
            "allowed_cidrs": list(env.site.issuer_cidrs),
            "asleep": env.spec.suspend,
        },
        policy=Policy.EXTERNAL,
        origin=_ORIGIN,
    )
    return entry, login
