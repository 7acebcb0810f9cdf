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


@pytest.mark.parametrize(
    ("inside", "told"),
    [
        ("kubernetes.io/pvc-protection in 1 resource instances", False),
        (
            "kubernetes.io/pvc-protection in 2 resource instances, example.org/hold in 1 resource instances",
            True,
        ),
    ],
)
def test_kubernetes_own_work_inside_a_namespace_holds_nothing_up(inside: str, told: bool) -> None:
    message = f"Some content in the namespace has finalizers remaining: {inside}"
    item = {"type": "NamespaceFinalizersRemaining", "status": "True", "message": message}
    assert bool(held({"metadata": {}, "status": {"conditions": [item]}})) == told
