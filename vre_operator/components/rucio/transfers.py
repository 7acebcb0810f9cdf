"""The transfer service of the operator's own, for tenants without an FTS (vre_operator/transfers)."""

from __future__ import annotations

from collections.abc import Iterator

from vre_operator.api.data_lake import DaemonGroup
from vre_operator.components import claims, ids, policies, workloads
from vre_operator.components.context import Environment, kube
from vre_operator.components.rucio.pods import NOBODY
from vre_operator.components.workloads import Body, claim_volume, mount, scratch, selector
from vre_operator.engine.resources import Resource, ResourceId

_DATA = "/data"


def address(env: Environment) -> str:
    """The FTS for RSEs that name none; "" where nobody transfers."""
    if not ids.own_transfers(env):
        return ids.named_fts(env)
    return f"http://{env.service_host(ids.TRANSFERS)}:{ids.TRANSFERS_PORT}"


def render(env: Environment, component: str) -> Iterator[Resource]:
    """Nothing where somebody else transfers."""
    if not ids.own_transfers(env):
        return
    queue = claims.claim(
        component,
        kube("v1/PersistentVolumeClaim", env.namespace, ids.TRANSFERS),
        "2Gi",
        origin="spec.dataLake.transfers",
    )
    conveyor = policies.pods(env, ids.rucio_daemon(DaemonGroup.TRANSFERS))
    wall = policies.policy(
        env,
        component,
        ids.TRANSFERS,
        selects=selector(env, ids.TRANSFERS),
        # Who comes in is not asked who it is, and sends tokens for storages.
        ingress=[policies.accept([conveyor], ids.TRANSFERS_PORT)],
        egress=[policies.storage(), *policies.issuer(env)],
    )
    service = workloads.service(
        env, component, ids.TRANSFERS, {"http": (ids.TRANSFERS_PORT, ids.TRANSFERS_PORT)}
    )
    yield from (queue, wall, service)
    yield workloads.stateful_set(
        env,
        component,
        ids.TRANSFERS,
        _template(env, component, queue.id),
        needs={wall.id, service.id} | workloads.ca_needs(env),
        origin="spec.dataLake.transfers",
    )


def _template(env: Environment, component: str, queue: ResourceId) -> Body:
    alive: Body = {"httpGet": {"path": "/healthz", "port": ids.TRANSFERS_PORT}, "timeoutSeconds": 10}
    trust = ["--ca", workloads.CA_FILE] if env.site.ca_bundle else []
    container = workloads.container(
        env,
        "transfers",
        env.site.images.transfers,
        cpu=("20m", "1"),
        memory=("96Mi", "512Mi"),
        command=["vre-transfers", "--data", _DATA, "--port", str(ids.TRANSFERS_PORT), *trust],
        ports={"http": ids.TRANSFERS_PORT},
        mounts=[
            mount("queue", _DATA, writable=True),
            mount("tmp", "/tmp", writable=True),  # noqa: S108
            *workloads.ca_mounts(env),
        ],
        startupProbe=alive | {"periodSeconds": 2, "failureThreshold": 60},
        readinessProbe=alive | {"periodSeconds": 10},
        livenessProbe=alive | {"periodSeconds": 30, "failureThreshold": 4},
    )
    return workloads.pod(
        env,
        component,
        ids.TRANSFERS,
        [container],
        user=NOBODY,
        volumes=[claim_volume("queue", queue), scratch("tmp", "64Mi"), *workloads.ca_volumes(env)],
    )
