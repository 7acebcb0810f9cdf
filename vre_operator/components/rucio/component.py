"""What the data lake is made of: configuration, a Job that makes the schema, the server.

Sources: contracts/rucio.md sections 1 (image), 2 (server, probes) and 4 (schema).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vre_operator.api.data_lake import SchemaUpgrade
from vre_operator.components import ids, policies, workloads
from vre_operator.components.context import Environment, kube, rucio
from vre_operator.components.naming import database_job_name
from vre_operator.components.policies import accept
from vre_operator.components.rucio import (
    attached,
    care,
    config,
    daemons,
    declared,
    fts,
    login,
    server,
    storage,
    transfers,
)
from vre_operator.components.rucio.pods import NOBODY, QUIET, SCRIPT_DIRECTORY, SCRIPTS, Files, policy
from vre_operator.components.workloads import mount, selector
from vre_operator.engine.refs import Ref, digest
from vre_operator.engine.resources import Generator, Policy, Resource, ResourceId

COMPONENT = "dataLake"
TRANSFERS = "transfers"


def render(env: Environment) -> Iterable[Resource]:
    """Nothing when the tenant wants no data lake."""
    if not env.spec.data_lake.enabled:
        return
    if attach := env.spec.data_lake.attach:
        yield from declared.render(env, COMPONENT, *attached.render(env, COMPONENT, attach))
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
    files = Files(configuration.id, scripts.id)
    walls = [*_walls(env), *daemons.walls(env, COMPONENT)]
    needs = {configuration.id, scripts.id} | {wall.id for wall in walls}
    schema = _schema(env, files, needs, root.id)
    yield from (root, configuration, scripts, *walls, schema)
    if ids.rucio_logs_people_in(env):
        yield login.render(env, COMPONENT)
    yield from storage.render(env, COMPONENT, files)
    yield from transfers.render(env, TRANSFERS)
    yield from fts.render(env, TRANSFERS)
    yield workloads.service(env, COMPONENT, ids.RUCIO, {"http": (80, 80)})
    yield from server.render(env, COMPONENT, files, needs | {schema.id})
    yield from daemons.render(env, COMPONENT, files, needs | {schema.id})
    yield from care.render(env, COMPONENT, files, needs | {schema.id})
    yield from declared.render(env, COMPONENT, _entry(env, root.id))


def _entry(env: Environment, root: ResourceId) -> Resource:
    """Where the operator finds it."""
    return Resource(
        id=rucio("Server", "server"),
        component=COMPONENT,
        body={
            "url": f"http://{env.service_host(ids.RUCIO)}",
            "account": "root",
            "username": Ref(root, "username"),
            "password": Ref(root, "password"),
            "asleep": env.spec.suspend,
        },
        needs=frozenset({ids.rucio_server(env), ids.rucio_service(env)}),
        policy=Policy.EXTERNAL,
        origin="spec.dataLake",
    )


def _walls(env: Environment) -> Iterator[Resource]:
    inside = [policies.sessions(env), policies.operator(env)]
    inside += [policies.jobs(env)] if ids.lake_in_jobs(env) else []
    if ids.page_wanted(env):
        inside.append(policies.pods(env, ids.PAGE))
    ingress = [accept(inside, 80)]
    if env.spec.data_lake.hostname:
        ingress.append(accept(policies.front_door(env), 80))
    database = policies.database(env)
    egress = [database, *(policies.issuer(env) if ids.rucio_logs_people_in(env) else ())]
    if ids.named_fts(env):
        # A rule's new priority is told to it by the server.
        egress.append(policies.storage())
    yield policies.policy(
        env, COMPONENT, ids.RUCIO, selects=selector(env, ids.RUCIO), ingress=ingress, egress=egress
    )
    yield policies.policy(
        env, COMPONENT, ids.RUCIO_SCHEMA, selects=selector(env, ids.RUCIO_SCHEMA), egress=[database]
    )


def _schema(env: Environment, files: Files, needs: set[ResourceId], root: ResourceId) -> Resource:
    """Another image, script, policy or database: another Job. Another password of root: it runs again."""
    image = env.site.images.rucio_server
    basis = {"image": image, "script": SCRIPTS["schema.py"], "database": database_job_name(env, ids.RUCIO)}
    basis |= policy(env)
    upgrade = ["--upgrade"] if env.spec.data_lake.schema_upgrade is SchemaUpgrade.AUTOMATIC else []
    container = workloads.container(
        env,
        "schema",
        image,
        cpu=("100m", "1"),
        memory=("256Mi", "512Mi"),
        command=["python3", f"{SCRIPT_DIRECTORY}/schema.py", *upgrade],
        environment={**QUIET, **policy(env)},
        mounts=[*files.mounts, mount("tmp", "/tmp", writable=True)],  # noqa: S108
    )
    template = workloads.pod(
        env,
        COMPONENT,
        ids.RUCIO_SCHEMA,
        [container],
        user=NOBODY,
        volumes=[*files.volumes, workloads.scratch("tmp", "64Mi")],
        config=[root],
    )
    return workloads.job(
        env,
        COMPONENT,
        kube("batch/v1/Job", env.namespace, f"{ids.RUCIO_SCHEMA}-{digest(basis)[:8]}"),
        template,
        needs=needs | {ids.database_ready(env, ids.RUCIO)},
        origin="spec.dataLake",
    )
