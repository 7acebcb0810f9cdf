"""What a tenant lives through: each is an act of a person, and how one sees that the operator is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.faults.rig.tenant import Tenant

GONE = "Gone"
_SECOND = "registration-2"


@dataclass(frozen=True, eq=False)
class Workload:
    """`before`: the settled tenant's spec that it begins with (None: there is no tenant yet).
    until: the reason of condition Ready in the end, or GONE. consent: data may go. prepare: once it is settled.
    """

    name: str
    act: Callable[[Tenant], None]
    before: Mapping[str, Any] | None = field(default_factory=dict)
    until: str = "Ready"
    consent: bool = False
    prepare: Callable[[Tenant], None] = lambda tenant: None

    def __str__(self) -> str:
        return self.name


def _change(
    name: str, spec: Mapping[str, Any], before: Mapping[str, Any] | None = None, **more: Any
) -> Workload:
    return Workload(name, lambda tenant: tenant.patch(**spec), before or {}, **more)


def _bind(tenant: Tenant) -> None:
    """As a provisioner does it: only a bound claim can grow."""
    status = {"phase": "Bound", "capacity": {"storage": "8Gi"}, "accessModes": ["ReadWriteOnce"]}
    api = tenant.stage.api
    api.patch("PersistentVolumeClaim", tenant.namespace, "database", {"spec": {"volumeName": "one"}})
    api.patch("PersistentVolumeClaim", tenant.namespace, "database", {"status": status}, "/status")


def _other_credential(tenant: Tenant) -> None:
    tenant.write_credential(_SECOND)
    tenant.patch(identity={"credentialsSecret": {"name": _SECOND}})


def _again(tenant: Tenant) -> None:
    """Deleted, and made again under the same name as soon as the name is free."""
    tenant.delete()
    tenant.stage.until(lambda: tenant.vre is None, "the VREEnvironment is still there")
    tenant.make()


def _moved(tenant: Tenant) -> None:
    tenant.patch(hostname=f"new.{tenant.host}")


_LAKE_OFF = {"dataLake": {"enabled": False}}
_ENTRIES = [
    {"name": "one", "image": "registry.example.org/one:1"},
    {"name": "two", "image": "registry.example.org/two:2"},
]

CREATE = Workload("create", lambda tenant: tenant.make(), None)
AGAIN = Workload("delete and make again", _again)

WORKLOADS: tuple[Workload, ...] = (
    CREATE,
    _change("notebooks changed", {"notebooks": {"culling": {"idleSeconds": 900}}}),
    _change("notebooks off", {"notebooks": {"enabled": False}}),
    _change("notebooks on", {"notebooks": {"enabled": True}}, {"notebooks": {"enabled": False}}),
    _change("lake off", _LAKE_OFF),
    _change("lake on", {"dataLake": {"enabled": True}}, _LAKE_OFF),
    _change(
        "database grows",
        {"database": {"embedded": {"size": "16Gi"}}},
        {"database": {"embedded": {"size": "8Gi", "storageClass": "growing"}}},
        prepare=_bind,
    ),
    _change(
        "sizes", {"notebooks": {"resources": {"memoryLimit": "3Gi"}}, "storage": {"homes": {"size": "20Gi"}}}
    ),
    _change("catalogue", {"catalogue": {"entries": _ENTRIES}}),
    Workload("hostname", _moved),
    _change("suspend", {"suspend": True}, until="Suspended"),
    _change("resume", {"suspend": False}, {"suspend": True}),
    Workload("credential", _other_credential),
    Workload("delete, retain", lambda tenant: tenant.delete(), until=GONE),
    Workload(
        "delete, delete", lambda tenant: tenant.delete(), {"deletionPolicy": "Delete"}, GONE, consent=True
    ),
    AGAIN,
)
