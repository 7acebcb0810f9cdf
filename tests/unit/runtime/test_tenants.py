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
