"""What keeps an object that is being deleted."""

from __future__ import annotations

from typing import Any

import pytest

from vre_operator.engine.readiness import held


@pytest.mark.parametrize(
    ("finalizers", "told"),
    [
        ([], ""),
        (["kubernetes", "orphan", "foregroundDeletion", "kubernetes.io/pvc-protection"], ""),
        (["batch.kubernetes.io/job-tracking", "service.kubernetes.io/load-balancer-cleanup"], ""),
        (["kubernetes.io/pvc-protection", "example.org/hold"], "finalizer example.org/hold holds it"),
        (["notkubernetes.io/x"], "finalizer notkubernetes.io/x holds it"),
    ],
)
def test_foreign_finalizers_are_told(finalizers: list[str], told: str) -> None:
    found = held({"metadata": {"finalizers": finalizers}})
    assert told in found
    assert bool(told) == bool(found)


def test_a_namespace_tells_what_holds_it_and_not_that_it_is_emptied() -> None:
    def namespace(kind: str, status: str) -> dict[str, Any]:
        item = {"type": kind, "status": status, "message": "a Service has finalizers remaining"}
        return {"metadata": {}, "status": {"conditions": [item]}}

    assert "remaining" in held(namespace("NamespaceFinalizersRemaining", "True"))
    assert held(namespace("NamespaceFinalizersRemaining", "False")) == ""
    assert held(namespace("NamespaceContentRemaining", "True")) == ""
