"""What holds something: the shared volume, the message broker, the cache.

Queued workflows lie in the broker, which keeps them over a restart of its own. The cache holds sessions of
REANA's pages, and nothing that would be missed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from vre_operator.components import claims, ids, workloads
from vre_operator.components.context import Environment, kube
from vre_operator.components.reana.settings import Names
from vre_operator.components.workloads import Body, User, mount, scratch, secret_volume
from vre_operator.engine.refs import Encode, Ref, Text
from vre_operator.engine.resources import FORMER, Generator, Policy, Resource, ResourceId

BROKER_PORT, CACHE_PORT = 5672, 6379
# The users of the official images.
_BROKER_USER = User(uid=999, gid=999)
_CACHE_USER = User(uid=999, gid=999)
_ETC = "/etc/vre/service"
_DATA = "/data"


def volume(env: Environment, component: str) -> Resource:
    """All workspaces. It outlives the tenant, as the database does that knows what is in it."""
    wish = env.spec.workflows.volume
    return claims.claim(
        component,
        Names(env).volume,
        wish.size,
        mode=wish.access_mode.value,
        storage_class=wish.storage_class,
        needs={ids.workflows_namespace(env)},
        origin="spec.workflows.volume",
    )


def cvmfs(env: Environment, component: str) -> Iterator[Resource]:
    """The software of CVMFS for jobs that name repositories (`resources.cvmfs`), where everybody's sessions
    have it. REANA would make the claim itself, with a class of a fixed name, and by a right that it has not."""
    if share := ids.workflow_cvmfs(env):
        identity = kube("v1/PersistentVolumeClaim", env.workflows, "reana-cvmfs")
        needs = {ids.workflows_namespace(env)}
        yield claims.cvmfs(component, identity, share, needs, "spec.storage.shares")


def generated(env: Environment, component: str, identity: ResourceId, key: str, **fields: str) -> Resource:
    """A Secret with a password. Kept with the volume or database that it opens."""
    made = {key: Generator.HEX48}
    if key == "REANA_SECRET_KEY":
        made = {key: Generator.HEX64, f"{FORMER}{key}": Generator.FORMER}
    return Resource(
        id=identity,
        component=component,
        body={"type": "Opaque", "stringData": fields},
        generate=made,
        policy=Policy.RETAIN,
        needs=frozenset({ids.workflows_namespace(env)}),
    )


def written(
    env: Environment, component: str, identity: ResourceId, data: Mapping[str, Ref | Text], origin: str = ""
) -> Resource:
    """A Secret of what others know, for pods, which read those of their namespace alone."""
    return Resource(
        id=identity,
        component=component,
        body={"type": "Opaque", "stringData": dict(data)},
        needs=frozenset({ids.workflows_namespace(env)}),
        origin=origin,
    )


def broker(env: Environment, component: str, needs: set[ResourceId]) -> Iterator[Resource]:
    """RabbitMQ. What `default_user` says is heeded with empty data only; definitions are at every start."""
    secret = Names(env).broker
    config = written(
        env,
        component,
        kube("v1/Secret", env.workflows, "reana-message-broker-config"),
        {
            "rabbitmq.conf": Text(
                f"load_definitions = {_ETC}/definitions.json\n",
                f"listeners.tcp.default = {BROKER_PORT}\n",
                "loopback_users = none\n",
                "vm_memory_high_watermark.absolute = 384MB\n",
                "disk_free_limit.absolute = 64MB\n",
                "log.console = true\nlog.console.level = warning\nlog.file = false\n",
            ),
            "definitions.json": Text(
                '{"vhosts": [{"name": "/"}], "users": [{"name": ',
                Ref(secret, "user", Encode.JSON),
                ', "password": ',
                Ref(secret, "password", Encode.JSON),
                ', "tags": ""}], "permissions": [{"vhost": "/", "user": ',
                Ref(secret, "user", Encode.JSON),
                ', "configure": ".*", "write": ".*", "read": ".*"}]}\n',
            ),
        },
    )
    claim = claims.claim(
        component,
        kube("v1/PersistentVolumeClaim", env.workflows, ids.REANA_BROKER),
        "1Gi",
        needs={ids.workflows_namespace(env)},
    )
    service = workloads.service(
        env, component, ids.REANA_BROKER, {"amqp": (BROKER_PORT, BROKER_PORT)}, namespace=env.workflows
    )
    answers: Body = {"tcpSocket": {"port": BROKER_PORT}, "timeoutSeconds": 5}
    container = workloads.container(
        env,
        "broker",
        env.site.images.reana.message_broker,
        cpu=("50m", "1"),
        memory=("192Mi", "512Mi"),
        command=["rabbitmq-server"],
        environment={
            "RABBITMQ_CONFIG_FILE": f"{_ETC}/rabbitmq.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": "/run/vre/enabled_plugins",
            "RABBITMQ_MNESIA_BASE": f"{_DATA}/mnesia",
            # The data is in a directory of the node's name, which would be the pod's.
            "RABBITMQ_NODENAME": "rabbit@localhost",
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_LOG_BASE": "/run/vre/log",
            "ERL_CRASH_DUMP_SECONDS": "0",
            # The port on which nodes of a cluster speak to each other.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            # The cookie has to be its owner's alone, which nothing on a volume with a group is.
            "HOME": "/run/vre",
        },
        ports={"amqp": BROKER_PORT},
        mounts=[
            mount("config", _ETC),
            mount("data", _DATA, writable=True),
            mount("run", "/run/vre", writable=True),
            mount("tmp", "/tmp", writable=True),  # noqa: S108
        ],
        startupProbe=answers | {"periodSeconds": 2, "failureThreshold": 150},
        readinessProbe=answers | {"periodSeconds": 10},
        livenessProbe=answers | {"periodSeconds": 30, "failureThreshold": 6},
    )
    template = workloads.pod(
        env,
        component,
        ids.REANA_BROKER,
        [container],
        user=_BROKER_USER,
        volumes=[
            secret_volume("config", config.id),
            workloads.claim_volume("data", claim.id),
            scratch("run", "16Mi"),
            scratch("tmp", "64Mi"),
        ],
        config=[config.id],
        grace_seconds=60,
    )
    yield from (config, claim, service)
    yield workloads.stateful_set(
        env,
        component,
        ids.REANA_BROKER,
        template,
        needs=needs | {config.id, service.id},
        origin="spec.workflows",
        namespace=env.workflows,
    )


def cache(env: Environment, component: str, needs: set[ResourceId]) -> Iterator[Resource]:
    """Redis. Generation 0.9 logs in as `default`, later ones by name."""
    secret = Names(env).cache
    config = written(
        env,
        component,
        kube("v1/Secret", env.workflows, "reana-cache-config"),
        {
            "redis.conf": Text(
                f"port {CACHE_PORT}\n",
                'protected-mode no\nsave ""\nappendonly no\ndir /tmp\n',
                "maxmemory 192mb\nmaxmemory-policy allkeys-lru\n",
                "requirepass ",
                Ref(secret, "password"),
                "\nuser ",
                Ref(secret, "user"),
                " on >",
                Ref(secret, "password"),
                " ~* &* +@all\n",
            )
        },
    )
    service = workloads.service(
        env, component, ids.REANA_CACHE, {"redis": (CACHE_PORT, CACHE_PORT)}, namespace=env.workflows
    )
    answers: Body = {"tcpSocket": {"port": CACHE_PORT}, "timeoutSeconds": 5}
    container = workloads.container(
        env,
        "cache",
        env.site.images.reana.cache,
        cpu=("10m", "500m"),
        memory=("32Mi", "256Mi"),
        command=["redis-server", f"{_ETC}/redis.conf"],
        ports={"redis": CACHE_PORT},
        mounts=[mount("config", _ETC), mount("tmp", "/tmp", writable=True)],  # noqa: S108
        readinessProbe=answers | {"periodSeconds": 10},
        livenessProbe=answers | {"periodSeconds": 30, "failureThreshold": 6},
    )
    template = workloads.pod(
        env,
        component,
        ids.REANA_CACHE,
        [container],
        user=_CACHE_USER,
        volumes=[secret_volume("config", config.id), scratch("tmp", "16Mi")],
        config=[config.id],
    )
    yield from (config, service)
    yield workloads.deployment(
        env,
        component,
        ids.REANA_CACHE,
        template,
        needs=needs | {config.id},
        origin="spec.workflows",
        namespace=env.workflows,
    )
