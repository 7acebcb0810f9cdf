"""The VREEnvironments as last seen, and the claims that cross them: hostnames and namespaces."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
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
    """A cache by (namespace, name), fed by watches and by the answers to our own writes: the newest wins.

    whole: an object with what its site gives, of which it claims, too.
    """

    def __init__(self, whole: Callable[[Object], Object] = lambda obj: obj) -> None:
        self._whole = whole
        self._objects: dict[TenantKey, Object] = {}
        self._claims: dict[TenantKey, set[str]] = {}
        # Who claims a namespace or a hostname: a thousand tenants need not be asked one by one.
        self._claimants: defaultdict[str, set[TenantKey]] = defaultdict(set)

    def put(self, obj: dict[str, Any]) -> bool:
        """Keep `obj` unless a newer version is known; tells which."""
        key = key_of(obj)
        known = self._objects.get(key)
        if known is not None and _version(known) > _version(obj):
            return False
        obj["metadata"].pop("managedFields", None)
        self._objects[key] = obj
        self._claim(key, obj)
        return True

    def claim_anew(self) -> None:
        """The site gives something else."""
        for key, obj in self._objects.items():
            self._claim(key, obj)

    def drop(self, key: TenantKey, uid: str = "") -> bool:
        """Forget the object of that uid ("": any); tells whether it was known."""
        known = self._objects.get(key)
        if known is None or (uid and known["metadata"]["uid"] != uid):
            return False
        del self._objects[key]
        self._unclaim(key)
        return True

    def get(self, key: TenantKey) -> Object | None:
        return self._objects.get(key)

    def __len__(self) -> int:
        return len(self._objects)

    def __iter__(self) -> Iterator[TenantKey]:
        return iter(list(self._objects))

    def rivals(self, obj: Object) -> set[TenantKey]:
        """The others that claim something of what `obj` claims."""
        found = {key for claim in self._claims_of(obj) for key in self._claimants.get(claim, ())}
        return found - {key_of(obj)}

    def collision(self, key: TenantKey) -> Collision | None:
        """Whether somebody with an older right claims the same. Who already holds a claim keeps it."""
        mine = self._whole(self._objects[key])
        if "deletionTimestamp" in mine["metadata"]:
            return None
        for other_key in sorted(self.rivals(mine)):
            other = self._whole(self._objects[other_key])
            if other_key[0] == key[0] and _prevails(other, mine, _occupies(other), _occupies(mine)):
                return Collision(
                    Reason.NAMESPACE_OCCUPIED,
                    f"VREEnvironment {other_key[1]} already lives in namespace {key[0]}. "
                    "Make this one in a namespace of its own.",
                )
            theirs = wanted(other) | held(other) | audiences(other)
            for hostname in sorted((wanted(mine) | audiences(mine)) & theirs):
                if _prevails(other, mine, _holds(other, hostname), _holds(mine, hostname)):
                    return Collision(
                        Reason.HOSTNAME_TAKEN,
                        f"{_field(mine, hostname)}: another tenant has {hostname}. Choose another hostname.",
                    )
        return None

    def older(self, key: TenantKey) -> int:
        """How many tenants came before this one, those that are going left out."""
        mine = self._objects[key]
        return sum(
            "deletionTimestamp" not in other["metadata"] and (_occupies(other) or _age(other) < _age(mine))
            for one, other in self._objects.items()
            if one != key
        )

    def _claims_of(self, obj: Object) -> set[str]:
        # No hostname holds a slash.
        whole = self._whole(obj)
        return {f"namespace/{obj['metadata']['namespace']}"} | wanted(whole) | audiences(whole) | held(obj)

    def _claim(self, key: TenantKey, obj: Object) -> None:
        self._unclaim(key)
        self._claims[key] = self._claims_of(obj)
        for claim in self._claims[key]:
            self._claimants[claim].add(key)

    def _unclaim(self, key: TenantKey) -> None:
        for claim in self._claims.pop(key, ()):
            self._claimants[claim].discard(key)
            if not self._claimants[claim]:
                del self._claimants[claim]


def key_of(obj: Object) -> TenantKey:
    return (obj["metadata"]["namespace"], obj["metadata"]["name"])


def wanted(obj: Object) -> set[str]:
    """The hostnames that a tenant's spec asks for, as far as they can be read."""
    spec = obj.get("spec") or {}
    lake = spec.get("dataLake") or {}
    storages = [one.get("hostname") for one in lake.get("storage") or () if isinstance(one, dict)]
    workflows = spec.get("workflows") or {}
    names = (spec.get("hostname"), lake.get("hostname"), workflows.get("hostname"), *storages)
    return {name for name in names if isinstance(name, str)}


def audiences(obj: Object) -> set[str]:
    """For whom tokens are that a tenant's Rucio takes (components/ids.py). A storage of that hostname would
    have its tenant's tokens made for it, too."""
    spec = obj.get("spec") or {}
    lake = spec.get("dataLake") or {}
    own = lake.get("enabled") is True and not lake.get("attach")
    return {f"rucio.{spec['hostname']}"} if own and isinstance(spec.get("hostname"), str) else set()


def _holds(obj: Object, name: str) -> bool:
    """Whether it was given to the tenant: an audience with the hostname that it is of."""
    return name in held(obj) or (name in audiences(obj) and name.partition(".")[2] in held(obj))


def held(obj: Object) -> set[str]:
    """The hostnames that the operator has given to a tenant and not taken back."""
    return set((obj.get("status") or {}).get("hostnames") or ())


def _version(obj: Object) -> int:
    return int(obj["metadata"].get("resourceVersion", 0))


def _occupies(obj: Object) -> bool:
    return bool((obj.get("status") or {}).get("inventory"))


def _prevails(other: Object, mine: Object, other_holds: bool, mine_holds: bool) -> bool:
    if other_holds != mine_holds:
        return other_holds
    return _age(other) < _age(mine)


def _age(obj: Object) -> tuple[str, str]:
    return (obj["metadata"].get("creationTimestamp", ""), obj["metadata"]["uid"])


def _field(obj: Object, hostname: str) -> str:
    spec = obj["spec"]
    if spec.get("hostname") == hostname:
        return "spec.hostname"
    lake = spec.get("dataLake") or {}
    for index, one in enumerate(lake.get("storage") or ()):
        if one.get("hostname") == hostname:
            return f"spec.dataLake.storage[{index}].hostname"
    if (spec.get("workflows") or {}).get("hostname") == hostname:
        return "spec.workflows.hostname"
    if lake.get("hostname") != hostname and hostname in audiences(obj):
        return "spec.hostname"
    return "spec.dataLake.hostname"
