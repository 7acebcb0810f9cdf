"""The landing page at the tenant's hostname."""

from vre_operator.components.page.component import render

__all__ = ["render"]
