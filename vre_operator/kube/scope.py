"""Where the operator may look: in the whole cluster, or only in the namespaces that a site lists.

The one place that knows the difference. Who follows or reads something asks here where, and makes of the answer
what it makes of any: "" stands for all namespaces, as in kinds.Kind.path.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vre_operator.engine.resources import spaces
from vre_operator.kube.kinds import kind_of

EVERYWHERE = ("",)
_OTHERS = ("gateway.networking.k8s.io/v1/Gateway",)


@dataclass(frozen=True, slots=True)
class Scope:
    """listed: the tenants' own namespaces; the whole cluster when empty. home: the operator's namespace."""

    listed: tuple[str, ...] = ()
    home: str = "vre-system"

    @property
    def limited(self) -> bool:
        """Whether it has Roles and no ClusterRole, so that nothing without a namespace can be read."""
        return bool(self.listed)

    @property
    def wishes(self) -> tuple[str, ...]:
        """Where VREEnvironments are."""
        return self.listed or EVERYWHERE

    @property
    def tenants(self) -> tuple[str, ...]:
        """Where what they consist of is."""
        return tuple(space for name in self.listed for space in spaces(name)) or EVERYWHERE

    @property
    def secrets(self) -> tuple[str, ...]:
        """Where Secrets are that somebody names: a tenant, or the site, whose are beside the operator."""
        return (*self.tenants, self.home) if self.limited else EVERYWHERE

    @property
    def door(self) -> tuple[str, ...]:
        """Where kopf listens, too; () for everywhere. A namespace that is refused would end it, and the process
        with it, whatever the others do: its own is there."""
        return (self.home,) if self.limited else ()

    def sees(self, kind: str) -> bool:
        """Not what has no namespace, and not what is in namespaces of others."""
        return (kind_of(kind).namespaced and kind not in _OTHERS) or not self.limited

    def seen(self, kinds: Iterable[str]) -> list[str]:
        """Those that can be followed."""
        return [kind for kind in kinds if self.sees(kind)]


CLUSTER = Scope()
