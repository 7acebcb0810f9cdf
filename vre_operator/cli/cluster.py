"""What the commands that ask a cluster have in common."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from vre_operator.api import names

if TYPE_CHECKING:
    from vre_operator.kube.client import Kube


class ClusterError(Exception):
    """Why there is nothing to show; its text is for people."""


@asynccontextmanager
async def cluster(context: str | None) -> AsyncIterator[Kube]:
    """That of the kubeconfig. What goes wrong inside is raised as ClusterError."""
    from kubernetes.config.config_exception import ConfigException

    from vre_operator.engine.errors import TargetError
    from vre_operator.kube.client import Kube

    try:
        async with Kube.from_kubeconfig(context=context) as kube:
            yield kube
    except TargetError as error:
        raise ClusterError(error.text) from None
    except ConfigException as error:
        raise ClusterError(f"{error} Set KUBECONFIG, or give --context.") from None


async def environment(kube: Kube, namespace: str, name: str | None) -> Mapping[str, Any]:
    """name: the only VREEnvironment of the namespace when None. Raises ClusterError."""
    found: Sequence[Mapping[str, Any]] = await kube.list(f"{names.API_VERSION}/{names.KIND}", namespace)
    for item in found:
        if name is None or item["metadata"]["name"] == name:
            return item
    which = f"VREEnvironment {name}" if name else "VREEnvironment"
    raise ClusterError(f"There is no {which} in namespace {namespace}")
