"""When credentials are made anew: one rotation at a time, written down before the first value is made."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.engine.world import Killed, rid
from tests.unit.runtime.rig import Rig, make_rig
from vre_operator.api import names
from vre_operator.engine.resources import ResourceId, Tenant
from vre_operator.runtime.rotation import Rotation

NOW = "2026-01-01T00:00:00Z"
WORD = {names.ROTATE_ANNOTATION: "spring"}


def wish(
    annotations: dict[str, str] | None = None, *, made: str = NOW, inventory: bool = True, **spec: Any
) -> dict[str, Any]:
    metadata = {"annotations": annotations or {}, "creationTimestamp": made}
    return {"metadata": metadata, "spec": spec, "status": {"inventory": ["x"] if inventory else []}}


OLD = "2025-09-01T00:00:00Z"
AGED: dict[str, Any] = {"credentials": {"rotateDays": 90}}


@pytest.mark.parametrize(
    ("before", "obj", "after"),
    [
        (Rotation(), wish(), Rotation()),
        (Rotation(), wish(WORD), Rotation("spring", NOW)),
        (Rotation(), wish(WORD, inventory=False), Rotation("spring")),
        (Rotation("spring"), wish(WORD), Rotation("spring")),
        (Rotation("spring", OLD, OLD), wish(WORD), Rotation("spring", OLD, OLD)),
        (Rotation("winter", OLD, OLD), wish(WORD), Rotation("spring", NOW)),
        (Rotation("winter", OLD, OLD), wish(), Rotation("winter", OLD, OLD)),
        (Rotation("winter", OLD), wish(WORD), Rotation("winter", OLD)),
        (Rotation(), wish(WORD, suspend=True), Rotation()),
        (Rotation(), wish(made=OLD, **AGED), Rotation("", NOW)),
        (Rotation(), wish(**AGED), Rotation()),
        (Rotation("w", OLD, OLD), wish(**AGED), Rotation("w", NOW)),
        (Rotation("w", OLD, NOW), wish(made=OLD, **AGED), Rotation("w", OLD, NOW)),
        (Rotation("w", OLD), wish(made=OLD, **AGED), Rotation("w", OLD)),
    ],
)
def test_which_one_is_followed(before: Rotation, obj: dict[str, Any], after: Rotation) -> None:
    assert before.next(obj, NOW) == after
    obj["status"]["rotation"] = after.dump()
    assert Rotation.of(obj) == after
    assert after.next(obj, NOW) == after


@pytest.fixture
def rig() -> Rig:
    return make_rig()


@pytest.fixture
def told(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """What the target hears at each observation of `db`."""
    heard: list[tuple[str, bool]] = []
    observe = type(rig.world).observe

    def listen(world: Any, tenant: Tenant, desired: Any) -> Any:
        if desired.id == rid("db"):
            heard.append((tenant.rotation, tenant.rotating))
        return observe(world, tenant, desired)

    monkeypatch.setattr(type(rig.world), "observe", listen)
    return heard


async def test_from_the_word_to_the_end(rig: Rig, told: list[tuple[str, bool]]) -> None:
    await rig.run()
    assert "rotation" not in rig.cluster.obj["status"]
    rig.cluster.writes.clear()
    rig.change(annotations=WORD)
    await rig.run()
    assert rig.cluster.obj["status"]["rotation"] == {"asked": "spring", "started": NOW, "finished": NOW}
    assert rig.cluster.writes == ["status", "status"]
    assert "Rotated" in [reason for reason, _ in rig.cluster.events]
    assert told == [("", False), (NOW, True)]
    await rig.run()
    rig.restart()
    await rig.run()
    assert rig.cluster.writes == ["status", "status"]
    assert told[2:] == [], "sealed"
    rig.change(generation=2)
    await rig.run()
    assert told[2:] == [(NOW, False)], "what was made in it is known, and nothing is made anew"


async def test_another_word_waits_until_all_is_well(rig: Rig, told: list[tuple[str, bool]]) -> None:
    await rig.run()
    rig.change(annotations=WORD)

    def die(verb: str, resource: ResourceId) -> None:
        raise Killed

    rig.world.fault = die
    with pytest.raises(BaseException):  # noqa: B017,PT011  a group with Killed in it
        await rig.run()
    assert rig.cluster.obj["status"]["rotation"] == {"asked": "spring", "started": NOW}
    rig.world.fault = lambda verb, resource: None
    rig.change(annotations={names.ROTATE_ANNOTATION: "summer"})
    rig.restart()
    await rig.run()
    assert rig.cluster.obj["status"]["rotation"] == {"asked": "spring", "started": NOW, "finished": NOW}
    await rig.run()
    assert rig.cluster.obj["status"]["rotation"]["asked"] == "summer"
