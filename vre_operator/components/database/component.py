"""What the database is made of."""

from __future__ import annotations

from collections.abc import Iterable

from vre_operator.components import ids, workloads
from vre_operator.components.context import Environment, kube
from vre_operator.components.database import embedded, roles
from vre_operator.engine.resources import Resource

COMPONENT = "database"

EXTERNAL_KEYS = ("host", "port", "username", "password")


def render(env: Environment) -> Iterable[Resource]:
    """A server where the tenant has none, and what each service needs of it. Nothing when nobody asks."""
    wanted = ids.database_roles(env)
    if not wanted:
        return
    if external := env.spec.database.external:
        admin = kube("v1/Secret", env.namespace, external.secret.name)
        yield workloads.external(COMPONENT, admin, "spec.database.external.secret", *EXTERNAL_KEYS)
        server = frozenset({admin})
    else:
        admin = embedded.superuser(env)
        yield from embedded.render(env, COMPONENT, env.spec.database.embedded)
        server = frozenset({embedded.server(env)})
    yield from roles.render(env, COMPONENT, wanted, admin, server)
