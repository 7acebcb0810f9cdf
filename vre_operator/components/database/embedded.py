"""A PostgreSQL server of the tenant's own: one pod, one volume, one password.

The volume and the Secret of the superuser outlive the tenant together: PostgreSQL takes the password only when
it creates the data, so a new Secret would not open an old volume. A new password is set by the Jobs of the
roles (setup.sh), which the former one lets in.
"""

from __future__ import annotations

from collections.abc import Iterator

from vre_operator.api.v1alpha1 import EmbeddedDatabase
from vre_operator.components import claims, ids, policies, workloads
from vre_operator.components.context import Environment, kube
from vre_operator.components.workloads import Body, User, mount, scratch
from vre_operator.engine.resources import FORMER, Generator, Policy, Resource, ResourceId

# The user `postgres` of the official Debian-based image.
POSTGRES = User(uid=999, gid=999)
SUPERUSER_DIRECTORY = "/run/vre/superuser"


def superuser(env: Environment) -> ResourceId:
    """Secret with what an administrator's connection takes: the keys of an external server's Secret."""
    return kube("v1/Secret", env.namespace, "database-superuser")


def server(env: Environment) -> ResourceId:
    """Ready when the server answers."""
    return kube("apps/v1/StatefulSet", env.namespace, ids.DATABASE)


def render(env: Environment, component: str, wish: EmbeddedDatabase) -> Iterator[Resource]:
    """The server and what it stands on."""
    yield Resource(
        id=superuser(env),
        component=component,
        body={
            "type": "Opaque",
            "stringData": {
                "host": env.service_host(ids.DATABASE),
                "port": str(ids.DATABASE_PORT),
                "username": "postgres",
            },
        },
        generate={"password": Generator.HEX48, f"{FORMER}password": Generator.FORMER},
        policy=Policy.RETAIN,
    )
    claim = claims.claim(
        component,
        kube("v1/PersistentVolumeClaim", env.namespace, "database"),
        wish.size,
        storage_class=wish.storage_class,
        origin="spec.database.embedded",
    )
    yield claim
    service = workloads.service(
        env, component, ids.DATABASE, {"postgres": (ids.DATABASE_PORT, ids.DATABASE_PORT)}
    )
    yield service
    walls = _walls(env, component)
    yield walls
    yield workloads.stateful_set(
        env,
        component,
        ids.DATABASE,
        _template(env, component, claim.id),
        # The class, not the claim: most classes bind a claim only when a pod wants it.
        needs={superuser(env), service.id, walls.id} | claim.needs,
        origin="spec.database.embedded",
    )


def _walls(env: Environment, component: str) -> Resource:
    consumers = [policies.pods(env, ids.DATABASE_SETUP)]
    if env.spec.notebooks.enabled:
        consumers.append(policies.pods(env, ids.HUB))
    consumers += [policies.pods(env, user) for user in ids.rucio_pods(env)]
    if reana := ids.reana_pods(env):
        consumers += [*(policies.pods(env, user, env.workflows) for user in reana), policies.engines(env)]
    return policies.policy(
        env,
        component,
        ids.DATABASE,
        selects=workloads.selector(env, ids.DATABASE),
        ingress=[policies.accept(consumers, ids.DATABASE_PORT)],
    )


def _template(env: Environment, component: str, volume: ResourceId) -> Body:
    # Each engine of a workflow holds connections of its own (contracts/reana.md section 2).
    server = ["postgres", "-c", "max_connections=300"] if env.spec.workflows.enabled else []
    # By TCP: while the image creates the data it runs a server that listens on the socket only.
    answers = {"exec": {"command": ["pg_isready", "--quiet", "--host=127.0.0.1"]}, "timeoutSeconds": 5}
    container = workloads.container(
        env,
        "postgres",
        env.site.images.postgres,
        cpu=("100m", "2"),
        memory=("256Mi", "1Gi"),
        environment={
            # A directory inside the volume: its root may hold lost+found or belong to somebody else.
            "PGDATA": "/data/postgres",
            "POSTGRES_PASSWORD_FILE": f"{SUPERUSER_DIRECTORY}/password",
            "POSTGRES_INITDB_ARGS": "--data-checksums --encoding=UTF8",
        },
        ports={"postgres": ids.DATABASE_PORT},
        args=server,
        mounts=[
            mount("data", "/data", writable=True),
            mount("superuser", SUPERUSER_DIRECTORY),
            mount("run", "/var/run/postgresql", writable=True),
            mount("tmp", "/tmp", writable=True),  # noqa: S108
            mount("shm", "/dev/shm", writable=True),  # noqa: S108
        ],
        # Recovery after a crash may take minutes, and ends in nothing if it is cut off.
        startupProbe=answers | {"periodSeconds": 2, "failureThreshold": 450},
        readinessProbe=answers | {"periodSeconds": 10},
        livenessProbe=answers | {"periodSeconds": 30, "failureThreshold": 6},
        # SIGTERM would wait for all clients to leave; SIGINT ends their sessions and shuts down cleanly.
        lifecycle={"preStop": {"exec": {"command": ["sh", "-c", "kill -INT 1"]}}},
    )
    return workloads.pod(
        env,
        component,
        ids.DATABASE,
        [container],
        user=POSTGRES,
        volumes=[
            workloads.claim_volume("data", volume),
            workloads.secret_volume("superuser", superuser(env), "password"),
            scratch("run", "1Mi"),
            scratch("tmp", "256Mi"),
            scratch("shm", "128Mi", memory=True),
        ],
        grace_seconds=120,
    )
