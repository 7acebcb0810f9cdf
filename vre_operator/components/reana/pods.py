"""What pods with REANA's own programs have in common, and the Job and CronJobs among them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from vre_operator.api.data_lake import SchemaUpgrade
from vre_operator.components import ids, workloads
from vre_operator.components.context import Environment, kube
from vre_operator.components.naming import database_job_name
from vre_operator.components.package import data_file
from vre_operator.components.reana import settings
from vre_operator.components.reana.settings import Names
from vre_operator.components.workloads import CA_FILE, Body, config_volume, mount, scratch
from vre_operator.engine.refs import digest
from vre_operator.engine.resources import Resource, ResourceId

FILES = {
    name: data_file("vre_operator.components.reana", name)
    for name in (
        "backends.py",
        "database.py",
        "door.py",
        "gate.py",
        "people.py",
        "probe.py",
        "realm.py",
        "stores.py",
    )
}
_SHARED = "shared"
_UNITE = f"""\
import certifi, pathlib
texts = [pathlib.Path(path).read_text() for path in (certifi.where(), {CA_FILE!r})]
pathlib.Path({settings.AUTHORITIES!r}).write_text("".join(texts))
"""


def container(
    env: Environment,
    name: str,
    image: str,
    *,
    cpu: tuple[str, str],
    memory: tuple[str, str],
    command: Sequence[str],
    environment: dict[str, Any] | None = None,
    mounts: Sequence[Body] = (),
    **more: Any,
) -> Body:
    """A container of one of REANA's images, with the shared volume, as the user that these images have."""
    return workloads.container(
        env,
        name,
        image,
        cpu=cpu,
        memory=memory,
        command=command,
        environment=settings.common(env) | (environment or {}),
        mounts=[
            mount(_SHARED, settings.SHARED, writable=True),
            mount("programs", settings.PROGRAMS),
            *([mount("trust", settings.TRUST)] if env.site.ca_bundle else []),
            *mounts,
        ],
        # Flask's and Invenio's instance folders lie among the libraries.
        read_only=False,
        capabilities=settings.CAPABILITIES,
        **more,
    )


def pod(
    env: Environment,
    component: str,
    name: str,
    containers: Sequence[Body],
    *,
    volumes: Sequence[Body] = (),
    config: Sequence[ResourceId] = (),
    service_account: str = "",
) -> Body:
    """A pod of such containers."""
    names = Names(env)
    return workloads.pod(
        env,
        component,
        name,
        containers,
        init=_trust(env),
        user=settings.ROOT,
        volumes=[
            workloads.claim_volume(_SHARED, names.volume),
            config_volume("programs", names.programs),
            *([scratch("trust", "4Mi"), *workloads.ca_volumes(env)] if env.site.ca_bundle else []),
            *volumes,
        ],
        service_account=service_account,
        # What nothing in them hears as the first process of a container is a signal.
        grace_seconds=10,
        config=[names.programs, names.database, names.broker, names.key, *config],
    )


def _trust(env: Environment) -> list[Body]:
    """The public authorities and the site's as one file: Python's HTTP clients replace the one by the other."""
    if not env.site.ca_bundle:
        return []
    return [
        workloads.container(
            env,
            "trust",
            ids.reana_images(env).server,
            cpu=("10m", "1"),
            memory=("32Mi", "128Mi"),
            command=["python3", "-c", _UNITE],
            mounts=[mount("trust", settings.TRUST, writable=True), *workloads.ca_mounts(env)],
        )
    ]


def database(env: Environment, component: str, needs: set[ResourceId]) -> Resource:
    """The Job that makes or upgrades the database. Another image, program or server: another Job."""
    names, image = Names(env), ids.reana_images(env).server
    basis = {"image": image, "script": FILES["database.py"], "database": database_job_name(env, ids.REANA)}
    upgrade = ["--upgrade"] if env.spec.workflows.schema_upgrade is SchemaUpgrade.AUTOMATIC else []
    one = container(
        env,
        "database",
        image,
        cpu=("100m", "1"),
        memory=("256Mi", "1Gi"),
        command=["python3", f"{settings.PROGRAMS}/database.py", "--framework", *upgrade],
        environment=settings.administrator(env) | settings.former_key(env),
    )
    return workloads.job(
        env,
        component,
        kube("batch/v1/Job", env.workflows, f"{ids.REANA_DATABASE}-{digest(basis)[:8]}"),
        pod(env, component, ids.REANA_DATABASE, [one], config=[names.administrator]),
        needs=needs | {ids.database_ready(env, ids.REANA)},
        origin="spec.workflows",
    )


def care(env: Environment, component: str, needs: set[ResourceId]) -> Iterator[Resource]:
    """What has to be done once a day: contracts/reana.md section 1.4, CronJobs."""
    names, minute = Names(env), workloads.minute(env)
    days = str(env.spec.workflows.session_days)
    wanted = {
        "reana-quota": (1, ids.REANA_CARE, ["reana-db", "quota", "resource-usage-update"]),
        "reana-retention": (2, ids.REANA_CARE, ["flask", "reana-admin", "retention-rules-apply"]),
        ids.REANA_CLOSING: (
            3,
            ids.REANA_CLOSING,
            ["flask", "reana-admin", "interactive-session-cleanup", "-d", days],
        ),
    }
    for name, (hour, workload, command) in wanted.items():
        one = container(
            env,
            "care",
            ids.reana_images(env).server,
            cpu=("10m", "1"),
            memory=("128Mi", "1Gi"),
            command=command,
            environment=settings.administrator(env) | {"REANA_PERIODIC_RESOURCE_QUOTA_UPDATE_POLICY": "true"},
            mounts=[mount("config", f"{settings.SHARED}/config")],
        )
        template = pod(
            env,
            component,
            workload,
            [one],
            volumes=[config_volume("config", names.config)],
            # Sessions are found by their pods.
            service_account=names.infrastructure.name if workload == ids.REANA_CLOSING else "",
        )
        yield workloads.cron_job(
            env,
            component,
            name,
            f"{minute} {hour} * * *",
            template,
            needs=needs,
            origin="spec.workflows",
            namespace=env.workflows,
        )
