from tests.unit.engine.world import res, rid
from vre_operator.engine.inventory import Inventory, prune_order
from vre_operator.engine.plan import make_plan
from vre_operator.engine.resources import Policy


def test_it_survives_the_status_and_keeps_what_a_new_plan_drops() -> None:
    old = Inventory().merged(make_plan([res("a"), res("b", "a")]))
    new = make_plan([res("a"), res("c", "a")])
    merged = Inventory.load(old.merged(new).dump())
    assert merged == old.merged(new)
    assert [entry.id for entry in merged.stale(new)] == [rid("b")]
    assert len(merged) == 3


def test_what_is_only_read_is_not_in_it() -> None:
    assert len(Inventory().merged(make_plan([res("a", policy=Policy.EXTERNAL)]))) == 0


def test_dump_is_stable_and_prune_order_is_backwards() -> None:
    plan = make_plan([res("z"), res("a"), res("m", "a")])
    dumped = Inventory().merged(plan).dump()
    assert [item.rsplit(":")[-1] for item in dumped] == ["a", "z", "m"]
    batches = prune_order(Inventory.load(dumped).stale(None))
    assert [[entry.id.name for entry in batch] for batch in batches] == [["m"], ["a", "z"]]


def test_a_changed_policy_takes_effect() -> None:
    old = Inventory().merged(make_plan([res("a", policy=Policy.DELETE)]))
    merged = old.merged(make_plan([res("a", policy=Policy.RETAIN)]))
    assert merged.dump() == ["0 Retain kubernetes:v1/ConfigMap:atlas:a"]
