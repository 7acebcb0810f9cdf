"""A role and a database for each service, made by a Job on whichever server the tenant has.

The Job makes everything again when it runs again: it sets the role's password to the one in the Secret and
creates what is missing. It runs anew when its content changes, the Secret's password included.
"""

from __future__ import annotations

from collections.abc import Iterator

from vre_operator.components import ids, policies, workloads
from vre_operator.components.context import Environment
from vre_operator.components.database.embedded import POSTGRES
from vre_operator.components.naming import database_name
from vre_operator.components.package import data_file
from vre_operator.components.workloads import Body, mount, scratch, secret_volume
from vre_operator.engine.refs import Ref
from vre_operator.engine.resources import FORMER, Generator, Policy, Resource, ResourceId

SCRIPT = data_file("vre_operator.components.database", "setup.sh")
ADMIN_DIRECTORY = "/run/vre/admin"
ROLE_DIRECTORY = "/run/vre/role"


def render(
    env: Environment, component: str, roles: tuple[str, ...], admin: ResourceId, server: frozenset[ResourceId]
) -> Iterator[Resource]:
    """admin: Secret with the keys host, port, username and password. server: ready when it answers."""
    walls = policies.policy(
        env,
        component,
        ids.DATABASE_SETUP,
        selects=workloads.selector(env, ids.DATABASE_SETUP),
        egress=[policies.database(env)],
    )
    yield walls
    for role in roles:
        yield _credentials(env, component, role, admin)
        yield workloads.job(
            env,
            component,
            ids.database_ready(env, role),
            _template(env, component, role, admin),
            needs=server | {admin, walls.id},
            origin="spec.database",
        )


def _credentials(env: Environment, component: str, role: str, admin: ResourceId) -> Resource:
    name = database_name(env, role)
    return Resource(
        id=ids.database_credentials(env, role),
        component=component,
        body={
            "type": "Opaque",
            "stringData": {
                "host": Ref(admin, "host"),
                "port": Ref(admin, "port"),
                "database": name,
                "username": name,
            },
        },
        generate={"password": Generator.HEX48},
        policy=Policy.RETAIN,
        origin="spec.database",
    )


def _administrator(env: Environment, admin: ResourceId) -> Body:
    keys = ["host", "port", "username", "password"]
    # The password of somebody else's server is theirs to change.
    own = [] if env.spec.database.external else [f"{FORMER}password"]
    return secret_volume("admin", admin, *keys, *own)


def _template(env: Environment, component: str, role: str, admin: ResourceId) -> Body:
    credentials = ids.database_credentials(env, role)
    container = workloads.container(
        env,
        "setup",
        env.site.images.postgres,
        cpu=("50m", "1"),
        memory=("64Mi", "256Mi"),
        command=["sh", "-c", SCRIPT],
        environment={
            "ADMIN": ADMIN_DIRECTORY,
            "ROLE": ROLE_DIRECTORY,
            "PGPASSFILE": "/tmp/pgpass",  # noqa: S108
        },
        mounts=[
            mount("admin", ADMIN_DIRECTORY),
            mount("role", ROLE_DIRECTORY),
            mount("tmp", "/tmp", writable=True),  # noqa: S108
        ],
        workingDir="/tmp",  # noqa: S108
    )
    return workloads.pod(
        env,
        component,
        ids.DATABASE_SETUP,
        [container],
        user=POSTGRES,
        volumes=[
            _administrator(env, admin),
            secret_volume("role", credentials, "username", "password", "database"),
            scratch("tmp", "16Mi"),
        ],
        config=[credentials] if env.spec.database.external else [credentials, admin],
    )
