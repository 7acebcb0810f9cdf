from dataclasses import replace

import pytest

from tests.unit.engine.world import res, rid
from vre_operator.engine.plan import NameTakenError, PlanError, make_plan
from vre_operator.engine.refs import ContentDigest, Ref, Text
from vre_operator.engine.resources import Policy, Resource


def test_needs_come_first_and_levels_count_the_longest_way() -> None:
    plan = make_plan([res("c", "b", "a"), res("b", "a"), res("a"), res("d")])
    order = [resource.id.name for resource in plan.resources]
    assert order.index("a") < order.index("b") < order.index("c")
    assert {key.name: level for key, level in plan.levels.items()} == {"a": 0, "b": 1, "c": 2, "d": 0}


@pytest.mark.parametrize(
    "value",
    [
        Ref(rid("a"), "password"),
        Text("x", Ref(rid("a"), "password")),
        ContentDigest(rid("a")),
        [Ref(rid("a"), "p")],
    ],
)
def test_a_reference_is_a_need(value: object) -> None:
    plan = make_plan([res("b", data={"key": value}), res("a")])
    assert plan.needs[rid("b")] == {rid("a")}


def test_duplicates_unknown_needs_and_circles_are_named() -> None:
    with pytest.raises(PlanError, match=r"ConfigMap:atlas:a is made by both hub and hub"):
        make_plan([res("a"), res("a")])
    with pytest.raises(PlanError, match=r"needs kubernetes:v1/ConfigMap:atlas:ghost, which nothing makes"):
        make_plan([res("a", "ghost")])
    with pytest.raises(PlanError, match="circle of needs"):
        make_plan([res("a", "b"), res("b", "a")])


def test_somebody_elses_object_may_be_named_twice() -> None:
    def theirs(*keys: str) -> Resource:
        return replace(res("a", policy=Policy.EXTERNAL), required_keys=keys)

    plan = make_plan([theirs("x", "y"), theirs("y", "z")])
    assert plan.resources[0].required_keys == ("x", "y", "z")


@pytest.mark.parametrize("order", [1, -1])
def test_an_own_object_named_as_somebody_elses_is_the_tenants_mistake(order: int) -> None:
    theirs = replace(res("a", policy=Policy.EXTERNAL), origin="spec.exposure.tls.secret")
    with pytest.raises(
        NameTakenError, match=r"^spec.exposure.tls.secret: ConfigMap a is made by the operator itself"
    ):
        make_plan([theirs, res("a")][::order])
