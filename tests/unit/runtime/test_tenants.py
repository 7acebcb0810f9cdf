from typing import Any

import pytest

from vre_operator.runtime.tenants import Tenants, key_of


def vre(
    namespace: str, name: str = "vre", host: str = "a.example.org", age: int = 1, **more: Any
) -> dict[str, Any]:
    status = {key: more.pop(key) for key in ("hostnames", "inventory") if key in more}
    spec = {"hostname": host, **({"dataLake": {"hostname": more.pop("lake")}} if "lake" in more else {})}
    metadata = {
        "namespace": namespace,
        "name": name,
        "uid": f"{namespace}-{name}",
        "creationTimestamp": f"2026-01-0{age}T00:00:00Z",
        **more,
    }
    return {"metadata": metadata, "spec": spec, "status": status}


def reasons(*objects: dict[str, Any]) -> list[str | None]:
    tenants = Tenants()
    for obj in objects:
        tenants.put(obj)
    collisions = [tenants.collision(key_of(obj)) for obj in objects]
    return [str(collision.reason) if collision else None for collision in collisions]


def test_tenants_apart_do_not_collide() -> None:
    assert reasons(vre("one", host="a.example.org"), vre("two", host="b.example.org")) == [None, None]


@pytest.mark.parametrize("order", [1, -1])
def test_the_older_gets_the_hostname(order: int) -> None:
    pair = [vre("one", age=1), vre("two", age=2)][::order]
    assert reasons(*pair) == [None, "HostnameTaken"][::order]


def test_who_holds_it_keeps_it_against_an_older_one() -> None:
    assert reasons(vre("old", age=1), vre("new", age=2, hostnames=["a.example.org"])) == ["HostnameTaken", None]


def test_a_hostname_is_held_until_it_is_let_go() -> None:
    moving = vre("one", host="b.example.org", hostnames=["a.example.org", "b.example.org"])
    assert reasons(moving, vre("two", host="a.example.org", age=2)) == [None, "HostnameTaken"]


def test_the_lake_has_a_hostname_too() -> None:
    assert reasons(vre("one"), vre("two", host="b.example.org", lake="a.example.org", age=2)) == [
        None,
        "HostnameTaken",
    ]


def test_one_environment_in_a_namespace() -> None:
    first, second = vre("one", "x", age=1), vre("one", "y", host="b.example.org", age=2)
    assert reasons(first, second) == [None, "NamespaceOccupied"]
    assert reasons(first, {**second, "status": {"inventory": ["0 Delete t:k:n:m"]}}) == [
        "NamespaceOccupied",
        None,
    ]


def test_the_message_names_field_and_remedy_and_not_the_other_tenant() -> None:
    tenants = Tenants()
    tenants.put(vre("secretive", age=1))
    tenants.put(vre("two", age=2))
    collision = tenants.collision(("two", "vre"))
    assert collision is not None
    assert collision.message == "spec.hostname: another tenant has a.example.org. Choose another hostname."


def test_a_tenant_that_is_being_deleted_is_never_held_up() -> None:
    assert reasons(vre("one", age=1), vre("two", age=2, deletionTimestamp="now")) == [None, None]


@pytest.mark.attack("tenant admin", "the audience of another tenant's lake")
@pytest.mark.parametrize("storage", [True, False], ids=["of a storage", "of the VRE"])
def test_a_storage_cannot_have_the_audience_of_another_tenants_lake(storage: bool) -> None:
    """Tokens for its storage would be good at that lake."""
    victim = vre("victim", host="v.example.org", age=1)
    victim["spec"]["dataLake"] = {"enabled": True}
    thief = vre("thief", host="t.example.org" if storage else "rucio.v.example.org", age=2)
    if storage:
        stolen = {"name": "DISK", "hostname": "rucio.v.example.org"}
        thief["spec"]["dataLake"] = {"enabled": True, "storage": [stolen]}
    assert reasons(victim, thief) == [None, "HostnameTaken"]
    # Who came first keeps it: then the lake gets no name that somebody's tokens are for already.
    thief["metadata"]["creationTimestamp"] = "2025-01-01T00:00:00Z"
    assert reasons(victim, thief) == ["HostnameTaken", None]
    victim["status"]["hostnames"] = ["v.example.org"]
    assert reasons(victim, thief) == [None, "HostnameTaken"]


def test_a_lake_may_have_its_audience_for_a_hostname() -> None:
    one = vre("one", host="v.example.org", lake="rucio.v.example.org")
    one["spec"]["dataLake"]["enabled"] = True
    other = vre("two", host="w.example.org", age=2)
    other["spec"]["dataLake"] = {"enabled": True}
    assert reasons(one, other) == [None, None]
