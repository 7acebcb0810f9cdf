"""The VREEnvironments as last seen, and the claims that cross them: hostnames and namespaces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vre_operator.api.conditions import Reason

TenantKey = tuple[str, str]
Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Collision:
    """Another tenant holds what this one claims."""

    reason: Reason
    message: str


class Tenants:
    """A cache by (namespace, name), fed by the watch."""

    def __init__(self) -> None:
        self._objects: dict[TenantKey, Object] = {}

    def put(self, obj: Object) -> TenantKey:
        key = key_of(obj)
        self._objects[key] = obj
        return key

    def drop(self, key: TenantKey) -> None:
        self._objects.pop(key, None)

    def get(self, key: TenantKey) -> Object | None:
        return self._objects.get(key)

    def __len__(self) -> int:
        return len(self._objects)

    def __iter__(self) -> Iterator[TenantKey]:
        return iter(list(self._objects))

    def refused(self) -> list[TenantKey]:
        """Those whose last status says that somebody else holds what they claim."""
        reasons = (Reason.HOSTNAME_TAKEN, Reason.NAMESPACE_OCCUPIED)
        return [
            key
            for key, obj in self._objects.items()
            if any(item["reason"] in reasons for item in (obj.get("status") or {}).get("conditions") or ())
        ]

    def collision(self, key: TenantKey) -> Collision | None:
        """Whether somebody with an older right claims the same. Who already holds a claim keeps it."""
        mine = self._objects[key]
        if "deletionTimestamp" in mine["metadata"]:
            return None
        for other_key, other in self._objects.items():
            if other_key == key:
                continue
            if other_key[0] == key[0] and _prevails(other, mine, _occupies(other), _occupies(mine)):
                return Collision(
                    Reason.NAMESPACE_OCCUPIED,
                    f"VREEnvironment {other_key[1]} already lives in namespace {key[0]}. "
                    "Make this one in a namespace of its own.",
                )
            for hostname in sorted(wanted(mine) & (wanted(other) | held(other))):
                if _prevails(other, mine, hostname in held(other), hostname in held(mine)):
                    return Collision(
                        Reason.HOSTNAME_TAKEN,
                        f"{_field(mine, hostname)}: another tenant has {hostname}. Choose another hostname.",
                    )
        return None


def key_of(obj: Object) -> TenantKey:
    return (obj["metadata"]["namespace"], obj["metadata"]["name"])


def wanted(obj: Object) -> set[str]:
    """The hostnames that a tenant's spec asks for, as far as they can be read."""
    spec = obj.get("spec") or {}
    lake = (spec.get("dataLake") or {}).get("hostname")
    return {name for name in (spec.get("hostname"), lake) if isinstance(name, str)}


def held(obj: Object) -> set[str]:
    """The hostnames that the operator has given to a tenant and not taken back."""
    return set((obj.get("status") or {}).get("hostnames") or ())


def _occupies(obj: Object) -> bool:
    return bool((obj.get("status") or {}).get("inventory"))


def _prevails(other: Object, mine: Object, other_holds: bool, mine_holds: bool) -> bool:
    if other_holds != mine_holds:
        return other_holds
    return _age(other) < _age(mine)


def _age(obj: Object) -> tuple[str, str]:
    return (obj["metadata"].get("creationTimestamp", ""), obj["metadata"]["uid"])


def _field(obj: Object, hostname: str) -> str:
    return "spec.hostname" if obj["spec"].get("hostname") == hostname else "spec.dataLake.hostname"
