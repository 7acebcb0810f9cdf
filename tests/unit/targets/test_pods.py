"""What of a pod is news to its tenant."""

from __future__ import annotations

from typing import Any

import pytest

from vre_operator.engine.resources import Tenant
from vre_operator.targets.kubernetes.cache import Cache

TENANT = Tenant("ocean", "ocean", "uid", "cluster")
RUN = {"batch.kubernetes.io/job-name": "isolation-1"}


def pod(version: int, labels: dict[str, str], phase: str, code: int | None = None) -> dict[str, Any]:
    metadata = {"name": "p", "namespace": "ocean-notebooks", "uid": "1", "labels": labels}
    state = {"running": {}} if code is None else {"terminated": {"exitCode": code, "finishedAt": "1"}}
    return {
        "metadata": metadata | {"resourceVersion": str(version)},
        "status": {"phase": phase, "containerStatuses": [{"name": "c", "state": state}]},
    }


def woken(*seen: dict[str, Any]) -> int:
    """How often the tenant is, by a pod as it goes on."""
    woken: list[tuple[str, str]] = []
    cache = Cache(None, woken.append, ())  # type: ignore[arg-type]
    cache.meet(TENANT)
    (pods,) = cache.reflectors()
    for one in seen:
        pods._take(one)
    assert set(woken) <= {TENANT.key}
    return len(woken)


@pytest.mark.parametrize(("phase", "code"), [("Failed", 3), ("Succeeded", 0)])
def test_the_end_of_a_run_is_news(phase: str, code: int) -> None:
    begun = [pod(1, RUN, "Pending"), pod(2, RUN, "Running")]
    assert woken(*begun) == 0
    assert woken(*begun, pod(3, RUN, phase, code)) == 1
    assert woken(*begun, pod(3, RUN, phase, code), pod(4, RUN, phase, code)) == 1


def test_that_of_a_session_is_none() -> None:
    assert woken(pod(1, {}, "Running"), pod(2, {}, "Failed", 1)) == 0
