"""What a pod has of its person, in a notebook or in a workflow's job: where tokens are, and the lake."""

from __future__ import annotations

from vre_operator.components import ids
from vre_operator.components.context import Environment


def tokens(env: Environment) -> str:
    """The URL at which the hub's service `tokens` gives what is a person's."""
    return f"http://{env.service_host(ids.HUB)}:{ids.TOKENS_PORT}/"


def rucio_address(env: Environment) -> str:
    """The URL of a Rucio of the tenant's own, inside the cluster."""
    return f"http://{env.service_host(ids.RUCIO)}"


def rucio_cfg(env: Environment, said: str, *login: str) -> str:
    """rucio.cfg for a Rucio of the tenant's own. said: to whoever reads it; login: the lines about that."""
    address = rucio_address(env)
    lines = [said, "[client]", f"rucio_host = {address}", f"auth_host = {address}", "request_retries = 3"]
    return "\n".join([*lines, *login]) + "\n"
