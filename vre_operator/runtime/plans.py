"""Plans of the tenants that are being worked on: the same wish is not rendered at every step towards it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from vre_operator.api.site import Site
from vre_operator.api.v1alpha1 import VREEnvironmentSpec
from vre_operator.api.validate import SpecError, load
from vre_operator.components.context import Environment
from vre_operator.engine.plan import Plan, PlanError, make_plan
from vre_operator.engine.refs import OutcomeOf, references
from vre_operator.engine.resources import OIDC, Resource, Tenant
from vre_operator.runtime.defaults import Wish
from vre_operator.runtime.tenants import TenantKey

_Made = tuple[str, int, str, bool | None, Mapping[str, Any]]
"""Of what: uid, generation, rotation, suspended, what the site gives."""

KEPT = 64  # more than there are workers; a plan takes about 200 KiB


class Plans:
    """The last few."""

    def __init__(self, render: Callable[[Environment], Iterable[Resource]], site: Site) -> None:
        self._render = render
        self._site = site
        self._kept: OrderedDict[TenantKey, tuple[_Made, VREEnvironmentSpec, Plan]] = OrderedDict()

    def of(self, tenant: Tenant, wish: Wish) -> tuple[VREEnvironmentSpec, Plan]:
        """Raises SpecError, NameTakenError."""
        obj = wish.obj
        # A site may suspend it, too, which is no change of the wish.
        suspended = obj["spec"].get("suspend")
        made_of = (tenant.uid, obj["metadata"]["generation"], tenant.rotation, suspended, wish.given)
        known, spec, plan = self._kept.get(tenant.key, (None, None, None))
        if known != made_of or spec is None or plan is None:
            spec = wanted(wish)
            plan = planned(self._render, Environment(tenant, spec, self._site))
            self._kept[tenant.key] = (made_of, spec, plan)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(tenant.key)
        return spec, plan

    def forget(self, key: TenantKey) -> None:
        self._kept.pop(key, None)


def wanted(wish: Wish) -> VREEnvironmentSpec:
    """What components are asked for. Raises SpecError."""
    spec = load(wish.obj, wish.told)
    if wish.problems:
        raise SpecError(wish.problems)
    return spec


def planned(render: Callable[[Environment], Iterable[Resource]], env: Environment) -> Plan:
    """Raises NameTakenError, and PlanError for what would show a tenant the Secret that its site lends it, or
    send it elsewhere than to the provider that it is for: components are asked to, and here it is made sure."""
    plan = make_plan(render(env))
    lent = env.tenant.lent
    for one in plan.resources if lent else ():
        uses = any(ref.of == lent and not isinstance(ref, OutcomeOf) for ref in references(one.body) or ())
        if uses and not (one.id.target == OIDC and one.body.get("issuer") == env.spec.identity.issuer):
            raise PlanError(f"{one.id} would hold {lent}, which the site lends for its provider alone")
    return plan
