"""site.isolation: whether the walls around tenants hold."""

from __future__ import annotations

from pydantic import Field

from vre_operator.api.base import Model


class Isolation(Model):
    """From inside each tenant, in pods that policies take for a notebook and for a job, all that they must stop
    is tried again and again. The condition Isolated tells how the last trial ended."""

    enabled: bool = True
    """Try on a schedule."""
    hours: int = Field(default=1, ge=1, le=24)
    """Between two trials of a tenant; the minute of the hour is the tenant's own."""
    required: bool = False
    """Whether a tenant whose walls do not hold is not Ready. By default it is, with the reason of Isolated."""
