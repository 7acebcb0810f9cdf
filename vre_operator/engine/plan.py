"""A checked set of resources, in an order in which each comes after what it needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter

from vre_operator.engine.refs import all_needs, references, watches
from vre_operator.engine.resources import Policy, Resource, ResourceId
from vre_operator.engine.target import Desired


class PlanError(Exception):
    """A bug in a component: a duplicate id, an unknown need or a circle of needs."""


class NameTakenError(Exception):
    """The spec names an object as somebody else's that the plan itself makes. Its text is for the tenant."""


@dataclass(frozen=True, slots=True)
class Plan:
    """resources: in the order of `after`. needs: stated and implied by refs. after: what comes before each, its
    needs and what it watches. levels: 0 for what comes after nothing.

    dependents: for each resource those that come after it. plain: what is desired, where that depends on no
    other resource's values.
    """

    resources: tuple[Resource, ...]
    needs: Mapping[ResourceId, frozenset[ResourceId]]
    after: Mapping[ResourceId, frozenset[ResourceId]]
    levels: Mapping[ResourceId, int]
    dependents: Mapping[ResourceId, tuple[Resource, ...]]
    plain: Mapping[ResourceId, Desired]

    def __contains__(self, resource: object) -> bool:
        return resource in self.levels


def make_plan(resources: Iterable[Resource]) -> Plan:
    """Raises PlanError when the resources do not form a plan, NameTakenError when the spec is at fault."""
    by_id: dict[ResourceId, Resource] = {}
    for resource in resources:
        first = by_id.get(resource.id)
        by_id[resource.id] = resource if first is None else _merged(first, resource)
    refs = {one.id: references(one.body) for one in by_id.values()}
    needs = {one.id: all_needs(one, refs[one.id] or ()) for one in by_id.values()}
    after = {one.id: needs[one.id] | watches(one, refs[one.id] or ()) for one in by_id.values()}
    for resource_id, needed in after.items():
        if unknown := sorted(needed - by_id.keys()):
            raise PlanError(f"{resource_id} needs {', '.join(map(str, unknown))}, which nothing makes")
    try:
        order = tuple(TopologicalSorter(after).static_order())
    except CycleError as error:
        raise PlanError(f"circle of needs: {' <- '.join(map(str, error.args[1]))}") from error
    levels: dict[ResourceId, int] = {}
    for resource_id in order:
        levels[resource_id] = 1 + max((levels[before] for before in after[resource_id]), default=-1)
    dependents: dict[ResourceId, list[Resource]] = {resource_id: [] for resource_id in order}
    for resource_id in order:
        for before in after[resource_id]:
            dependents[before].append(by_id[resource_id])
    return Plan(
        resources=tuple(by_id[resource_id] for resource_id in order),
        needs=needs,
        after=after,
        levels=levels,
        dependents={resource_id: tuple(found) for resource_id, found in dependents.items()},
        plain={one.id: Desired(one, one.body) for one in by_id.values() if refs[one.id] is None},
    )


def _merged(first: Resource, second: Resource) -> Resource:
    """One resource for two mentions of somebody else's object; nothing else may be mentioned twice."""
    theirs = [resource for resource in (first, second) if resource.policy is Policy.EXTERNAL]
    if not theirs:
        raise PlanError(f"{first.id} is made by both {first.component} and {second.component}")
    if len(theirs) == 1:
        raise NameTakenError(
            f"{theirs[0].origin}: {first.id.short} is made by the operator itself. Name another one."
        )
    return replace(first, required_keys=tuple(dict.fromkeys(first.required_keys + second.required_keys)))
