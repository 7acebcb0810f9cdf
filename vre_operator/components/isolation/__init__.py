"""Whether the tenant's walls hold, tried from inside."""

from vre_operator.components.isolation.component import render

__all__ = ["render"]
