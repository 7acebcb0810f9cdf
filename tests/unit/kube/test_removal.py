"""A delete names the very object that was looked at: another may have its name by the time it arrives."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from vre_operator.api import names
from vre_operator.engine.resources import KUBERNETES, Policy, ResourceId, Tenant
from vre_operator.kube.client import Kube
from vre_operator.targets.kubernetes.cache import Cache
from vre_operator.targets.kubernetes.removal import Removal

TENANT = Tenant("atlas", "vre", "u1", "c")
LABELS = {
    names.TENANT_NAMESPACE_LABEL: "atlas",
    names.TENANT_NAME_LABEL: "vre",
    names.TENANT_UID_LABEL: "u1",
}


async def test_a_delete_names_the_uid_that_was_read() -> None:
    asked: list[dict[str, Any]] = []

    async def get(*_: str) -> dict[str, Any]:
        return {"metadata": {"name": "hub", "namespace": "atlas", "uid": "seen", "labels": LABELS}}

    async def delete(*_: str, **options: Any) -> bool:
        asked.append(options)
        return True

    kube = cast(Kube, SimpleNamespace(get=get, delete=delete))
    cache = cast(Cache, SimpleNamespace(follows=lambda kind: False))
    service = ResourceId(KUBERNETES, "v1/Service", "atlas", "hub")
    assert await Removal(kube, cache).delete(TENANT, service, Policy.DELETE, False)
    assert [options.get("uid") for options in asked] == ["seen"]


async def test_what_is_let_go_is_let_go_also_when_the_reading_is_older_than_what_was_written() -> None:
    """A namespace before our labels: nothing in it tells that we hold any of it."""
    sent: list[dict[str, Any]] = []

    async def get(*_: str) -> dict[str, Any]:
        metadata = {"name": "atlas", "uid": "seen", "resourceVersion": "1"}
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}

    async def apply(body: dict[str, Any]) -> None:
        sent.append(body)

    kube = cast(Kube, SimpleNamespace(get=get, apply=apply))
    namespace = ResourceId(KUBERNETES, "v1/Namespace", "", "atlas")
    assert await Removal(kube, cast(Cache, None)).delete(TENANT, namespace, Policy.RELEASE, False)
    assert [body["metadata"] for body in sent] == [{"name": "atlas", "uid": "seen"}]
