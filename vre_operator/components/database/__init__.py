"""PostgreSQL: the tenant's own server or an existing one, and a role and a database for each service."""

from vre_operator.components.database.component import COMPONENT, render

__all__ = ["COMPONENT", "render"]
