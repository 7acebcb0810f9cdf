"""What the VRESite says of a tenant: what it gives, is it within bounds, until when may it run, is there room.

Admission refuses what is out of bounds (api/bounds.py). Here it is told of those who stood before: a bound that
is drawn closer ends nothing. Two things the operator alone knows: the time, and how many tenants there are.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from vre_operator.api.bounds import broken, matching
from vre_operator.api.conditions import Condition, Reason
from vre_operator.api.validate import SpecError, load_vresite
from vre_operator.api.vresite import NAME, Bounds, VRESiteSpec
from vre_operator.engine.status import Verdict
from vre_operator.runtime.defaults import Wish, effective

log = logging.getLogger(__name__)

_TOLD = 3


@dataclass(slots=True)
class SiteRules:
    """home: the operator's namespace. site: None while there is no VRESite."""

    home: str = "vre-system"
    site: VRESiteSpec | None = None

    @property
    def bounds(self) -> Bounds | None:
        return self.site.bounds if self.site else None

    def take(self, obj: Mapping[str, Any] | None) -> bool:
        """Heed a VRESite, or its end; whether that changes anything. One that can't be read changes nothing."""
        if obj is not None and obj["metadata"]["name"] != NAME:
            return False
        try:
            spec = load_vresite(obj) if obj is not None else None
        except SpecError as error:
            log.error("VRESite %s is not heeded, and the former word stands: %s", NAME, error)
            return False
        return self.heed(spec)

    def heed(self, spec: VRESiteSpec | None) -> bool:
        """What the site says, wherever it does; whether that changes anything."""
        before, self.site = self.site, spec
        return self.site != before

    def wish(self, obj: Mapping[str, Any]) -> Wish:
        """A tenant's, with what the site gives."""
        return effective(self.site, obj, self.home)

    def ends(self, namespace: str) -> datetime | None:
        """When the last grant of this namespace is over; None where one has no end, or there are no grants."""
        found = matching(self.bounds.grants, namespace) if self.bounds else []
        ends = [grant.expires for grant in found if grant.expires is not None]
        return max(ends) if found and len(ends) == len(found) else None

    def verdict(self, namespace: str, spec: Mapping[str, Any], now: datetime) -> Verdict | None:
        """The condition WithinBounds; None where there are no bounds to be within."""
        if self.bounds is None:
            return None
        if (end := self.ends(namespace)) is not None and end <= now:
            return Verdict(Condition.WITHIN_BOUNDS, False, Reason.GRANT_EXPIRED, _expired(end))
        found = list(islice(broken(self.bounds, namespace, spec), _TOLD + 1))
        if not found:
            return Verdict(Condition.WITHIN_BOUNDS, True, Reason.WITHIN_BOUNDS, "within what the site allows")
        more = "; and more" if len(found) > _TOLD else ""
        return Verdict(
            Condition.WITHIN_BOUNDS,
            False,
            Reason.OUT_OF_BOUNDS,
            f"{'; '.join(found[:_TOLD])}{more}. What stands goes on; a change of these fields has to fit.",
        )

    def full(self, older: Callable[[], int]) -> str:
        """Why there is no room for a tenant; "" where there is. older: how many came before it, counted among
        all tenants and only where that matters."""
        if self.bounds is None or (room := self.bounds.tenants) is None or (before := older()) < room:
            return ""
        return (
            f"the site has room for {room} VREEnvironments, and there are {before} older ones. "
            "This one is made as soon as there is room; ask the site's admin"
        )


def _expired(end: datetime) -> str:
    day = end.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return (
        f"the site gave this namespace a VRE until {day}. Everything is kept, and comes back when the site's "
        "admin extends the grant."
    )
