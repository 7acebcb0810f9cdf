"""Names that depend on content: a changed Job is a new object, a tenant's database is nobody else's."""

from __future__ import annotations

from vre_operator.components.context import Environment
from vre_operator.engine.refs import digest


def database_job_name(env: Environment, role: str) -> str:
    """The Job that makes a role: another one for another server or another PostgreSQL."""
    external = env.spec.database.external
    basis = {
        "role": role,
        "image": env.site.images.postgres,
        "server": external.secret.name if external else "embedded",
    }
    return f"database-{role}-{digest(basis)[:8]}"


def database_name(env: Environment, role: str) -> str:
    """The name of a service's role and of its database.

    On a shared server it tells tenants of all clusters apart, and a re-created tenant finds its own again: it
    depends on cluster and namespace, never on a uid. At most 63 bytes, and no character that needs quoting.
    """
    if env.spec.database.external is None:
        return role
    readable = env.namespace.replace("-", "_")[:40]
    unique = digest([env.tenant.cluster_id, env.namespace])[:8]
    return f"vre_{readable}_{unique}_{role}"
