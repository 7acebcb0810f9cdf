"""Two runs come out the same exactly when they are."""

from __future__ import annotations

import base64
import copy
import json
from typing import Any

import pytest

from tests.faults.rig import normalise
from tests.faults.rig.normalise import Mask, masks, normalised, secrets_of
from tests.faults.rig.oracle import different
from tests.faults.rig.recorders import Name

Objects = dict[Name, dict[str, Any]]


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _run(tenant: str, uid: str, password: str, copied: str = "") -> Objects:
    """A tenant whose Deployment's Secret holds a copy of the password of another."""
    state = {"current": password, "client_id": "c", "probed_at": 1}
    made = {
        Name("Secret", tenant, "target"): {"data": {"password": _encoded(password)}},
        Name("Secret", tenant, "hub"): {"data": {"url": _encoded(f"postgres://hub:{copied or password}@db")}},
        Name("Secret", "system", "memory"): {"data": {"state.json": _encoded(json.dumps(state))}},
        Name("Deployment", tenant, "hub"): {"spec": {"host": f"{tenant}.example.org", "of": f"{uid}-owner"}},
    }
    for number, (name, obj) in enumerate(made.items()):
        obj["metadata"] = {"uid": f"{uid}-{number}", "name": name.name}
    return made


def _plain(tenant: str, uid: str, objects: Objects, *masked: Mask) -> normalise.State:
    return normalised(objects, {tenant: "$tenant", f"{uid}-owner": "$life1"}, masked)


ONE = _plain("t1", "u1", _run("t1", "u1", "a" * 24))


def test_names_uids_and_secrets_do_not_count() -> None:
    assert different(ONE, _plain("t2", "u2", _run("t2", "u2", "b" * 24))) == []
    assert ONE["Secret/$tenant/hub"]["data.url"] == "postgres://hub:$Secret/$tenant/target.password@db"


def test_a_copy_that_is_not_equal_is_found() -> None:
    other = _plain("t2", "u2", _run("t2", "u2", "b" * 24, copied="c" * 24))
    assert [text.split(" is ")[0] for text in different(ONE, other)] == ["Secret/$tenant/hub data.url"]


def test_a_value_a_missing_and_a_surplus_object_are_found() -> None:
    objects = _run("t2", "u2", "b" * 24)
    objects[Name("Deployment", "t2", "hub")]["spec"]["host"] = "elsewhere"
    objects[Name("Deployment", "t2", "more")] = copy.deepcopy(objects[Name("Deployment", "t2", "hub")])
    del objects[Name("Secret", "t2", "target")]
    found = "\n".join(different(ONE, _plain("t2", "u2", objects)))
    assert "Secret/$tenant/target is missing" in found
    assert "Deployment/$tenant/more is there and should not be" in found
    assert "Deployment/$tenant/hub spec.host is 'elsewhere' instead of '$tenant.example.org'" in found


def test_a_mask_covers_its_field_of_its_kind_only() -> None:
    objects = _run("t1", "u1", "a" * 24)
    state = _plain("t1", "u1", objects, Mask("data.state.json.probed_at", "a time", "Secret"))
    assert "data.state.json.probed_at" not in state["Secret/system/memory"]
    assert "data.state.json.client_id" in state["Secret/system/memory"]
    state = _plain("t1", "u1", objects, Mask("spec.*", "none", "Secret"))
    assert "spec.host" in state["Deployment/$tenant/hub"]


def test_every_mask_has_a_reason_and_there_are_no_more_than_allowed(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert all(mask.reason for mask in masks())
    too_many = tmp_path / "masked.yaml"
    too_many.write_text("at_most: 1\nfields: [{field: a, reason: x}, {field: b, reason: x}]")
    monkeypatch.setattr(normalise, "_FILE", too_many)
    with pytest.raises(ValueError, match="2 masked fields, and 1 are allowed"):
        masks()


def test_secrets_are_known_by_their_look() -> None:
    secrets = [obj for name, obj in _run("t1", "u1", "a" * 24).items() if name.kind == "Secret"]
    assert secrets_of(secrets) == {"a" * 24}


def test_a_reason_that_is_kept_beside_a_client_is_no_secret() -> None:
    state = json.dumps({"problem": ["RegistrationTokenLost", "see there"], "rat": "b" * 24})
    secret = {"data": {"state.json": base64.b64encode(state.encode()).decode()}}
    assert secrets_of([secret]) == {"b" * 24}
