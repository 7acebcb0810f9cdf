"""Plans of the tenants that are being worked on: the same wish is not rendered at every step towards it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from vre_operator.api.site import Site
from vre_operator.api.v1alpha1 import VREEnvironmentSpec
from vre_operator.api.validate import load
from vre_operator.components.context import Environment
from vre_operator.engine.plan import Plan, make_plan
from vre_operator.engine.resources import Resource, Tenant
from vre_operator.runtime.tenants import TenantKey

_Made = tuple[str, int, str, bool | None]  # of what: uid, generation, rotation, suspended

KEPT = 64  # more than there are workers; a plan takes about 200 KiB


class Plans:
    """The last few."""

    def __init__(self, render: Callable[[Environment], Iterable[Resource]], site: Site) -> None:
        self._render = render
        self._site = site
        self._kept: OrderedDict[TenantKey, tuple[_Made, VREEnvironmentSpec, Plan]] = OrderedDict()

    def of(self, tenant: Tenant, obj: Mapping[str, Any]) -> tuple[VREEnvironmentSpec, Plan]:
        """Raises SpecError, NameTakenError."""
        # A site may suspend it, too, which is no change of the wish.
        made_of = (tenant.uid, obj["metadata"]["generation"], tenant.rotation, obj["spec"].get("suspend"))
        known, spec, plan = self._kept.get(tenant.key, (None, None, None))
        if known != made_of or spec is None or plan is None:
            spec = load(obj)
            plan = make_plan(self._render(Environment(tenant, spec, self._site)))
            self._kept[tenant.key] = (made_of, spec, plan)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(tenant.key)
        return spec, plan

    def forget(self, key: TenantKey) -> None:
        self._kept.pop(key, None)
