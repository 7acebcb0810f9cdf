"""Files for the tenants' pods: what a component carries, and what it writes.

The former lie in a folder `files` beside the component, which is no Python package: nobody can import them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from vre_operator.components.context import Environment, kube
from vre_operator.engine.resources import Resource


def data_file(package: str, name: str) -> str:
    """The text of `files/<name>` in `package`."""
    return files(package).joinpath("files", name).read_text(encoding="utf-8")


def config_map(
    env: Environment,
    component: str,
    name: str,
    data: Mapping[str, Any],
    *,
    namespace: str = "",
    origin: str = "",
) -> Resource:
    """Files by name, for pods of `namespace` (the tenant's own when empty)."""
    namespace = namespace or env.namespace
    return Resource(
        id=kube("v1/ConfigMap", namespace, name),
        component=component,
        body={"data": dict(data)},
        needs=frozenset({kube("v1/Namespace", "", namespace)}),
        origin=origin,
    )


def json_file(data: Any) -> str:
    """The text of a file that programs read, and people now and then."""
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
