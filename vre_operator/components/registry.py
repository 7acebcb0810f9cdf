"""All components, in the order in which a person thinks of them, and what each condition stands for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from vre_operator.api.conditions import Condition
from vre_operator.components import database, exposure, hub, identity, isolation, page, reana, rucio, tenancy
from vre_operator.components.context import Environment
from vre_operator.components.hub import notebooks, probe, s3, shares
from vre_operator.engine.resources import Resource

_RENDERERS: tuple[Callable[[Environment], Iterable[Resource]], ...] = (
    tenancy.render,
    database.render,
    identity.render,
    hub.render,
    notebooks.render,
    shares.render,
    s3.render,
    probe.render,
    rucio.render,
    reana.render,
    page.render,
    exposure.render,
    isolation.render,
)

# Resource.component -> its condition, in the order of the status.
CONDITIONS: Mapping[str, Condition] = {
    "tenancy": Condition.TENANCY,
    "isolation": Condition.ISOLATED,
    "database": Condition.DATABASE,
    "identity": Condition.IDENTITY,
    "hub": Condition.HUB,
    "notebooks": Condition.NOTEBOOKS,
    "spawnProbe": Condition.NOTEBOOKS_WORK,
    "dataLake": Condition.DATA_LAKE,
    "transfers": Condition.TRANSFERS,
    "lakeProbe": Condition.LAKE_WORKS,
    "workflows": Condition.WORKFLOWS,
    "workflowProbe": Condition.WORKFLOWS_WORK,
    "workflowBackends": Condition.BACKENDS_WORK,
    "page": Condition.PAGE,
    "exposure": Condition.EXPOSURE,
}


def render(env: Environment) -> tuple[Resource, ...]:
    """Everything that a tenant's wish leads to, of all components."""
    return tuple(resource for renderer in _RENDERERS for resource in renderer(env))
