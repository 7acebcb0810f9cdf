"""What the data lake is made of: configuration, a Job that makes the schema, the server.

Sources: contracts/rucio.md sections 1 (image), 2 (server, probes) and 4 (schema).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vre_operator.components import ids, policies, workloads
from vre_operator.components.context import Environment, kube
from vre_operator.components.naming import database_job_name
from vre_operator.components.package import data_file
from vre_operator.components.policies import accept
from vre_operator.components.rucio import config
from vre_operator.components.workloads import Body, User, config_volume, mount, selector
from vre_operator.engine.refs import digest
from vre_operator.engine.resources import Generator, Policy, Resource, ResourceId

COMPONENT = "dataLake"

SCRIPTS = {name: data_file("vre_operator.components.rucio", name) for name in ("ready.py", "schema.py")}
SCRIPT_DIRECTORY = "/etc/vre/rucio"

# The official image starts as root: it writes its web server's configuration and drops to `apache`.
ROOT_USER = User(uid=0, gid=0)
CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID")
# The schema Job runs one program of the image and can be anybody.
NOBODY = User(uid=65534, gid=65534)

# Path instead of request line: tokens and codes travel in queries. The image's default logs the token header.
LOG_FORMAT = "%h %t %m %U %>s %b %D %{X-Rucio-RequestId}i"


def render(env: Environment) -> Iterable[Resource]:
    """Nothing when the tenant wants no data lake."""
    if not env.spec.data_lake.enabled:
        return
    root = Resource(
        id=kube("v1/Secret", env.namespace, "rucio-root"),
        component=COMPONENT,
        body={"type": "Opaque", "stringData": {"username": config.ROOT_IDENTITY, "account": "root"}},
        generate={"password": Generator.HEX48},
        policy=Policy.RETAIN,
    )
    configuration = Resource(
        id=kube("v1/Secret", env.namespace, "rucio-config"),
        component=COMPONENT,
        body={
            "type": "Opaque",
            "stringData": {
                "rucio.cfg": config.rucio_cfg(env, root.id),
                "alembic.ini": config.alembic_ini(env),
            },
        },
        origin="spec.dataLake",
    )
    scripts = Resource(
        id=kube("v1/ConfigMap", env.namespace, "rucio-scripts"), component=COMPONENT, body={"data": SCRIPTS}
    )
    walls = list(_walls(env))
    needs = {configuration.id, scripts.id} | {wall.id for wall in walls}
    schema = _schema(env, configuration.id, scripts.id, needs)
    yield from (root, configuration, scripts, *walls, schema)
    yield workloads.service(env, COMPONENT, ids.RUCIO, {"http": (80, 80)})
    yield _server(env, configuration.id, scripts.id, needs | {schema.id})


def _walls(env: Environment) -> Iterator[Resource]:
    ingress = [accept([policies.sessions(env)], 80)]
    if env.spec.data_lake.hostname:
        ingress.append(accept(policies.front_door(env), 80))
    database = policies.database(env)
    yield policies.policy(
        env, COMPONENT, ids.RUCIO, selects=selector(env, ids.RUCIO), ingress=ingress, egress=[database]
    )
    yield policies.policy(
        env, COMPONENT, ids.RUCIO_SCHEMA, selects=selector(env, ids.RUCIO_SCHEMA), egress=[database]
    )


def _volumes(configuration: ResourceId, scripts: ResourceId) -> list[Body]:
    # Readable for all in the pod: the image's WSGI processes run as a user whose number is the image's.
    etc = {"name": "etc", "secret": {"secretName": configuration.name, "defaultMode": 0o444}}
    return [etc, config_volume("scripts", scripts)]


MOUNTS = [mount("etc", config.DIRECTORY), mount("scripts", SCRIPT_DIRECTORY)]


def _schema(
    env: Environment, configuration: ResourceId, scripts: ResourceId, needs: set[ResourceId]
) -> Resource:
    """Another image, script or database: another Job."""
    image = env.site.images.rucio_server
    basis = {"image": image, "script": SCRIPTS["schema.py"], "database": database_job_name(env, ids.RUCIO)}
    container = workloads.container(
        env,
        "schema",
        image,
        cpu=("100m", "1"),
        memory=("256Mi", "512Mi"),
        command=["python3", f"{SCRIPT_DIRECTORY}/schema.py"],
        environment={"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/tmp"},  # noqa: S108
        mounts=[*MOUNTS, mount("tmp", "/tmp", writable=True)],  # noqa: S108
    )
    template = workloads.pod(
        env,
        COMPONENT,
        ids.RUCIO_SCHEMA,
        [container],
        user=NOBODY,
        volumes=[*_volumes(configuration, scripts), workloads.scratch("tmp", "64Mi")],
    )
    return workloads.job(
        env,
        COMPONENT,
        kube("batch/v1/Job", env.namespace, f"{ids.RUCIO_SCHEMA}-{digest(basis)[:8]}"),
        template,
        needs=needs | {ids.database_ready(env, ids.RUCIO)},
        origin="spec.dataLake",
    )


def _server(
    env: Environment, configuration: ResourceId, scripts: ResourceId, needs: set[ResourceId]
) -> Resource:
    ping: Body = {"httpGet": {"path": "/ping", "port": 80}, "timeoutSeconds": 10}
    container = workloads.container(
        env,
        "server",
        env.site.images.rucio_server,
        cpu=("100m", "2"),
        memory=("512Mi", "1536Mi"),
        environment={
            "RUCIO_LOG_FORMAT": LOG_FORMAT,
            "RUCIO_WSGI_DAEMON_PROCESSES": str(config.PROCESSES),
            "RUCIO_WSGI_DAEMON_THREADS": str(config.THREADS),
        },
        ports={"http": 80},
        mounts=MOUNTS,
        read_only=False,
        capabilities=CAPABILITIES,
        # The application loads with the first request, on a busy node in most of a minute.
        startupProbe=ping | {"periodSeconds": 2, "failureThreshold": 150},
        readinessProbe={
            "exec": {"command": ["python3", f"{SCRIPT_DIRECTORY}/ready.py"]},
            "periodSeconds": 10,
            "timeoutSeconds": 15,
            "failureThreshold": 2,
        },
        # Without its database the server is not ready, but a restart would not help it.
        livenessProbe=ping | {"periodSeconds": 20, "failureThreshold": 6},
    )
    template = workloads.pod(
        env,
        COMPONENT,
        ids.RUCIO,
        [container],
        user=ROOT_USER,
        volumes=_volumes(configuration, scripts),
        config=[configuration],
    )
    return workloads.deployment(
        env, COMPONENT, ids.RUCIO, template, rolling=True, needs=needs, origin="spec.dataLake"
    )
