"""The quota of the namespace of sessions."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.unit.components.scenarios import ISSUER, environment
from vre_operator.components import registry


@pytest.mark.parametrize(
    "resources",
    [
        {},
        {"cpuGuarantee": 0},
        {"memoryGuarantee": "0"},
        {"cpuGuarantee": 0.05, "cpuLimit": 0.3, "memoryLimit": "1.5Gi"},
    ],
)
def test_the_quota_has_room_for_all_sessions(resources: dict[str, Any]) -> None:
    identity = {"issuer": ISSUER, "credentialsSecret": {"name": "login"}, "allowAll": True}
    notebooks = {"maxSessions": 40, "resources": resources}
    env = environment({"hostname": "vre.example.org", "identity": identity, "notebooks": notebooks})
    (quota,) = (
        each.body["spec"]["hard"]
        for each in registry.render(env)
        if each.id.kind == "v1/ResourceQuota" and each.id.namespace == env.notebooks
    )
    asked = env.spec.notebooks.resources
    # as KubeSpawner and the API server's defaults have it: no request is a request of the limit
    one = {
        "requests.cpu": asked.cpu_guarantee or asked.cpu_limit,
        "limits.cpu": asked.cpu_limit,
        "requests.memory": number(asked.memory_guarantee) or number(asked.memory_limit),
        "limits.memory": number(asked.memory_limit),
        "pods": 1,
    }
    for name, value in one.items():
        # 40 run, a few are on their way out, but not twice as many
        assert 44 * value <= number(quota[name]) < 60 * value, name


def number(quantity: str) -> float:
    units = {"": 1, "m": 1e-3, "Mi": 2**20, "Gi": 2**30}
    value, unit = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", quantity).groups()  # type: ignore[union-attr]
    return float(value) * units[unit]
