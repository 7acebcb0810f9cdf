"""A rotated value reaches every program that reads it once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.unit.components.scenarios import SCENARIOS, scenario
from vre_operator.components import registry
from vre_operator.components.context import kube
from vre_operator.engine.refs import ContentDigest
from vre_operator.engine.resources import Policy

# PostgreSQL takes its superuser's password when it makes its data, and not again. A proxy is a file that is
# looked up whenever it is used. The schema's Job knows the Secret of root, from which its configuration is.
_OTHERWISE = {
    ("StatefulSet", "database-superuser"),
    ("Deployment", "rucio-x509"),
    ("Job", "rucio-config"),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_new_credentials_reach_every_program_that_reads_them_at_its_start(name: str) -> None:
    """A pod whose template does not change goes on with the old ones; a CronJob's are new each time."""
    plan = registry.render(scenario(name))
    ours = {one.id: one for one in plan if one.id.kind == "v1/Secret" and one.policy is not Policy.EXTERNAL}
    deaf = set()
    for one in plan:
        if one.id.kind not in (
            "apps/v1/Deployment",
            "apps/v1/StatefulSet",
            "apps/v1/DaemonSet",
            "batch/v1/Job",
        ):
            continue
        template = one.body["spec"]["template"]
        digests = set((template["metadata"].get("annotations") or {}).values())
        for secret in _secrets(template["spec"]):
            known = ours.get(kube("v1/Secret", one.id.namespace, secret))
            if known is not None and ContentDigest(known.id) not in digests:
                deaf.add((one.id.short, secret))
    assert {(short, secret) for short, secret in deaf if (short.split()[0], secret) not in _OTHERWISE} == set()


def _secrets(pod: Mapping[str, Any]) -> Iterator[str]:
    """Names of the Secrets that a pod's containers read."""
    for volume in pod.get("volumes", ()):
        sources = [volume, *(volume.get("projected") or {}).get("sources", ())]
        for source in sources:
            if "secret" in source:
                yield source["secret"].get("secretName") or source["secret"]["name"]
    for container in (*pod.get("initContainers", ()), *pod["containers"]):
        for variable in container.get("env", ()):
            if reference := (variable.get("valueFrom") or {}).get("secretKeyRef"):
                yield reference["name"]
        for whole in container.get("envFrom", ()):
            if "secretRef" in whole:
                yield whole["secretRef"]["name"]
