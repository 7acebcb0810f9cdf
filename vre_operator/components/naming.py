"""Names that depend on content, so that a changed Job is a new object."""

from __future__ import annotations

from vre_operator.components.context import Environment
from vre_operator.engine.refs import digest


def database_job_name(env: Environment, role: str) -> str:
    external = env.spec.database.external
    basis = {
        "role": role,
        "image": env.site.images.postgres,
        "server": external.secret.name if external else "embedded",
    }
    return f"database-{role}-{digest(basis)[:8]}"
